/**
 * The shared memory: the only source of every offset. All are byte offsets; every word is 32 bits wide and is never
 * viewed with another width.
 *
 *     0x000000  header: configuration, stop word, violations
 *     0x001000  global words: RCU, allocators, each hot word on a cache line of its own
 *     0x010000  per-CPU areas, CPU_BYTES each
 *     TABLES    tables, TABLE_BYTES each, number 0 unused; then, at bases that the header records:
 *               ptdescs, folios, VMAs, address spaces, inodes, page-cache buckets, swap slots, event rings
 *
 * Header and global words are here, the rest in layoutCpu.ts, layoutObjects.ts and layoutLocks.ts; everybody imports
 * this file.
 *
 * Beside each word stands who may write it. "config": written before the CPUs start, constant afterwards, read by peek.
 * "owner": only the CPU whose area it is in, by peek and poke. "owner, read by others": the owner stores atomically.
 * "L": whoever holds the lock L, by peek and poke. "atomic": any CPU by atomics.
 */

import { LINE_BYTES as LINE, LOCK_BYTES } from './layoutLocks.ts';

export * from './layoutCpu.ts';
export * from './layoutLocks.ts';
export * from './layoutObjects.ts';

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
export const H_PROTOCOL: u32 = 0x90; // config: the reclaim protocol's code
export const H_FREE_MODE: u32 = 0x94; // config: FREE_
export const H_FAULT_PATH: u32 = 0x98; // config: FAULT_
export const H_LOCK_KIND: u32 = 0x9c; // config: LOCK_
// config: LOCK_STAT_ bits (lockStat.ts): what is measured beside acquisitions and waits
export const H_LOCK_STAT: u32 = 0xa0;
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
// constant while CPUs are in operations: number of the allocation that fails on each CPU; 0: none
export const H_INJECT_NTH: u32 = 0xd4;
export const H_ZAP: u32 = 0xd8; // config: ZAP_
// config: how long a candidate waits before it is looked at (asyncReclaim.ts)
export const H_ASYNC_DELAY_NS: u32 = 0xe0;
// config: 1: madvise(MADV_DONTNEED) of a whole span detaches its table at once, as `sync` does
export const H_ASYNC_EAGER: u32 = 0xe4;
export const H_CANDIDATE_BASE: u32 = 0x200; // config: base of the CPUs' rings of candidates (candidates.ts)
export const H_CANDIDATE_SLOTS: u32 = 0x204; // config: entries of each, a power of two; 0: no rings
export const H_WASTE_BASE: u32 = 0x208; // config: base (wastedFrees.ts)
export const H_WASTE_SLOTS: u32 = 0x20c; // config: a power of two, or 0
// config: between a reclaim and an allocation of the same span that count as wasted, less than this
export const H_WASTE_NS: u32 = 0x210;
// config: CPUs, the last ones of H_CPUS, that run daemons and no workload: 0 or 1
export const H_DAEMON_CPUS: u32 = 0x214;
// config: entries of a span that khugepaged accepts as none (collapseScan.ts)
export const H_MAX_PTES_NONE: u32 = 0x218;
export const H_MAX_PTES_SWAP: u32 = 0x21c; // config: likewise, as swapped out
export const H_MAX_PTES_SHARED: u32 = 0x220; // config: likewise, as mapped elsewhere as well
export const H_PAGES_TO_SCAN: u32 = 0x224; // config: pages that one pass of khugepaged looks at
export const H_SCAN_SLEEP_NS: u32 = 0x228; // config: from the end of one pass of khugepaged to the next
export const H_NO_ZERO_PAGE: u32 = 0x22c; // config: 1: read faults of private anonymous memory allocate (fault.ts)
export const H_ANON_VMA_BASE: u32 = 0x110; // config: base of the anon_vmas
export const H_CHAIN_BASE: u32 = 0x114; // config: base of the anon_vma_chains
export const H_ANON_VMAS: u32 = 0x120; // config: anon_vmas there are; numbers start at 1
export const H_CHAINS: u32 = 0x124; // config: anon_vma_chains there are; numbers start at 1
export const H_MEASURE_BASE: u32 = 0xf8; // config: base of the CPUs' measuring regions, MEASURE_BYTES each; 0: none
export const H_EMPTINESS: u32 = 0xdc; // config: EMPTINESS_; COUNT only with protocols that keep counts
export const H_MTHP: u32 = 0xe8; // config: bit n: anonymous faults may allocate folios of order n
export const H_THP: u32 = 0xec; // config: THP_: where faults and khugepaged make huge pages
export const H_VIOLATIONS: u32 = 0x140; // atomic: violations seen so far
export const H_STOP: u32 = 0x180; // atomic: STOP_, raised by the main thread, or by a CPU that saw a violation
export const H_DAEMON_STOP: u32 = 0x1c0; // atomic: 1: the daemons' CPU ends its loop; written by the main thread

