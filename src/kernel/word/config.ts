/**
 * Compile-time constants and codes: geometry, sizes of per-CPU structures, the axes of a run, error numbers. Small
 * machines (tests, exploration) are built by replacing the constants of the first group.
 */

/**
 * Results of a fault beside 0 and error numbers: an access beyond the end of an object; a VMA lock that does not
 * suffice.
 */
export const SIGBUS: u32 = 7;
export const FAULT_NEEDS_MMAP_LOCK: u32 = 0x100;
/** Another result: a userfaultfd was told; drop the locks and call `userfaultWait` (uffdFault.ts). */
export const FAULT_USERFAULT: u32 = 0x101;
/** The folio of the frame in C_FAULT_FOLIO is locked: wait for it with no lock held, then try again. */
export const FAULT_WAITS: u32 = 0x200;
/** Which lock the fault under way holds. */
export const ON_MMAP_LOCK: u32 = 0;
export const ON_VMA_LOCK: u32 = 1;
/** Why a CPU ended (`endCpu`): the run was aborted, it waited too long, it cannot go on, or a death was injected. */
export const HOST_ABORTED: u32 = 1;
export const HOST_STALLED: u32 = 2;
export const HOST_BROKEN: u32 = 3;
export const HOST_DEATH_EXIT: u32 = 4;
export const HOST_DEATH_EXCEPTION: u32 = 5;
export const HOST_DEATH_MEMORY: u32 = 6;

/** Entries per table below the PGD: 2^TABLE_BITS. x86-64 has 9. */
export const TABLE_BITS: u32 = 9;
/** Entries in the PGD: 2^PGD_BITS; 3 * TABLE_BITS + PGD_BITS is the width of a virtual page number, at most 32. */
export const PGD_BITS: u32 = 5;
export const TABLE_ENTRIES: u32 = 1 << TABLE_BITS;
export const PAGE_BYTES: u32 = 4096;
export const TABLE_BYTES: u32 = TABLE_ENTRIES << 2;
export const PGD_ENTRIES: u32 = 1 << PGD_BITS;
/** log2 of the pages that one entry of a PMD, PUD, PGD table covers. */
export const PMD_SHIFT: u32 = TABLE_BITS;
export const PUD_SHIFT: u32 = TABLE_BITS * 2;
export const PGD_SHIFT: u32 = TABLE_BITS * 3;
export const PMD_PAGES: u32 = 1 << PMD_SHIFT;
export const PUD_PAGES: u32 = 1 << PUD_SHIFT;
export const PGD_PAGES: u32 = 1 << PGD_SHIFT;
/** First virtual page number that no mapping may reach: the last page stays unmapped, as below Linux's TASK_SIZE. */
export const TASK_END: u32 = 0xffffffff;

/** Pages a gather holds in itself before it asks for a batch page (MMU_GATHER_BUNDLE). */
export const GATHER_BUNDLE: u32 = 8;
/** Entries of a batch page that are used at most; a batch page is a table's memory less its header. */
export const GATHER_BATCH_ENTRIES: u32 = 500;
/** Batch pages of data frames per gather before it counts as full (MAX_GATHER_BATCH_COUNT). */
export const GATHER_BATCH_COUNT: u32 = 20;
/** Gathers that one CPU may have open at once. */
export const GATHER_NEST: u32 = 3;
/** Orders of the buddy allocator: 0 to FRAME_ORDER_MAX. */
export const FRAME_ORDER_MAX: u32 = 9;
/** Frames moved between a CPU's list and the buddy allocator at a time, and the list's limit. */
export const PCP_BATCH: u32 = 31;
export const PCP_HIGH: u32 = 93;
/** Tables moved between a CPU's list and the global one at a time, and the list's limit. */
export const TABLE_CACHE_BATCH: u32 = 16;
export const TABLE_CACHE_HIGH: u32 = 48;
/** Entries of the software TLB and, per level, of the paging-structure cache: 2^n, direct-mapped. */
export const TLB_BITS: u32 = 8;
export const PSC_BITS: u32 = 5;
/** More pages than this are not flushed one by one (tlb_single_page_flush_ceiling). */
export const TLB_FLUSH_CEILING: u32 = 33;
/** Zapped entries between two looks at need_resched and interrupts. */
export const ZAP_RESCHED_PERIOD: u32 = 32;
/** Pages that one pass of madvise(MADV_PAGEOUT) isolates under one hold of the PTE lock. */
export const PAGEOUT_BATCH: u32 = 32;
/** Folios that one pass over the deferred-split queue tries to split. */
export const DEFERRED_SPLIT_BATCH: u32 = 16;
/**
 * Pages that a read fault on a file or on shared memory maps at most, as far as they are cached (fault_around_bytes).
 */
