/** Software TLB: placeholder until the machine's own replaces it. */

import { C_ID } from './layout.ts';
import { thisCpu } from './percpu.ts';
import { peek } from './word.ts';

/** Carries out the flush request of CPU `from`. */
export function tlbHandleFlush(from: u32): void {
  peek(thisCpu() + C_ID + from);
}

/** This CPU becomes idle: it ignores flush requests from here on. */
export function tlbEnterLazy(): void {
  peek(thisCpu() + C_ID);
}

/** This CPU is idle no more: catches up with the flushes it ignored. */
export function tlbLeaveLazy(): void {
  peek(thisCpu() + C_ID);
}
