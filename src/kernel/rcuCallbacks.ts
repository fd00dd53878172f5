/** What happens to each kind of RCU head when its grace period is over: placeholder until the machine's own replaces it. */

import { RCU_HEAD_BYTES } from './layout.ts';
import { count, COUNTER_TEST_CALLBACKS } from './stats.ts';
import { add } from './word.ts';

/** Codes of RCU_FUNC. */
export const RCU_FREE_TABLE: u32 = 1;
export const RCU_FREE_BATCH: u32 = 2;
export const RCU_FREE_VMA: u32 = 3;
/** Only counts (tests, measurements). */
export const RCU_TEST: u32 = 4;
/** Adds one to the word behind the head (tests). */
export const RCU_TORTURE: u32 = 5;

/** Carries out the callback of `head`. Called outside of read-side sections and with no spinlock held. */
export function rcuInvoke(head: u32, func: u32): void {
  if (func === RCU_TORTURE) add(head + RCU_HEAD_BYTES, 1);
  else count(COUNTER_TEST_CALLBACKS);
}
