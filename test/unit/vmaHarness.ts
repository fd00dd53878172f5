/**
 * A small machine in this thread, without the machine's library: memory laid out by hand, the kernel's sources as they
 * are, one CPU.
 */
import { CPUS_MAX, SEQ_START, TABLE_BYTES } from '../../src/kernel/word/config.ts';
import * as layout from '../../src/kernel/word/layout.ts';
import { setThisCpu } from '../../src/kernel/word/percpu.ts';
import { rcuIdleExit } from '../../src/kernel/rcu/rcu.ts';
import { attachMemory } from '../../src/kernel/word/word.ts';

export interface Sizes {
  cpus: number;
  tables: number;
  frames: number;
  vmas: number;
}

const DEFAULTS: Sizes = { cpus: 1, tables: 512, frames: 4096, vmas: 1024 };

/** Memory of a machine with nothing in it; every size is a count. */
export function layOutMemory(sizes: Partial<Sizes> = {}): SharedArrayBuffer {
  const { cpus, tables, frames, vmas } = { ...DEFAULTS, ...sizes };
  let at = layout.TABLES + tables * TABLE_BYTES;
  const region = (bytes: number): number => {
    const base = at;
    at = Math.ceil((at + bytes) / 4096) * 4096;
    return base;
  };
  const mms = 4;
  const inodes = 256;
  const buckets = 64;
  const put: [number, number][] = [
    [layout.H_CPUS, cpus],
    [layout.H_TABLES, tables],
    [layout.H_FRAMES, frames],
    [layout.H_VMAS, vmas],
    [layout.H_MMS, mms],
    [layout.H_INODES, inodes],
    [layout.H_CACHE_MASK, buckets - 1],
    [layout.H_PTDESCS, region(tables << layout.PTDESC_SHIFT)],
    [layout.H_FOLIOS, region(frames << layout.FOLIO_SHIFT)],
    [layout.H_VMA_BASE, region(vmas << layout.VMA_SHIFT)],
    [layout.H_ANON_VMAS, vmas],
    [layout.H_ANON_VMA_BASE, region(vmas << layout.ANON_VMA_SHIFT)],
    [layout.H_CHAINS, vmas * 2],
    [layout.H_CHAIN_BASE, region((vmas * 2) << layout.CHAIN_SHIFT)],
    [layout.H_MM_BASE, region(mms * layout.MM_BYTES)],
    [layout.H_INODE_BASE, region(inodes << layout.INODE_SHIFT)],
    [layout.H_CACHE_BASE, region(buckets << layout.BUCKET_SHIFT)],
    [layout.H_BATCH_ENTRIES, 500],
    [layout.H_BATCH_COUNT, 20],
    [layout.H_STALL_NS, 2e9],
    [layout.G_RCU_GP_SEQ, SEQ_START],
    [layout.G_RCU_COMPLETED, SEQ_START],
    [layout.G_TABLE_BUMP, 1],
    [layout.G_FRAME_BUMP, 2],
    [layout.G_VMA_BUMP, 1],
  ];
  const buffer = new SharedArrayBuffer(at);
  const words = new Uint32Array(buffer);
  for (const [address, value] of put) words[address >>> 2] = value;
  for (let cpu = 0; cpu < CPUS_MAX; cpu++) {
    words[(layout.cpuArea(cpu) + layout.C_ID) >>> 2] = cpu;
    words[(layout.cpuArea(cpu) + layout.C_SEED) >>> 2] = 12_345 + cpu;
  }
  return buffer;
}

/** Boots this thread as CPU 0 of a new machine and returns its memory. */
export function bootHere(sizes: Partial<Sizes> = {}): Uint32Array {
  const buffer = layOutMemory(sizes);
  attachMemory(buffer, {
    clockNs: () => Number(process.hrtime.bigint() & 0xffffffffn),
    end: (reason, detail) => {
      throw new Error(`CPU ended: reason ${reason}, detail 0x${detail.toString(16)}`);
    },
  });
  setThisCpu(0);
  rcuIdleExit();
  return new Uint32Array(buffer);
}

/**
 * Violations recorded so far by the machine in `words`: oracle and three details each, those of CPU 0 to `cpus` - 1.
 */
export function violations(words: Uint32Array, cpus = 1): number[][] {
  const found: number[][] = [];
  for (let cpu = 0; cpu < cpus; cpu++) {
    const area = layout.cpuArea(cpu);
    const count = words[(area + layout.C_VIOLATIONS) >>> 2]!;
    for (let i = 0; i < Math.min(count, layout.VIOLATION_RECORDS); i++) {
      const at = (area + layout.C_VIOLATION + i * 32) >>> 2;
      found.push(Array.from(words.subarray(at, at + 8)));
    }
  }
  return found;
}
