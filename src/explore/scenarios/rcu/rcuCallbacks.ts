/**
 * Callbacks: an updater queues one, then another for what it has just unlinked, and goes idle at once, leaving them
 * behind. The others report quiescent states, drive the grace periods and invoke what they adopt, both at the same
 * time.
 *
 * From: Linux kernel/rcu/tree.c (call_rcu, rcu_do_batch, rcutree_migrate_callbacks), kernel/context_tracking.c.
 * Expected: a callback runs once, never under a reader that could have seen what it frees: not when it has just become
 * the oldest of its list either.
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
} from '../../portable/scenarioApi.ts';
import { G_RCU_ORPHANS } from '../../../kernel/word/layout.ts';
import { RCU_TORTURE } from '../../../kernel/rcu/rcuCallbacks.ts';

export const about = {
  summary: 'callbacks of a CPU that went idle, adopted and invoked by two others that read',
  source: 'Linux kernel/rcu/tree.c (call_rcu, rcu_do_batch, rcutree_migrate_callbacks)',
  expected: 'passes',
};

/** Two RCU heads (three words), each with the word that its callback counts up behind it; the pointer to the second. */
let heads: u32 = 0;
let freed: u32 = 0;
let pointer: u32 = 0;

export function setUp(): void {
  heads = scratchWord(0);
  freed = heads + 28;
  pointer = scratchWord(8);
  store(pointer, 1);
}

function update(): void {
  callRcu(heads, RCU_TORTURE);
  rcuQuiescentState();
  store(pointer, 0);
  callRcu(heads + 16, RCU_TORTURE);
}

function readOnce(): void {
  rcuReadLock();
  if (load(pointer) !== 0) expect(load(freed) === 0, 'not freed under its reader');
  rcuReadUnlock();
}

function readAndAdopt(): void {
  readOnce();
  rcuQuiescentState();
}

function adoptAndRead(): void {
  perhapsIdle();
  rcuQuiescentState();
  readOnce();
}

export const cpus = [update, readAndAdopt, adoptAndRead];

export function finish(): void {
  expect(load(heads + 12) === 1 && load(freed) === 1, 'each freed once');
  expect(load(G_RCU_ORPHANS) === 0, 'no idle CPU counts as having left callbacks');
}
