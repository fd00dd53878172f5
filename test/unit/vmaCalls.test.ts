/**
 * Single cases of the calls that change mappings: what they leave of tables and pages, and what happens when memory
 * runs out.
 */
import { beforeEach, describe, expect, test } from 'vitest';
import { access } from '../../src/kernel/access/access.ts';
import { doBrk } from '../../src/kernel/calls/brk.ts';
import {
  EEXIST,
  EFAULT,
  EINVAL,
  ENOMEM,
  MMAP_POPULATE,
  MMAP_REPLACE,
  MMAP_SHARED,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  TASK_END,
} from '../../src/kernel/word/config.ts';
import * as layout from '../../src/kernel/word/layout.ts';
import { INODE_FILE, inodeCreate, inodeGet, inodePut } from '../../src/kernel/rmap/inode.ts';
import { mmCreate } from '../../src/kernel/space/mm.ts';
import { mmDestroy } from '../../src/kernel/vma/exitMm.ts';
import { doMmap, mapImplicit } from '../../src/kernel/calls/mmap.ts';
import { doMprotect } from '../../src/kernel/vma/mprotect.ts';
import { doMremap } from '../../src/kernel/calls/mremap.ts';
import { doMunmap } from '../../src/kernel/vma/munmap.ts';
import { rcuBarrier, rcuQuiescentState } from '../../src/kernel/rcu/rcu.ts';
import { anonPages } from '../../src/kernel/space/rss.ts';
import { vmaAudit, vmaFirst, vmaLookup, vmaNext } from '../../src/kernel/space/vma.ts';
import { mmTables, pteOffset } from '../../src/kernel/tables/offsets.ts';
import { pmdFind } from '../../src/kernel/tables/walk.ts';
import { bootHere, violations } from './vmaHarness.ts';

const RW = 3;
const MOVE = MREMAP_FIXED | MREMAP_MAYMOVE;
const MIB = 256;
const GIB = 1024 * MIB;

let words: Uint32Array;
let mm: number;

beforeEach(() => {
  words = bootHere({ tables: 2048, frames: 8192 });
  mm = mmCreate();
});

const word = (address: number): number => words[address >>> 2]!;

/** [start, end) of every VMA, in pages. */
function ranges(): [number, number][] {
  const found: [number, number][] = [];
  for (let vma = vmaFirst(mm); vma !== 0; vma = vmaNext(vma))
    found.push([word(vma + layout.VMA_START), word(vma + layout.VMA_END)]);
  return found;
}

function entry(vpn: number): number {
  const pmd = pmdFind(mm, vpn);
  return pmd === 0 || word(pmd) === 0 ? 0 : word(pteOffset(word(pmd), vpn));
}

/** Descriptor of the PTE table that maps `vpn`. */
function descriptor(vpn: number): number {
  return word(layout.H_PTDESCS) + ((word(pmdFind(mm, vpn)) >>> 8) << layout.PTDESC_SHIFT);
}

/** Gives everything back and checks that nothing was wrong. */
function finish(): void {
  expect(vmaAudit(mm)).toBe(0);
  mmDestroy(mm);
  rcuQuiescentState();
  rcuBarrier();
  expect(violations(words)).toEqual([]);
  expect(word(mm + layout.MM_TABLES)).toBe(0);
  expect(word(layout.G_TABLES_HELD)).toBe(0);
}

describe('brk', () => {
  test('the first call places the heap, later ones move its end', () => {
    expect(doBrk(mm, 1000)).toBe(0);
    expect(ranges()).toEqual([]);
    expect(doBrk(mm, 1010)).toBe(0);
    expect(doBrk(mm, 1033)).toBe(0);
    expect(ranges()).toEqual([[1000, 1033]]);
    expect(access(mm, 1032, 1)).toBe(0);
    expect(doBrk(mm, 1020)).toBe(0);
    expect(ranges()).toEqual([[1000, 1020]]);
    expect(access(mm, 1032, 1)).toBe(EFAULT);
    expect(doBrk(mm, 999)).toBe(EINVAL);
    expect(doBrk(mm, 1000)).toBe(0);
    expect(ranges()).toEqual([]);
    expect(mmTables(mm)).toBe(0);
    finish();
  });

  test('does not grow into a mapping', () => {
    doBrk(mm, 1000);
    doMmap(mm, 1010, 1, RW, 0, 0, 0);
    expect(doBrk(mm, 1011)).toBe(ENOMEM);
    expect(doBrk(mm, 1010)).toBe(0);
    expect(ranges()).toEqual([[1000, 1011]]);
    finish();
  });
});

