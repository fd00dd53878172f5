/**
 * What boot fixes for a whole run: constants, each a word of the header that is never written once CPUs run.
 *
 * In JavaScript and in the coroutines each is read where it is asked for, by a plain read. In WebAssembly the foundry
 * makes an imported global of each, and the loader writes the run's values into the code (src/foundry/wasmRun.ts), so
 * that what the run did not choose is not there at all: V8 folds the branches. Hence the form of these functions:
 * `return peek(H_...)`, or whether that word is not 0; a value is below 64.
 */

import {
  H_ASYNC_EAGER,
  H_EMPTINESS,
  H_FAULT_PATH,
  H_FREE_MODE,
  H_LOCK_KIND,
  H_LOCK_STAT,
  H_NO_ZERO_PAGE,
  H_RING_EVENTS,
  H_PROTOCOL,
  H_ZAP,
} from './layout.ts';
import { peek } from './word.ts';

/**
 * The reclaim protocol, by the code that the foundry gives it.
 * @inline
 */
export function runProtocol(): u32 {
  return peek(H_PROTOCOL);
}

/**
 * The kind of page-table locks, by the code that the foundry gives it.
 * @inline
 */
export function runLockKind(): u32 {
  return peek(H_LOCK_KIND);
}

/**
 * How tables are freed, FREE_.
 * @inline
 */
export function runFree(): u32 {
  return peek(H_FREE_MODE);
}

/**
 * How faults find their VMA, FAULT_.
 * @inline
 */
export function runFaultPath(): u32 {
  return peek(H_FAULT_PATH);
}

/**
 * How zaps go through a table, ZAP_.
 * @inline
 */
export function runZap(): u32 {
  return peek(H_ZAP);
}

/**
 * How protocols that look for empty tables know one, EMPTINESS_.
 * @inline
 */
export function runEmptiness(): u32 {
  return peek(H_EMPTINESS);
}

/**
 * Whether a zap of a whole span detaches its table at once though a daemon would find it.
 * @inline
 */
export function runAsyncEager(): boolean {
  return peek(H_ASYNC_EAGER) !== 0;
}

/**
 * What is measured of locks beside acquisitions and waits, LOCK_STAT_ bits; 0: nothing.
 * @inline
 */
export function runLockStat(): u32 {
  return peek(H_LOCK_STAT);
}

/**
 * Whether CPUs have rings for events.
 * @inline
 */
export function runEvents(): boolean {
  return peek(H_RING_EVENTS) !== 0;
}

/**
 * Whether reads of anonymous memory get pages of their own, since there is no zero page.
 * @inline
 */
export function runNoZeroPage(): boolean {
  return peek(H_NO_ZERO_PAGE) !== 0;
}
