/**
 * What a CPU may do between two operations of a scenario, and need not: the explorer tries both. In other executions it
 * does not happen.
 */

import { rcuIdleEnter, rcuIdleExit, rcuQuiescentState } from '../../kernel/rcu/rcu.ts';
import { choose } from './primitives.ts';

/** A quiescent state, perhaps, with all that it does: reporting, driving grace periods, invoking callbacks. */
export function perhapsQuiescent(): void {
  if (choose(2) === 1) rcuQuiescentState();
}

/** Idle for a while, perhaps. */
export function perhapsIdle(): void {
  if (choose(2) === 1) {
    rcuIdleEnter();
    rcuIdleExit();
  }
}
