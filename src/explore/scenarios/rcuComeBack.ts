/**
 * A CPU that goes idle with a callback left, comes back and queues another, against rcuBarrier, which invokes what it left: two CPUs may
 * invoke from one list.
 *
 * From: Linux kernel/rcu/tree.c (rcu_barrier, rcutree_migrate_callbacks, rcu_do_batch).
 * Expected: what was queued before the barrier has been invoked when it returns, and it does return.
 */

import {
  callRcu,
  expect,
  load,
  rcuBarrier,
  rcuIdleEnter,
  rcuIdleExit,
  rcuQuiescentState,
  scratchWord,
} from '../scenarioApi.ts';
import { RCU_HEAD_BYTES } from '../../kernel/layout.ts';
import { RCU_TORTURE } from '../../kernel/rcuCallbacks.ts';

export const about = {
  summary:
    'rcuBarrier against a CPU that goes idle with a callback left and comes back to queue another',
  source: 'Linux kernel/rcu/tree.c (rcu_barrier, rcutree_migrate_callbacks)',
  expected: 'passes',
};

/** Head of object `number`, of two; the word behind it counts how often it was freed. */
function objectOf(number: u32): u32 {
  return scratchWord(number << 2);
}

export function setUp(): void {
  callRcu(objectOf(0), RCU_TORTURE);
}

function comeBack(): void {
  rcuIdleEnter();
  rcuIdleExit();
  callRcu(objectOf(1), RCU_TORTURE);
  rcuQuiescentState();
}

function wait(): void {
  rcuBarrier();
  expect(load(objectOf(0) + RCU_HEAD_BYTES) === 1, 'invoked when the barrier returns');
}

export const cpus = [comeBack, wait];

export function finish(): void {
  expect(load(objectOf(0) + RCU_HEAD_BYTES) === 1, 'the first freed once');
  expect(load(objectOf(1) + RCU_HEAD_BYTES) === 1, 'the second freed once');
}
