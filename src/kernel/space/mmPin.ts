/**
 * Pins of an address space, for CPUs that work in it without being its program: daemons, and whoever finds it by a name
 * that it noted earlier.
 *
 * Guarantee: from mmPin's success to mmUnpin the address space is the one that was named, and its end (mmPut by its
 * last user) has not begun to unmap anything. Its VMAs, tables and locks may change all the while: a pin is no lock.
 *
 * A name is the mm's address and its generation (`mmGeneration`), which is odd while the address space lives. Both are
 * in one word, MM_PINS: pins in bits 0-7, the generation above, so that the compare-and-exchange that takes a pin
 * checks the name.
 *
 *  mmCreate    makes the generation odd, last of all
 *  mmPut       by its last user, makes it even, first of all: no new pin from here on; then waits, idle, until the pins
 *              are gone
 *
 * A user (mmget_not_zero) would do as well, but who gives up the last one ends the address space: a daemon would find
 * itself unmapping it, and the program's own exit would not be over when it returns.
 *
 * A generation wraps after 2^23 lives of one address space; a name kept that long would be mistaken.
 *
 * Lock order: nothing may be held by who waits (mmPut); a pin may be taken under anything and is held across locks.
 * Whoever has a pin waits for nobody that could be in mmPut. Source: Linux include/linux/sched/mm.h (mmget_not_zero),
 * mm/khugepaged.c (__khugepaged_exit waits for the scan by taking mmap_lock).
 */

import { awaitNamed } from '../cpu/wait.ts';
import { violation } from '../observe/report.ts';
import { rcuIdleEnter, rcuIdleExit } from '../rcu/rcu.ts';
import { CHECK } from '../word/check.ts';
import { AWAIT_EQUALS, ORACLE_ACCOUNTING } from '../word/config.ts';
import { MM_PINS } from '../word/layout.ts';
import { add, compareExchange, load, notify, sub } from '../word/word.ts';

const PINS: u32 = 0xff;
const GENERATION: u32 = 0x100;
const GENERATION_SHIFT: u32 = 8;

/** The generation that names `mm` now; odd: it lives. */
export function mmGeneration(mm: Mm): u32 {
  return load(mm + MM_PINS) >>> GENERATION_SHIFT;
}

/** Pins the address space that `mm` and `generation` name; returns whether it lives still. */
export function mmPin(mm: Mm, generation: u32): boolean {
  let seen = load(mm + MM_PINS);
  while (seen >>> GENERATION_SHIFT === generation) {
    // Pairs with the addition in mmEndPins: either this fails, or that sees the pin.
    const old = compareExchange(mm + MM_PINS, seen, seen + 1);
    if (old === seen) return true;
    seen = old;
  }
  return false;
}

/** Gives a pin back; mm may end at once. */
export function mmUnpin(mm: Mm): void {
  const old = sub(mm + MM_PINS, 1);
  if (CHECK >= 1 && (old & PINS) === 0) violation(ORACLE_ACCOUNTING, mm, old, 0);
  if ((old & GENERATION) === 0) notify(mm + MM_PINS, 1);
}

/** First step of an address space's end: nobody pins it from here on, and nobody does any more. No lock held. */
export function mmEndPins(mm: Mm): void {
  const old = add(mm + MM_PINS, GENERATION);
  if ((old & PINS) === 0) return;
  rcuIdleEnter();
  awaitNamed(mm + MM_PINS, PINS, AWAIT_EQUALS, 0, 0);
  rcuIdleExit();
}

/** Begins a life. Last step of the mm's creation. */
export function mmBeginPins(mm: Mm): void {
  add(mm + MM_PINS, GENERATION);
}
