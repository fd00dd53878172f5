/**
 * The shared memory: tables, and the descriptors of tables, folios, VMAs, anon_vmas, address spaces, inodes, and what
 * belongs to them. layout.ts says what the comments mean.
 */

import { CPUS_MAX, TABLE_BYTES } from './config.ts';
import { CPU_BYTES, PERCPU } from './layoutCpu.ts';
import { LINE_BYTES as LINE, LOCK_BYTES } from './layoutLocks.ts';

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
// owner of a batch page: entries in it; with EMPTINESS_COUNT, of any other table, its lock, stored atomically: entries
// that are not none; with protocol pte-refcount, of a PTE table, atomic: the same and visitors (pteRefcount.ts); under
// `async`, of any other table, atomic: its watched entry (candidates.ts)
export const PT_COUNT: u32 = 48;
// allocator's lock or owning CPU: link in a free list; gather's owner: link of batch pages; PMD lock: list of deposited
// tables (hugeDeposit.ts)
export const PT_NEXT: u32 = 44;
export const PT_UPPER: u32 = 52; // set before publication: address of the upper entry that names this table
export const PT_RETIRED_GP: u32 = 56; // whoever detached it: G_RCU_GP_SEQ at that time
export const PT_OP: u32 = 60; // whoever detached or freed it: cpu << 8 | C_OP, for reports

/**
 * Frame descriptors (folio), 32 bytes. Of a folio of several frames, references, flags, owner and index are those of
 * the first; LARGE_ words, offsets from the first's descriptor as the others, are in the second's and the third's.
 */
export const FOLIO_SHIFT: u32 = 5;
export const F_REF: u32 = 0; // atomic: references; 0: free, or a tail
export const F_MAP: u32 = 4; // atomic: entries that map it
// bits 0-7 order, then F_ flags (frame.ts); allocator before it is given out, then atomic or/and
export const F_FLAGS: u32 = 8;
export const F_GEN: u32 = 12; // atomic; written by the allocator: odd while in use, even while free
// the page cache: inode; anonymous: anon_vma, stored before the first entry is published, then under PTE and folio
// lock; free block: G_FRAME_LOCK
export const F_OWNER: u32 = 16;
// page index in the inode; anonymous: page offset in its VMA (linear_page_index), stored as F_OWNER
export const F_INDEX: u32 = 20;
export const F_NEXT: u32 = 24; // allocator (G_FRAME_LOCK or owning CPU's list); page cache: its bucket's lock
// stored atomically by the allocator and the splitter while the folio has no reference: the head of a folio of several
// frames; 0: a folio by itself
export const F_HEAD: u32 = 28;
// atomic: entries that map any of the folio's pages, a huge PMD counting once
export const LARGE_MAPCOUNT: u32 = (1 << FOLIO_SHIFT) + F_OWNER;
export const LARGE_ENTIRE_MAPCOUNT: u32 = (1 << FOLIO_SHIFT) + F_INDEX; // atomic: huge PMDs that map the folio
// atomic: pages mapped by PTEs, and ENTIRELY_MAPPED while a huge PMD maps them
export const LARGE_PAGES_MAPPED: u32 = (1 << FOLIO_SHIFT) + F_NEXT;
export const LARGE_DEFERRED_NEXT: u32 = (2 << FOLIO_SHIFT) + F_OWNER; // G_DEFERRED_LOCK: next folio of the queue, or 0
export const LARGE_DEFERRED_PREV: u32 = (2 << FOLIO_SHIFT) + F_INDEX; // G_DEFERRED_LOCK: the one before, or 0
// G_DEFERRED_LOCK, stored atomically: state (deferredSplit.ts)
export const LARGE_DEFERRED: u32 = (2 << FOLIO_SHIFT) + F_NEXT;

/**
 * VMAs, 128 bytes; written under mmap_lock for write and, once published, the VMA write lock, read under any of the two
 * or RCU. What a search reads fills the first line (VMA_LEVELS is 8 at most); what each reader writes is on the second.
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
// atomic; set once under mmap_lock and page_table_lock: address of its anon_vma, 0: none yet
export const VMA_ANON: u32 = 60;
export const VMA_REF: u32 = 64; // atomic: readers, attached and writer bits (vmaLock.ts)
export const VMA_LOCK_SEQ: u32 = 68; // atomic: mm's sequence as of the last write lock
export const VMA_RCU: u32 = 72; // an RCU head
// G_VMA_LOCK: link in the free list; before that, whoever detached it: link of VMAs to free
export const VMA_FREE: u32 = 84;
// when bounces are counted, plain and racy, a hint (lockStat.ts): area of the CPU that held it last
export const VMA_LAST: u32 = 124;
export const VMA_GEN: u32 = 88; // atomic; allocator: odd while in use
// mmap_lock for write, or for read with page_table_lock, stored atomically: newest of its anon_vma_chains, or 0
export const VMA_CHAIN: u32 = 96;
export const VMA_CHAIN_OLDEST: u32 = 100; // as VMA_CHAIN: the oldest
export const VMA_FILE_PREV: u32 = 104; // i_mmap of its inode for write: the VMA before it in the inode's list, or 0
export const VMA_FILE_NEXT: u32 = 108; // the same: the one behind it

/**
 * anon_vmas, 64 bytes: the VMAs that may map the anonymous pages of one VMA, or of one that was copied from it. Memory
 * of this section is never anything else, so that a page's last owner can be looked at without a lock (anonVma.ts).
 */
