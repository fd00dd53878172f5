/** What an execution's events say about tables held back and grace periods (EVENT_ codes of the kernel's report.ts). */

import type { Execution } from '../execution.ts';
import type { KernelEvent } from '../program.ts';
import {
  EVENT_GP_END,
  EVENT_GP_START,
  EVENT_TABLE_DETACH,
  EVENT_TABLE_FREE,
} from '../../kernel/abi.ts';

/** Step before all others: where what happened in the set-up stands. */
export const AT_START = -1;

/** From the retirement of a table to its freeing. */
interface Retirement {
  table: number;
  /** Step that retired it, or AT_START. */
  retired: number;
  /** Step that freed it; null: nobody did before the CPUs ended. */
  freed: number | null;
}

interface GracePeriod {
  /** Step that started it, or AT_START. */
  started: number;
  ended: number;
}

/** Events before a CPU's first step are noted with step 0, whoever took that step. */
function stepOf(execution: Execution, { cpu, step }: KernelEvent): number {
  return execution.depth > 0 && execution.stepCpu[step] === cpu ? step : AT_START;
}

/** Retirements, oldest first. A table that is used again may be retired again. */
export function retirements(execution: Execution): Retirement[] {
  const all: Retirement[] = [];
  const held = new Map<number, Retirement>();
  for (const event of execution.events) {
    if (event.kind !== EVENT_TABLE_DETACH && event.kind !== EVENT_TABLE_FREE) continue;
    const table = event.a & 0xffffff;
    const step = stepOf(execution, event);
    if (event.kind === EVENT_TABLE_DETACH) {
      const retirement = { table, retired: step, freed: null };
      held.set(table, retirement);
      all.push(retirement);
      continue;
    }
    const retirement = held.get(table);
    if (retirement === undefined) continue;
    retirement.freed = step;
    held.delete(table);
  }
  return all;
}

/** Grace periods that started and ended, oldest first. */
export function gracePeriods(execution: Execution): GracePeriod[] {
  const all: GracePeriod[] = [];
  const started = new Map<number, number>();
  for (const event of execution.events) {
    if (event.kind === EVENT_GP_START) started.set(event.a, stepOf(execution, event));
    else if (event.kind === EVENT_GP_END)
      all.push({
        started: started.get(event.a) ?? AT_START,
        ended: stepOf(execution, event),
      });
  }
  return all;
}
