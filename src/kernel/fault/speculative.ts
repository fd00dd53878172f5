/**
 * Speculative page faults (axis `fault` speculative): a fault on anonymous memory that takes neither mmap_lock nor the
 * VMA's lock.
 *
 * Guarantee: a fault that commits did so at a moment at which no writer held mmap_lock, the VMA was the one that was
 * copied, and the entry was in a table that its PMD named. Whatever it cannot show it leaves to the ordinary fault,
 * which also gives all errors.
 *
 * MM_SEQ is odd while a writer holds mmap_lock: it moves on when the lock is taken for write, and again, before it is
 * let go of or downgraded.
 *
 *  1. Read the sequence; odd: fall back, nobody spins. Find the VMA under RCU, copy it, look at the sequence again: the
 *     copy is of one moment.
 *  2. Walk under RCU. A missing table, a PMD that names none, a swap entry: fall back. No table is allocated: one
 *     installed after munmap has freed the tables of the range would be reachable for ever.
 *  3. With nothing held, prepare what the fault needs: a page, or for a read of nothing the zero page where there is
 *     one.
 *  4. Commit (`mapLockSpeculatively`). RCU section; the sequence: the tables that the walk meets are those of the VMA;
 *     walk again; PTE lock by trylock only, since its holder may be waiting for this CPU's interrupt, or be one of a
 *     stream; the sequence, which from here on holds, as a writer that comes later changes no entry before it gets this
 *     lock; the PMD; the entry. Then install.
 *
 * The look at the PMD after the lock answers what the series was asked: how could it be protected against page-table
 * reclaim? Reclaim of empty tables happens under mmap_lock for *read*, so the sequence says nothing of it, and the
 * entry, none in both tables, does not either. Walking again in step 4 serves protocols that free upper tables under
 * mmap_lock for read, too.
 *
 * What follows after the PTE lock is as in fault.ts and faultWrite.ts: the zero page, a new page, reuse of an anonymous
 * page, a copy.
 * Lock order: PTE lock, taken with no other lock held. Source: Lespinasse, "Speculative page faults (anon vmas only)",
 * April 2021, patches 5 to 29 (do_mmu_notifier-free do_user_addr_fault, mmap_seq_read_check, pte_map_lock,
 * do_anonymous_page, wp_page_copy).
 */

import { F_ANON, F_EXCLUSIVE, ZERO_FRAME } from '../alloc/folio.ts';
import { folioPut, frameAlloc } from '../alloc/frame.ts';
import { syncPoint } from '../cpu/syncPoint.ts';
import {
  count,
  COUNTER_COPIES,
  COUNTER_SPECULATIVE_ABORTS_ENTRY,
  COUNTER_SPECULATIVE_ABORTS_KIND,
  COUNTER_SPECULATIVE_ABORTS_LOCK,
  COUNTER_SPECULATIVE_ABORTS_MEMORY,
  COUNTER_SPECULATIVE_ABORTS_PMD,
  COUNTER_SPECULATIVE_ABORTS_SEQUENCE,
  COUNTER_SPECULATIVE_ABORTS_SWAP,
  COUNTER_SPECULATIVE_ABORTS_TABLE,
  COUNTER_SPECULATIVE_ABORTS_VMA,
  COUNTER_SPECULATIVE_ABORTS_WRITER,
  COUNTER_SPECULATIVE_ATTEMPTS,
  COUNTER_SPECULATIVE_COMMITS,
} from '../observe/stats.ts';
import { rcuReadLock, rcuReadUnlock } from '../rcu/rcu.ts';
import { vmaLookup } from '../space/vma.ts';
import {
  mappedPmd,
  pteOffsetMap,
  pteOffsetMapRwNolock,
  pteTrylock,
  pteUnmap,
  pteUnmapUnlock,
  setPte,
} from '../tables/pteMap.ts';
import { findPmdPolling } from '../tables/walkers.ts';
import { VM_EXEC, VM_READ, VM_UFFD_MISSING, VM_UFFD_WP, VM_WRITE } from '../word/config.ts';
import {
  entryFlags,
  entryMake,
  entryPresent,
  PTE_DIRTY,
  PTE_SPECIAL,
  PTE_WRITE,
} from '../word/entry.ts';
import {
  C_SPEC_VMA,
  MM_SEQ,
  VMA_ANON,
  VMA_END,
  VMA_FLAGS,
  VMA_INODE,
  VMA_PGOFF,
  VMA_START,
} from '../word/layout.ts';
import { thisCpu } from '../word/percpu.ts';
import { load, poke } from '../word/word.ts';
import { mayReuse, pinForCopy, replaceLocked, reusePage } from './faultWrite.ts';
import { faultAllocates, mapAnonFrame } from './newEntry.ts';

