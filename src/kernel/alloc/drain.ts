/**
 * Emptying what a CPU keeps for itself, so that an audit finds everything in its place.
 */

import { drainFrameCache } from './frame.ts';
import { drainTableCache } from './table.ts';

/**
 * Gives this CPU's free tables and frames back to the global allocators. Its translations stay: an audit compares them
 * with the tables.
 */
export function drainCaches(): void {
  drainTableCache(0);
  drainFrameCache(0);
}
