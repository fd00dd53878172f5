import {
  CANDIDATE_SHIFT,
  CPUS_MAX,
  EMPTINESS_SCAN,
  FAULT_MMAP_LOCK,
  FRAME_ORDER_MAX,
  FREE_RCU,
  HOST_DEATH_EXIT,
  LOCK_STAT_CONTENTION,
  LOCK_STAT_HOLDS,
  PMD_PAGES,
  SEQ_START,
  TABLE_BYTES,
  THP_NEVER,
  WASTE_SHIFT,
  ZAP_PAGE,
  ZERO_FRAME,
} from '../kernel/abi.ts';
import * as layout from '../kernel/abi.ts';
import { LOCK_CODES } from './lockKinds.ts';
import { OptionError } from './optionError.ts';
import type { ResolvedOptions } from './optionTypes.ts';
import {
  DEATH_KINDS,
  EMPTINESS_MODES,
  FAULT_PATHS,
  FREE_MODES,
  THP_MODES,
  ZAP_MODES,
} from './otherOptions.ts';
import { aboutProtocol, PROTOCOL_CODES } from './protocols.ts';
import { timeFirstHolds } from './statistics.ts';

/** First header word of a booted machine. */
export const MAGIC = 0x70746c62;

const WASM_PAGE_BYTES = 65_536;
const MEMORY_BYTES_MAX = 65_536 * WASM_PAGE_BYTES;
const REGION_ALIGN_BYTES = 4096;
/** First frame of the buddy allocator: blocks of the greatest order start at multiples of their size. */
const FRAMES_FIRST = 2 ** FRAME_ORDER_MAX;

/** Where the regions behind the tables start, in bytes. */
interface Regions {
  ptdescs: number;
  folios: number;
  vmas: number;
  anonVmas: number;
  chains: number;
  mms: number;
  inodes: number;
  cache: number;
  swap: number;
  rings: number;
  candidates: number;
  waste: number;
  measure: number;
  /** First byte after everything. */
  end: number;
}

/** CPUs of the machine: those of workloads, then the daemons'. */
export function cpusOf(options: ResolvedOptions): number {
  return options.cpus + (options.daemonCpu ? 1 : 0);
}

/** Entries of each CPU's ring of candidates; none for protocols that note no tables. */
function candidateSlots({ protocol, candidates }: ResolvedOptions): number {
  return aboutProtocol(protocol).daemon === true ? candidates : 0;
}

/** Bytes of one event of a ring. */
const EVENT_BYTES = 2 ** layout.EVENT_SHIFT;

/**
 * Lays out the regions behind the tables. Throws OptionError when they do not fit in the 4 GiB that 32-bit addresses
 * reach, naming the option that takes most.
 */
export function layOut(options: ResolvedOptions): Regions {
  let at = layout.TABLES + options.tables * TABLE_BYTES;
  const region = (count: number, shift: number): number => {
    at = Math.ceil(at / REGION_ALIGN_BYTES) * REGION_ALIGN_BYTES;
    const base = at;
    at += count * 2 ** shift;
    return base;
  };
  const regions = {
    ptdescs: region(options.tables, layout.PTDESC_SHIFT),
    folios: region(options.frames, layout.FOLIO_SHIFT),
    vmas: region(options.vmas, layout.VMA_SHIFT),
    anonVmas: region(options.anonVmas, layout.ANON_VMA_SHIFT),
    chains: region(options.anonVmaChains, layout.CHAIN_SHIFT),
    mms: region(options.addressSpaces, Math.log2(layout.MM_BYTES)),
    inodes: region(options.inodes, layout.INODE_SHIFT),
    cache: region(options.cacheBuckets, layout.BUCKET_SHIFT),
    swap: region(options.swapPages, layout.SWAP_SHIFT),
    rings: region(options.eventsPerCpu * cpusOf(options), layout.EVENT_SHIFT),
    candidates: region(candidateSlots(options) * cpusOf(options), CANDIDATE_SHIFT),
    waste: region(options.wasteSlots, WASTE_SHIFT),
    measure: region(options.contention ? cpusOf(options) : 0, layout.MEASURE_SHIFT),
    end: 0,
  };
  regions.end = at;
  if (at > MEMORY_BYTES_MAX - WASM_PAGE_BYTES) throw tooLarge(options, at);
  return regions;
}

