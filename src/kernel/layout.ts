/**
 * The shared memory: the only source of every offset. All are byte offsets; every word is 32 bits wide and is never viewed
 * with another width.
 *
 *     0x000000  header: configuration, stop word, violations
 *     0x001000  global words: RCU, allocators, each hot word on a cache line of its own
 *     0x010000  per-CPU areas, CPU_BYTES each
 *     TABLES    tables, TABLE_BYTES each, number 0 unused; then, at bases that the header records:
 *               ptdescs, folios, VMAs, address spaces, inodes, page-cache buckets, swap slots, event rings
 *
 * Beside each word stands who may write it. "config": written before the CPUs start, constant afterwards, read by peek.
 * "owner": only the CPU whose area it is in, by peek and poke. "owner, read by others": the owner stores atomically.
 * "L": whoever holds the lock L, by peek and poke. "atomic": any CPU by atomics.
 */

import {
  CPUS_MAX,
  GATHER_NEST,
  PAGEOUT_BATCH,
  PSC_BITS,
  TABLE_BYTES,
  TLB_BITS,
  VMA_LEVELS,
} from './config.ts';

const LINE: u32 = 64;

/** A lock: 16 bytes, meaning per kind (lock.ts). */
export const LOCK_WORD: u32 = 0; // atomic: owner + 1 and waiter bit, or the kind's own state
export const LOCK_AUX: u32 = 4; // atomic: next ticket, or MCS tail
export const LOCK_OWNER: u32 = 8; // the holder: owner + 1, for kinds whose LOCK_WORD does not say (lockOwner.ts; read by reports)
export const LOCK_LAST: u32 = 12; // the holder, when bounces are counted: area of the CPU that took it last, 0: none yet
export const LOCK_BYTES: u32 = 16;

/** A reader-writer lock, RWSEM_BYTES (rwsem.ts). */
export const RWSEM_STATE: u32 = 0; // atomic: readers, writer, QUEUED
export const RWSEM_HEAD: u32 = 4; // RWSEM_QUEUE: area of the first CPU waiting, or 0
export const RWSEM_TAIL: u32 = 8; // RWSEM_QUEUE: area of the last
export const RWSEM_LAST: u32 = 12; // when bounces are counted, plain and racy, a hint (lockStat.ts): area of the CPU that took it last
export const RWSEM_QUEUE: u32 = 16; // a lock: the queue
export const RWSEM_BYTES: u32 = 32;

/** An RCU head: 12 bytes, inside the descriptor of what is freed; owned by callRcu's caller until it is queued, then by rcu.ts. */
export const RCU_NEXT: u32 = 0; // link in a callback list
export const RCU_FUNC: u32 = 4; // RCU_ code of what to do (rcuCallbacks.ts)
export const RCU_STAMP: u32 = 8; // full checks: number after G_RCU_GP_SEQ when it was queued
export const RCU_HEAD_BYTES: u32 = 12;

