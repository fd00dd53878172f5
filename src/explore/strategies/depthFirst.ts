/**
 * Exhaustive search without reduction: every order of steps, depth first. What the reduction is checked against, and,
 * with a bound on preemptions, a search of its own (Musuvathi, Qadeer: Iterative context bounding, PLDI 2007). A
 * preemption is a switch away from a CPU that could have gone on; switches at its end or at a wait are free.
 */

import { Execution } from '../execution.ts';
import { type ProgramMaker } from '../program.ts';
import { SearchLimits, type SearchLimitOptions } from './limits.ts';
import { DESCRIPTOR, D_CODE, CHOOSE, KIND_MASK, SLOT_VALUE } from '../operation.ts';
import { verdictNow, type SearchResult, type SearchStatistics, type Verdict } from '../verdict.ts';

interface DepthFirstOptions extends SearchLimitOptions {
  /** Greatest number of preemptions of an execution. Default: no bound. */
  preemptions?: number;
}

export interface DepthFirstResult extends SearchResult {
  /**
   * Whether the bound on preemptions kept the search from any execution; if not, a complete search saw all there are.
   */
  bounded: boolean;
}

/** Says which states a search need not go on from, and follows its way. */
interface SearchMemory {
  /**
   * Enters the present state, at which the execution is not over for a failure; false: it has been gone on from before.
   */
  enter(): boolean;
  /** Whether nothing more can be entered: the search stops. */
  full(): boolean;
  /** After a step. */
  stepped(): void;
  /** Before going back to the state after `depth` steps. */
  rewind(depth: number): void;
}

/**
 * Explores every execution, or every one with at most so many preemptions; `complete` is meant within that bound. The
 * counts have no blocked executions.
 */
export function exploreDepthFirst(
  make: ProgramMaker,
  options: DepthFirstOptions = {},
): DepthFirstResult {
  const { result, bounded } = searchDepthFirst(new Execution(make), options, null);
  return { ...result, bounded };
}

/**
 * The search from the start of an execution. With a memory, paths that lead to a state entered before count as
 * `blocked`; a bound on preemptions, which are no part of a state, must not be combined with it.
 */
export function searchDepthFirst(
  execution: Execution,
  options: DepthFirstOptions,
  memory: SearchMemory | null,
): { result: SearchResult; bounded: boolean } {
  const limits = new SearchLimits(options);
  const bound = options.preemptions ?? Infinity;
  const statistics: SearchStatistics = {
    executions: 0,
    blocked: 0,
    steps: 0,
    depth: 0,
    durationMs: 0,
  };
  let bounded = false;
  /** Of the state before each step: CPUs still to be tried, preemptions so far. */
  const todo: number[] = [];
  const preempted: number[] = [0];
  const choices: number[] = [];
  const choiceAt = (depth: number): number => choices[depth]!;
  let verdict: Verdict = { kind: 'passes' };

  /** Takes a step of `cpu`; `away`: from a CPU that could have gone on. */
  const take = (cpu: number, choice: number, away: boolean): void => {
    const { depth } = execution;
    const isChoice = (execution.next[cpu * DESCRIPTOR + D_CODE]! & KIND_MASK) === CHOOSE;
    choices[depth] = isChoice ? choice : -1;
    preempted[depth + 1] = preempted[depth]! + (away ? 1 : 0);
    execution.step(cpu, choice);
    memory?.stepped();
    statistics.steps += 1;
  };

  /** Whether the CPU of the step before could go on in the present state. */
  const lastCould = (enabled: number): boolean =>
    execution.depth > 0 && (enabled & (1 << execution.stepCpu[execution.depth - 1]!)) !== 0;

  const rewind = (depth: number): void => {
    memory?.rewind(depth);
    execution.rewind(depth);
  };

  const back = (): boolean => {
    for (let depth = execution.depth - 1; depth >= 0; depth--) {
      const cpu = execution.stepCpu[depth]!;
      const next = choices[depth]! + 1;
      if (next > 0 && next < execution.stepOperation[depth * DESCRIPTOR + SLOT_VALUE]!) {
        const away = preempted[depth + 1]! > preempted[depth]!;
        rewind(depth);
        take(cpu, next, away);
        return true;
      }
      const left = todo[depth]!;
      if (left !== 0) {
        const other = 31 - Math.clz32(left & -left);
        todo[depth] = left & (left - 1);
        rewind(depth);
        take(other, 0, lastCould(execution.enabled()));
        return true;
      }
    }
    return false;
  };

  const finish = (complete: boolean): { result: SearchResult; bounded: boolean } => {
    statistics.durationMs = limits.elapsedMs();
    return { result: { verdict, complete, statistics }, bounded };
  };

  for (;;) {
    const { depth } = execution;
    statistics.depth = Math.max(statistics.depth, depth);
    let enabled = 0;
    let known = false;
    if (execution.failure === null && depth < limits.maxSteps) {
      enabled = execution.enabled();
      known = memory !== null && !memory.enter();
    }
    if (known) statistics.blocked += 1;
    else if (enabled !== 0) {
      const stays = lastCould(enabled);
      const cpu = stays ? execution.stepCpu[depth - 1]! : 31 - Math.clz32(enabled & -enabled);
      const others = enabled & ~(1 << cpu);
      const pruned = stays && preempted[depth]! >= bound;
      todo[depth] = pruned ? 0 : others;
      if (pruned && others !== 0) bounded = true;
      take(cpu, 0, false);
      continue;
    } else {
      statistics.executions += 1;
      const found = verdictNow(execution, choiceAt, limits.maxSteps);
      options.onExecution?.(execution, found);
      if (found.kind !== 'passes') {
        if (verdict.kind === 'passes') verdict = found;
        if (options.goOn !== true) return finish(false);
      }
    }
    if (!back()) return finish(true);
    if (limits.reached(statistics) || memory?.full() === true) return finish(false);
  }
}
