/**
 * The end of an address space: when its last user has gone, every VMA is taken out, all pages are zapped and all tables
 * freed in one gather.
 *
 * Guarantee: afterwards the address space has no VMA, no page and no table but its PGD; whoever only holds the mm
 * (mm.ts) finds it empty.
 *
 * Lock order: none held; takes mmap_lock for write. Source: Linux kernel/fork.c (mmput, __mmput), mm/mmap.c
 * (exit_mmap).
 */

import { switchMm } from '../cpu/flush.ts';
import { khugepagedExit } from '../huge/khugepagedSlots.ts';
import { violation } from '../observe/report.ts';
import { mmapWriteLock, mmapWriteUnlock } from '../sleep/mmapLock.ts';
import { mmDrop } from '../space/mm.ts';
import { mmEndPins } from '../space/mmPin.ts';
import { CHECK } from '../word/check.ts';
import { ORACLE_ACCOUNTING } from '../word/config.ts';
import { C_MM, MM_STATE, MM_USERS } from '../word/layout.ts';
import { thisCpu } from '../word/percpu.ts';
import { load, peek, sub } from '../word/word.ts';
import { unmapEverything } from './munmap.ts';

/**
 * One user less; the last one ends the address space: unmaps everything and frees every table but the PGD, while walks
 * of the rmap may still look at it through the VMAs that are not hidden yet. Precondition: no lock is held.
 * Pairs with itself on other CPUs: the last user sees all that they did; and with slotEnd's look at the count under a
 * lock that khugepagedExit takes after this: one of the two takes the mm off khugepaged's list.
 */
export function mmPut(mm: Mm): void {
  const old = sub(mm + MM_USERS, 1);
  if (CHECK >= 1 && old === 0) violation(ORACLE_ACCOUNTING, mm, load(mm + MM_STATE), 0);
  if (old !== 1) return;
  mmEndPins(mm);
  khugepagedExit(mm);
  mmapWriteLock(mm);
  unmapEverything(mm);
  mmapWriteUnlock(mm);
  if (peek(thisCpu() + C_MM) === mm) switchMm(0);
  mmDrop(mm);
}

/** Its program is done with an address space: `mmPut`, after which nobody accesses it. No lock is held. */
export function mmDestroy(mm: Mm): void {
  mmPut(mm);
}