/** Whether no writer of mmap_lock has come since the sequence was `seq`. */
function sequenceHolds(mm: Mm, seq: u32): boolean {
  return load(mm + MM_SEQ) === seq;
}

/** Counts why an attempt ends; gives false for the caller to return. */
function abort(reason: u32): boolean {
  count(reason);
  return false;
}

/**
 * Copies of `vma` what a fault looks at into this CPU's area; gives the copy's address, which serves as a VMA's. Inside
 * an RCU section.
 */
function copyVma(vma: Vma): Vma {
  const copy = thisCpu() + C_SPEC_VMA;
  poke(copy + VMA_START, load(vma + VMA_START));
  poke(copy + VMA_END, load(vma + VMA_END));
  poke(copy + VMA_FLAGS, load(vma + VMA_FLAGS));
  poke(copy + VMA_PGOFF, load(vma + VMA_PGOFF));
  poke(copy + VMA_INODE, load(vma + VMA_INODE));
  poke(copy + VMA_ANON, load(vma + VMA_ANON));
  return copy;
}

/**
 * Whether faults of this VMA may be speculative: anonymous memory whose user wants to hear of nothing, the access
 * within its rights.
 */
function speculable(vma: Vma, write: u32): boolean {
  const flags = load(vma + VMA_FLAGS);
  if (load(vma + VMA_INODE) !== 0 || (flags & (VM_UFFD_MISSING | VM_UFFD_WP)) !== 0) return false;
  return (flags & (write !== 0 ? VM_WRITE : VM_READ | VM_WRITE | VM_EXEC)) !== 0;
}

/**
 * Step 4: the address of the entry of `vpn`, its table mapped, locked and named by its PMD, no writer since `seq`; the
 * entry may be another than before. 0, with nothing held: the attempt ends.
 */
function mapLockSpeculatively(mm: Mm, vpn: Vpn, seq: u32): Pte {
  rcuReadLock();
  let pte: Pte = 0;
  if (!sequenceHolds(mm, seq)) abort(COUNTER_SPECULATIVE_ABORTS_SEQUENCE);
  else {
    const pmd = findPmdPolling(mm, vpn);
    pte = pmd === 0 ? 0 : pteOffsetMapRwNolock(pmd, vpn);
    if (pte === 0) {
      abort(COUNTER_SPECULATIVE_ABORTS_TABLE);
    } else {
      syncPoint();
      if (!pteTrylock(pte)) {
        pteUnmap(pte);
        pte = 0;
        abort(COUNTER_SPECULATIVE_ABORTS_LOCK);
      } else {
        const same = sequenceHolds(mm, seq);
        if (!same || load(pmd) !== mappedPmd()) {
          pteUnmapUnlock(pte);
          pte = 0;
          abort(same ? COUNTER_SPECULATIVE_ABORTS_PMD : COUNTER_SPECULATIVE_ABORTS_SEQUENCE);
        }
      }
    }
  }
  rcuReadUnlock();
  return pte;
}

/** Step 4 and the look at the entry: as mapLockSpeculatively, 0 also when it is not `entry` any more. */
function mapLockSame(mm: Mm, vpn: Vpn, seq: u32, entry: Entry): Pte {
  const pte = mapLockSpeculatively(mm, vpn, seq);
  if (pte === 0) return 0;
  if (load(pte) === entry) return pte;
  pteUnmapUnlock(pte);
  abort(COUNTER_SPECULATIVE_ABORTS_ENTRY);
  return 0;
}

