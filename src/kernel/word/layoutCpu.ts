/**
 * The shared memory: what each CPU has, its area and its measuring region. layout.ts says what the comments mean.
 */

import { GATHER_NEST, PAGEOUT_BATCH, PSC_BITS, TLB_BITS } from './config.ts';
import { LINE_BYTES as LINE } from './layoutLocks.ts';

// ---- per-CPU area ----
export const PERCPU: u32 = 0x10000;
export const CPU_SHIFT: u32 = 15;
export const CPU_BYTES: u32 = 1 << CPU_SHIFT;

export const C_ID: u32 = 0; // config
export const C_OP: u32 = 4; // owner, read by reports: code of the operation under way, 0 between operations
export const C_OP_A: u32 = 8; // owner, read by reports: its first two arguments
export const C_OP_B: u32 = 12; // as C_OP_A
export const C_MM: u32 = 16; // owner: address of the mm whose translations the TLB holds, or 0
// owner: state of the injection generator; in explorations, how often each choice has been taken
export const C_SEED: u32 = 20;
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
// owner, read by others: 0: extended quiescent state; else newest grace period seen at a quiescent state
export const C_RCU_QS: u32 = LINE * 4;
// owner, read by others, full checks: G_RCU_GP_SEQ at entry of the section, 0 outside
export const C_RCU_SECTION: u32 = LINE * 5;
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
// C_RCU_LOCK, stored atomically: callbacks ever invoked, a prefix of those queued
export const C_RCU_INVOKED: u32 = LINE * 6 + 40;
export const C_RCU_NEXT_GP: u32 = LINE * 6 + 44; // C_RCU_LOCK: grace period that the newest callback without one needs
// C_RCU_LOCK, stored atomically: 1 while some CPU invokes callbacks of this list
export const C_RCU_INVOKING: u32 = LINE * 6 + 48;
export const C_RCU_INVOKE_WAITERS: u32 = LINE * 6 + 52; // atomic: CPUs parked on C_RCU_INVOKING
// atomic: 1 while the owner is idle and left callbacks; counted in G_RCU_ORPHANS
export const C_RCU_ORPHAN: u32 = LINE * 6 + 56;
// owner, constant while a flush of its is under way; read by the targets: the flush request
export const C_FLUSH_MM: u32 = LINE * 7;
export const C_FLUSH_START: u32 = LINE * 7 + 4; // as C_FLUSH_MM
export const C_FLUSH_END: u32 = LINE * 7 + 8; // as C_FLUSH_MM
export const C_FLUSH_TABLES: u32 = LINE * 7 + 12; // as C_FLUSH_MM
export const C_FLUSH_GEN: u32 = LINE * 7 + 16; // as C_FLUSH_MM
export const C_HELD_DEPTH: u32 = LINE * 8; // owner, checks: locks held
export const C_HELD: u32 = LINE * 8 + 8; // owner, checks: address and class of each lock held, outermost first
export const HELD_MAX: u32 = 15;
// MCS nodes, a line each: {next, go}, atomic; four, as a CPU nests that deep at most
export const C_MCS: u32 = LINE * 11;
export const MCS_NODES: u32 = 4;
// atomic: this CPU's place in a queue of a reader-writer lock (rwsem.ts): WAIT_ state
export const C_RWSEM_WAIT: u32 = LINE * 15;
export const C_RWSEM_NEXT: u32 = LINE * 15 + 4; // the queue's lock: area of the CPU behind it, or 0
export const C_PCP_HEAD: u32 = LINE * 16; // owner: list of free frames of order 0
export const C_PCP_COUNT: u32 = LINE * 16 + 4; // owner
export const C_TABLE_HEAD: u32 = LINE * 16 + 8; // owner: list of free tables
export const C_TABLE_COUNT: u32 = LINE * 16 + 12; // owner
// owner: TLB and paging-structure-cache entries of other epochs are invalid
export const C_TLB_EPOCH: u32 = LINE * 16 + 16;
// owner, read by reports: mm whose mmap_lock this CPU holds for reading, or 0
export const C_MMAP_READ: u32 = LINE * 16 + 20;
// owner, read by reports: mm whose page-table lock this CPU holds for reading (ptRwsem.ts), or 0
export const C_PT_WALK: u32 = LINE * 16 + 28;
export const C_VMA_READ: u32 = LINE * 16 + 24; // owner, read by reports: VMA that this CPU holds for reading, or 0
export const C_MAP: u32 = LINE * 16 + 32; // owner, checks: table and generation of each PTE table mapped, oldest first
export const MAPS_MAX: u32 = 4;
// owner, read by reports after H_VIOLATIONS: number of records below ever written
export const C_VIOLATIONS: u32 = LINE * 17;
export const C_VIOLATION: u32 = LINE * 18; // owner, read by reports: VIOLATION_RECORDS records of 8 words
export const VIOLATION_RECORDS: u32 = 8;
export const C_COUNTERS: u32 = 0x600; // owner, read by reports: COUNTER_ words (stats.ts), 128 of them
export const C_SPEC_VMA: u32 = 0x800; // owner: a speculative fault's copy of its VMA, 128 bytes
// atomic: 1 while this CPU's fault waits to be resolved; cleared under MM_UFFD_LOCK of its mm, or by itself
export const C_UFFD_WAIT: u32 = 0x880;
export const C_UFFD_VPN: u32 = 0x884; // MM_UFFD_LOCK of the fault's mm: its page
export const C_UFFD_REASON: u32 = 0x888; // the same: UFFD_FAULT_
export const C_UFFD_MONITOR: u32 = 0x88c; // owner: 1: resolves faults itself while it waits for its own
export const C_UFFD_DONE: u32 = 0x890; // owner: pages that its last UFFDIO_ call did
export const C_UFFD_MESSAGE: u32 = 0x894; // owner: page and reason of the fault that it read last
export const C_SPLIT_NEXT: u32 = 0x1000; // owner: where splitRange.ts goes on
export const C_GATHERS: u32 = 0x1800; // owner: GATHER_NEST gathers of GATHER_BYTES (gather.ts)
export const GATHER_BYTES: u32 = 256;
// owner: frames of PAGEOUT_BATCH pages being paged out
export const C_PAGEOUT: u32 = C_GATHERS + GATHER_NEST * GATHER_BYTES;
export const C_PAGEOUT_NEXT: u32 = C_PAGEOUT + PAGEOUT_BATCH * 4; // owner: page at which looking for them goes on
// owner: PTE table whose installer's count this CPU still has, or 0 (pteRefcount.ts)
export const C_INSTALLED: u32 = 0x1c60;
export const C_CLEARED: u32 = 0x1c64; // owner: entries that were cleared and are not off their table's count yet
export const C_CLEARED_TABLE: u32 = 0x1c68; // owner: that table
export const C_IPI_WAIT: u32 = 0x1c80; // owner: per target, the sequence of the interrupt that it is to acknowledge
export const C_ALLOCATIONS: u32 = 0x1c78; // owner: allocations counted for H_INJECT_NTH
export const C_DETACHED: u32 = 0x1c7c; // owner: table that sync.ts detached last
export const C_RCU_HISTOGRAM: u32 = 0x1d00; // owner, read by reports: grace-period latencies, 32 words, log2 of ns
export const EVENT_SHIFT: u32 = 4; // an event of a ring: {clock, kind, a, b} (report.ts)
export const C_RING_NEXT: u32 = 0x1e00; // owner, read by reports: events ever written to this CPU's ring
// owner: 1: what this CPU zaps is followed by freeing the tables of the range (munmap.ts)
export const C_UNMAPPING: u32 = 0x1e04;
// owner, read by the pass under way and by reports: candidates ever added to this CPU's ring
export const C_CANDIDATE_TAIL: u32 = 0x1e40;
// G_SCAN_OWNER's CPU, read by the owner and by reports: candidates ever taken from this CPU's ring
export const C_CANDIDATE_HEAD: u32 = 0x1e80;
export const C_HOLD_DEPTH: u32 = 0x5800; // owner: holds under way that are timed (lockStat.ts)
export const C_HOLD_SEED: u32 = 0x5804; // owner: generator of the distances between them; 0 at first
// owner: whether the wait for a spinlock under way is timed, since C_WAIT_SINCE
export const C_WAIT_TIMED: u32 = 0x5808;
export const C_WAIT_SINCE: u32 = 0x580c; // owner: clock
export const C_WAIT_HOLDER: u32 = 0x5810; // owner: whom it waits for, when contention is measured (contention.ts)
export const C_HOLDS: u32 = 0x5840; // owner: HOLDS_MAX holds: the lock's address, the clock at its acquisition
export const HOLDS_MAX: u32 = 16;
// atomic: 4 lines for workloads (src/experiment/workloads/); the kernel never looks at them
export const C_WORKLOAD: u32 = 0x6000;
// owner: pages that a collapse of a file has taken out of the cache, linked by F_NEXT, or 0
export const C_COLLAPSE: u32 = 0x1400;
export const C_TLB: u32 = 0x2000; // owner: 2^TLB_BITS entries of 16 bytes (tlb.ts)
// owner: for PMD, PUD and PGD entries each 2^PSC_BITS entries of 16 bytes
export const C_PSC: u32 = C_TLB + (1 << (TLB_BITS + 4));
export const PSC_BYTES: u32 = 1 << (PSC_BITS + 4);
export const C_FAULT_RESULT: u32 = 0xc0c; // owner: why the fault under way gets no page of its inode (faultFile.ts)
// owner: the frame whose folio's lock the fault or move under way has to wait for; or a locked folio that the move has
// to split (MOVE_SPLITS)
export const C_FAULT_FOLIO: u32 = 0xc00;
// owner: a second mm whose tables this CPU walks at the same time (fork's child), or 0
export const C_PT_WALK_SECOND: u32 = 0xc08;
export const C_FORK_FRAME: u32 = 0xc04; // owner: frame allocated for the copy of a pinned page, or 0
// owner, read by reports: per lock class LOCK_STAT_BYTES (lockStat.ts), LOCK_CLASSES_MAX classes
export const C_LOCK_STAT: u32 = 0x3800;
export const LOCK_STAT_BYTES: u32 = 256;
export const LOCK_CLASSES_MAX: u32 = 32;

