/**
 * No two things of the shared memory stand in the same place: offsets of one structure differ, and areas do not
 * overlap.
 */
import { describe, expect, it } from 'vitest';
import * as config from '../../src/kernel/word/config.ts';
import * as layout from '../../src/kernel/word/layout.ts';
import * as stats from '../../src/kernel/observe/stats.ts';

/** Names that are sizes, shifts or counts, not offsets. */
const NOT_OFFSETS = /(_SHIFT|_BYTES|_MAX|_NODES|_RECORDS|_WORDS|_END|^VMA_LEVELS|^F_ORDER)$/;

/** The structures by the prefix of their offsets, and the size of each in bytes. */
const STRUCTURES: [string, number][] = [
  ['H_', 0x1000],
  ['G_', 0x10000],
  ['C_', layout.CPU_BYTES],
  ['PT_', 2 ** layout.PTDESC_SHIFT],
  ['F_', 2 ** layout.FOLIO_SHIFT],
  ['LARGE_', 3 * 2 ** layout.FOLIO_SHIFT],
  ['VMA_', 2 ** layout.VMA_SHIFT],
  ['MM_', layout.MM_BYTES],
  ['INODE_', 2 ** layout.INODE_SHIFT],
  ['SWAP_', 2 ** layout.SWAP_SHIFT],
  ['AV_', 2 ** layout.ANON_VMA_SHIFT],
  ['AVC_', 2 ** layout.CHAIN_SHIFT],
  ['LOCK_', layout.LOCK_BYTES],
  ['RWSEM_', layout.RWSEM_BYTES],
  ['W_', 2 ** layout.WAIT_SHIFT],
];

/** Bytes of what is larger than a word. */
const SIZES: Record<string, number> = {
  PT_LOCK: layout.LOCK_BYTES,
  PT_RCU: layout.RCU_HEAD_BYTES,
  VMA_RCU: layout.RCU_HEAD_BYTES,
  VMA_NEXT: config.VMA_LEVELS * 4,
  MM_PAGE_TABLE_LOCK: layout.LOCK_BYTES,
  MM_LOCK: layout.RWSEM_BYTES,
  AV_RWSEM: layout.RWSEM_BYTES,
  INODE_MMAP: layout.RWSEM_BYTES,
  G_ANON_LOCK: layout.LOCK_BYTES,
  MM_PT_LOCK: layout.RWSEM_BYTES,
  RWSEM_QUEUE: layout.LOCK_BYTES,
  MM_VMA_HEAD: config.VMA_LEVELS * 4,
  MM_VMA_PATH: config.VMA_LEVELS * 4,
  MM_TABLES_BY_LEVEL: 12,
  MM_RSS: config.CPUS_MAX * 64,
  G_TABLE_LOCK: layout.LOCK_BYTES,
  G_FRAME_LOCK: layout.LOCK_BYTES,
  G_VMA_LOCK: layout.LOCK_BYTES,
  G_DEFERRED_LOCK: layout.LOCK_BYTES,
  G_SWAP_LOCK: layout.LOCK_BYTES,
  G_MM_LOCK: layout.LOCK_BYTES,
  G_FRAME_AREAS: (config.FRAME_ORDER_MAX + 1) * 8,
  C_RCU_LOCK: layout.LOCK_BYTES,
  C_HELD: layout.HELD_MAX * 8,
  C_MAP: layout.MAPS_MAX * 8,
  C_MCS: layout.MCS_NODES * 64,
  C_VIOLATION: layout.VIOLATION_RECORDS * 32,
  C_COUNTERS: 128 * 4,
  C_LOCK_STAT: layout.LOCK_CLASSES_MAX * layout.LOCK_STAT_BYTES,
  C_GATHERS: config.GATHER_NEST * layout.GATHER_BYTES,
  C_PAGEOUT: config.PAGEOUT_BATCH * 4,
  C_IPI_WAIT: config.CPUS_MAX * 4,
  C_RCU_HISTOGRAM: 32 * 4,
  C_TLB: 2 ** (config.TLB_BITS + 4),
  C_PSC: 3 * layout.PSC_BYTES,
};

describe.each(STRUCTURES)('offsets %s*', (prefix, bytes) => {
  const places = Object.entries(layout)
    .filter(([name, value]) => name.startsWith(prefix) && typeof value === 'number')
    .filter(([name]) => !NOT_OFFSETS.test(name))
    .map(([name, value]) => ({ name, at: value as number, size: SIZES[name] ?? 4 }))
    .toSorted((a, b) => a.at - b.at);

  it('has words', () => {
    expect(places.length).toBeGreaterThan(1);
  });

  it('do not overlap, and lie within the structure', () => {
    const clashes = places
      .slice(1)
      .map((place, i) => ({ before: places[i]!, place }))
      .filter(({ before, place }) => before.at + before.size > place.at)
      .map(({ before, place }) => `${before.name} and ${place.name} at 0x${place.at.toString(16)}`);
    expect(clashes).toEqual([]);
    const last = places.at(-1)!;
    expect(last.at + last.size).toBeLessThanOrEqual(bytes);
    expect(places.filter((place) => place.at % 4 !== 0)).toEqual([]);
  });
});

describe('counters', () => {
  const codes = Object.entries(stats)
    .filter(([name, code]) => name.startsWith('COUNTER_') && typeof code === 'number')
    .map(([, code]) => code as number);

  it('have a code each, all within the area', () => {
    expect(new Set(codes).size).toBe(codes.length);
    expect(Math.max(...codes)).toBeLessThan(stats.COUNTERS);
    expect(stats.COUNTERS).toBeLessThanOrEqual(SIZES['C_COUNTERS']! / 4);
  });
});
