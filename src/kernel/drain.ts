/**
 * Emptying what a CPU keeps for itself, so that an audit finds everything in its place.
 */

import { drainFrameCache } from './frame.ts';
import { drainTableCache } from './table.ts';
import { switchMm } from './tlb.ts';

/** Gives this CPU's free tables and frames back to the global allocators and forgets its translations. Between operations. */
export function drainCaches(): void {
  switchMm(0);
  drainTableCache(0);
  drainFrameCache(0);
}