describe('mmap', () => {
  test('ranges and overlaps', () => {
    expect(doMmap(mm, 10, 0, RW, 0, 0, 0)).toBe(EINVAL);
    expect(doMmap(mm, TASK_END - 5, 6, RW, 0, 0, 0)).toBe(ENOMEM);
    expect(doMmap(mm, TASK_END - 5, 5, RW, 0, 0, 0)).toBe(0);
    expect(doMmap(mm, TASK_END - 1, 1, RW, 0, 0, 0)).toBe(EEXIST);
    expect(doMmap(mm, TASK_END - 2, 1, 1, MMAP_REPLACE, 0, 0)).toBe(0);
    expect(ranges().map(([start, end]) => end - start)).toEqual([3, 1, 1]);
    finish();
  });

  test('populate makes private memory writable and shared memory readable', () => {
    doMmap(mm, 0, 4, RW, MMAP_POPULATE, 0, 0);
    expect(anonPages(mm)).toBe(4);
    doMmap(mm, 4096, 4, RW, MMAP_POPULATE | MMAP_SHARED, 0, 0);
    expect(anonPages(mm)).toBe(4);
    expect(entry(4099) & 1).toBe(1);
    doMmap(mm, 8192, 4, 0, MMAP_POPULATE, 0, 0);
    expect(pmdFind(mm, 8192) === 0 || word(pmdFind(mm, 8192)) === 0).toBe(true);
    finish();
  });

  test('an implicit page merges with its neighbours and stays out of mappings', () => {
    expect(mapImplicit(mm, 100)).toBe(0);
    expect(mapImplicit(mm, 102)).toBe(0);
    expect(mapImplicit(mm, 101)).toBe(0);
    expect(mapImplicit(mm, 101)).toBe(0);
    expect(ranges()).toEqual([[100, 103]]);
    doMmap(mm, 103, 5, 7, 0, 0, 0);
    expect(mapImplicit(mm, 105)).toBe(0);
    expect(ranges()).toEqual([
      [100, 103],
      [103, 108],
    ]);
    finish();
  });

  test('an inode lives as long as somebody has it', () => {
    const inode = inodeCreate(16, INODE_FILE);
    doMmap(mm, 0, 16, RW, MMAP_SHARED, inode, 0);
    doMprotect(mm, 4, 4, 1);
    expect(word(inode + layout.INODE_REF)).toBe(4);
    for (let vpn = 0; vpn < 16; vpn += 5) expect(access(mm, vpn, 0)).toBe(0);
    expect(word(inode + layout.INODE_NR_CACHED)).toBe(4);
    doMprotect(mm, 4, 4, RW);
    expect(word(inode + layout.INODE_REF)).toBe(2);
    inodePut(inode);
    doMunmap(mm, 0, 8);
    expect(word(inode + layout.INODE_STATE)).toBe(INODE_FILE);
    inodeGet(inode);
    doMunmap(mm, 8, 8);
    expect(word(inode + layout.INODE_NR_CACHED)).toBe(4);
    inodePut(inode);
    expect(word(inode + layout.INODE_STATE)).toBe(0);
    expect(word(inode + layout.INODE_NR_CACHED)).toBe(0);
    expect(inodeCreate(1, INODE_FILE)).toBe(inode);
    finish();
  });

  test('no inode left for shared memory', () => {
    let at = 0;
    let error = 0;
    while (error === 0) error = doMmap(mm, (at += 2), 1, RW, MMAP_SHARED, 0, 0);
    expect(error).toBe(ENOMEM);
    expect(ranges().length).toBe(word(layout.H_INODES));
    doMunmap(mm, 2, 1);
    expect(doMmap(mm, at, 1, RW, MMAP_SHARED, 0, 0)).toBe(0);
    finish();
  });
});

