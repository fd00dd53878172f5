/**
 * The hooks of reclaim protocols: every place where the kernel asks or tells the protocol of the run something. This
 * file declares them and does nothing: what stands here is what a protocol gets that does not export the hook, and
 * `none` exports none. The foundry (src/foundry/plug.ts) puts the protocols' own in their place, in every build of the
 * kernel: a file or folder of protocols/ exports functions with these names and types, and its hooks are called in the
 * runs that chose it.
 *
 *     hook                 called                                                       under
 *     walkBegin, End       around every operation that walks page tables down           mmap_lock, VMA or rmap lock
 *     reshapeBegin, End    around what takes tables out that need not be empty          mmap_lock (munmap, exit,
 *                                                                                       mremap)
 *     installsDone         this CPU has mapped, or will not map, what it installed      the walk's lock, no spinlock
 *     tableInstalled       a new PTE table is about to be published                     PMD lock
 *     unlinksUnderLock     munmap or exit takes a table away: under its upper lock?     reshapeBegin's, no spinlock
 *     tableGet, Put        around every mapping of a PTE table (pteMap.ts)              RCU section; Put: no spinlock
 *     entryInstalled       an entry goes from none to something                         PTE lock
 *     entriesCleared       entries went to none                                         PTE lock
 *     upperInstalled       an upper entry went from none to something                   its table's lock, or
 *                                                                                       reshapeBegin's
 *     upperCleared         an upper entry went to none                                  the same
 *     zapEligible          before a zap of a piece that one PMD entry covers            as a zap
 *     zapEmptied           the piece is zapped, its PTE lock held throughout            PTE lock
 *     zapDone              the piece is zapped                                          as a zap, no spinlock
 *     rangeZapped          madvise(MADV_DONTNEED) has zapped a range                    nothing
 *     upperMoved           mremap has moved a table, PT_FIRST says where                the locks of both entries
 *     tableLeft            a PTE table may be empty though no entry was cleared now     mmap_lock or VMA lock
 *     upperLeft            the same of an upper table                                   mmap_lock
 *     emptyTableGoes       may an emptied PTE table be taken out of its place by hand?  as a collapse
 *     freesLater           is it left to the daemon?                                    nothing
 *     daemonPass           a daemon has time                                            nothing
 *     checkWalk, From      full checks: a walk is under way                             as walkBegin
 *     checkTableFree       checks: a PTE table is about to be freed                     nothing
 *
 * What is found by pmdFind or pmdAlloc may not be kept across walkEnd. Walks do not nest. Lockless walks (GUP-fast,
 * pteOffsetMap without a lock, the hardware) are not announced: RCU and flushes protect them.
 */

/** How many hooks the protocols of this kernel export, all together; 0: nobody has plugged them in. */
export const PLUGGED_PROTOCOL_HOOKS: u32 = 0;

/**
 * An operation that walks the page tables of `mm` begins. No lock held that comes after the rmap locks, no RCU section.
 */
export function walkBegin(mm: Mm): void {}

/** It ends. No spinlock held. */
export function walkEnd(mm: Mm): void {}

/**
 * A walk of a second address space begins, within that of its parent (fork): only walks of the rmap can reach it yet.
 */
export function walkBeginSecond(mm: Mm): void {}

/** It ends. */
export function walkEndSecond(mm: Mm): void {}

/**
 * Tables of `mm`, of any level, are about to be taken out of their places, be they empty or not. As walkBegin; includes
 * a walk.
 */
export function reshapeBegin(mm: Mm): void {}

/** They have been. */
export function reshapeEnd(mm: Mm): void {}

/**
 * This CPU has mapped, or will not map, the PTE table that it installed last. In the walk that did, or at its end; no
 * spinlock held.
 */
export function installsDone(): void {}

/** The new PTE table `table` is about to be published. PMD lock held. */
export function tableInstalled(table: TableNumber): void {}

/**
 * Whether munmap and exit clear upper entries that name tables of `level` under the lock of the table that holds the
 * entry, as somebody else may be clearing the same entry; else nobody does (freeTables.ts).
 */
export function unlinksUnderLock(level: u32): boolean {
  return false;
}

/**
 * Asks to map the PTE table that the PMD value `value`, read in the RCU section under way, names. False: the table is
 * on its way out, none of its entries is left, and the PMD entry is about to change.
 */
export function tableGet(value: Entry): boolean {
  return true;
}

/** Ends a mapping of the table that holds the entry at `pte`, in its RCU section. No spinlock held. */
export function tablePut(pte: Pte): void {}

/** The entry at `pte` is about to become `value`; it was none. PTE lock held. */
export function entryInstalled(pte: Pte, value: Entry): void {}

/**
 * `entries` entries of the table that holds the one at `pte` were set to none. Their PTE lock is held, the table is
 * mapped.
 */
export function entriesCleared(pte: Pte, entries: u32): void {}

/** The upper entry at `entry` is about to be set; it was none. */
export function upperInstalled(entry: Upper): void {}

/** The upper entry at `entry` was set to none. */
export function upperCleared(entry: Upper): void {}

/** Whether a zap of [start, end), which one PMD entry covers, may detach that entry's table when it finds it empty. */
export function zapEligible(start: Vpn, end: Vpn): boolean {
  return false;
}

/**
 * A zap of an eligible piece leaves nothing in the table of the PMD entry at `pmd`, whose PTE lock it has held since
 * before it looked at the first entry. Returns whether the table is detached now.
 */
export function zapEmptied(pmd: Pmd): boolean {
  return false;
}

/** A zap of an eligible piece from `start` on is done; `detached`: what zapEmptied returned. */
export function zapDone(gather: Gather, mm: Mm, pmd: Pmd, start: Vpn, detached: boolean): void {}

/** madvise(MADV_DONTNEED) has zapped [start, end) of `mm` and holds no lock any more. */
export function rangeZapped(mm: Mm, start: Vpn, end: Vpn): void {}

/** mremap has moved table number `table`. The locks of both upper entries are held. */
export function upperMoved(table: TableNumber): void {}

/** munmap leaves the upper table that holds the entry at `upper` to a neighbour; it may be empty. mmap_lock held. */
export function upperLeft(upper: Upper): void {}

/**
 * The table that the PMD entry at `pmd` names, if any, may be empty: munmap leaves it to a neighbour, or it was
 * allocated and is not used after all. mmap_lock or VMA lock held.
 */
export function tableLeft(pmd: Pmd): void {}

/**
 * Whether a PTE table goes by itself once its last entry and its last visitor have gone: then nobody takes an emptied
 * one out by hand.
 */
export function emptyTableGoes(): boolean {
  return false;
}

/** Whether the protocol leaves what became empty to `daemonPass`. */
export function freesLater(): boolean {
  return false;
}

/**
 * One pass of the protocol's daemon over at most `most` of what waits for it, `all`: be it due or not. Returns how many
 * it looked at. No lock held, no RCU section.
 */
export function daemonPass(most: u32, all: boolean): u32 {
  return 0;
}

/** Full checks: a locked or an allocating walk of the tables of `mm` is under way here. */
export function checkWalk(mm: Mm): void {}

/** Full checks: the same, at the PMD entry at `pmd`. */
export function checkWalkFrom(pmd: Pmd): void {}

/** Checks: PTE table number `table` is about to be freed; nobody who could find it is left. */
export function checkTableFree(table: TableNumber): void {}
