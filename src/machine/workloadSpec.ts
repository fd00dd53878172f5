/** How workloads are asked for. */
import type { ResolvedOptions } from './optionTypes.ts';

/** What a workload's run is given on every CPU. */
export interface WorkloadSpec {
  /** Name of a mix or of one of the named workloads, or URL of a module. */
  name: string;
  seed: number;
  /** Operations of each CPU; 0: until the machine is stopped. */
  operations: number;
  /** Handles of the caller's address spaces, empty for a workload that makes its own. */
  spaces: number[];
  /** CPUs, the last ones, that stay long in RCU sections. */
  stalledReaders: number;
}

/** The workloads that have names. */
export interface WorkloadCatalogue {
  readonly names: readonly string[];
  /** Checks that a machine is large enough for the one called `name`. Throws OptionError. */
  checkMachine(name: string, options: ResolvedOptions): void;
}

/** What a workload may be where `names` have one, as errors say it. */
export const workloadsAllowed = (names: readonly string[]): string =>
  `${names.join(', ')}, or a module's URL`;
/** What the URL of a workload must name. */
export const WORKLOAD_MODULE = 'a module that exports a function run';
