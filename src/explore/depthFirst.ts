/**
 * Exhaustive search without reduction: every order of steps, depth first. What the reduction is checked against, and, with a
 * bound on preemptions, a search of its own (Musuvathi, Qadeer: Iterative context bounding, PLDI 2007). A preemption is a switch
 * away from a CPU that could have gone on; switches at its end or at a wait are free.
 */

import { DESCRIPTOR, D_CODE, Execution, type ProgramMaker } from './execution.ts';
import { CHOOSE, KIND_MASK, SLOT_VALUE } from './operation.ts';
import { SearchLimits, type SearchLimitOptions } from './limits.ts';
import { verdictNow, type SearchResult, type SearchStatistics, type Verdict } from './verdict.ts';

export interface DepthFirstOptions extends SearchLimitOptions {
  /** Greatest number of preemptions of an execution. Default: no bound. */
  preemptions?: number;
}

/**
 * Explores every execution, or every one with at most so many preemptions; `complete` is meant within that bound. The counts
 * have no blocked executions.
 */
export function exploreDepthFirst(
  make: ProgramMaker,
  options: DepthFirstOptions = {},
): SearchResult {
  const execution = new Execution(make);
  const limits = new SearchLimits(options);
  const bound = options.preemptions ?? Infinity;
  const statistics: SearchStatistics = {
    executions: 0,
    blocked: 0,
    steps: 0,
    depth: 0,
    durationMs: 0,
  };
  /** Of the state before each step: CPUs still to be tried, preemptions so far. */
  const todo: number[] = [];
  const preempted: number[] = [];
  const choices: number[] = [];
  const choiceAt = (depth: number): number => choices[depth]!;
  let verdict: Verdict = { kind: 'passes' };

  const take = (cpu: number, choice: number): void => {
    const { depth } = execution;
    const isChoice = (execution.next[cpu * DESCRIPTOR + D_CODE]! & KIND_MASK) === CHOOSE;
    choices[depth] = isChoice ? choice : -1;
    const last = depth === 0 ? -1 : execution.stepCpu[depth - 1]!;
    const could = last >= 0 && last !== cpu && (execution.enabled() & (1 << last)) !== 0;
    preempted[depth + 1] = (preempted[depth] ?? 0) + (could ? 1 : 0);
    execution.step(cpu, choice);
    statistics.steps += 1;
  };

  const back = (): boolean => {
    for (let depth = execution.depth - 1; depth >= 0; depth--) {
      const cpu = execution.stepCpu[depth]!;
      const next = choices[depth]! + 1;
      if (next > 0 && next < execution.stepOperation[depth * DESCRIPTOR + SLOT_VALUE]!) {
        execution.rewind(depth);
        take(cpu, next);
        return true;
      }
      const left = todo[depth]!;
      if (left !== 0) {
        const other = 31 - Math.clz32(left & -left);
        todo[depth] = left & (left - 1);
        execution.rewind(depth);
        take(other, 0);
        return true;
      }
    }
    return false;
  };

  const finish = (complete: boolean): SearchResult => {
    statistics.durationMs = limits.elapsedMs();
    return { verdict, complete, statistics };
  };

  for (;;) {
    const { depth } = execution;
    statistics.depth = Math.max(statistics.depth, depth);
    let enabled = 0;
    if (execution.failure === null && depth < limits.maxSteps) enabled = execution.enabled();
    if (enabled !== 0) {
      const last = depth === 0 ? 0 : execution.stepCpu[depth - 1]!;
      const stays = (enabled & (1 << last)) !== 0 && depth > 0;
      const cpu = stays ? last : 31 - Math.clz32(enabled & -enabled);
      const others = enabled & ~(1 << cpu);
      todo[depth] = stays && (preempted[depth] ?? 0) >= bound ? 0 : others;
      take(cpu, 0);
      continue;
    }
    statistics.executions += 1;
    const found = verdictNow(execution, choiceAt, limits.maxSteps);
    options.onExecution?.(execution, found);
    if (found.kind !== 'passes') {
      if (verdict.kind === 'passes') verdict = found;
      if (options.goOn !== true) return finish(false);
    }
    if (!back()) return finish(true);
    if (limits.reached(statistics)) return finish(false);
  }
}
