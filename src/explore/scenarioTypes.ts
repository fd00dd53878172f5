/** How scenarios say what they are, and how one is asked for. */

import type { MachineOptions } from '../machine/optionTypes.ts';
import type { FixedSizes, KernelName } from './smallMachines.ts';
import type { Patch } from './link/program.ts';

/** What an exploration of a scenario is expected to end with. */
export const EXPECTATIONS = ['passes', 'violation', 'deadlock', 'unmet'] as const;

/** Most times that each kind of trouble happens on one CPU (choices.ts), up to 15. */
export interface Choices {
  /** Failing allocations: of tables, batch pages, frames, or of anything. */
  table?: number;
  batch?: number;
  frame?: number;
  allocation?: number;
  /** Looks at need_resched that find it set. */
  resched?: number;
  /** Deaths, at a lock just taken. */
  death?: number;
  /** Interrupts to the next CPU, at synchronisation points. */
  interrupt?: number;
  /** Walks of the hardware walker on its own account, to page `vpn` (default 1). */
  speculation?: number;
  vpn?: number;
}

/** A machine's options as far as scenarios choose them: the CPUs are the scenario's, the sizes small and fixed. */
export type ScenarioMachine = Omit<MachineOptions, 'cpus' | 'execution' | 'mutant' | FixedSizes>;

export interface ScenarioAbout {
  /** One line. */
  summary: string;
  /** Where the race comes from: file and function, mail, paper. */
  source: string;
  expected: (typeof EXPECTATIONS)[number];
  machine?: ScenarioMachine;
  /** A named kernel (KERNELS). Default: SMALL. */
  kernel?: KernelName;
  /** Values of constants of the kernel, over those of the named one, or of the scenario's own. */
  constants?: Readonly<Record<string, number>>;
  choices?: Choices;
  /** For programs of bare words, without a machine: bytes of memory. */
  memoryBytes?: number;
}

/** A scenario and how it is to be changed; all that is needed to open it again. JSON. */
export interface ScenarioRequest {
  /** Name of one of ours, or the path of a module. */
  scenario: string;
  machine?: ScenarioMachine;
  constants?: Readonly<Record<string, number>>;
  choices?: Choices;
  patch?: Patch;
  /**
   * Name of a mutant: its patch, and its machine, choices and constants over the scenario's own and under the
   * request's.
   */
  mutant?: string;
  /** CPUs that run; the others stay idle. Default: all. */
  cpus?: readonly number[];
  /** Statements (numbers of `Scenario.statements`) that a CPU leaves out. */
  drop?: readonly (readonly [cpu: number, statement: number])[];
}
