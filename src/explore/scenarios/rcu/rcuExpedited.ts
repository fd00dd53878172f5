/**
 * An expedited grace period: the updater interrupts the CPUs that it waits for, whose long operations then pass through
 * a quiescent state at the next opportunity, and not before.
 *
 * From: Linux kernel/rcu/tree_exp.h (synchronize_rcu_expedited, sync_rcu_exp_select_cpus).
 * Expected: the reader never reads destroyed data, however early it is hurried.
 */

import {
  condResched,
  expect,
  load,
  rcuReadLock,
  rcuReadUnlock,
  scratchWord,
  store,
  synchronizeRcuExpedited,
  pollInterrupts,
} from '../../portable/scenarioApi.ts';

export const about = {
  summary:
    'an expedited grace period against readers that poll interrupts inside of their sections',
  source: 'Linux kernel/rcu/tree_exp.h (synchronize_rcu_expedited)',
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
  const named = load(pointer);
  pollInterrupts();
  if (named !== 0) expect(load(data) === 0, 'data that is in use is not destroyed');
  rcuReadUnlock();
}

function read(): void {
  readOnce();
  condResched();
  readOnce();
}

function update(): void {
  store(pointer, 0);
  synchronizeRcuExpedited();
  store(data, 1);
}

export const cpus = [read, update, readOnce];
