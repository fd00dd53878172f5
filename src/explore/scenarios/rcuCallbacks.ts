/**
 * Callbacks: an updater queues two and goes idle at once, leaving them behind. The reader reports quiescent states, drives the grace
 * periods and invokes what it adopts; a third CPU is idle for a while in the middle of everything.
 *
 * From: Linux kernel/rcu/tree.c (call_rcu, rcu_do_batch, rcutree_migrate_callbacks), kernel/context_tracking.c.
 * Expected: a callback runs once, never under a reader that could have seen what it frees.
 */

import {
  callRcu,
  expect,
  load,
  perhapsIdle,
  rcuQuiescentState,
  rcuReadLock,
  rcuReadUnlock,
  scratchWord,
  store,
} from '../scenarioApi.ts';
import { RCU_TORTURE } from '../../kernel/rcuCallbacks.ts';

export const about = {
  summary: 'callbacks of a CPU that went idle, adopted and invoked by the others',
  source: 'Linux kernel/rcu/tree.c (call_rcu, rcu_do_batch, rcutree_migrate_callbacks)',
  expected: 'passes',
};

/** An RCU head (three words) and the word behind it, which its callback counts up; then the pointer to it. */
let head: u32 = 0;
let freed: u32 = 0;
let pointer: u32 = 0;

export function setUp(): void {
  head = scratchWord(0);
  freed = scratchWord(3);
  pointer = scratchWord(4);
  store(pointer, 1);
}

function update(): void {
  store(pointer, 0);
  callRcu(head, RCU_TORTURE);
}

function readOnce(): void {
  rcuReadLock();
  if (load(pointer) !== 0) expect(load(freed) === 0, 'not freed under its reader');
  rcuReadUnlock();
}

function read(): void {
  readOnce();
  rcuQuiescentState();
  rcuQuiescentState();
}

function idleAndRead(): void {
  perhapsIdle();
  readOnce();
}

export const cpus = [update, read, idleAndRead];

export function finish(): void {
  expect(load(freed) === 1, 'freed once');
}
