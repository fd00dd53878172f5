import { availableParallelism } from 'node:os';
import { CPUS_MAX, GATHER_BATCH_COUNT, GATHER_BATCH_ENTRIES } from '../kernel/abi.ts';
import { PROTOCOLS, type Protocol } from './protocols.ts';
import { refusalOf } from './refusals.ts';

export { PROTOCOL_CODES, PROTOCOLS, type Protocol } from './protocols.ts';
import { resolveFolioSizes, type FolioSizes } from './foliosOption.ts';
import {
  KHUGEPAGED_DEFAULTS,
  resolveKhugepaged,
  type Khugepaged,
  type KhugepagedOption,
} from './khugepagedOption.ts';
import { OptionError } from './optionError.ts';

export { OptionError };

/** Values of the other axes; the position of a name is its code in `src/kernel/word/config.ts`. */
export const FREE_MODES = ['rcu', 'semi-rcu', 'immediate'] as const;
export const FAULT_PATHS = ['mmap-lock', 'vma-lock', 'speculative'] as const;
export const ZAP_MODES = ['page', 'folio'] as const;
/** Where faults and khugepaged make huge pages. */
export const THP_MODES = ['never', 'madvise', 'always'] as const;
export const LOCK_KINDS = ['adaptive', 'tas', 'ticket', 'mcs'] as const;
/** How protocol `pt-rwsem` knows that a table is empty. */
export const EMPTINESS_MODES = ['scan', 'count'] as const;
export const EXECUTIONS = ['wasm', 'js'] as const;
/** Check levels, by their value of CHECK in `src/kernel/word/check.ts`. */
export const CHECK_LEVELS = ['off', 'fast', 'full'] as const;
export const DEATH_KINDS = ['exit', 'exception', 'memory'] as const;

export type FreeMode = (typeof FREE_MODES)[number];
export type FaultPath = (typeof FAULT_PATHS)[number];
export type ZapMode = (typeof ZAP_MODES)[number];
export type EmptinessMode = (typeof EMPTINESS_MODES)[number];
export type ThpMode = (typeof THP_MODES)[number];
export type LockKind = (typeof LOCK_KINDS)[number];
export type Execution = (typeof EXECUTIONS)[number];
export type CheckLevel = (typeof CHECK_LEVELS)[number];
export type DeathKind = (typeof DEATH_KINDS)[number];

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

/** Options of `boot`, all optional. */
export interface MachineOptions {
  /** CPUs, 1 to 32; default: one per core. */
  cpus?: number;
  /** Reclaim protocol; default `sync`. */
  protocol?: Protocol;
  /** How tables are freed; default `rcu`. */
  free?: FreeMode;
  /** Fault path; default `vma-lock`. */
  fault?: FaultPath;
  /** How a zap takes entries out: one page after the other, or runs of one folio at once; default `page`. */
  zap?: ZapMode;
  /** How protocol `pt-rwsem` knows that a table is empty; default `scan`. The others scan, or need not know. */
  emptiness?: EmptinessMode;
  /** Sizes of the folios that anonymous faults may allocate beside single pages (multi-size THP); default `never`. */
  mthp?: FolioSizes;
  /** Huge pages: nowhere, where MADV_HUGEPAGE was given, everywhere; default `never`. */
  thp?: ThpMode;
  /** Whether reads of anonymous memory that was never written to get the zero page; false: they allocate. Default true. */
  zeroPage?: boolean;
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
  /** Protocol `async`: madvise(MADV_DONTNEED) of a whole span detaches its table at once, as `sync` does; default false. */
  asyncEager?: boolean;
  /** Protocol `async`: tables that each CPU can note between two passes, a power of two; default 16,384, of 16 bytes each. */
  candidates?: number;
  /** A further CPU that runs daemons, beside `cpus`; default: true where the protocol needs it. */
  daemonCpu?: boolean;
  /** Spans remembered to count tables that were freed for nothing, 0 (none are counted) or a power of two; default 4,096 with protocol `async`, else 0. */
  wasteSlots?: number;
  /** Milliseconds from a reclaim within which an allocation for the same span makes it one for nothing, 1 to 4,000; default 100. */
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

/** Options with every default filled in. */
export interface ResolvedOptions extends Required<
  Omit<MachineOptions, 'inject' | 'mutant' | 'mthp' | 'khugepaged'>
> {
  /** Enabled orders, smallest first. */
  mthp: readonly number[];
  khugepaged: Khugepaged;
  inject: Injection;
  /** Null: the kernel as it is. */
  mutant: string | null;
}

/** Checks that `value` is a whole number in [least, most]. Throws OptionError. */
export function checkInteger(option: string, value: unknown, least: number, most: number): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < least || value > most)
    throw new OptionError(option, value, `a whole number from ${least} to ${most}`);
  return value;
}

