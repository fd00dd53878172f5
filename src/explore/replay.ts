/** Runs a program again along a schedule. */

import { Execution } from './execution.ts';
import { type ProgramMaker } from './program.ts';
import { verdictNow, type Schedule, type Verdict } from './verdict.ts';

/** The step at which a program departs: what was to be done, and what is. */
interface Departure {
  cpu: number;
  expected: string;
  found: string;
}

/** The program cannot follow a schedule: it has changed, or the schedule is another program's. */
export class DepartureError extends Error {
  override readonly name = 'DepartureError';
  /** Steps that it followed. */
  readonly step: number;
  /** In words; null when the schedule does not say what its steps were. */
  readonly departure: Departure | null;

  constructor(step: number, why: string, departure: Departure | null = null) {
    super(`step ${step}: ${why}`);
    this.step = step;
    this.departure = departure;
  }
}

/** An execution at the end of a schedule, and the verdict when it is over there. */
interface Replayed {
  execution: Execution;
  /** Null when some CPU could go on. */
  verdict: Verdict | null;
}

/** Follows a schedule step by step. Throws DepartureError when a CPU that is to move cannot. */
export function replaySchedule(program: ProgramMaker | Execution, schedule: Schedule): Replayed {
  const execution = program instanceof Execution ? program : new Execution(program);
  execution.rewind(0);
  for (const [step, entry] of schedule.entries()) {
    const [cpu, choice] = typeof entry === 'number' ? [entry, -1] : entry;
    if (execution.failure !== null)
      throw new DepartureError(step, `the program has failed before: ${execution.failure.message}`);
    if ((execution.enabled() & (1 << cpu)) === 0) {
      const why = (execution.finished & (1 << cpu)) !== 0 ? 'has ended' : 'waits';
      throw new DepartureError(step, cpu < execution.cpus ? `CPU ${cpu} ${why}` : `no CPU ${cpu}`);
    }
    execution.step(cpu, Math.max(0, choice));
  }
  const over = execution.failure !== null || execution.enabled() === 0;
  const choices = (depth: number): number => {
    const entry = schedule[depth]!;
    return typeof entry === 'number' ? -1 : entry[1];
  };
  return { execution, verdict: over ? verdictNow(execution, choices, Infinity) : null };
}