describe('mremap', () => {
  test('whole PTE tables move, their descriptors with them', () => {
    doMmap(mm, GIB, 4 * MIB, RW, 0, 0, 0);
    access(mm, GIB + 5, 1);
    access(mm, GIB + 2 * MIB + 7, 1);
    const first = descriptor(GIB);
    const frame = entry(GIB + 5) >>> 8;
    const tables = mmTables(mm);
    expect(doMremap(mm, GIB, 4 * MIB, 3 * GIB, 4 * MIB, MOVE)).toBe(0);
    expect(mmTables(mm)).toBe(tables);
    expect(descriptor(3 * GIB)).toBe(first);
    expect(word(first + layout.PT_FIRST)).toBe(3 * GIB);
    expect(word(first + layout.PT_UPPER)).toBe(pmdFind(mm, 3 * GIB));
    expect(entry(3 * GIB + 5) >>> 8).toBe(frame);
    expect(access(mm, GIB + 5, 0)).toBe(EFAULT);
    expect(access(mm, 3 * GIB + 5, 1)).toBe(0);
    finish();
  });

  test('whole PMD tables move, the descriptors below with them', () => {
    doMmap(mm, 2 * GIB, GIB, RW, 0, 0, 0);
    for (let i = 0; i < 512; i += 73) access(mm, 2 * GIB + i * 512 + i, 1);
    const pmd = pmdFind(mm, 2 * GIB);
    const frame = entry(2 * GIB + 73 * 512 + 73) >>> 8;
    const tables = mmTables(mm);
    expect(doMremap(mm, 2 * GIB, GIB, 7 * GIB, GIB, MOVE)).toBe(0);
    expect(mmTables(mm)).toBe(tables);
    expect(pmdFind(mm, 7 * GIB)).toBe(pmd);
    for (let i = 0; i < 512; i += 73) {
      const vpn = 7 * GIB + i * 512;
      expect(word(descriptor(vpn) + layout.PT_FIRST)).toBe(vpn);
      expect(word(descriptor(vpn) + layout.PT_UPPER)).toBe(pmdFind(mm, vpn));
    }
    expect(entry(7 * GIB + 73 * 512 + 73) >>> 8).toBe(frame);
    expect(access(mm, 2 * GIB + 73 * 512 + 73, 0)).toBe(EFAULT);
    expect(access(mm, 7 * GIB + 73 * 512 + 73, 1)).toBe(0);
    finish();
  });

  test('grows in place, or where it is told to', () => {
    doMmap(mm, 100, 10, RW, 0, 0, 0);
    expect(doMremap(mm, 100, 10, 100, 30, MREMAP_MAYMOVE)).toBe(0);
    expect(ranges()).toEqual([[100, 130]]);
    doMmap(mm, 131, 1, 1, 0, 0, 0);
    expect(doMremap(mm, 100, 30, 100, 32, MREMAP_MAYMOVE)).toBe(ENOMEM);
    expect(doMremap(mm, 100, 30, 500, 32, MREMAP_MAYMOVE)).toBe(0);
    expect(ranges()).toEqual([
      [131, 132],
      [500, 532],
    ]);
    expect(doMremap(mm, 500, 32, 900, 8, MREMAP_MAYMOVE)).toBe(0);
    expect(doMremap(mm, 500, 8, 500, 8, 0)).toBe(0);
    expect(ranges()).toEqual([
      [131, 132],
      [500, 508],
    ]);
    finish();
  });

  test('a move that runs out of tables leaves the source as it was', () => {
    doMmap(mm, GIB + 100, 3 * MIB, RW, 0, 0, 0);
    const written = [0, 1, 411, 412, 413, 600, 767].map((at) => GIB + 100 + at);
    for (const vpn of written) access(mm, vpn, 1);
    const frames = written.map((vpn) => entry(vpn) >>> 8);
    let from = GIB + 100;
    const outcomes = new Set<number>();
    for (let i = 0; i < 200; i++) {
      // Far apart, so that upper tables are missing; every third place fits the tables.
      const to = (2 + (i % 5)) * 600 * GIB + (i % 3 === 0 ? 100 : 37 * i);
      if (Math.abs(to - from) < 3 * MIB) continue;
      words[layout.H_INJECT_TABLE >>> 2] = 3;
      const error = doMremap(mm, from, 3 * MIB, to, 3 * MIB, MOVE);
      words[layout.H_INJECT_TABLE >>> 2] = 0;
      outcomes.add(error);
      if (error === 0) from = to;
      else expect(error).toBe(ENOMEM);
      expect(ranges()).toEqual([[from, from + 3 * MIB]]);
      const now = written.map((vpn) => entry(vpn - GIB - 100 + from) >>> 8);
      expect(now).toEqual(frames);
      expect(anonPages(mm)).toBe(written.length);
      rcuQuiescentState();
    }
    expect(outcomes).toEqual(new Set([0, ENOMEM]));
    finish();
  });
});

test('splits without a VMA left change nothing', () => {
  words = bootHere({ vmas: 4 });
  mm = mmCreate();
  doMmap(mm, 100, 100, RW, 0, 0, 0);
  doMmap(mm, 300, 1, RW, 0, 0, 0);
  doMmap(mm, 400, 1, RW, 0, 0, 0);
  access(mm, 150, 1);
  expect(doMunmap(mm, 140, 20)).toBe(ENOMEM);
  expect(doMprotect(mm, 140, 20, 1)).toBe(ENOMEM);
  expect(doMmap(mm, 500, 1, RW, 0, 0, 0)).toBe(ENOMEM);
  expect(doMmap(mm, 200, 1, RW, 0, 0, 0)).toBe(0);
  expect(ranges()[0]).toEqual([100, 201]);
  expect(access(mm, 150, 1)).toBe(0);
  expect(doMunmap(mm, 300, 200)).toBe(0);
  rcuQuiescentState();
  rcuBarrier();
  expect(doMunmap(mm, 140, 20)).toBe(0);
  expect(vmaLookup(mm, 150)).toBe(0);
  finish();
});

test('tables that a neighbour may use stay', () => {
  doMmap(mm, 512, 512, RW, 0, 0, 0);
  doMmap(mm, 1024, 100, 1, 0, 0, 0);
  access(mm, 600, 1);
  access(mm, 1030, 0);
  expect(mmTables(mm)).toBe(4);
  doMunmap(mm, 1024, 99);
  expect(mmTables(mm)).toBe(4);
  doMunmap(mm, 1123, 1);
  expect(mmTables(mm)).toBe(3);
  doMunmap(mm, 512, 511);
  expect(mmTables(mm)).toBe(3);
  doMunmap(mm, 1023, 1);
  expect(mmTables(mm)).toBe(0);
  finish();
});
