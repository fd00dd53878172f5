/**
 * Lockless readers of page tables, as page-table dumpers and pagemap have them, and loops over them for measuring.
 *
 * Guarantee: a table is not freed while a walker is in it, when tables are freed by RCU. With interrupts enabled
 * between its steps a walker is not protected by interrupts (freeing mode semi-rcu): that is what makes it different
 * from GUP-fast.
 *
 * Source: Linux mm/pagewalk.c (walk_pte_range), mm/pgtable-generic.c.
 */

import { pollInterrupts } from '../cpu/irq.ts';
import { syncPoint } from '../cpu/syncPoint.ts';
import { violation } from '../observe/report.ts';
import { count, COUNTER_WALKS } from '../observe/stats.ts';
import { rcuReadLock, rcuReadUnlock } from '../rcu/rcu.ts';
import { CHECK } from '../word/check.ts';
import { ORACLE_TABLE_USE_AFTER_FREE, PMD_PAGES, POISON_TABLE } from '../word/config.ts';
import { entryHuge, entryPresent, hugePart } from '../word/entry.ts';
import { load } from '../word/word.ts';
import { pgdOffset, pmdOffset, pudOffset } from './offsets.ts';
import { pteOffsetMap, pteUnmap } from './pteMap.ts';

/**
 * Address of the PMD entry of `vpn`, polling interrupts on the way; 0: an upper table is missing. Inside an RCU
 * section.
 * @inline
 */
export function findPmdPolling(mm: Mm, vpn: Vpn): Pmd {
  const pgd = load(pgdOffset(mm, vpn));
  if (!entryPresent(pgd)) return 0;
  pollInterrupts();
  const pud = load(pudOffset(pgd, vpn));
  if (!entryPresent(pud)) return 0;
  pollInterrupts();
  return pmdOffset(pud, vpn);
}

/** The entry of `vpn` of a huge PMD, as a PTE's; 0: it is not huge (any more). */
function hugeEntryAt(pmd: Pmd, vpn: Vpn): Entry {
  const value = load(pmd);
  return entryHuge(value) ? hugePart(value, vpn & (PMD_PAGES - 1)) : 0;
}

/**
 * The entry of `vpn`, read under RCU with no lock; of a huge PMD, what a PTE would be; 0: none, or a table is missing.
 */
export function walkLockless(mm: Mm, vpn: Vpn): Entry {
  count(COUNTER_WALKS);
  let entry: Entry = 0;
  rcuReadLock();
  const pmd = findPmdPolling(mm, vpn);
  if (pmd !== 0) {
    const pte = pteOffsetMap(pmd, vpn);
    if (pte !== 0) {
      syncPoint();
      pollInterrupts();
      entry = load(pte);
      if (CHECK >= 1 && entry === POISON_TABLE)
        violation(ORACLE_TABLE_USE_AFTER_FREE, vpn, pte, entry);
      pteUnmap(pte);
    } else {
      entry = hugeEntryAt(pmd, vpn);
    }
  }
  rcuReadUnlock();
  return entry;
}

/**
 * A reader that is slow: maps the PTE table of `vpn` and reads its entry `polls` times, polling interrupts in between.
 * Returns how often the entry was present.
 */
export function stallReader(mm: Mm, vpn: Vpn, polls: u32): u32 {
  let seen: u32 = 0;
  rcuReadLock();
  const pmd = findPmdPolling(mm, vpn);
  const pte = pmd === 0 ? 0 : pteOffsetMap(pmd, vpn);
  if (pte !== 0) {
    for (let i: u32 = 0; i < polls; i += 1) {
      pollInterrupts();
      const entry = load(pte);
      if (CHECK >= 1 && entry === POISON_TABLE)
        violation(ORACLE_TABLE_USE_AFTER_FREE, vpn, pte, entry);
      if (entryPresent(entry)) seen += 1;
    }
    pteUnmap(pte);
  }
  rcuReadUnlock();
  return seen;
}
