/**
 * The lock-order oracle (full checks): each CPU keeps a stack of the locks it holds and complains when one is taken
 * against the order, taken twice, or released by a CPU that does not hold it.
 *
 * Order, outermost first; classes of one rank are never held together, except nested on purpose (`spinLockNested`):
 *
 *     {inode lock, mmap_lock} < VMA lock, read < folio lock < VMA lock, write < i_mmap < anon_vma < page-table rwsem <
 *       page_table_lock < PMD lock < PTE lock < mms < {page cache, swap} < {tables, frames, VMAs, deferred split,
 *       candidates, userfaultfd queue, khugepaged} < {callback list, a reader-writer lock's queue}
 *
 * A trylock cannot deadlock, so it may go against the order; what it took then counts as held.
 *
 * Source: Linux mm/rmap.c and mm/filemap.c (lock ordering), kernel/locking/lockdep.c (check_prevs_add).
 */

import { HOST_BROKEN, ORACLE_LOCK_ORDER } from '../word/config.ts';
import { C_HELD, C_HELD_DEPTH, HELD_MAX } from '../word/layout.ts';
import { thisCpu } from '../word/percpu.ts';
import { endCpu, peek, poke } from '../word/word.ts';
import { violation } from './report.ts';

/** Lock classes; the page-table classes come first. */
export const LC_PTE: u32 = 0;
export const LC_PMD: u32 = 1;
export const LC_PAGE_TABLE: u32 = 2;
export const LC_RCU: u32 = 3;
export const LC_TABLES: u32 = 4;
export const LC_FRAMES: u32 = 5;
export const LC_VMAS: u32 = 6;
export const LC_SWAP: u32 = 7;
export const LC_CACHE: u32 = 8;
export const LC_MMS: u32 = 9;
export const LC_MMAP_READ: u32 = 10;
export const LC_MMAP_WRITE: u32 = 11;
export const LC_VMA_READ: u32 = 12;
export const LC_VMA_WRITE: u32 = 13;
export const LC_RWSEM_QUEUE: u32 = 14;
/** Classes of reader-writer locks come in pairs, readers first. */
export const LC_PT_READ: u32 = 15;
export const LC_PT_WRITE: u32 = 16;
export const LC_I_MMAP_READ: u32 = 17;
export const LC_I_MMAP_WRITE: u32 = 18;
export const LC_ANON_VMA_READ: u32 = 19;
export const LC_ANON_VMA_WRITE: u32 = 20;
export const LC_FOLIO: u32 = 21;
export const LC_DEFERRED_SPLIT: u32 = 22;
export const LC_UFFD: u32 = 24;
export const LC_INODE: u32 = 25;
export const LC_KHUGEPAGED: u32 = 26;

/** Rank of the outermost spinlocks: what comes before may be held across waits. */
const RANK_SPINLOCKS: u32 = 7;

/** How a lock is taken, for `heldPush`. */
export const HELD_ORDERED: u32 = 0;
export const HELD_NESTED: u32 = 1;
export const HELD_TRY: u32 = 2;

/** Place of a class in the lock order, 0 outermost. */
export function lockRank(cls: u32): u32 {
  if (cls === LC_MMAP_READ || cls === LC_MMAP_WRITE || cls === LC_INODE) return 0;
  if (cls === LC_VMA_READ) return 1;
  if (cls === LC_FOLIO) return 2;
  if (cls === LC_VMA_WRITE) return 3;
  if (cls === LC_I_MMAP_READ || cls === LC_I_MMAP_WRITE) return 4;
  if (cls === LC_ANON_VMA_READ || cls === LC_ANON_VMA_WRITE) return 5;
  if (cls === LC_PT_READ || cls === LC_PT_WRITE) return 6;
  if (cls === LC_PAGE_TABLE) return RANK_SPINLOCKS;
  if (cls === LC_PMD) return 8;
  if (cls === LC_PTE) return 9;
  if (cls === LC_MMS) return 10;
  if (cls === LC_CACHE || cls === LC_SWAP) return 11;
  if (cls === LC_RCU || cls === LC_RWSEM_QUEUE) return 13;
  return 12;
}

/**
 * Before a lock is taken (for a trylock: after): complains if this CPU already holds it, or, unless it was a trylock,
 * holds one that must come later; then notes it as held.
 */
export function heldPush(lock: u32, cls: u32, how: u32): void {
  const cpu = thisCpu();
  const depth = peek(cpu + C_HELD_DEPTH);
  const mine = lockRank(cls);
  for (let i: u32 = 0; i < depth; i++) {
    const at = cpu + C_HELD + (i << 3);
    const other = lockRank(peek(at + 4));
    if (peek(at) === lock) violation(ORACLE_LOCK_ORDER, lock, cls, lock);
    else if (how !== HELD_TRY && (other > mine || (other === mine && how !== HELD_NESTED)))
      violation(ORACLE_LOCK_ORDER, lock, cls, peek(at));
  }
  if (depth === HELD_MAX) endCpu(HOST_BROKEN, lock);
  poke(cpu + C_HELD + (depth << 3), lock);
  poke(cpu + C_HELD + (depth << 3) + 4, cls);
  poke(cpu + C_HELD_DEPTH, depth + 1);
}

/** Before a lock is released: complains if this CPU does not hold it. */
export function heldPop(lock: u32, cls: u32): void {
  const cpu = thisCpu();
  const depth = peek(cpu + C_HELD_DEPTH);
  let at: u32 = 0;
  for (let i: u32 = 0; i < depth; i++) {
    const slot = cpu + C_HELD + (i << 3);
    if (at !== 0) {
      poke(slot - 8, peek(slot));
      poke(slot - 4, peek(slot + 4));
    } else if (peek(slot) === lock && peek(slot + 4) === cls) at = slot;
  }
  if (at === 0) violation(ORACLE_LOCK_ORDER, lock, cls, 0);
  else poke(cpu + C_HELD_DEPTH, depth - 1);
}

/** Whether this CPU holds a lock that may not be held across a wait for readers: a spinlock. */
export function holdsSpinlock(): boolean {
  const cpu = thisCpu();
  const depth = peek(cpu + C_HELD_DEPTH);
  let found = false;
  for (let i: u32 = 0; i < depth; i++) {
    if (lockRank(peek(cpu + C_HELD + (i << 3) + 4)) >= RANK_SPINLOCKS) found = true;
  }
  return found;
}
