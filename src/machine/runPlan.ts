/** A run of a workload: how it is asked for, what it gives, and the check of what is asked for. */
import type { AddressSpace } from './addressSpace.ts';
import type { AuditReport } from './audit/index.ts';
import type { MachineEvent } from './events.ts';
import { OptionError, checkInteger, checkKeys, type ResolvedOptions } from './options.ts';
import type { MachineStatistics } from './statistics.ts';
import type { Violation } from './violations.ts';
import { workloadsAllowed, type WorkloadCatalogue, type WorkloadSpec } from './workloadSpec.ts';

/** Longest delay of a Node timer, milliseconds. */
export const TIMER_MS_MAX = 2 ** 31 - 1;

/** How a workload is run. Without `durationMs` and `operations` it runs for a second. */
export interface RunOptions {
  durationMs?: number;
  /** Operations of each CPU. */
  operations?: number;
  /** Seed of the workload's generators; default: the machine's. */
  seed?: number;
  /** Address spaces for the workload; default: it makes its own. */
  spaces?: readonly AddressSpace[];
  /** Called every `progressMs` (default 500) with current statistics. */
  onProgress?: (statistics: MachineStatistics, elapsedMs: number) => void;
  progressMs?: number;
  /** Ends the run early, as if its time were over. */
  signal?: AbortSignal;
  /** Audit the machine after the run; default: true. */
  audit?: boolean;
}

/** What a run did. */
export interface RunReport {
  workload: string;
  seed: number;
  options: ResolvedOptions;
  durationMs: number;
  /** Operations done, all CPUs; null for a CPU that died before it could say. */
  operations: number;
  operationsPerCpu: (number | null)[];
  ended: 'time' | 'count' | 'violation' | 'interrupted' | 'death';
  statistics: MachineStatistics;
  violations: Violation[];
  /** What the CPUs did last, when something was wrong and the machine has rings (option `eventsPerCpu`). */
  events: MachineEvent[];
  /** Null when the run had no audit. */
  audit: AuditReport | null;
}

/** What the CPUs are to run, and for how long (null: until they have done their operations). Throws OptionError. */
export function planRun(
  workload: string | URL,
  options: RunOptions,
  machine: ResolvedOptions,
  catalogue: WorkloadCatalogue,
): { spec: WorkloadSpec; durationMs: number | null } {
  checkKeys('options', options, [
    'durationMs',
    'operations',
    'seed',
    'spaces',
    'onProgress',
    'progressMs',
    'signal',
    'audit',
  ]);
  if (typeof workload !== 'string' && !(workload instanceof URL))
    throw new OptionError('workload', workload, 'a name or a URL');
  const name = String(workload);
  if (catalogue.names.includes(name)) catalogue.checkMachine(name, machine);
  else if (!URL.canParse(name))
    throw new OptionError('workload', workload, workloadsAllowed(catalogue.names));
  const operations =
    options.operations === undefined
      ? 0
      : checkInteger('operations', options.operations, 1, Number.MAX_SAFE_INTEGER);
  const durationMs =
    options.durationMs === undefined
      ? operations === 0
        ? 1000
        : null
      : checkInteger('durationMs', options.durationMs, 1, TIMER_MS_MAX);
  const spec = {
    name,
    seed: checkInteger('seed', options.seed ?? machine.seed, 0, 0xffff_ffff),
    operations,
    spaces: (options.spaces ?? []).map((space) => space.handle),
    stalledReaders: machine.inject.stalledReaders,
  };
  return { spec, durationMs };
}
