/**
 * Address spaces and inodes: creation, references, and the end of an address space (exit_mmap).
 *
 * An address space is born with an empty PGD, mmap_lock free, and one user. When its last user has gone it ends: every
 * VMA is taken out, all pages are zapped and all page tables freed in one gather, the VMAs given back. Who only wants
 * to find it again holds the mm itself; it and its PGD are freed last.
 *
 * An inode is what a file mapping or shared anonymous memory maps: a size in pages and a page cache. It lives while it
 * has references: one from whoever made it, one from each VMA. Dropping the last one empties its page cache.
 *
 * Lock order: mmap_lock, then G_MM_LOCK (a leaf).
 * Source: Linux kernel/fork.c (mm_init, __mmput, __mmdrop), include/linux/sched/mm.h (mmget_not_zero), mm/mmap.c
 * (exit_mmap).
 */

import { LEVEL_PGD, tableAlloc, tableDetach, tableFree } from '../alloc/table.ts';
import { LC_MMS, spinLock, spinUnlock } from '../lock/lock.ts';
import { violation } from '../observe/report.ts';
import { CHECK } from '../word/check.ts';
import { ORACLE_ACCOUNTING, SEQ_START } from '../word/config.ts';
import {
  G_MM_BUMP,
  G_MM_FREE,
  G_MM_LOCK,
  H_MM_BASE,
  H_MMS,
  MM_BYTES,
  MM_COUNT,
  MM_CPUMASK,
  MM_ID,
  MM_LEVEL_SEED,
  MM_LOCK_SEQ,
  MM_NEXT_FREE,
  MM_PGD,
  MM_PINS,
  MM_SEQ,
  MM_STATE,
  MM_TLB_GEN,
  MM_USERS,
} from '../word/layout.ts';
import { add, fillWords, load, peek, poke, store, sub } from '../word/word.ts';
import { mmBeginPins } from './mmPin.ts';

/**
 * A new, empty address space. Returns its address, 0 when no address space or no table is left. Its words are published
 * by mmBeginPins to whoever kept a name of it, and to everybody else by whoever the caller tells.
 */
export function mmCreate(): Mm {
  spinLock(G_MM_LOCK, LC_MMS);
  let mm = peek(G_MM_FREE);
  let number: u32 = 0;
  if (mm !== 0) {
    poke(G_MM_FREE, peek(mm + MM_NEXT_FREE));
    number = peek(mm + MM_ID);
  } else {
    number = peek(G_MM_BUMP);
    if (number < peek(H_MMS)) {
      poke(G_MM_BUMP, number + 1);
      mm = peek(H_MM_BASE) + number * MM_BYTES;
    }
  }
  spinUnlock(G_MM_LOCK, LC_MMS);
  if (mm === 0) return 0;
  // A CPU may still have its last translations noted as those of the mm that was here: what tells it to flush must go
  // on.
  const tlbGen = load(mm + MM_TLB_GEN);
  const cpuMask = load(mm + MM_CPUMASK);
  // Who has kept the name of the address space that was here compares it with MM_PINS at any time.
  fillWords(mm, MM_PINS >>> 2, 0);
  fillWords(mm + MM_PINS + 4, (MM_BYTES - MM_PINS - 4) >>> 2, 0);
  store(mm + MM_TLB_GEN, tlbGen);
  store(mm + MM_CPUMASK, cpuMask);
  poke(mm + MM_ID, number);
  poke(mm + MM_LEVEL_SEED, 0x2545f491 + number);
  store(mm + MM_LOCK_SEQ, SEQ_START);
  store(mm + MM_SEQ, SEQ_START);
  const pgd = tableAlloc(LEVEL_PGD, mm, 0, 0);
  if (pgd === 0) {
    mmFree(mm);
    return 0;
  }
  poke(mm + MM_PGD, pgd);
  store(mm + MM_COUNT, 1);
  store(mm + MM_USERS, 1);
  store(mm + MM_STATE, 1);
  mmBeginPins(mm);
  return mm;
}

/**
 * Gives the memory of an address space that nobody holds back. No pair: MM_STATE is read by audits and reports alone.
 */
function mmFree(mm: Mm): void {
  spinLock(G_MM_LOCK, LC_MMS);
  store(mm + MM_STATE, 0);
  poke(mm + MM_NEXT_FREE, peek(G_MM_FREE));
  poke(G_MM_FREE, mm);
  spinUnlock(G_MM_LOCK, LC_MMS);
}

/**
 * Keeps the mm from being another one, not its address space from ending: for those who will ask for it later, as
 * kernel threads do. No pair: the caller is one who uses or holds it, so the count is not zero.
 */
export function mmGrab(mm: Mm): void {
  const old = add(mm + MM_COUNT, 1);
  if (CHECK >= 1 && old === 0) violation(ORACLE_ACCOUNTING, mm, old, 2);
}

/**
 * Undoes `mmGrab`; the last one frees the mm. Pairs with itself on other CPUs: the last one sees all that the others
 * did.
 */
export function mmDrop(mm: Mm): void {
  const old = sub(mm + MM_COUNT, 1);
  if (CHECK >= 1 && old === 0) violation(ORACLE_ACCOUNTING, mm, old, 3);
  if (old !== 1) return;
  tableDetach(peek(mm + MM_PGD));
  tableFree(peek(mm + MM_PGD));
  mmFree(mm);
}