/** Checks that `value` is a number in [least, most]. Throws OptionError. */
function checkNumber(option: string, value: unknown, least: number, most: number): number {
  if (typeof value !== 'number' || !(value >= least && value <= most))
    throw new OptionError(option, value, `a number from ${least} to ${most}`);
  return value;
}

/** Checks that `value` is one of `allowed`. Throws OptionError. */
export function checkName<const T extends string>(
  option: string,
  value: unknown,
  allowed: readonly T[],
): T {
  const found = allowed.find((name) => name === value);
  if (found === undefined) throw new OptionError(option, value, allowed.join(', '));
  return found;
}

function checkBoolean(option: string, value: unknown): boolean {
  if (typeof value !== 'boolean') throw new OptionError(option, value, 'true, false');
  return value;
}

function checkText(option: string, value: unknown): string {
  if (typeof value !== 'string') throw new OptionError(option, value, 'a name');
  return value;
}

function checkPowerOfTwo(option: string, value: unknown, least: number, most: number): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most)
    if (value === 0 || Number.isInteger(Math.log2(value))) return value;
  throw new OptionError(option, value, `${least === 0 ? '0 or ' : ''}a power of two up to ${most}`);
}

/** Checks that `value` is an object with no keys but those of `known`. Throws OptionError. */
export function checkKeys(option: string, value: unknown, known: readonly string[]): object {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new OptionError(option, value, `an object with ${known.join(', ')}`);
  for (const key of Object.keys(value))
    if (!known.includes(key))
      throw new OptionError(
        option === 'options' ? key : `${option}.${key}`,
        'given',
        known.join(', '),
      );
  return value;
}

const DEFAULTS: ResolvedOptions = {
  cpus: Math.min(availableParallelism(), CPUS_MAX),
  protocol: 'sync',
  free: 'rcu',
  fault: 'vma-lock',
  zap: 'page',
  emptiness: 'scan',
  mthp: [],
  thp: 'never',
  zeroPage: true,
  khugepaged: KHUGEPAGED_DEFAULTS,
  lock: 'adaptive',
  execution: 'wasm',
  check: 'full',
  seed: 1,
  tables: 65_536,
  frames: 1_048_576,
  vmas: 65_536,
  anonVmas: 65_536,
  anonVmaChains: 131_072,
  addressSpaces: 16,
  inodes: 256,
  swapPages: 16_384,
  cacheBuckets: 4096,
  lockStat: false,
  contention: false,
  eventsPerCpu: 0,
  asyncDelayMs: 10,
  asyncEager: false,
  candidates: 16_384,
  daemonCpu: false,
  wasteSlots: 0,
  wasteMs: 100,
  stallMs: 4000,
  batchEntries: GATHER_BATCH_ENTRIES,
  batchCount: GATHER_BATCH_COUNT,
  inject: {
    table: 0,
    batch: 0,
    frame: 0,
    delay: 0,
    resched: 0,
    storm: 0,
    stalledReaders: 0,
    death: null,
  },
  mutant: null,
};

const U32_MAX = 0xffff_ffff;
/** Table and frame numbers are what bits 8 to 31 of an entry hold. */
const NUMBERS_MAX = 1 << 24;
const RATES = ['table', 'batch', 'frame', 'delay', 'resched', 'storm'] as const;

function resolveInjection(given: unknown, cpus: number): Injection {
  const inject = {
    ...DEFAULTS.inject,
    ...checkKeys('inject', given, Object.keys(DEFAULTS.inject)),
  };
  for (const rate of RATES) checkInteger(`inject.${rate}`, inject[rate], 0, U32_MAX);
  checkInteger('inject.stalledReaders', inject.stalledReaders, 0, cpus);
  if (inject.death !== null) {
    checkKeys('inject.death', inject.death, ['cpu', 'kind', 'after']);
    checkInteger('inject.death.cpu', inject.death.cpu, 0, cpus - 1);
    checkName('inject.death.kind', inject.death.kind, DEATH_KINDS);
    checkInteger('inject.death.after', inject.death.after, 0, U32_MAX);
  }
  return inject;
}

