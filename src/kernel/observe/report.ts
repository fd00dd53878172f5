/**
 * What a CPU tells about itself: codes of the operation under way (operation.ts), the violations it saw, and its ring
 * of recent events. Everything goes into its own area; the main thread reads it while CPUs run, so a report may be one
 * step behind but never torn.
 */

import { STOP_NO, STOP_SOON } from '../word/config.ts';
import {
  C_OP,
  C_OP_A,
  C_OP_B,
  C_RING_NEXT,
  C_VIOLATION,
  C_VIOLATIONS,
  EVENT_SHIFT,
  H_RING_BASE,
  H_RING_EVENTS,
  H_STOP,
  H_VIOLATIONS,
  VIOLATION_RECORDS,
} from '../word/layout.ts';
import { cpuId, thisCpu } from '../word/percpu.ts';
import { runEvents } from '../word/run.ts';
import { add, clockNs, compareExchange, peek, poke, store } from '../word/word.ts';

/**
 * What a CPU is doing (C_OP), where the kernel itself says so; the calls that the machine makes have their codes there.
 */
export const OP_NONE: u32 = 0;
export const OP_SCAN: u32 = 24;
export const OP_KHUGEPAGED: u32 = 25;
export const OP_DEFERRED_SPLIT: u32 = 26;

/** Kinds of ring events, with their two words. */
export const EVENT_BEGIN: u32 = 1; // an operation: mm | OP_, as mms start at multiples of 4096; page
export const EVENT_END: u32 = 2; // an operation: OP_; 0
export const EVENT_LOCK_WAITED: u32 = 3; // got a lock that was not free: its address; ns waited
export const EVENT_TABLE_ALLOC: u32 = 4; // level << 24 | table; first page it is to map
export const EVENT_TABLE_DETACH: u32 = 5; // the same
export const EVENT_TABLE_FREE: u32 = 6; // the same
export const EVENT_GP_START: u32 = 7; // its number; 0
export const EVENT_GP_END: u32 = 8; // its number; 0
export const EVENT_CALLBACKS: u32 = 9; // how many were invoked; 0
export const EVENT_INTERRUPT: u32 = 10; // interrupts handled: IPI_ kinds; bit per CPU that asked for a flush
export const EVENT_FLUSH: u32 = 11; // TLB flush of this CPU's: first page; page after the last
export const EVENT_VIOLATION: u32 = 12; // ORACLE_; the first of its words
// of the operation just begun: two more of its arguments; once more for the next two
export const EVENT_ARGUMENTS: u32 = 13;

/** Whether this machine has rings, so that it is worth while to tell more (`operationArguments`). */
export function eventsRecorded(): boolean {
  return runEvents();
}

/**
 * Writes an event into this CPU's ring, if the machine has rings; the meaning of a and b is the kind's.
 * @inline
 */
export function event(kind: u32, a: u32, b: u32): void {
  if (runEvents()) record(kind, a, b);
}

function record(kind: u32, a: u32, b: u32): void {
  const events = peek(H_RING_EVENTS);
  const cpu = thisCpu();
  const next = peek(cpu + C_RING_NEXT);
  const at =
    peek(H_RING_BASE) + ((cpuId() * events + ((next & (events - 1)) >>> 0)) << EVENT_SHIFT);
  poke(at, clockNs());
  poke(at + 4, kind);
  poke(at + 8, a);
  poke(at + 12, b);
  store(cpu + C_RING_NEXT, (next + 1) >>> 0); // whoever sees the count sees the event
}

/**
 * Records a violation of `oracle` (ORACLE_) with three words whose meaning is the reporter's, and asks all CPUs to stop
 * after their operation. A CPU keeps its first VIOLATION_RECORDS - 1 records and the newest: {oracle, op, its two
 * arguments, a, b, c, clock}. Returns to the caller, which goes on as if nothing had happened where that is possible.
 */
export function violation(oracle: u32, a: u32, b: u32, c: u32): void {
  const cpu = thisCpu();
  const written = peek(cpu + C_VIOLATIONS);
  const slot = written < VIOLATION_RECORDS ? written : VIOLATION_RECORDS - 1;
  const record = cpu + C_VIOLATION + (slot << 5);
  poke(record, oracle);
  poke(record + 4, peek(cpu + C_OP));
  poke(record + 8, peek(cpu + C_OP_A));
  poke(record + 12, peek(cpu + C_OP_B));
  poke(record + 16, a);
  poke(record + 20, b);
  poke(record + 24, c);
  poke(record + 28, clockNs());
  // Published before H_VIOLATIONS moves: whoever sees the count sees the record.
  store(cpu + C_VIOLATIONS, written + 1);
  add(H_VIOLATIONS, 1);
  compareExchange(H_STOP, STOP_NO, STOP_SOON);
  // Those that only fill the last place would push what led to the first out of the ring.
  if (written < VIOLATION_RECORDS) event(EVENT_VIOLATION, oracle, a);
}