// ---- header ----
export const H_MAGIC: u32 = 0x40; // config
export const H_CPUS: u32 = 0x44; // config
export const H_TABLES: u32 = 0x48; // config: table numbers are 1 to H_TABLES - 1
export const H_FRAMES: u32 = 0x4c; // config: frame numbers are 1 to H_FRAMES - 1; frame 1 is the zero page
export const H_VMAS: u32 = 0x50; // config
export const H_MMS: u32 = 0x54; // config
export const H_INODES: u32 = 0x58; // config
export const H_SWAP_SLOTS: u32 = 0x5c; // config; 0: no swap
export const H_CACHE_MASK: u32 = 0x60; // config: page-cache buckets - 1, a power of two less 1
export const H_RING_EVENTS: u32 = 0x64; // config: events per CPU's ring, a power of two; 0: no rings
export const H_PTDESCS: u32 = 0x68; // config: base
export const H_FOLIOS: u32 = 0x6c; // config: base
export const H_VMA_BASE: u32 = 0x70; // config: base
export const H_MM_BASE: u32 = 0x74; // config: base
export const H_INODE_BASE: u32 = 0x78; // config: base
export const H_CACHE_BASE: u32 = 0x7c; // config: base
export const H_SWAP_BASE: u32 = 0x80; // config: base
export const H_RING_BASE: u32 = 0x84; // config: base
export const H_END: u32 = 0x88; // config: first byte after everything
export const H_PROTOCOL: u32 = 0x90; // config: PROTOCOL_
export const H_FREE_MODE: u32 = 0x94; // config: FREE_
export const H_FAULT_PATH: u32 = 0x98; // config: FAULT_
export const H_LOCK_KIND: u32 = 0x9c; // config: LOCK_
export const H_LOCK_STAT: u32 = 0xa0; // config: LOCK_STAT_ bits (lockStat.ts): what is measured beside acquisitions and waits
export const H_STALL_NS: u32 = 0xa4; // config: the longest that one wait or grace period may last, at most 4e9
export const H_BATCH_ENTRIES: u32 = 0xa8; // config: entries used of a batch page, at most GATHER_BATCH_ENTRIES
export const H_BATCH_COUNT: u32 = 0xac; // config: batch pages per gather
export const H_INJECT_TABLE: u32 = 0xb0; // config: one table allocation in so many fails; 0: none; likewise below
export const H_INJECT_BATCH: u32 = 0xb4; // config: batch-page allocations
export const H_INJECT_FRAME: u32 = 0xb8; // config: frame allocations
export const H_INJECT_DELAY: u32 = 0xbc; // config: synchronisation points followed by a random delay
export const H_INJECT_RESCHED: u32 = 0xc0; // config: looks at need_resched that find it set
export const H_INJECT_STORM: u32 = 0xc4; // config: synchronisation points that interrupt a random CPU
export const H_INJECT_DEATH_CPU: u32 = 0xc8; // config: cpu + 1 that dies; 0: none
export const H_INJECT_DEATH_KIND: u32 = 0xcc; // config: HOST_DEATH_ code
export const H_INJECT_DEATH_AFTER: u32 = 0xd0; // config: lock acquisitions of that CPU before its death
export const H_INJECT_NTH: u32 = 0xd4; // constant while CPUs are in operations: number of the allocation that fails on each CPU; 0: none
export const H_ZAP: u32 = 0xd8; // config: ZAP_
export const H_ASYNC_DELAY_NS: u32 = 0xe0; // config: how long a candidate waits before it is looked at (asyncReclaim.ts)
export const H_ASYNC_EAGER: u32 = 0xe4; // config: 1: madvise(MADV_DONTNEED) of a whole span detaches its table at once, as `sync` does
export const H_CANDIDATE_BASE: u32 = 0x200; // config: base of the CPUs' rings of candidates (candidates.ts)
export const H_CANDIDATE_SLOTS: u32 = 0x204; // config: entries of each, a power of two; 0: no rings
export const H_WASTE_BASE: u32 = 0x208; // config: base (wastedFrees.ts)
export const H_WASTE_SLOTS: u32 = 0x20c; // config: a power of two, or 0
export const H_WASTE_NS: u32 = 0x210; // config: between a reclaim and an allocation of the same span that count as wasted, less than this
export const H_DAEMON_CPUS: u32 = 0x214; // config: CPUs, the last ones of H_CPUS, that run daemons and no workload: 0 or 1
export const H_MAX_PTES_NONE: u32 = 0x218; // config: entries of a span that khugepaged accepts as none (collapseScan.ts)
export const H_MAX_PTES_SWAP: u32 = 0x21c; // config: likewise, as swapped out
export const H_MAX_PTES_SHARED: u32 = 0x220; // config: likewise, as mapped elsewhere as well
export const H_PAGES_TO_SCAN: u32 = 0x224; // config: pages that one pass of khugepaged looks at
export const H_SCAN_SLEEP_NS: u32 = 0x228; // config: from the end of one pass of khugepaged to the next
export const H_ANON_VMA_BASE: u32 = 0x110; // config: base of the anon_vmas
export const H_CHAIN_BASE: u32 = 0x114; // config: base of the anon_vma_chains
export const H_ANON_VMAS: u32 = 0x120; // config: anon_vmas there are; numbers start at 1
export const H_CHAINS: u32 = 0x124; // config: anon_vma_chains there are; numbers start at 1
export const H_MEASURE_BASE: u32 = 0xf8; // config: base of the CPUs' measuring regions, MEASURE_BYTES each; 0: none
export const H_EMPTINESS: u32 = 0xdc; // config: EMPTINESS_; COUNT only with PROTOCOL_PT_RWSEM
export const H_MTHP: u32 = 0xe8; // config: bit n: anonymous faults may allocate folios of order n
export const H_THP: u32 = 0xec; // config: THP_: where faults and khugepaged make huge pages
export const H_VIOLATIONS: u32 = 0x140; // atomic: violations seen so far
export const H_STOP: u32 = 0x180; // atomic: STOP_, raised by the main thread, or by a CPU that saw a violation
export const H_DAEMON_STOP: u32 = 0x1c0; // atomic: 1: the daemons' CPU ends its loop; written by the main thread

