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
  store,
} from '../scenarioApi.ts';
import { RCU_HEAD_BYTES } from '../../kernel/layout.ts';
import { RCU_TORTURE } from '../../kernel/rcuCallbacks.ts';

export const about = {
  summary:
    'rcuBarrier against a CPU that goes idle with a callback left and comes back to queue another',
  source: 'Linux kernel/rcu/tree.c (rcu_barrier, rcutree_migrate_callbacks)',
  expected: 'passes',
};

let queued: u32 = 0;

/** Head of object `number`, of two; the word behind it counts how often it was freed. */
function objectOf(number: u32): u32 {
  return scratchWord(4 + (number << 2));
}

export function setUp(): void {
  queued = scratchWord(0);
}

function queue(): void {
  callRcu(objectOf(0), RCU_TORTURE);
  store(queued, 1);
  rcuIdleEnter();
  rcuIdleExit();
  callRcu(objectOf(1), RCU_TORTURE);
  store(queued, 2);
  rcuQuiescentState();
}

function wait(): void {
  const before = load(queued);
  rcuBarrier();
  for (let number: u32 = 0; number < before; number++)
    expect(load(objectOf(number) + RCU_HEAD_BYTES) === 1, 'invoked when the barrier returns');
}

export const cpus = [queue, wait];