// ---- global words ----
const GLOBALS: u32 = 0x1000;
// atomic, moved by compare-and-exchange: number of the newest grace period started, never 0
export const G_RCU_GP_SEQ: u32 = GLOBALS;
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
// atomic: number + 1 of the CPU whose pass over the candidates is under way (asyncReclaim.ts), or 0
export const G_SCAN_OWNER: u32 = GLOBALS + LINE * 14;
export const G_SCAN_NEXT: u32 = G_SCAN_OWNER + 4; // G_SCAN_OWNER's CPU: ring with which the next pass begins
export const G_SCAN_MM: u32 = G_SCAN_OWNER + 8; // G_SCAN_OWNER's CPU: mm that its pass has pinned, or 0
export const G_SCAN_GATHER: u32 = G_SCAN_OWNER + 12; // G_SCAN_OWNER's CPU: gather that its pass has open in it, or 0
// G_SCAN_OWNER's CPU, read by reports: most candidates that a pass has found waiting
export const G_SCAN_PEAK: u32 = G_SCAN_OWNER + 16;
// atomic, written by a replay: the recording's time (daemonClock.ts)
export const G_CLOCK_NS: u32 = GLOBALS + LINE * 15;
export const G_CLOCK_RECORDED: u32 = G_CLOCK_NS + 4; // atomic, written by a replay: 1: daemons go by G_CLOCK_NS
export const G_ANON_LOCK: u32 = GLOBALS + LINE * 18; // a lock: allocators of anon_vmas and of chains
export const G_ANON_FREE: u32 = G_ANON_LOCK + LOCK_BYTES; // G_ANON_LOCK: first free anon_vma
export const G_ANON_BUMP: u32 = G_ANON_FREE + 4; // G_ANON_LOCK: first anon_vma never used yet
export const G_CHAIN_FREE: u32 = G_ANON_FREE + 8; // G_ANON_LOCK
export const G_CHAIN_BUMP: u32 = G_ANON_FREE + 12; // G_ANON_LOCK
export const G_DEFERRED_LOCK: u32 = GLOBALS + LINE * 13; // a lock: the deferred-split queue
// G_DEFERRED_LOCK: first frame of the oldest folio, or 0
export const G_DEFERRED_HEAD: u32 = G_DEFERRED_LOCK + LOCK_BYTES;
export const G_DEFERRED_TAIL: u32 = G_DEFERRED_HEAD + 4; // G_DEFERRED_LOCK: first frame of the newest
// G_DEFERRED_LOCK, stored atomically, read by passes and reports: folios on the queue
export const G_DEFERRED_LENGTH: u32 = G_DEFERRED_HEAD + 8;
// a lock: the address spaces that khugepaged scans (khugepagedSlots.ts)
export const G_KHUGEPAGED_LOCK: u32 = GLOBALS + LINE * 20;
// G_KHUGEPAGED_LOCK, stored atomically, read by passes: mm that entered first, or 0
export const G_KHUGEPAGED_FIRST: u32 = G_KHUGEPAGED_LOCK + LOCK_BYTES;
export const G_KHUGEPAGED_LAST: u32 = G_KHUGEPAGED_FIRST + 4; // G_KHUGEPAGED_LOCK: mm that entered last, or 0
// G_KHUGEPAGED_LOCK: mm whose turn it is, or 0: the first one's
export const G_KHUGEPAGED_MM: u32 = G_KHUGEPAGED_FIRST + 8;
export const G_KHUGEPAGED_AT: u32 = G_KHUGEPAGED_FIRST + 12; // G_KHUGEPAGED_LOCK: page of it at which the scan goes on
export const G_KHUGEPAGED_BUSY: u32 = G_KHUGEPAGED_FIRST + 16; // G_KHUGEPAGED_LOCK: mm that a pass is in, or 0
// atomic: number + 1 of the CPU whose pass is under way, or 0
export const G_KHUGEPAGED_OWNER: u32 = GLOBALS + LINE * 21;
// G_KHUGEPAGED_OWNER's CPU: page at which the scan of the mm that its pass is in goes on
export const G_KHUGEPAGED_NEXT: u32 = G_KHUGEPAGED_OWNER + 4;
// stored atomically by G_KHUGEPAGED_OWNER's CPU: daemonClock at the end of the last pass
export const G_KHUGEPAGED_ENDED: u32 = G_KHUGEPAGED_OWNER + 8;
// atomic: huge folios ever put into the page cache (filemap.ts)
export const G_CACHE_HUGE_SEQ: u32 = GLOBALS + LINE * 16;
// atomic: tables detached and not yet freed (held back by a grace period)
export const G_TABLES_HELD: u32 = GLOBALS + LINE * 11;