/**
 * A CPU's measuring region (contention.ts), at H_MEASURE_BASE when contention is measured. All of it: owner, read by
 * reports, which may be the waits of one operation behind.
 */
export const MEASURE_SHIFT: u32 = 18;
export const MEASURE_BYTES: u32 = 1 << MEASURE_SHIFT;
export const M_WAITED: u32 = 0; // HOLDERS cells {waits, ns low, ns high, -}: how long this CPU waited for each holder
export const M_HEAT_ROWS: u32 = 0x400; // HEAT_ROWS rows {used, first bucket's number, log2 of a bucket's pages, -}
// waits that are logged and not counted yet (waitLog.ts); not read by reports, as the next
export const M_LOG_USED: u32 = 0x800;
export const M_LOG: u32 = 0x840; // WAITS_LOGGED records of 1 << WAIT_SHIFT bytes
export const M_HISTOGRAMS: u32 = 0x1000; // MEASURED histograms (histogram.ts), M_HISTOGRAM_BYTES each
export const M_HISTOGRAM_BYTES: u32 = 0x800;
// per lock class: waits by the waiter's operation, then by the holder's: POINT_OPS words each
export const M_POINTS: u32 = 0x16000;
export const M_INSTANCES: u32 = 0x18000; // INSTANCE_SETS sets of INSTANCE_WAYS locks, INSTANCE_BYTES each
export const M_HEAT: u32 = 0x20000; // HEAT_ROWS rows of HEAT_COLUMNS cells {waits, ns low, ns high, -}

export const WAITS_LOGGED: u32 = 16;
export const WAIT_SHIFT: u32 = 6;
/** Words of a wait that is logged: what it was for, how long it lasted, and what was so at its end. */
export const W_LOCK: u32 = 0;
export const W_CLASS: u32 = 4;
export const W_NS: u32 = 8;
export const W_HOLDER: u32 = 12; // whom the waiter saw (HOLDER_, or a CPU's number + 1)
export const W_OP: u32 = 16; // what this CPU was doing (OP_)
export const W_HOLDER_OP: u32 = 20; // and a holder that is a CPU
export const W_FIRST: u32 = 24; // first page protected, of table and VMA locks
export const W_END: u32 = 28; // page after the last, of VMA locks
export const W_MM: u32 = 32; // address space, 0: none
export const W_PAGE: u32 = 36; // where it is on the heat map

/** Address of a CPU's area. */
export function cpuArea(cpu: Cpu): CpuArea {
  return PERCPU + cpu * CPU_BYTES;
}