export const ANON_VMA_SHIFT: u32 = 6;
// a reader-writer lock, used of roots only: the lists of all anon_vmas with this root, and the bounds of the VMAs in
// them
export const AV_RWSEM: u32 = 0;
export const AV_ROOT: u32 = 32; // set at creation: itself, or its oldest ancestor
export const AV_PARENT: u32 = 36; // set at creation: itself, or the anon_vma of the VMA that fork copied
// atomic: 1 for its VMAs, one for each anon_vma with this root, one for each holder; 0: free
export const AV_REF: u32 = 40;
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
// mmap_lock for write, stored atomically: ends all VMA write locks when it moves on
export const MM_LOCK_SEQ: u32 = LINE * 2;
export const MM_PAGE_TABLE_LOCK: u32 = LINE * 3; // a lock: PGD and PUD entries
export const MM_TLB_PENDING: u32 = LINE * 4; // atomic: gathers open in this mm
export const MM_TLB_GEN: u32 = LINE * 4 + 4; // atomic: flushes of this mm so far
export const MM_CPUMASK: u32 = LINE * 5; // atomic: bit per CPU whose TLB may hold translations of this mm
export const MM_TABLES: u32 = LINE * 6; // atomic: PTE, PMD and PUD tables
export const MM_TABLES_BY_LEVEL: u32 = LINE * 6 + 4; // atomic: PTE, PMD, PUD
export const MM_TABLES_PEAK: u32 = LINE * 6 + 16; // atomic: greatest MM_TABLES seen by an allocation
export const MM_VMA_HEAD: u32 = LINE * 7; // atomic; written under mmap_lock for write: VMA_LEVELS links
// atomic: pins, and a generation that is odd while the address space lives (mmPin.ts)
export const MM_PINS: u32 = 0x300;
export const MM_VMA_PATH: u32 = LINE * 8; // mmap_lock for write: VMA_LEVELS words, scratch of the writer's last search
export const MM_UFFD_LOCK: u32 = 0x340; // a lock: the userfaultfd's queue (uffdFault.ts)
// mmap_lock for write, stored atomically: UFFD_ bits of the userfaultfd; 0: there is none
export const MM_UFFD_FEATURES: u32 = 0x350;
export const MM_UFFD_PENDING: u32 = 0x354; // MM_UFFD_LOCK, stored atomically: bit per CPU whose fault nobody has read
export const MM_UFFD_READ: u32 = 0x358; // MM_UFFD_LOCK: bit per CPU whose fault was read and not resolved
export const MM_PT_LOCK: u32 = LINE * 9; // the reader-writer lock of the page tables' shape (ptRwsem.ts)
// mmap_lock for write, stored atomically, read by speculative faults: odd while a writer holds it (speculative.ts)
export const MM_SEQ: u32 = 0x2c0;
// mmap_lock for write, stored atomically: odd while fork write-protects this mm (fork.ts), read by GUP-fast
export const MM_WRITE_PROTECT_SEQ: u32 = 0xc00;
export const MM_USERS: u32 = 0xc04; // atomic: who uses the address space; 0: it ends, or has ended
export const MM_COUNT: u32 = 0xc08; // atomic: who holds the mm itself: its users together, and others one each
// G_KHUGEPAGED_LOCK, stored atomically, read by faults: 1: khugepaged scans it, and holds it (MM_COUNT)
export const MM_KHUGEPAGED: u32 = 0xc0c;
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
// atomic: INODE_BUCKET_WORDS words, a bit per group of buckets that has held a page of this inode (filemap.ts)
export const INODE_BUCKETS: u32 = 32;
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
 * Candidates of a CPU's ring, 16 bytes: the CPU's own until C_CANDIDATE_TAIL has passed them, then the pass's
 * (G_SCAN_OWNER) until C_CANDIDATE_HEAD has.
 */
export const CANDIDATE_SHIFT: u32 = 4;
export const CANDIDATE_MM: u32 = 0; // address of the mm | level | tries: mms start at multiples of 4096
export const CANDIDATE_GENERATION: u32 = 4; // of the mm
export const CANDIDATE_FIRST: u32 = 8; // first vpn of the table
export const CANDIDATE_AT: u32 = 12; // when it was noted, daemonClock

/** Address of a table's first entry. */
export function tableAddress(table: TableNumber): u32 {
  return TABLES + table * TABLE_BYTES;
}