// ---- global words ----
const GLOBALS: u32 = 0x1000;
export const G_RCU_GP_SEQ: u32 = GLOBALS; // atomic, moved by compare-and-exchange: number of the newest grace period started, never 0
export const G_RCU_ORPHANS: u32 = GLOBALS + 4; // atomic: idle CPUs whose callbacks wait to be adopted (C_RCU_ORPHAN)
export const G_RCU_WAITERS: u32 = GLOBALS + 8; // atomic: CPUs parked on some C_RCU_QS
export const G_RCU_COMPLETED: u32 = GLOBALS + LINE; // atomic, moved by compare-and-exchange: newest grace period ended
export const G_RCU_STARTED_GP: u32 = GLOBALS + LINE * 2; // atomic: grace period that G_RCU_STARTED_NS belongs to
export const G_RCU_STARTED_NS: u32 = GLOBALS + LINE * 2 + 4; // atomic: clock when somebody first had to wait for it
export const G_TABLE_LOCK: u32 = GLOBALS + LINE * 4; // a lock
export const G_TABLE_FREE: u32 = G_TABLE_LOCK + LOCK_BYTES; // G_TABLE_LOCK: first free table
export const G_TABLE_BUMP: u32 = G_TABLE_FREE + 4; // G_TABLE_LOCK: first table number never used yet; read by audits
export const G_FRAME_LOCK: u32 = GLOBALS + LINE * 5; // a lock
export const G_FRAME_BUMP: u32 = G_FRAME_LOCK + LOCK_BYTES; // G_FRAME_LOCK: first frame never handed to the free lists
export const G_FRAME_AREAS: u32 = GLOBALS + LINE * 6; // G_FRAME_LOCK: per order: first free block, number of blocks
export const G_VMA_LOCK: u32 = GLOBALS + LINE * 8; // a lock
export const G_VMA_FREE: u32 = G_VMA_LOCK + LOCK_BYTES; // G_VMA_LOCK
export const G_VMA_BUMP: u32 = G_VMA_FREE + 4; // G_VMA_LOCK: VMA numbers start at 1
export const G_SWAP_LOCK: u32 = GLOBALS + LINE * 9; // a lock
export const G_SWAP_FREE: u32 = G_SWAP_LOCK + LOCK_BYTES; // G_SWAP_LOCK
export const G_SWAP_BUMP: u32 = G_SWAP_FREE + 4; // G_SWAP_LOCK
export const G_MM_LOCK: u32 = GLOBALS + LINE * 10; // a lock: creation and destruction of address spaces and inodes
export const G_MM_BUMP: u32 = G_MM_LOCK + LOCK_BYTES; // G_MM_LOCK: address spaces ever handed out
export const G_MM_FREE: u32 = G_MM_BUMP + 4; // G_MM_LOCK: first free address space, linked by MM_NEXT_FREE
export const G_INODE_BUMP: u32 = G_MM_BUMP + 8; // G_MM_LOCK: inodes ever handed out
export const G_INODE_FREE: u32 = G_MM_BUMP + 12; // G_MM_LOCK: first free inode, linked by INODE_NEXT
export const G_SCAN_OWNER: u32 = GLOBALS + LINE * 14; // atomic: number + 1 of the CPU whose pass over the candidates is under way (asyncReclaim.ts), or 0
export const G_SCAN_NEXT: u32 = G_SCAN_OWNER + 4; // G_SCAN_OWNER's CPU: ring with which the next pass begins
export const G_SCAN_MM: u32 = G_SCAN_OWNER + 8; // G_SCAN_OWNER's CPU: mm that its pass has pinned, or 0
export const G_SCAN_GATHER: u32 = G_SCAN_OWNER + 12; // G_SCAN_OWNER's CPU: gather that its pass has open in it, or 0
export const G_SCAN_PEAK: u32 = G_SCAN_OWNER + 16; // G_SCAN_OWNER's CPU, read by reports: most candidates that a pass has found waiting
export const G_CLOCK_NS: u32 = GLOBALS + LINE * 15; // atomic, written by a replay: the recording's time (daemonClock.ts)
export const G_CLOCK_RECORDED: u32 = G_CLOCK_NS + 4; // atomic, written by a replay: 1: daemons go by G_CLOCK_NS
export const G_ANON_LOCK: u32 = GLOBALS + LINE * 18; // a lock: allocators of anon_vmas and of chains
export const G_ANON_FREE: u32 = G_ANON_LOCK + LOCK_BYTES; // G_ANON_LOCK: first free anon_vma
export const G_ANON_BUMP: u32 = G_ANON_FREE + 4; // G_ANON_LOCK: first anon_vma never used yet
export const G_CHAIN_FREE: u32 = G_ANON_FREE + 8; // G_ANON_LOCK
export const G_CHAIN_BUMP: u32 = G_ANON_FREE + 12; // G_ANON_LOCK
export const G_DEFERRED_LOCK: u32 = GLOBALS + LINE * 13; // a lock: the deferred-split queue
export const G_DEFERRED_HEAD: u32 = G_DEFERRED_LOCK + LOCK_BYTES; // G_DEFERRED_LOCK: first frame of the oldest folio, or 0
export const G_DEFERRED_TAIL: u32 = G_DEFERRED_HEAD + 4; // G_DEFERRED_LOCK: first frame of the newest
export const G_DEFERRED_LENGTH: u32 = G_DEFERRED_HEAD + 8; // G_DEFERRED_LOCK, stored atomically, read by passes and reports: folios on the queue
export const G_KHUGEPAGED_LOCK: u32 = GLOBALS + LINE * 20; // a lock: the address spaces that khugepaged scans (khugepagedSlots.ts)
export const G_KHUGEPAGED_FIRST: u32 = G_KHUGEPAGED_LOCK + LOCK_BYTES; // G_KHUGEPAGED_LOCK, stored atomically, read by passes: mm that entered first, or 0
export const G_KHUGEPAGED_LAST: u32 = G_KHUGEPAGED_FIRST + 4; // G_KHUGEPAGED_LOCK: mm that entered last, or 0
export const G_KHUGEPAGED_MM: u32 = G_KHUGEPAGED_FIRST + 8; // G_KHUGEPAGED_LOCK: mm whose turn it is, or 0: the first one's
export const G_KHUGEPAGED_AT: u32 = G_KHUGEPAGED_FIRST + 12; // G_KHUGEPAGED_LOCK: page of it at which the scan goes on
export const G_KHUGEPAGED_BUSY: u32 = G_KHUGEPAGED_FIRST + 16; // G_KHUGEPAGED_LOCK: mm that a pass is in, or 0
export const G_KHUGEPAGED_OWNER: u32 = GLOBALS + LINE * 21; // atomic: number + 1 of the CPU whose pass is under way, or 0
export const G_KHUGEPAGED_NEXT: u32 = G_KHUGEPAGED_OWNER + 4; // G_KHUGEPAGED_OWNER's CPU: page at which the scan of the mm that its pass is in goes on
export const G_KHUGEPAGED_ENDED: u32 = G_KHUGEPAGED_OWNER + 8; // stored atomically by G_KHUGEPAGED_OWNER's CPU: daemonClock at the end of the last pass
export const G_CACHE_HUGE_SEQ: u32 = GLOBALS + LINE * 16; // atomic: huge folios ever put into the page cache (filemap.ts)
export const G_TABLES_HELD: u32 = GLOBALS + LINE * 11; // atomic: tables detached and not yet freed (held back by a grace period)

// ---- per-CPU area ----
export const PERCPU: u32 = 0x10000;
export const CPU_SHIFT: u32 = 15;
export const CPU_BYTES: u32 = 1 << CPU_SHIFT;