function tooLarge(options: ResolvedOptions, bytes: number): OptionError {
  const parts: [keyof ResolvedOptions, number, number][] = [
    ['tables', options.tables, TABLE_BYTES + 2 ** layout.PTDESC_SHIFT],
    ['frames', options.frames, 2 ** layout.FOLIO_SHIFT],
    ['vmas', options.vmas, 2 ** layout.VMA_SHIFT],
    ['anonVmas', options.anonVmas, 2 ** layout.ANON_VMA_SHIFT],
    ['anonVmaChains', options.anonVmaChains, 2 ** layout.CHAIN_SHIFT],
    ['swapPages', options.swapPages, 2 ** layout.SWAP_SHIFT],
    ['eventsPerCpu', options.eventsPerCpu, EVENT_BYTES * cpusOf(options)],
    ['candidates', candidateSlots(options), 2 ** CANDIDATE_SHIFT * cpusOf(options)],
  ];
  const [name, count, each] = parts.toSorted((a, b) => b[1] * b[2] - a[1] * a[2])[0]!;
  const over = bytes - (MEMORY_BYTES_MAX - WASM_PAGE_BYTES);
  const most = Math.max(0, count - Math.ceil(over / each));
  return new OptionError(
    name,
    count,
    `at most ${most} beside the other sizes, which need ${Math.ceil(bytes / 2 ** 20)} of 4,096 MiB together`,
  );
}

/** A shared WebAssembly.Memory, by the part of it that is no matter of WebAssembly. */
export interface SharedMemory {
  readonly buffer: SharedArrayBuffer;
}

/**
 * Makes the memory of a machine and writes its configuration and the first values of its global words. All other words
 * are zero. Throws OptionError when the sizes do not fit, RangeError when the system has no such memory.
 */
