/**
 * Callbacks of one list that need different grace periods: an updater has queued one callback before and queues
 * another, a second CPU waits for a grace period, starts and ends some, and adopts callbacks, and a third reports a
 * quiescent state and then reads.
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
  synchronizeRcu,
} from '../../portable/scenarioApi.ts';
import { RCU_HEAD_BYTES } from '../../../kernel/word/layout.ts';
import { RCU_TORTURE } from '../../../kernel/rcu/rcuCallbacks.ts';

export const about = {
  summary:
    'an updater that queues behind an older callback, a CPU that waits for a grace period, a reader',
  source: 'Linux kernel/rcu/rcu_segcblist.c (rcu_segcblist_accelerate); rcutorture',
  expected: 'passes',
};

/** Objects, of which number 1 is what readers find. */
const OBJECTS: u32 = 2;

let pointer: u32 = 0;

/** Head of object `number`; the word behind it counts how often it was freed. */
function objectOf(number: u32): u32 {
  return scratchWord(4 + (number << 2));
}

export function setUp(): void {
  pointer = scratchWord(0);
  store(pointer, objectOf(1));
  callRcu(objectOf(0), RCU_TORTURE);
}

function replace(): void {
  callRcu(exchange(pointer, 0), RCU_TORTURE);
}

function drive(): void {
  synchronizeRcu();
  rcuQuiescentState();
}

function read(): void {
  rcuQuiescentState();
  rcuReadLock();
  const object = load(pointer);
  if (object !== 0) expect(load(object + RCU_HEAD_BYTES) === 0, 'not freed under its reader');
  rcuReadUnlock();
}

export const cpus = [replace, drive, read];

export function finish(): void {
  for (let number: u32 = 0; number < OBJECTS; number++)
    expect(load(objectOf(number) + RCU_HEAD_BYTES) === 1, 'freed once');
}