export const C_ID: u32 = 0; // config
export const C_OP: u32 = 4; // owner, read by reports: code of the operation under way (OP_ in report.ts), 0 between operations
export const C_OP_A: u32 = 8; // owner, read by reports: its first two arguments
export const C_OP_B: u32 = 12; // as C_OP_A
export const C_MM: u32 = 16; // owner: address of the mm whose translations the TLB holds, or 0
export const C_SEED: u32 = 20; // owner: state of the injection generator; in explorations, how often each choice has been taken
export const C_NEED_RESCHED: u32 = 24; // owner: set by an interrupt, cleared by a quiescent state
export const C_IRQ_DEPTH: u32 = 28; // owner: 0: interrupts enabled
export const C_WAITING_FOR: u32 = 32; // owner, read by reports: address of the word awaited, or 0
export const C_GATHER_DEPTH: u32 = 36; // owner: gathers open
export const C_MCS_USED: u32 = 40; // owner: bit per MCS node in use
export const C_DEATH_COUNT: u32 = 44; // owner: acquisitions so far, for the injected death
export const C_MAPPED_PMD: u32 = 48; // owner: PMD value of the newest mapping of a PTE table (pteMap.ts)
export const C_MAP_DEPTH: u32 = 52; // owner, checks: PTE tables mapped
export const C_TLB_GEN: u32 = 56; // owner: MM_TLB_GEN as of which C_MM's translations here are current
export const C_TLB_LAZY: u32 = 60; // owner: 1: idle, flush requests are caught up with on leaving
export const C_IPI_REQ: u32 = LINE; // atomic: interrupts sent to this CPU so far
export const C_IPI_KINDS: u32 = LINE * 2; // atomic: IPI_ bits pending
export const C_IPI_TLB_FROM: u32 = LINE * 2 + 4; // atomic: bit per CPU whose flush request is pending
export const C_IPI_ACK: u32 = LINE * 3; // owner, read by others: C_IPI_REQ as of the last interrupts handled
export const C_IPI_WAITERS: u32 = LINE * 3 + 4; // atomic: CPUs parked on C_IPI_ACK
export const C_RCU_QS: u32 = LINE * 4; // owner, read by others: 0: extended quiescent state; else newest grace period seen at a quiescent state
export const C_RCU_SECTION: u32 = LINE * 5; // owner, read by others, full checks: G_RCU_GP_SEQ at entry of the section, 0 outside
export const C_RCU_NESTING: u32 = LINE * 5 + 4; // owner, checks
export const C_RCU_CURSOR: u32 = LINE * 5 + 8; // owner: CPUs below it are known to have passed C_RCU_CURSOR_GP
export const C_RCU_CURSOR_GP: u32 = LINE * 5 + 12; // owner
export const C_RCU_SCANS: u32 = LINE * 5 + 16; // owner: scans that found a CPU missing
export const C_RCU_INVOKER: u32 = LINE * 5 + 20; // owner: 1 while this CPU invokes callbacks
export const C_WAIT_POLLS: u32 = LINE * 5 + 24; // owner: polls while waiting
export const C_RCU_LOCK: u32 = LINE * 6; // a lock: the callback lists below
export const C_RCU_NEXT_HEAD: u32 = LINE * 6 + 16; // C_RCU_LOCK: callbacks without a grace period yet
export const C_RCU_NEXT_TAIL: u32 = LINE * 6 + 20; // C_RCU_LOCK
export const C_RCU_WAIT_HEAD: u32 = LINE * 6 + 24; // C_RCU_LOCK: callbacks waiting for C_RCU_WAIT_GP
export const C_RCU_WAIT_UPTO: u32 = LINE * 6 + 28; // C_RCU_LOCK: C_RCU_QUEUED as of the newest of them
export const C_RCU_WAIT_GP: u32 = LINE * 6 + 32; // C_RCU_LOCK, stored atomically: 0 when there are none
export const C_RCU_QUEUED: u32 = LINE * 6 + 36; // owner, under C_RCU_LOCK: callbacks ever queued
export const C_RCU_INVOKED: u32 = LINE * 6 + 40; // C_RCU_LOCK, stored atomically: callbacks ever invoked, a prefix of those queued
export const C_RCU_NEXT_GP: u32 = LINE * 6 + 44; // C_RCU_LOCK: grace period that the newest callback without one needs
export const C_RCU_INVOKING: u32 = LINE * 6 + 48; // C_RCU_LOCK, stored atomically: 1 while some CPU invokes callbacks of this list
export const C_RCU_INVOKE_WAITERS: u32 = LINE * 6 + 52; // atomic: CPUs parked on C_RCU_INVOKING
export const C_RCU_ORPHAN: u32 = LINE * 6 + 56; // atomic: 1 while the owner is idle and left callbacks; counted in G_RCU_ORPHANS
export const C_FLUSH_MM: u32 = LINE * 7; // owner, constant while a flush of its is under way; read by the targets: the flush request
export const C_FLUSH_START: u32 = LINE * 7 + 4; // as C_FLUSH_MM
export const C_FLUSH_END: u32 = LINE * 7 + 8; // as C_FLUSH_MM
export const C_FLUSH_TABLES: u32 = LINE * 7 + 12; // as C_FLUSH_MM
export const C_FLUSH_GEN: u32 = LINE * 7 + 16; // as C_FLUSH_MM
export const C_HELD_DEPTH: u32 = LINE * 8; // owner, checks: locks held
export const C_HELD: u32 = LINE * 8 + 8; // owner, checks: address and class of each lock held, outermost first
export const HELD_MAX: u32 = 15;
export const C_MCS: u32 = LINE * 11; // MCS nodes, a line each: {next, go}, atomic; four, as a CPU nests that deep at most
export const MCS_NODES: u32 = 4;
export const C_RWSEM_WAIT: u32 = LINE * 15; // atomic: this CPU's place in a queue of a reader-writer lock (rwsem.ts): WAIT_ state
export const C_RWSEM_NEXT: u32 = LINE * 15 + 4; // the queue's lock: area of the CPU behind it, or 0
export const C_PCP_HEAD: u32 = LINE * 16; // owner: list of free frames of order 0
export const C_PCP_COUNT: u32 = LINE * 16 + 4; // owner
export const C_TABLE_HEAD: u32 = LINE * 16 + 8; // owner: list of free tables
export const C_TABLE_COUNT: u32 = LINE * 16 + 12; // owner
export const C_TLB_EPOCH: u32 = LINE * 16 + 16; // owner: TLB and paging-structure-cache entries of other epochs are invalid
export const C_MMAP_READ: u32 = LINE * 16 + 20; // owner, read by reports: mm whose mmap_lock this CPU holds for reading, or 0
export const C_PT_WALK: u32 = LINE * 16 + 28; // owner, read by reports: mm whose page-table lock this CPU holds for reading (ptRwsem.ts), or 0
export const C_VMA_READ: u32 = LINE * 16 + 24; // owner, read by reports: VMA that this CPU holds for reading, or 0
export const C_MAP: u32 = LINE * 16 + 32; // owner, checks: table and generation of each PTE table mapped, oldest first
export const MAPS_MAX: u32 = 4;
export const C_VIOLATIONS: u32 = LINE * 17; // owner, read by reports after H_VIOLATIONS: number of records below ever written
export const C_VIOLATION: u32 = LINE * 18; // owner, read by reports: VIOLATION_RECORDS records of 8 words
export const VIOLATION_RECORDS: u32 = 8;
export const C_COUNTERS: u32 = 0x600; // owner, read by reports: COUNTER_ words (stats.ts), 128 of them
export const C_SPEC_VMA: u32 = 0x800; // owner: a speculative fault's copy of its VMA, 128 bytes
export const C_UFFD_WAIT: u32 = 0x880; // atomic: 1 while this CPU's fault waits to be resolved; cleared under MM_UFFD_LOCK of its mm, or by itself
export const C_UFFD_VPN: u32 = 0x884; // MM_UFFD_LOCK of the fault's mm: its page
export const C_UFFD_REASON: u32 = 0x888; // the same: UFFD_FAULT_
export const C_UFFD_MONITOR: u32 = 0x88c; // owner: 1: resolves faults itself while it waits for its own
export const C_UFFD_DONE: u32 = 0x890; // owner: pages that its last UFFDIO_ call did
export const C_UFFD_MESSAGE: u32 = 0x894; // owner: page and reason of the fault that it read last
export const C_SPLIT_NEXT: u32 = 0x1000; // owner: where splitRange.ts goes on
export const C_GATHERS: u32 = 0x1800; // owner: GATHER_NEST gathers of GATHER_BYTES (gather.ts)
export const GATHER_BYTES: u32 = 256;
export const C_PAGEOUT: u32 = C_GATHERS + GATHER_NEST * GATHER_BYTES; // owner: frames of PAGEOUT_BATCH pages being paged out
export const C_PAGEOUT_NEXT: u32 = C_PAGEOUT + PAGEOUT_BATCH * 4; // owner: page at which looking for them goes on
export const C_INSTALLED: u32 = 0x1c60; // owner: PTE table whose installer's count this CPU still has, or 0 (pteRefcount.ts)
export const C_CLEARED: u32 = 0x1c64; // owner: entries that were cleared and are not off their table's count yet
export const C_CLEARED_TABLE: u32 = 0x1c68; // owner: that table
export const C_IPI_WAIT: u32 = 0x1c80; // owner: per target, the sequence of the interrupt that it is to acknowledge
export const C_ALLOCATIONS: u32 = 0x1c78; // owner: allocations counted for H_INJECT_NTH
export const C_DETACHED: u32 = 0x1c7c; // owner: table that ptReclaim.ts detached last
export const C_RCU_HISTOGRAM: u32 = 0x1d00; // owner, read by reports: grace-period latencies, 32 words, log2 of ns
export const EVENT_SHIFT: u32 = 4; // an event of a ring: {clock, kind, a, b} (report.ts)
export const C_RING_NEXT: u32 = 0x1e00; // owner, read by reports: events ever written to this CPU's ring
export const C_UNMAPPING: u32 = 0x1e04; // owner: 1: what this CPU zaps is followed by freeing the tables of the range (munmap.ts)
export const C_CANDIDATE_TAIL: u32 = 0x1e40; // owner, read by the pass under way and by reports: candidates ever added to this CPU's ring
export const C_CANDIDATE_HEAD: u32 = 0x1e80; // G_SCAN_OWNER's CPU, read by the owner and by reports: candidates ever taken from this CPU's ring
export const C_HOLD_DEPTH: u32 = 0x5800; // owner: holds under way that are timed (lockStat.ts)
export const C_HOLD_SEED: u32 = 0x5804; // owner: generator of the distances between them; 0 at first
export const C_WAIT_TIMED: u32 = 0x5808; // owner: whether the wait for a spinlock under way is timed, since C_WAIT_SINCE
export const C_WAIT_SINCE: u32 = 0x580c; // owner: clock
export const C_WAIT_HOLDER: u32 = 0x5810; // owner: whom it waits for, when contention is measured (contention.ts)
export const C_HOLDS: u32 = 0x5840; // owner: HOLDS_MAX holds: the lock's address, the clock at its acquisition
export const HOLDS_MAX: u32 = 16;
export const C_WORKLOAD: u32 = 0x6000; // atomic: WORKLOAD_LINES lines for workloads (src/experiment/workloads/); the kernel never looks at them
export const WORKLOAD_LINES_MAX: u32 = 4;
export const C_COLLAPSE: u32 = 0x1400; // owner: pages that a collapse of a file has taken out of the cache, linked by F_NEXT, or 0
export const C_TLB: u32 = 0x2000; // owner: 2^TLB_BITS entries of 16 bytes (tlb.ts)
export const C_PSC: u32 = C_TLB + (1 << (TLB_BITS + 4)); // owner: for PMD, PUD and PGD entries each 2^PSC_BITS entries of 16 bytes
export const PSC_BYTES: u32 = 1 << (PSC_BITS + 4);
export const C_FAULT_RESULT: u32 = 0xc0c; // owner: why the fault under way gets no page of its inode (faultFile.ts)
export const C_FAULT_FOLIO: u32 = 0xc00; // owner: the frame whose folio's lock the fault under way has to wait for
export const C_PT_WALK_SECOND: u32 = 0xc08; // owner: a second mm whose tables this CPU walks at the same time (fork's child), or 0
export const C_FORK_FRAME: u32 = 0xc04; // owner: frame allocated for the copy of a pinned page, or 0
export const C_LOCK_STAT: u32 = 0x3800; // owner, read by reports: per lock class LOCK_STAT_BYTES (lockStat.ts), LOCK_CLASSES_MAX classes
export const LOCK_STAT_BYTES: u32 = 256;
export const LOCK_CLASSES_MAX: u32 = 32;
export const C_AREA_END: u32 = C_LOCK_STAT + LOCK_CLASSES_MAX * LOCK_STAT_BYTES;

