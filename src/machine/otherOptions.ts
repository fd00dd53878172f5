/** The options of a machine beside its protocol, as types and lists: what a protocol's own refusals are told in. */
import { EMPTINESS_MODES } from '../foundry/about.ts';
import type { FolioSizes } from './foliosOption.ts';
import { LOCK_KINDS, type LockKind } from './lockKinds.ts';
import type { Khugepaged, KhugepagedOption } from './khugepagedOption.ts';

/** Values of the axes; the position of a name is its code in `src/kernel/word/config.ts`. */
export const FREE_MODES = ['rcu', 'semi-rcu', 'immediate'] as const;
export const FAULT_PATHS = ['mmap-lock', 'vma-lock', 'speculative'] as const;
export const ZAP_MODES = ['page', 'folio'] as const;
/** Where faults and khugepaged make huge pages. */
export const THP_MODES = ['never', 'madvise', 'always'] as const;
export { LOCK_KINDS, type LockKind };
export { EMPTINESS_MODES };
export const EXECUTIONS = ['wasm', 'js'] as const;
/** Check levels, by their value of CHECK in `src/kernel/word/check.ts`. */
export const CHECK_LEVELS = ['off', 'fast', 'full'] as const;
export const DEATH_KINDS = ['exit', 'exception', 'memory'] as const;

type FreeMode = (typeof FREE_MODES)[number];
type FaultPath = (typeof FAULT_PATHS)[number];
export type ZapMode = (typeof ZAP_MODES)[number];
export type EmptinessMode = (typeof EMPTINESS_MODES)[number];
type ThpMode = (typeof THP_MODES)[number];
export type Execution = (typeof EXECUTIONS)[number];
export type CheckLevel = (typeof CHECK_LEVELS)[number];
type DeathKind = (typeof DEATH_KINDS)[number];

/** The death of one CPU, inside the critical section of the lock that it takes after `after` others. */
export interface DeathInjection {
  cpu: number;
  kind: DeathKind;
  /** Lock acquisitions of that CPU before its death. */
  after: number;
}

/** Faults put into a run. Each number N means one in N, at random; 0: never. */
export interface Injection {
  /** Table allocations that fail. */
  table: number;
  /** Batch-page allocations that fail. */
  batch: number;
  /** Frame allocations that fail. */
  frame: number;
  /** Synchronisation points followed by a random delay. */
  delay: number;
  /** Looks at need_resched that find it set. */
  resched: number;
  /** Synchronisation points that interrupt a random CPU. */
  storm: number;
  /** CPUs that stay inside an RCU section for long in each of their operations. */
  stalledReaders: number;
  death: DeathInjection | null;
}

/** Options of `boot` beside the protocol, all optional. */
export interface OtherOptions {
  /** CPUs, 1 to 32; default: one per core. */
  cpus?: number;
  /** How tables are freed; default `rcu`. */
  free?: FreeMode;
  /** Fault path; default `vma-lock`. */
  fault?: FaultPath;
  /**
   * Whether reads of anonymous memory that was never written to get the zero page; false: they allocate. Default true.
   */
  zeroPage?: boolean;
  /** How a zap takes entries out: one page after the other, or runs of one folio at once; default `page`. */
  zap?: ZapMode;
  /** How a protocol that has the choice (`emptiness` of its about) knows that a table is empty; default `scan`. */
  emptiness?: EmptinessMode;
  /** Sizes of the folios that anonymous faults may allocate beside single pages (multi-size THP); default `never`. */
  mthp?: FolioSizes;
  /** Huge pages: nowhere, where MADV_HUGEPAGE was given, everywhere; default `never`. */
  thp?: ThpMode;
  /** How khugepaged goes about it, where `thp` lets it, on a CPU that runs daemons (`daemonCpu`). */
  khugepaged?: KhugepagedOption;
  /** Kind of the page-table locks; default `adaptive`. */
  lock?: LockKind;
  execution?: Execution;
  /** Oracles: default `full`. */
  check?: CheckLevel;
  /** Seed of every generator of the run, 0 to 2^32 - 1; default 1. */
  seed?: number;
  /** Page tables there are, of 2 KiB each; default 65,536. */
  tables?: number;
  /** Data frames there are; default 1,048,576 (4 GiB of memory, of which only descriptors exist). */
  frames?: number;
  vmas?: number;
  /** anon_vmas there are: one for each private mapping with anonymous pages that shares none; default 65,536. */
  anonVmas?: number;
  /** Links between VMAs and anon_vmas there are; after forks a VMA has several; default 131,072. */
  anonVmaChains?: number;
  addressSpaces?: number;
  inodes?: number;
  /** Slots of the simulated swap; 0: no swap. */
  swapPages?: number;
  /** Buckets of the page cache; a power of two. */
  cacheBuckets?: number;
  /** Measure how long locks are held, too: every hold. */
  lockStat?: boolean;
  /** Measure contention: who waits for whom, for which locks, where; of holds only some unless `lockStat`. */
  contention?: boolean;
  /** Events each CPU remembers; 0 or a power of two. */
  eventsPerCpu?: number;
  /** Protocol `async`: milliseconds that a table waits before it is looked at, 0 to 2,000; default 10. */
  asyncDelayMs?: number;
  /**
   * Protocol `async`: madvise(MADV_DONTNEED) of a whole span detaches its table at once, as `sync` does; default false.
   */
  asyncEager?: boolean;
  /**
   * Protocol `async`: tables that each CPU can note between two passes, a power of two; default 16,384, of 16 bytes
   * each.
   */
  candidates?: number;
  /** A further CPU that runs daemons, beside `cpus`; default: true where the protocol needs it. */
  daemonCpu?: boolean;
  /**
   * Spans remembered to count tables that were freed for nothing, 0 (none are counted) or a power of two; default 4,096
   * with protocol `async`, else 0.
   */
  wasteSlots?: number;
  /**
   * Milliseconds from a reclaim within which an allocation for the same span makes it one for nothing, 1 to 4,000;
   * default 100.
   */
  wasteMs?: number;
  /** Longest that one wait or grace period may last before it is a violation, milliseconds, 1 to 4,000. */
  stallMs?: number;
  /** Entries used of a batch page, 1 to 500. */
  batchEntries?: number;
  /** Batch pages a gather may hold, 1 to 20. */
  batchCount?: number;
  inject?: Partial<Injection>;
  /** Name of a mutant: the kernel is wrong on purpose in one place. JavaScript execution only. */
  mutant?: string;
}

/** The same with every default filled in. */
export interface ResolvedOtherOptions extends Required<
  Omit<OtherOptions, 'inject' | 'mutant' | 'mthp' | 'khugepaged'>
> {
  /** Enabled orders, smallest first. */
  mthp: readonly number[];
  khugepaged: Khugepaged;
  inject: Injection;
  /** Null: the kernel as it is. */
  mutant: string | null;
}