/** Steps 3 and 4 for an entry that is none. */
function speculateAnonymous(mm: Mm, vma: Vma, vpn: Vpn, write: u32, seq: u32): boolean {
  const flags = load(vma + VMA_FLAGS);
  let frame: Head = 0;
  if (faultAllocates(write)) {
    frame = frameAlloc(0, F_ANON | F_EXCLUSIVE);
    if (frame === 0) return abort(COUNTER_SPECULATIVE_ABORTS_MEMORY);
  }
  const pte = mapLockSame(mm, vpn, seq, 0);
  if (pte === 0) {
    if (frame !== 0) folioPut(frame);
    return false;
  }
  if (frame === 0) {
    setPte(pte, entryMake(ZERO_FRAME, entryFlags(flags) | PTE_SPECIAL));
  } else {
    mapAnonFrame(mm, vma, vpn, frame);
    const rights = (flags & VM_WRITE) !== 0 ? PTE_WRITE | PTE_DIRTY : 0;
    setPte(pte, entryMake(frame, entryFlags(flags) | rights));
  }
  pteUnmapUnlock(pte);
  return true;
}

/**
 * Steps 3 and 4 for a write to the present, write-protected page of `entry`; a copy takes step 4 twice, first for a
 * reference on the old page.
 */
function speculateWrite(mm: Mm, vma: Vma, vpn: Vpn, entry: Entry, seq: u32): boolean {
  let pte = mapLockSame(mm, vpn, seq, entry);
  if (pte === 0) return false;
  if (mayReuse(vma, entry)) {
    reusePage(load(vma + VMA_FLAGS), pte, entry);
    pteUnmapUnlock(pte);
    return true;
  }
  const old = pinForCopy(entry);
  pteUnmapUnlock(pte);
  const fresh = frameAlloc(0, F_ANON | F_EXCLUSIVE);
  let committed = false;
  if (fresh === 0) {
    abort(COUNTER_SPECULATIVE_ABORTS_MEMORY);
  } else {
    pte = mapLockSame(mm, vpn, seq, entry);
    committed = pte !== 0;
    if (committed) {
      replaceLocked(mm, vma, pte, vpn, entry, fresh, PTE_WRITE);
      count(COUNTER_COPIES);
    } else {
      folioPut(fresh);
    }
  }
  if (old !== 0) folioPut(old);
  return committed;
}

/** Steps 2 to 4 for `vma`, a copy that is good as of `seq`. */
function speculate(mm: Mm, vma: Vma, vpn: Vpn, write: u32, seq: u32): boolean {
  rcuReadLock();
  const pmd = findPmdPolling(mm, vpn);
  const pte = pmd === 0 ? 0 : pteOffsetMap(pmd, vpn);
  let entry: Entry = 0;
  if (pte !== 0) {
    entry = load(pte);
    pteUnmap(pte);
  }
  rcuReadUnlock();
  if (pte === 0) return abort(COUNTER_SPECULATIVE_ABORTS_TABLE);
  // Without an identity the neighbours would have to be looked at, which takes mmap_lock.
  if (faultAllocates(write) && load(vma + VMA_ANON) === 0)
    return abort(COUNTER_SPECULATIVE_ABORTS_KIND);
  syncPoint();
  if (entry === 0) return speculateAnonymous(mm, vma, vpn, write, seq);
  if (!entryPresent(entry)) return abort(COUNTER_SPECULATIVE_ABORTS_SWAP);
  if (write !== 0 && (entry & PTE_WRITE) === 0) return speculateWrite(mm, vma, vpn, entry, seq);
  return true;
}

/**
 * A page fault at `vpn`, tried speculatively. No lock held on entry or return. Returns whether it was handled: then the
 * access is to be tried again; otherwise nothing has been done, and the ordinary fault follows.
 */
export function faultSpeculatively(mm: Mm, vpn: Vpn, write: u32): boolean {
  count(COUNTER_SPECULATIVE_ATTEMPTS);
  const seq = load(mm + MM_SEQ); // pairs with moveSequence in mmapLock.ts
  if ((seq & 1) !== 0) return abort(COUNTER_SPECULATIVE_ABORTS_WRITER);
  rcuReadLock();
  const found = vmaLookup(mm, vpn);
  const vma = found === 0 ? 0 : copyVma(found);
  rcuReadUnlock();
  if (vma === 0) return abort(COUNTER_SPECULATIVE_ABORTS_VMA);
  if (!sequenceHolds(mm, seq)) return abort(COUNTER_SPECULATIVE_ABORTS_SEQUENCE);
  if (!speculable(vma, write)) return abort(COUNTER_SPECULATIVE_ABORTS_KIND);
  if (!speculate(mm, vma, vpn, write, seq)) return false;
  count(COUNTER_SPECULATIVE_COMMITS);
  return true;
}