// ---- tables ----
export const TABLES: u32 = PERCPU + CPUS_MAX * CPU_BYTES;

/** Table descriptors (ptdesc), 64 bytes. */
export const PTDESC_SHIFT: u32 = 6;
export const PT_LOCK: u32 = 0; // a lock: the split page-table lock; lives as long as the table
export const PT_GEN: u32 = 16; // atomic; written by the allocator: odd while in use, even while free
export const PT_STATE: u32 = 20; // atomic: PT_ state (table.ts) in bits 0-7, level in bits 8-15
export const PT_MM: u32 = 24; // set before the table is published: address of its mm
export const PT_FIRST: u32 = 28; // set before publication, and by mremap under both PMD locks: first vpn it maps
export const PT_RCU: u32 = 32; // an RCU head: owned by whoever detached the table
export const PT_COUNT: u32 = 48; // owner of a batch page: entries in it; with EMPTINESS_COUNT, of any other table, its lock, stored atomically: entries that are not none; with protocol pte-refcount, of a PTE table, atomic: the same and visitors (pteRefcount.ts); under `async`, of any other table, atomic: its watched entry (candidates.ts)
export const PT_NEXT: u32 = 44; // allocator's lock or owning CPU: link in a free list; gather's owner: link of batch pages; PMD lock: list of deposited tables (hugeDeposit.ts)
export const PT_UPPER: u32 = 52; // set before publication: address of the upper entry that names this table
export const PT_RETIRED_GP: u32 = 56; // whoever detached it: G_RCU_GP_SEQ at that time
export const PT_OP: u32 = 60; // whoever detached or freed it: cpu << 8 | C_OP, for reports

