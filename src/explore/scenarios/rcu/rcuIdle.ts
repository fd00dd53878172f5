/**
 * A CPU that goes idle and comes back, reading on both sides, while an updater waits for a grace period: an idle CPU is
 * not waited for, and must not slip into a section that was to be waited for.
 *
 * From: Linux kernel/context_tracking.c (ct_idle_enter, ct_idle_exit), kernel/rcu/tree.c (rcu_dynticks_snap).
 * Expected: the reader never reads destroyed data.
 */

import {
  expect,
  load,
  rcuIdleEnter,
  rcuIdleExit,
  rcuReadLock,
  rcuReadUnlock,
  scratchWord,
  store,
  synchronizeRcu,
} from '../../portable/scenarioApi.ts';

export const about = {
  summary: 'a reader that goes idle and comes back while updaters wait for grace periods',
  source: 'Linux kernel/context_tracking.c (ct_idle_enter), kernel/rcu/tree.c',
  expected: 'passes',
};

let pointer: u32 = 0;
let data: u32 = 0;

export function setUp(): void {
  pointer = scratchWord(0);
  data = scratchWord(4);
  store(pointer, 1);
}

function readOnce(): void {
  rcuReadLock();
  if (load(pointer) !== 0) expect(load(data) === 0, 'data that is in use is not destroyed');
  rcuReadUnlock();
}

function read(): void {
  readOnce();
  rcuIdleEnter();
  rcuIdleExit();
  readOnce();
}

function update(): void {
  store(pointer, 0);
  synchronizeRcu();
  store(data, 1);
}

function wait(): void {
  synchronizeRcu();
}

export const cpus = [read, update, wait];
