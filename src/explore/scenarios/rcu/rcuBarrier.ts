/**
 * rcuBarrier against everybody else who invokes callbacks: its own list is empty, the callback is on another CPU's,
 * whose owner drives it as well, or goes offline with it.
 *
 * From: Linux kernel/rcu/tree.c (rcu_barrier), kernel/cpu.c (the callbacks of a CPU that goes offline).
 * Expected: when the barrier returns every callback queued before it was called has been invoked, once.
 */

import {
  callRcu,
  expect,
  load,
  perhapsQuiescent,
  rcuBarrier,
  scratchWord,
  store,
} from '../../portable/scenarioApi.ts';
import { RCU_TORTURE } from '../../../kernel/rcu/rcuCallbacks.ts';

export const about = {
  summary: 'rcuBarrier against a CPU that queues a callback and goes offline',
  source: 'Linux kernel/rcu/tree.c (rcu_barrier, rcutree_migrate_callbacks)',
  expected: 'passes',
};

let head: u32 = 0;
let freed: u32 = 0;
let queued: u32 = 0;

export function setUp(): void {
  head = scratchWord(0);
  freed = scratchWord(3);
  queued = scratchWord(4);
}

function queue(): void {
  callRcu(head, RCU_TORTURE);
  store(queued, 1);
  perhapsQuiescent();
}

function barrier(): void {
  const before = load(queued);
  rcuBarrier();
  if (before !== 0) expect(load(freed) === 1, 'invoked when the barrier returns');
}

export const cpus = [queue, barrier];

export function finish(): void {
  expect(load(freed) === 1, 'invoked once');
}