/**
 * Frame descriptors (folio), 32 bytes. Of a folio of several frames, references, flags, owner and index are those of the first; LARGE_
 * words, offsets from the first's descriptor as the others, are in the second's and the third's.
 */
export const FOLIO_SHIFT: u32 = 5;
export const F_REF: u32 = 0; // atomic: references; 0: free, or a tail
export const F_MAP: u32 = 4; // atomic: entries that map it
export const F_FLAGS: u32 = 8; // bits 0-7 order, then F_ flags (frame.ts); allocator before it is given out, then atomic or/and
export const F_GEN: u32 = 12; // atomic; written by the allocator: odd while in use, even while free
export const F_OWNER: u32 = 16; // the page cache: inode; anonymous: anon_vma, stored before the first entry is published, then under PTE and folio lock; free block: G_FRAME_LOCK
export const F_INDEX: u32 = 20; // page index in the inode; anonymous: page offset in its VMA (linear_page_index), stored as F_OWNER
export const F_NEXT: u32 = 24; // allocator (G_FRAME_LOCK or owning CPU's list); page cache: its bucket's lock
export const F_HEAD: u32 = 28; // stored atomically by the allocator and the splitter while the folio has no reference: the head of a folio of several frames; 0: a folio by itself
export const LARGE_MAPCOUNT: u32 = (1 << FOLIO_SHIFT) + F_OWNER; // atomic: entries that map any of the folio's pages, a huge PMD counting once
export const LARGE_ENTIRE_MAPCOUNT: u32 = (1 << FOLIO_SHIFT) + F_INDEX; // atomic: huge PMDs that map the folio
export const LARGE_PAGES_MAPPED: u32 = (1 << FOLIO_SHIFT) + F_NEXT; // atomic: pages mapped by PTEs, and ENTIRELY_MAPPED while a huge PMD maps them
export const LARGE_DEFERRED_NEXT: u32 = (2 << FOLIO_SHIFT) + F_OWNER; // G_DEFERRED_LOCK: next folio of the queue, or 0
export const LARGE_DEFERRED_PREV: u32 = (2 << FOLIO_SHIFT) + F_INDEX; // G_DEFERRED_LOCK: the one before, or 0
export const LARGE_DEFERRED: u32 = (2 << FOLIO_SHIFT) + F_NEXT; // G_DEFERRED_LOCK, stored atomically: state (deferredSplit.ts)

/**
 * VMAs, 128 bytes; written under mmap_lock for write and, once published, the VMA write lock, read under any of the two or RCU. What a
 * search reads fills the first line (VMA_LEVELS is 8 at most); what each reader writes is on the second.
 */
