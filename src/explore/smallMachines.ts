/** The small machines on which kernel scenarios run: constants of their kernels and sizes of their memory. */

/** Constants of small machines: four-entry tables, batches of one, no spinning before a wait. */
export const SMALL: Readonly<Record<string, number>> = {
  TABLE_BITS: 2,
  PGD_BITS: 2,
  TASK_END: 255,
  GATHER_BUNDLE: 1,
  GATHER_BATCH_ENTRIES: 1,
  GATHER_BATCH_COUNT: 1,
  FRAME_ORDER_MAX: 1,
  PCP_BATCH: 1,
  PCP_HIGH: 2,
  TABLE_CACHE_BATCH: 1,
  TABLE_CACHE_HIGH: 2,
  TLB_BITS: 2,
  PSC_BITS: 1,
  ZAP_RESCHED_PERIOD: 1,
  PAGEOUT_BATCH: 1,
  VMA_LEVELS: 1,
  CPUS_MAX: 4,
  LOCK_SPINS: 0,
  QUEUE_SPINS: 0,
  IPI_SPINS: 0,
  RCU_SPINS: 0,
  RWSEM_SPINS: 0,
  RCU_BATCH: 1,
  PARKING: 0,
  TIMED_GRACE_PERIODS: 0,
  SEQ_START: 0xfffffffe,
};

/** Named kernels, each a set of constants over SMALL that many scenarios share (`about.kernel`). */
export const KERNELS = {
  /**
   * Tables of two entries on all four levels: an address space of 16 pages. Without the oracle grace-period, which
   * orders all sections.
   */
  pairs: { TABLE_BITS: 1, PGD_BITS: 1, TASK_END: 15, CHECK_SECTIONS: 0 },
  /**
   * Folios of up to four pages, a whole PTE table of them; gathers that hold one whole. Without the oracle grace-period
   * likewise.
   */
  folios: {
    PGD_BITS: 1,
    TASK_END: 127,
    FRAME_ORDER_MAX: 2,
    GATHER_BUNDLE: 8,
    CHECK_SECTIONS: 0,
  },
} satisfies Record<string, Readonly<Record<string, number>>>;

export type KernelName = keyof typeof KERNELS;

/** Sizes of small machines. */
export const SIZES = {
  tables: 32,
  frames: 32,
  vmas: 16,
  anonVmas: 16,
  anonVmaChains: 32,
  addressSpaces: 2,
  inodes: 2,
  swapPages: 4,
  cacheBuckets: 1,
  batchEntries: 1,
  batchCount: 1,
  candidates: 4,
  wasteSlots: 0,
  daemonCpu: false,
  asyncDelayMs: 0,
};

/** Options of a machine that are the same for all scenarios. */
export type FixedSizes = keyof typeof SIZES;
