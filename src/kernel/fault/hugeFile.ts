/**
 * Huge PMDs of files and of anonymous shared memory: mapping a cached folio of PMD_PAGES pages as a whole, where the
 * VMA permits it.
 *
 * A private mapping has it for reading; a write splits the entry, which for a file's means that it is cleared
 * (hugePmd.ts), and copies one page. A shared one has the rights of the VMA, as single pages have (faultFile.ts). No
 * table is deposited.
 *
 * Lock order: folio lock; PMD lock. Source: Linux mm/memory.c (do_set_pmd), mm/filemap.c (filemap_map_pmd).
 */

import { F_DIRTY, F_SHMEM, folioGet, folioOf, folioOrder } from '../alloc/folio.ts';
import { rmapAddPmd } from '../space/mapcount.ts';
import { RSS_FILE, RSS_SHMEM, rssAdd } from '../space/rss.ts';
import { linearPageIndex } from '../space/vma.ts';
import { upperInstalled } from '../word/hooks.ts';
import { hugeFirst, pmdLock, pmdUnlock } from '../tables/offsets.ts';
import { PMD_PAGES, PMD_SHIFT, VM_NOHUGEPAGE, VM_SHARED, VM_WRITE } from '../word/config.ts';
import { entryFlags, entryMake, PTE_DIRTY, PTE_HUGE, PTE_WRITE } from '../word/entry.ts';
import { F_FLAGS, F_INDEX, VMA_FLAGS } from '../word/layout.ts';
import { load, or, store } from '../word/word.ts';
import { spanSuitable } from './hugeFault.ts';

/**
 * Maps the cached folio `head` at the PMD entry at `pmd`, that of `vpn`, with a reference of its own, if it is none and
 * the folio fits. Precondition: the folio is locked and in the cache, the VMA locked. Returns whether it is mapped.
 */
export function setFilePmd(mm: Mm, vma: Vma, pmd: Pmd, vpn: Vpn, head: Head, write: u32): boolean {
  const flags = load(vma + VMA_FLAGS);
  const first = hugeFirst(vpn);
  if (folioOrder(head) !== PMD_SHIFT || (flags & VM_NOHUGEPAGE) !== 0) return false;
  if (!spanSuitable(vma, first)) return false;
  if (linearPageIndex(vma, first) !== load(folioOf(head) + F_INDEX)) return false;
  const kind = load(folioOf(head) + F_FLAGS);
  const shared = (flags & (VM_SHARED | VM_WRITE)) === (VM_SHARED | VM_WRITE);
  let bits = entryFlags(flags) | PTE_HUGE;
  if (shared && (write !== 0 || (kind & F_SHMEM) !== 0)) bits = bits | PTE_WRITE;
  if (write !== 0) bits = bits | PTE_DIRTY;
  pmdLock(pmd);
  const none = load(pmd) === 0;
  if (none) {
    folioGet(head);
    rmapAddPmd(head);
    rssAdd(mm, (kind & F_SHMEM) !== 0 ? RSS_SHMEM : RSS_FILE, PMD_PAGES);
    if (write !== 0) or(folioOf(head) + F_FLAGS, F_DIRTY);
    upperInstalled(pmd);
    store(pmd, entryMake(head, bits));
  }
  pmdUnlock(pmd);
  return none;
}