export const VMA_SHIFT: u32 = 7;
export const VMA_START: u32 = 0; // atomic: first vpn
export const VMA_END: u32 = 4; // atomic: vpn after the last
export const VMA_NEXT: u32 = 8; // atomic: VMA_LEVELS forward links
export const VMA_LEVEL: u32 = 40; // set before publication: levels of the skip list it is in
export const VMA_MM: u32 = 44; // set before publication
export const VMA_FLAGS: u32 = 48; // atomic: VM_
export const VMA_PGOFF: u32 = 52; // atomic: page offset in the file; for anonymous memory the vpn it was made at
export const VMA_INODE: u32 = 56; // set before publication: inode address, or 0
export const VMA_ANON: u32 = 60; // atomic; set once under mmap_lock and page_table_lock: address of its anon_vma, 0: none yet
export const VMA_REF: u32 = 64; // atomic: readers, attached and writer bits (vmaLock.ts)
export const VMA_LOCK_SEQ: u32 = 68; // atomic: mm's sequence as of the last write lock
export const VMA_RCU: u32 = 72; // an RCU head
export const VMA_FREE: u32 = 84; // G_VMA_LOCK: link in the free list; before that, whoever detached it: link of VMAs to free
export const VMA_LAST: u32 = 124; // when bounces are counted, plain and racy, a hint (lockStat.ts): area of the CPU that locked it last
export const VMA_GEN: u32 = 88; // atomic; allocator: odd while in use
export const VMA_CHAIN: u32 = 96; // mmap_lock for write, or for read with page_table_lock, stored atomically: newest of its anon_vma_chains, or 0
export const VMA_CHAIN_OLDEST: u32 = 100; // as VMA_CHAIN: the oldest
export const VMA_FILE_PREV: u32 = 104; // i_mmap of its inode for write: the VMA before it in the inode's list, or 0
export const VMA_FILE_NEXT: u32 = 108; // the same: the one behind it

/**
 * anon_vmas, 64 bytes: the VMAs that may map the anonymous pages of one VMA, or of one that was copied from it. Memory of this section
 * is never anything else, so that a page's last owner can be looked at without a lock (anonVma.ts).
 */
export const ANON_VMA_SHIFT: u32 = 6;
export const AV_RWSEM: u32 = 0; // a reader-writer lock, used of roots only: the lists of all anon_vmas with this root, and the bounds of the VMAs in them
export const AV_ROOT: u32 = 32; // set at creation: itself, or its oldest ancestor
export const AV_PARENT: u32 = 36; // set at creation: itself, or the anon_vma of the VMA that fork copied
export const AV_REF: u32 = 40; // atomic: 1 for its VMAs, one for each anon_vma with this root, one for each holder; 0: free
export const AV_CHILDREN: u32 = 44; // root's rwsem for write: anon_vmas whose parent this is, itself included
export const AV_ACTIVE: u32 = 48; // root's rwsem for write: VMAs whose VMA_ANON this is
export const AV_FIRST: u32 = 52; // root's rwsem for write: first chain, or 0
export const AV_LAST: u32 = 56; // the same: last chain
export const AV_NEXT_FREE: u32 = 60; // G_ANON_LOCK: link in the free list

/** anon_vma_chains, 32 bytes: one VMA in the list of one anon_vma. */
export const CHAIN_SHIFT: u32 = 5;
export const AVC_VMA: u32 = 0; // set before it is linked
export const AVC_ANON: u32 = 4; // set before it is linked
export const AVC_PREV: u32 = 8; // root's rwsem for write: the chain before it in the anon_vma's list
export const AVC_NEXT: u32 = 12; // the same: the one behind it
export const AVC_OLDER: u32 = 16; // as VMA_CHAIN: the VMA's next older chain
export const AVC_NEWER: u32 = 20; // as VMA_CHAIN: the next newer; in the free list, its link

