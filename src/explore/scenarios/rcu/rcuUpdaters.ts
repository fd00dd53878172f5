/**
 * RCU itself: a reader of a pointer, and two updaters that each replace the pointer, wait for a grace period and
 * destroy what it named. Both may share a grace period, start one each, or one ends what the other started.
 *
 * From: Linux Documentation/RCU/whatisRCU.rst (toy use), kernel/rcu/tree.c (synchronize_rcu); rcutorture.
 * Expected: the reader never reads destroyed data. Numbers of grace periods wrap meanwhile.
 */

import {
  exchange,
  expect,
  load,
  rcuReadLock,
  rcuReadUnlock,
  scratchWord,
  store,
  synchronizeRcu,
} from '../../portable/scenarioApi.ts';

export const about = {
  summary: 'a reader and two updaters that wait for grace periods',
  source: 'Linux kernel/rcu/tree.c (synchronize_rcu), Documentation/RCU/whatisRCU.rst; rcutorture',
  expected: 'passes',
};

const DESTROYED: u32 = 2;

let pointer: u32 = 0;
let data: u32 = 0;

export function setUp(): void {
  pointer = scratchWord(0);
  data = scratchWord(4);
}

function read(): void {
  rcuReadLock();
  const which = load(pointer);
  expect(load(data + (which << 2)) !== DESTROYED, 'data that is in use is not destroyed');
  rcuReadUnlock();
}

function update(cpu: u32): void {
  const old = exchange(pointer, cpu);
  synchronizeRcu();
  store(data + (old << 2), DESTROYED);
}

export const cpus = [read, update, update];