/** Fills in defaults and checks every option. Throws OptionError for the first that cannot be used. */
export function resolveOptions(options: MachineOptions = {}): ResolvedOptions {
  checkKeys('options', options, Object.keys(DEFAULTS));
  const given = Object.fromEntries(
    Object.entries(options).filter(([, value]) => value !== undefined),
  ) as MachineOptions;
  const all = { ...DEFAULTS, ...(given.mutant !== undefined && { execution: 'js' }), ...given };
  const cpus = checkInteger('cpus', all.cpus, 1, CPUS_MAX);
  const resolved: ResolvedOptions = {
    cpus,
    protocol: checkName('protocol', all.protocol, PROTOCOLS),
    free: checkName('free', all.free, FREE_MODES),
    fault: checkName('fault', all.fault, FAULT_PATHS),
    zap: checkName('zap', all.zap, ZAP_MODES),
    emptiness: checkName('emptiness', all.emptiness, EMPTINESS_MODES),
    mthp: resolveFolioSizes(all.mthp),
    thp: checkName('thp', all.thp, THP_MODES),
    zeroPage: checkBoolean('zeroPage', all.zeroPage),
    khugepaged: resolveKhugepaged(all.khugepaged),
    lock: checkName('lock', all.lock, LOCK_KINDS),
    execution: checkName('execution', all.execution, all.mutant === null ? EXECUTIONS : ['js']),
    check: checkName('check', all.check, CHECK_LEVELS),
    seed: checkInteger('seed', all.seed, 0, U32_MAX),
    tables: checkInteger('tables', all.tables, 16, NUMBERS_MAX),
    frames: checkInteger('frames', all.frames, 1024, NUMBERS_MAX),
    vmas: checkInteger('vmas', all.vmas, 16, NUMBERS_MAX),
    anonVmas: checkInteger('anonVmas', all.anonVmas, 16, NUMBERS_MAX),
    anonVmaChains: checkInteger('anonVmaChains', all.anonVmaChains, 16, NUMBERS_MAX),
    addressSpaces: checkInteger('addressSpaces', all.addressSpaces, 1, 4096),
    inodes: checkInteger('inodes', all.inodes, 1, 65_535),
    swapPages: checkInteger('swapPages', all.swapPages, 0, NUMBERS_MAX),
    cacheBuckets: checkPowerOfTwo('cacheBuckets', all.cacheBuckets, 1, 1 << 20),
    lockStat: checkBoolean('lockStat', all.lockStat),
    contention: checkBoolean('contention', all.contention),
    eventsPerCpu: checkPowerOfTwo('eventsPerCpu', all.eventsPerCpu, 0, 1 << 20),
    asyncDelayMs: checkNumber('asyncDelayMs', all.asyncDelayMs, 0, 2000),
    asyncEager: checkBoolean('asyncEager', all.asyncEager),
    candidates: checkPowerOfTwo('candidates', all.candidates, 1, 1 << 20),
    daemonCpu: checkBoolean('daemonCpu', given.daemonCpu ?? all.protocol === 'async'),
    wasteSlots: checkPowerOfTwo(
      'wasteSlots',
      given.wasteSlots ?? (all.protocol === 'async' ? 4096 : 0),
      0,
      1 << 20,
    ),
    wasteMs: checkNumber('wasteMs', all.wasteMs, 1, 4000),
    stallMs: checkInteger('stallMs', all.stallMs, 1, 4000),
    batchEntries: checkInteger('batchEntries', all.batchEntries, 1, GATHER_BATCH_ENTRIES),
    batchCount: checkInteger('batchCount', all.batchCount, 1, GATHER_BATCH_COUNT),
    inject: resolveInjection(all.inject, cpus),
    mutant: all.mutant === null ? null : checkText('mutant', all.mutant),
  };
  const refusal = refusalOf(resolved);
  if (refusal !== null)
    throw new OptionError(refusal.option, resolved[refusal.option], refusal.reason);
  return resolved;
}