/** Address spaces (mm), 4096 bytes. */
export const MM_BYTES: u32 = 4096;
export const MM_STATE: u32 = 0; // G_MM_LOCK, stored atomically: 0 free, 1 live
export const MM_PGD: u32 = 4; // set at creation: table number of the PGD
export const MM_ID: u32 = 8; // set at creation
export const MM_BRK_START: u32 = 12; // mmap_lock
export const MM_BRK: u32 = 16; // mmap_lock
export const MM_MAP_COUNT: u32 = 20; // mmap_lock for write: VMAs
export const MM_LEVEL_SEED: u32 = 28; // mmap_lock for write: generator of skip-list levels
export const MM_NEXT_FREE: u32 = 32; // G_MM_LOCK: link in the free list
export const MM_LOCK: u32 = LINE; // mmap_lock, a reader-writer lock (mmapLock.ts)
export const MM_LOCK_SEQ: u32 = LINE * 2; // mmap_lock for write, stored atomically: ends all VMA write locks when it moves on
export const MM_PAGE_TABLE_LOCK: u32 = LINE * 3; // a lock: PGD and PUD entries
export const MM_TLB_PENDING: u32 = LINE * 4; // atomic: gathers open in this mm
export const MM_TLB_GEN: u32 = LINE * 4 + 4; // atomic: flushes of this mm so far
export const MM_CPUMASK: u32 = LINE * 5; // atomic: bit per CPU whose TLB may hold translations of this mm
export const MM_TABLES: u32 = LINE * 6; // atomic: PTE, PMD and PUD tables
export const MM_TABLES_BY_LEVEL: u32 = LINE * 6 + 4; // atomic: PTE, PMD, PUD
export const MM_TABLES_PEAK: u32 = LINE * 6 + 16; // atomic: greatest MM_TABLES seen by an allocation
export const MM_VMA_HEAD: u32 = LINE * 7; // atomic; written under mmap_lock for write: VMA_LEVELS links
export const MM_PINS: u32 = 0x300; // atomic: pins, and a generation that is odd while the address space lives (mmPin.ts)
export const MM_VMA_PATH: u32 = LINE * 8; // mmap_lock for write: VMA_LEVELS words, scratch of the writer's last search
export const MM_UFFD_LOCK: u32 = 0x340; // a lock: the userfaultfd's queue (uffdFault.ts)
export const MM_UFFD_FEATURES: u32 = 0x350; // mmap_lock for write, stored atomically: UFFD_ bits of the userfaultfd; 0: there is none
export const MM_UFFD_PENDING: u32 = 0x354; // MM_UFFD_LOCK, stored atomically: bit per CPU whose fault nobody has read
export const MM_UFFD_READ: u32 = 0x358; // MM_UFFD_LOCK: bit per CPU whose fault was read and not resolved
export const MM_PT_LOCK: u32 = LINE * 9; // the reader-writer lock of the page tables' shape (ptRwsem.ts)
export const MM_SEQ: u32 = 0x2c0; // mmap_lock for write, stored atomically, read by speculative faults: odd while a writer holds it (speculative.ts)
export const MM_WRITE_PROTECT_SEQ: u32 = 0xc00; // mmap_lock for write, stored atomically: odd while fork write-protects this mm (fork.ts), read by GUP-fast
export const MM_USERS: u32 = 0xc04; // atomic: who uses the address space; 0: it ends, or has ended
export const MM_COUNT: u32 = 0xc08; // atomic: who holds the mm itself: its users together, and others one each
export const MM_KHUGEPAGED: u32 = 0xc0c; // G_KHUGEPAGED_LOCK, stored atomically, read by faults: 1: khugepaged scans it, and holds it (MM_COUNT)
export const MM_KHUGEPAGED_PREV: u32 = 0xc10; // G_KHUGEPAGED_LOCK: mm that entered before it, or 0
export const MM_KHUGEPAGED_NEXT: u32 = 0xc14; // G_KHUGEPAGED_LOCK: mm that entered after it, or 0
export const MM_RSS: u32 = 0x400; // per CPU a line, owner, read by reports: RSS_ words, signed differences modulo 2^32

/** Inodes, 128 bytes. */
export const INODE_SHIFT: u32 = 7;
export const INODE_STATE: u32 = 0; // G_MM_LOCK, stored atomically: 0 free, 1 file, 2 anonymous shared memory
export const INODE_PAGES: u32 = 4; // atomic; INODE_LOCK: size in pages
export const INODE_REF: u32 = 8; // atomic: VMAs and holders
export const INODE_NR_CACHED: u32 = 12; // atomic: pages in the page cache
export const INODE_NEXT: u32 = 16; // G_MM_LOCK: link in the free list
export const INODE_MMAP_FIRST: u32 = 20; // INODE_MMAP for write: first VMA that maps it, or 0
export const INODE_MMAP_LAST: u32 = 24; // the same: the last
export const INODE_LOCK: u32 = 28; // atomic: held by whoever changes the size (sleepLock.ts)
export const INODE_BUCKETS: u32 = 32; // atomic: INODE_BUCKET_WORDS words, a bit per group of buckets that has held a page of this inode (filemap.ts)
export const INODE_BUCKET_WORDS: u32 = 8;
export const INODE_MMAP: u32 = 64; // a reader-writer lock: the list of VMAs that map it, and their bounds (i_mmap)

/** Page-cache buckets, 32 bytes: a lock, then the first frame. */
export const BUCKET_SHIFT: u32 = 5;
export const BUCKET_HEAD: u32 = LOCK_BYTES; // the bucket's lock, stored atomically

/** Swap slots, 8 bytes. */
export const SWAP_SHIFT: u32 = 3;
export const SWAP_REF: u32 = 0; // atomic: entries that name the slot
export const SWAP_NEXT: u32 = 4; // G_SWAP_LOCK: link in the free list

/**
 * A CPU's measuring region (contention.ts), at H_MEASURE_BASE when contention is measured. All of it: owner, read by reports, which may be
 * one wait behind.
 */
export const MEASURE_SHIFT: u32 = 18;
export const MEASURE_BYTES: u32 = 1 << MEASURE_SHIFT;
export const M_WAITED: u32 = 0; // HOLDERS cells {waits, ns low, ns high, -}: how long this CPU waited for each holder
export const M_HEAT_ROWS: u32 = 0x400; // HEAT_ROWS rows {used, first bucket's number, log2 of a bucket's pages, -}
export const M_HISTOGRAMS: u32 = 0x1000; // MEASURED histograms (histogram.ts), M_HISTOGRAM_BYTES each
export const M_HISTOGRAM_BYTES: u32 = 0x800;
export const M_POINTS: u32 = 0x16000; // per lock class: waits by the waiter's operation, then by the holder's: POINT_OPS words each
export const M_INSTANCES: u32 = 0x18000; // INSTANCE_SETS sets of INSTANCE_WAYS locks, INSTANCE_BYTES each
export const M_HEAT: u32 = 0x20000; // HEAT_ROWS rows of HEAT_COLUMNS cells {waits, ns low, ns high, -}

/** Address of a CPU's area. */
export function cpuArea(cpu: u32): u32 {
  return PERCPU + cpu * CPU_BYTES;
}

/** Bytes of one address space's skip-list head: links for VMA_LEVELS levels. */
export const MM_VMA_HEAD_BYTES: u32 = VMA_LEVELS * 4;

/** Address of a table's first entry. */
export function tableAddress(table: u32): u32 {
  return TABLES + table * TABLE_BYTES;
}
