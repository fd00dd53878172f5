/**
 * Two updaters that leave what they replaced to callbacks, one of them twice, and a reader between quiescent states: callbacks of one list
 * that need different grace periods, and grace periods that another CPU starts.
 *
 * From: Linux kernel/rcu/rcu_segcblist.c (rcu_segcblist_accelerate), kernel/rcu/rcutorture.c.
 * Expected: what a reader has found is not freed while it reads; every callback runs once.
 */

import {
  callRcu,
  exchange,
  expect,
  load,
  rcuQuiescentState,
  rcuReadLock,
  rcuReadUnlock,
  scratchWord,
  store,
} from '../scenarioApi.ts';
import { RCU_HEAD_BYTES } from '../../kernel/layout.ts';
import { RCU_TORTURE } from '../../kernel/rcuCallbacks.ts';

export const about = {
  summary: 'two updaters that queue callbacks, one of them twice, and a reader',
  source: 'Linux kernel/rcu/rcu_segcblist.c (rcu_segcblist_accelerate); rcutorture',
  expected: 'passes',
};

let pointer: u32 = 0;

/** Head of object `number`, of three; the word behind it counts how often it was freed. */
function objectOf(number: u32): u32 {
  return scratchWord(4 + (number << 2));
}

export function setUp(): void {
  pointer = scratchWord(0);
  store(pointer, objectOf(0));
}

function replace(by: u32): void {
  const old = exchange(pointer, by);
  if (old !== 0) callRcu(old, RCU_TORTURE);
}

function updateTwice(): void {
  replace(objectOf(1));
  replace(0);
}

function update(): void {
  replace(objectOf(2));
  rcuQuiescentState();
}

function read(): void {
  rcuQuiescentState();
  rcuReadLock();
  const object = load(pointer);
  if (object !== 0) expect(load(object + RCU_HEAD_BYTES) === 0, 'not freed under its reader');
  rcuReadUnlock();
}

export const cpus = [updateTwice, update, read];