export const FAULT_AROUND_PAGES: u32 = 16;
/** Mappings that one address space may have (sysctl_max_map_count). */
export const MAP_COUNT_MAX: u32 = 65530;
/** Candidates for asynchronous reclaim that one pass looks at, at most. */
export const SCAN_BATCH: u32 = 32;
/**
 * Looks at a table that only maps the zero page, each finding pages accessed since the last, after which it is left
 * alone.
 */
export const ZERO_CHANCES: u32 = 3;
/** VMAs that a daemon write-locks to free an upper table, at most; where there are more it gives up. */
export const UPPER_VMAS_MAX: u32 = 64;
/** Levels of the VMA skip list. */
export const VMA_LEVELS: u32 = 8;
/** First value of every sequence counter: shortly before the wrap, so that each run crosses it. */
export const SEQ_START: u32 = 0xffffff00;

export const CPUS_MAX: u32 = 32;

/**
 * Looks at a word before a waiter parks: at an adaptive lock, an acknowledgement, a quiescent state, a reader-writer
 * lock. None of them is needed for progress: an execution that explores interleavings sets all to 0.
 */
export const LOCK_SPINS: u32 = 300;
/** The same at a lock of the other kinds, whose waiters ought not to park at all: about 0.1 ms. */
export const QUEUE_SPINS: u32 = 20000;
/**
 * As long: a waiter that has parked takes some 30 us to wake, in which the next one for it parks as well, and so on, so
 * that CPUs that never wait long for each other end up waiting for the scheduler (bench/README.md). Linux's rwsem spins
 * as long as its owner runs, for the same reason.
 */
export const IPI_SPINS: u32 = QUEUE_SPINS;
export const RWSEM_SPINS: u32 = QUEUE_SPINS;
export const RCU_SPINS: u32 = 1000;
/**
 * 1: waiters say that they park, and on what, so that wakers know of them. 0: an execution that explores interleavings,
 * whose awaits need no waker: nothing of it is seen, and every look at who waits would be one more order to try.
 * Adaptive locks then wait as `tas` does, and the innermost ones are taken in one step.
 */
export const PARKING: u32 = 1;
/** 1: grace periods are timed, for the histogram of latencies and the stall detector. 0: where there is no clock. */
export const TIMED_GRACE_PERIODS: u32 = 1;
/**
 * 1: collapse interrupts every CPU once it has cleared the PMD (collapse.ts). 0: a machine whose flushes send no
 * interrupts, before Linux 6.1: GUP-fast's second look at the PMD is all there is.
 */
export const COLLAPSE_INTERRUPTS: u32 = 1;
/** Callbacks invoked between two quiescent states. */
export const RCU_BATCH: u32 = 16;

/**
 * 1: full checks include the oracle grace-period. It orders every read-side section against every callback; an
 * exploration that sees a grace period's effects by other oracles sets it to 0.
 */
export const CHECK_SECTIONS: u32 = 1;

/** What a free table's, a free frame descriptor's words hold. */
export const POISON_TABLE: u32 = 0x5a5a5a5a;

/** Axis `reclaim protocol`: the base, which exports no hook. The foundry gives the others their codes. */
export const PROTOCOL_NONE: u32 = 0;
/** How protocols that look for empty tables know one (emptiness.ts). */
export const EMPTINESS_SCAN: u32 = 0;
export const EMPTINESS_COUNT: u32 = 1;
/** Axis `how tables are freed`. */
export const FREE_RCU: u32 = 0;
export const FREE_SEMI_RCU: u32 = 1;
export const FREE_IMMEDIATE: u32 = 2;
/** Axis `fault path`. */
export const FAULT_MMAP_LOCK: u32 = 0;
export const FAULT_VMA_LOCK: u32 = 1;
export const FAULT_SPECULATIVE: u32 = 2;
/** Axis `zap`. */
export const ZAP_PAGE: u32 = 0;
export const ZAP_FOLIO: u32 = 1;
/** Axis `page-table lock`: the base, which exports no hook. The foundry gives the others their codes. */
export const LOCK_ADAPTIVE: u32 = 0;

/** What an await waits for; see `awaitWord`. */
export const AWAIT_EQUALS: u32 = 0;
export const AWAIT_DIFFERS: u32 = 1;
export const AWAIT_REACHES: u32 = 2;
export const AWAIT_ZERO_OR_REACHES: u32 = 3;

