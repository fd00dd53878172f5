/**
 * Measures of an execution, each with its greatest value over all orders of the same steps that keep the order of
 * dependent ones, that is, over all executions of the same class (Mazurkiewicz trace). So a search that sees one
 * execution of each class knows the greatest value over all schedules.
 *
 * Each follows from one fact: when step `early` does not come after step `late` by any chain of dependences, there is
 * an order in which only what happens before `early` precedes it and only what happens after `late` follows it, and
 * everything else lies between. An extreme is such a cut: the steps of `early` with all that happens before them come
 * first, those of `late` with all that happens after them last.
 */

import { type Execution } from '../execution.ts';
import { DESCRIPTOR, D_CODE, CHOOSE, KIND_MASK, KIND_SPAN, SLOT_ADDRESS } from '../operation.ts';
import type { StepOrder } from '../strategies/trace.ts';
import { COUNTER_FAULT_RETRIES, COUNTER_PTE_MAP_RETRIES } from '../../kernel/abi.ts';
import { largestAntichain } from './antichain.ts';
import { AT_START, gracePeriods, retirements } from './tables.ts';

/** The greatest value of a class of executions, and the cut that shows it. */
export interface Extreme {
  value: number;
  /** Steps that come first, with all that happens before them. */
  early: readonly number[];
  /** Steps that come last, with all that happens after them; where that leaves their order open, in this order. */
  late: readonly number[];
  /** The table and the CPU that the value is about, as far as there is one. */
  subject: { readonly table?: number; readonly cpu?: number };
}

export interface Measure {
  name: string;
  unit: string;
  /** What the schedule with the greatest value shows. */
  shows: string;
  /** Greatest value that a correct kernel allows; absent: any. */
  limit?: number;
  /** Message of the violation when the limit is exceeded. */
  exceeded?(extreme: Extreme): string;
  /** Of an execution that has ended, over all orders that keep `order`. */
  extreme(execution: Execution, order: StepOrder): Extreme;
}

const NOTHING: Extreme = { value: 0, early: [], late: [], subject: {} };

/** Whether step `a` happens before step `b`, or is it; either may be AT_START. */
function upTo(order: StepOrder, a: number, b: number): boolean {
  return a === b || a === AT_START || (b !== AT_START && order.before(a, b));
}

/** A list of the step, unless it stands before all steps or nowhere. */
function listOf(step: number | null): number[] {
  return step === null || step === AT_START ? [] : [step];
}

const retireToFree: Measure = {
  name: 'retireToFree',
  unit: 'steps',
  shows: 'the most steps from retiring a table to freeing it, or to the end if nobody does',
  extreme(execution, order) {
    let worst = NOTHING;
    for (const { table, retired, freed } of retirements(execution)) {
      let value = 0;
      for (let step = 0; step < execution.depth; step++)
        if (!upTo(order, step, retired) && (freed === null || !upTo(order, freed, step)))
          value += 1;
      if (value > worst.value)
        worst = { value, early: listOf(retired), late: listOf(freed), subject: { table } };
    }
    return worst;
  },
};

/**
 * Tables are held back at once in some order unless one of them is freed before another is retired in every order; that
 * is a partial order of the tables, and the largest set is a largest antichain of it.
 */
const held: Measure = {
  name: 'held',
  unit: 'tables',
  shows: 'the most tables that are retired and not yet freed at once',
  extreme(execution, order) {
    const all = retirements(execution);
    const set = largestAntichain(all.length, (u, t) => {
      const { freed } = all[u]!;
      return freed !== null && upTo(order, freed, all[t]!.retired);
    }).map((index) => all[index]!);
    return {
      value: set.length,
      early: set.flatMap(({ retired }) => listOf(retired)),
      late: set.flatMap(({ freed }) => listOf(freed)),
      subject: {},
    };
  },
};

/** Retries are counted by each CPU for itself: all executions of a class have the same. */
const retries: Measure = {
  name: 'retries',
  unit: 'retries',
  shows: 'the most retries of one CPU: page tables mapped again, faults begun again',
  extreme({ program: { kernel }, cpus, words, initial }) {
    let worst = NOTHING;
    if (kernel === undefined) return worst;
    for (let cpu = 0; cpu < cpus; cpu++) {
      let value = 0;
      for (const counter of [COUNTER_PTE_MAP_RETRIES, COUNTER_FAULT_RETRIES]) {
        const word = kernel.counterWord(cpu, counter);
        value += words[word]! - initial[word]!;
      }
      if (value > worst.value) worst = { value, early: [], late: [], subject: { cpu } };
    }
    return worst;
  },
};

/**
 * Modules that touch words of retired tables without being readers: table.ts looks at a table that it is about to free;
 * the hardware walker of access.ts may come back through its paging-structure cache until the flush, which holds the
 * freeing back as the grace period does.
 */
const NO_READERS = new Set(['table', 'access']);

/** Whether the step reads or writes a word of the table for a reader. */
function touches(execution: Execution, step: number, table: number): boolean {
  const { kernel, sites } = execution.program;
  if (kernel === undefined) return false;
  const at = step * DESCRIPTOR;
  const code = execution.stepOperation[at + D_CODE]!;
  if ((code & KIND_MASK) === CHOOSE) return false;
  const word = execution.stepOperation[at + SLOT_ADDRESS]! >>> 2;
  if (word < kernel.tableWord(table) || word >= kernel.tableWord(table + 1)) return false;
  return !NO_READERS.has(sites[Math.floor(code / KIND_SPAN)]?.module ?? '');
}

/**
 * rcutorture's pipe count, exact (Linux kernel/rcu/rcutorture.c, rcu_torture_pipe_update): 0 when a retired table is
 * never touched, 1 when one is, and 1 more for each grace period that can lie between the retirement and the access,
 * having started after the one and ended before the other. One that was under way at the retirement does not count: it
 * need not wait for readers that came after its start. A reader that can reach the table began before the retirement,
 * so every grace period that starts later waits for it, and 1 is the most that RCU allows.
 */
const age: Measure = {
  name: 'age',
  unit: 'pipe count',
  shows: 'the most grace periods from retiring a table to a walker’s access to it',
  limit: 1,
  exceeded: ({ value, subject }) =>
    `grace-period: table ${subject.table} is touched after it was retired and ${value - 1} full grace period${value === 2 ? '' : 's'} passed`,
  extreme(execution, order) {
    let worst = NOTHING;
    const periods = gracePeriods(execution);
    for (const { table, retired, freed } of retirements(execution))
      for (let step = 0; step < execution.depth; step++) {
        if (!touches(execution, step, table) || upTo(order, step, retired)) continue;
        if (freed !== null && upTo(order, freed, step)) continue;
        let value = 1;
        // As the access comes before the freeing, what comes after the freeing comes after it.
        const late = [step, ...listOf(freed)];
        for (const { started, ended } of periods)
          if (!upTo(order, started, retired) && !late.some((last) => upTo(order, last, ended)))
            value += 1;
        if (value > worst.value)
          worst = {
            value,
            early: listOf(retired),
            late,
            subject: { table, cpu: execution.stepCpu[step]! },
          };
      }
    return worst;
  },
};

type MeasureName = 'retireToFree' | 'held' | 'retries' | 'age';

/** All measures by name. */
export const MEASURES: Readonly<Record<MeasureName, Measure> & Record<string, Measure>> = {
  retireToFree,
  held,
  retries,
  age,
};
