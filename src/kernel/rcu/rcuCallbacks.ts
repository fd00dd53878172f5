/**
 * What happens to each kind of RCU head when its grace period is over. A kind is a code, not a function's address, so
 * that every execution runs the same words.
 */

import { freeTableBatch, tableFree } from '../alloc/table.ts';
import { vmaFreeRcu } from '../alloc/vmaAlloc.ts';
import { count, COUNTER_TEST_CALLBACKS } from '../observe/stats.ts';
import { H_PTDESCS, PT_RCU, PTDESC_SHIFT, RCU_HEAD_BYTES } from '../word/layout.ts';
import { add, peek } from '../word/word.ts';

/**
 * Codes of RCU_FUNC: free a table by the head in its descriptor, a batch of tables, a VMA; or only count (tests,
 * measurements).
 */
export const RCU_FREE_TABLE: u32 = 1;
export const RCU_FREE_BATCH: u32 = 2;
export const RCU_FREE_VMA: u32 = 3;
export const RCU_TEST: u32 = 4;
/** Adds one to the word behind the head (tests). */
export const RCU_TORTURE: u32 = 5;

/** Number of the table whose descriptor holds `head`. */
function tableOfHead(head: u32): u32 {
  return ((head - PT_RCU - peek(H_PTDESCS)) >>> 0) >>> PTDESC_SHIFT;
}

/** Frees what `head` is in. Called outside of read-side sections and with no spinlock held. */
export function rcuInvoke(head: u32, func: u32): void {
  if (func === RCU_FREE_TABLE) tableFree(tableOfHead(head));
  else if (func === RCU_FREE_BATCH) freeTableBatch(tableOfHead(head));
  else if (func === RCU_FREE_VMA) vmaFreeRcu(head);
  else if (func === RCU_TORTURE) add(head + RCU_HEAD_BYTES, 1);
  else count(COUNTER_TEST_CALLBACKS);
}