export function createMemory(options: ResolvedOptions): SharedMemory {
  const regions = layOut(options);
  const pages = Math.ceil(regions.end / WASM_PAGE_BYTES);
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  const words = new Uint32Array(memory.buffer);
  const put = (address: number, value: number): void => {
    words[address >>> 2] = value;
  };
  put(layout.H_MAGIC, MAGIC);
  put(layout.H_CPUS, cpusOf(options));
  put(layout.H_DAEMON_CPUS, options.daemonCpu ? 1 : 0);
  put(layout.H_TABLES, options.tables);
  put(layout.H_FRAMES, options.frames);
  put(layout.H_VMAS, options.vmas);
  put(layout.H_MMS, options.addressSpaces);
  put(layout.H_INODES, options.inodes);
  put(layout.H_SWAP_SLOTS, options.swapPages);
  put(layout.H_CACHE_MASK, options.cacheBuckets - 1);
  put(layout.H_RING_EVENTS, options.eventsPerCpu);
  put(layout.H_PTDESCS, regions.ptdescs);
  put(layout.H_FOLIOS, regions.folios);
  put(layout.H_VMA_BASE, regions.vmas);
  put(layout.H_ANON_VMAS, options.anonVmas);
  put(layout.H_ANON_VMA_BASE, regions.anonVmas);
  put(layout.H_CHAINS, options.anonVmaChains);
  put(layout.H_CHAIN_BASE, regions.chains);
  put(layout.H_MM_BASE, regions.mms);
  put(layout.H_INODE_BASE, regions.inodes);
  put(layout.H_CACHE_BASE, regions.cache);
  put(layout.H_SWAP_BASE, regions.swap);
  put(layout.H_RING_BASE, regions.rings);
  put(layout.H_CANDIDATE_BASE, regions.candidates);
  put(layout.H_CANDIDATE_SLOTS, candidateSlots(options));
  put(layout.H_ASYNC_DELAY_NS, Math.round(options.asyncDelayMs * 1e6));
  put(layout.H_ASYNC_EAGER, options.asyncEager ? 1 : 0);
  put(layout.H_WASTE_BASE, regions.waste);
  put(layout.H_WASTE_SLOTS, options.wasteSlots);
  put(layout.H_WASTE_NS, Math.round(options.wasteMs * 1e6));
  put(layout.H_MEASURE_BASE, options.contention ? regions.measure : 0);
  put(layout.H_END, regions.end);
  put(layout.H_PROTOCOL, PROTOCOL_CODES[options.protocol]);
  put(layout.H_FREE_MODE, FREE_RCU + FREE_MODES.indexOf(options.free));
  put(layout.H_FAULT_PATH, FAULT_MMAP_LOCK + FAULT_PATHS.indexOf(options.fault));
  put(layout.H_EMPTINESS, EMPTINESS_SCAN + EMPTINESS_MODES.indexOf(options.emptiness));
  put(layout.H_ZAP, ZAP_PAGE + ZAP_MODES.indexOf(options.zap));
  put(
    layout.H_MTHP,
    options.mthp.reduce((bits, order) => bits | (1 << order), 0),
  );
  put(layout.H_THP, THP_NEVER + THP_MODES.indexOf(options.thp));
  put(layout.H_NO_ZERO_PAGE, options.zeroPage ? 0 : 1);
  const { khugepaged } = options;
  put(layout.H_MAX_PTES_NONE, Math.min(khugepaged.maxPtesNone, PMD_PAGES - 1));
  put(layout.H_MAX_PTES_SWAP, Math.min(khugepaged.maxPtesSwap, PMD_PAGES - 1));
  put(layout.H_MAX_PTES_SHARED, Math.min(khugepaged.maxPtesShared, PMD_PAGES - 1));
  put(layout.H_PAGES_TO_SCAN, khugepaged.pagesToScan);
  put(layout.H_SCAN_SLEEP_NS, khugepaged.scanSleepMs * 1e6);
  put(layout.H_LOCK_KIND, LOCK_CODES[options.lock]);
  put(
    layout.H_LOCK_STAT,
    (options.lockStat ? LOCK_STAT_HOLDS : 0) | (options.contention ? LOCK_STAT_CONTENTION : 0),
  );
  put(layout.H_STALL_NS, options.stallMs * 1e6);
  put(layout.H_BATCH_ENTRIES, options.batchEntries);
  put(layout.H_BATCH_COUNT, options.batchCount);
  put(layout.H_INJECT_TABLE, options.inject.table);
  put(layout.H_INJECT_BATCH, options.inject.batch);
  put(layout.H_INJECT_FRAME, options.inject.frame);
  put(layout.H_INJECT_DELAY, options.inject.delay);
  put(layout.H_INJECT_RESCHED, options.inject.resched);
  put(layout.H_INJECT_STORM, options.inject.storm);
  const death = options.inject.death;
  if (death !== null) {
    put(layout.H_INJECT_DEATH_CPU, death.cpu + 1);
    put(layout.H_INJECT_DEATH_KIND, HOST_DEATH_EXIT + DEATH_KINDS.indexOf(death.kind));
    put(layout.H_INJECT_DEATH_AFTER, death.after + 1);
  }
  put(layout.G_RCU_GP_SEQ, SEQ_START);
  put(layout.G_RCU_COMPLETED, SEQ_START);
  put(layout.G_TABLE_BUMP, 1);
  put(layout.G_FRAME_BUMP, FRAMES_FIRST);
  const zero = regions.folios + (ZERO_FRAME << layout.FOLIO_SHIFT);
  put(zero + layout.F_REF, 1);
  put(zero + layout.F_GEN, 1);
  put(layout.G_VMA_BUMP, 1);
  put(layout.G_SWAP_BUMP, 1);
  for (let cpu = 0; cpu < CPUS_MAX; cpu++) {
    const area = layout.cpuArea(cpu);
    put(area + layout.C_ID, cpu);
    put(area + layout.C_SEED, seedFor(options.seed, cpu));
    put(area + layout.C_RCU_QUEUED, SEQ_START);
    put(area + layout.C_RCU_INVOKED, SEQ_START);
    put(area + layout.C_IPI_REQ, SEQ_START);
    put(area + layout.C_IPI_ACK, SEQ_START);
  }
  timeFirstHolds(words);
  return memory;
}

/** State of a CPU's generator from the run's seed: well mixed, never 0. */
export function seedFor(seed: number, cpu: number): number {
  let mixed = (seed ^ Math.imul(cpu + 1, 0x9e3779b9)) >>> 0;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b) >>> 0;
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35) >>> 0;
  mixed = (mixed ^ (mixed >>> 16)) >>> 0;
  return mixed === 0 ? 0x9e3779b9 : mixed;
}