/** Header word H_STOP: what CPUs are asked to do. */
export const STOP_NO: u32 = 0;
export const STOP_SOON: u32 = 1;
export const STOP_ABORT: u32 = 2;

/** Linux error numbers, as kernel calls return them (0: no error). */
export const ENOENT: u32 = 2;
export const EINTR: u32 = 4;
export const EAGAIN: u32 = 11;
export const ENOMEM: u32 = 12;
export const EFAULT: u32 = 14;
export const EBUSY: u32 = 16;
export const EEXIST: u32 = 17;
export const EINVAL: u32 = 22;

/** Axis `thp`: where faults and khugepaged make huge pages. */
export const THP_NEVER: u32 = 0;
export const THP_MADVISE: u32 = 1;
export const THP_ALWAYS: u32 = 2;

/** madvise advice, Linux's numbers. */
export const MADV_DONTNEED: u32 = 4;
export const MADV_FREE: u32 = 8;
export const MADV_HUGEPAGE: u32 = 14;
export const MADV_NOHUGEPAGE: u32 = 15;
export const MADV_COLD: u32 = 20;
export const MADV_PAGEOUT: u32 = 21;
export const MADV_POPULATE_READ: u32 = 22;
export const MADV_POPULATE_WRITE: u32 = 23;
export const MADV_COLLAPSE: u32 = 25;

/** Protection and kind of a VMA (VMA_FLAGS). Bits 0 to 2 are the PROT_ bits. */
export const VM_READ: u32 = 1;
export const VM_WRITE: u32 = 2;
export const VM_EXEC: u32 = 4;
export const VM_SHARED: u32 = 8;
/** Made at a first fault, for a mapping that the recording does not show. */
export const VM_IMPLICIT: u32 = 32;
/** By madvise: no huge pages, or huge pages with `thp` madvise, too. */
export const VM_NOHUGEPAGE: u32 = 64;
export const VM_HUGEPAGE: u32 = 128;

/** A userfaultfd is told of faults on missing pages, and of writes to pages that it write-protected. */
export const VM_UFFD_MISSING: u32 = 0x1000;
export const VM_UFFD_WP: u32 = 0x2000;

/** Linux's UFFD_FEATURE_ bits that there are; UFFD_READY is ours: the handshake is over. */
export const UFFD_FEATURE_MISSING_SHMEM: u32 = 1 << 5;
export const UFFD_FEATURE_SIGBUS: u32 = 1 << 7;
export const UFFD_FEATURE_WP_UNPOPULATED: u32 = 1 << 13;
export const UFFD_READY: u32 = 0x40000000;
/** Linux's numbers: modes of registration, of UFFDIO_COPY, _WRITEPROTECT and _MOVE. */
export const UFFD_REGISTER_MISSING: u32 = 1;
export const UFFD_REGISTER_WP: u32 = 2;
export const UFFD_COPY_DONTWAKE: u32 = 1;
export const UFFD_COPY_WP: u32 = 2;
export const UFFD_ZEROPAGE_DONTWAKE: u32 = 1;
export const UFFD_WRITEPROTECT_WP: u32 = 1;
export const UFFD_WRITEPROTECT_DONTWAKE: u32 = 2;
export const UFFD_MOVE_DONTWAKE: u32 = 1;
export const UFFD_MOVE_ALLOW_SRC_HOLES: u32 = 2;

/** Flags of doMmap. */
export const MMAP_SHARED: u32 = 1;
export const MMAP_POPULATE: u32 = 2;
export const MMAP_REPLACE: u32 = 4;

/** Flags of doMremap, Linux's numbers. */
export const MREMAP_MAYMOVE: u32 = 1;
export const MREMAP_FIXED: u32 = 2;

/** Oracles; the order is that of the names in the machine's reports. */
export const ORACLE_TABLE_USE_AFTER_FREE: u32 = 1;
export const ORACLE_NONEMPTY_TABLE_FREED: u32 = 2;
export const ORACLE_STALE_TRANSLATION: u32 = 3;
export const ORACLE_BAD_UPPER_ENTRY: u32 = 4;
export const ORACLE_LOST_ENTRY: u32 = 5;
export const ORACLE_FRAME_USE_AFTER_FREE: u32 = 6;
export const ORACLE_ACCOUNTING: u32 = 7;
export const ORACLE_GRACE_PERIOD: u32 = 8;
export const ORACLE_LOCK_ORDER: u32 = 9;
export const ORACLE_NO_PROGRESS: u32 = 10;
