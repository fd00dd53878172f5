/** What a mutant is: the kernel wrong in one place, where that must be seen, and as what. */

import type { Patch } from '../link/program.ts';
import type { Choices, ScenarioMachine } from '../scenarioTypes.ts';
import type { MixName } from '../../experiment/mixNames.ts';
import type { MachineOptions } from '../../machine/options.ts';
import type { OracleName } from '../../machine/oracles.ts';

/**
 * What a mutant is found by: an oracle (by the kernel or the audit), a scenario's expectation, a race on plain words,
 * or waiting.
 */
export type Finding = OracleName | 'expectation' | 'plain race' | 'deadlock' | 'unmet' | 'endless';

/** A strategy that mutants are hunted by. */
export type HuntStrategy = 'dpor' | 'random' | 'pct' | 'urw';

/** The search that finds a mutant soonest, and how many executions it may take in a test, some to spare. */
export interface QuickSearch {
  strategy: HuntStrategy;
  executions: number;
  /** Default: 1. */
  seed?: number;
}

/** How `ptlab stress` is to be run for real threads to have a chance; laid under what its user asks for. */
export interface StressAdvice {
  mix: MixName;
  machine?: ScenarioMachine & Pick<MachineOptions, 'daemonCpu'>;
}

export interface Mutant {
  /** Words joined by hyphens. */
  name: string;
  /** One line. */
  summary: string;
  /** Number of the known race that it shows (RACES), if any. */
  race?: number;
  /** Why it is wrong: the argument of the kernel's that no longer holds. */
  why: string;
  patch: Patch;
  /** Scenarios in which it must be found; the first is the one that tests and tables use. */
  scenarios: readonly [string, ...string[]];
  /** Scenarios that it passes all the same: what it does not break. */
  controls?: readonly string[];
  /** Laid over each scenario's own. */
  machine?: ScenarioMachine;
  choices?: Choices;
  constants?: Readonly<Record<string, number>>;
  /** What it is found by, most often first: which of them depends on the interleaving. */
  findings: readonly [Finding, ...Finding[]];
  quick: QuickSearch;
  stress: StressAdvice;
}
