import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  H_MM_BASE,
  MM_BYTES,
  MM_LEVEL_SEED,
  VMA_END,
  VMA_LEVEL,
  VMA_RCU,
  VMA_START,
} from '../../src/kernel/word/layout.ts';
import {
  findVma,
  findVmaIntersection,
  vmaAudit,
  vmaFirst,
  vmaLink,
  vmaLookup,
  vmaNew,
  vmaNext,
  vmaPrev,
  vmaUnlink,
} from '../../src/kernel/space/vma.ts';
import { vmaFreeRcu } from '../../src/kernel/alloc/vmaAlloc.ts';
import { bootHere, violations } from './vmaHarness.ts';

interface Range {
  start: number;
  end: number;
  vma: number;
}

const step = fc.record({
  insert: fc.boolean(),
  at: fc.integer({ min: 0, max: 200 }),
  pages: fc.integer({ min: 1, max: 12 }),
});

/** What a sorted array answers, for every page of the playground. */
function compare(mm: number, ranges: Range[]): void {
  expect(vmaAudit(mm)).toBe(0);
  const listed: number[] = [];
  for (let vma = vmaFirst(mm); vma !== 0; vma = vmaNext(vma)) listed.push(vma);
  expect(listed).toEqual(ranges.map((range) => range.vma));
  for (let vpn = 0; vpn <= 215; vpn++) {
    const found = ranges.find((range) => range.end > vpn);
    expect(findVma(mm, vpn)).toBe(found?.vma ?? 0);
    expect(vmaLookup(mm, vpn)).toBe(found !== undefined && found.start <= vpn ? found.vma : 0);
    expect(vmaPrev(mm, vpn)).toBe(ranges.findLast((range) => range.end <= vpn)?.vma ?? 0);
    const cut = ranges.find((range) => range.end > vpn && range.start < vpn + 5);
    expect(findVmaIntersection(mm, vpn, vpn + 5)).toBe(cut?.vma ?? 0);
  }
}

test('the skip list answers as a sorted array does', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.nat(), (steps, seed) => {
      const words = bootHere();
      const mm = words[H_MM_BASE >>> 2]! + MM_BYTES;
      words[(mm + MM_LEVEL_SEED) >>> 2] = seed + 1;
      const ranges: Range[] = [];
      for (const { insert, at, pages } of steps) {
        if (insert) {
          const end = at + pages;
          if (ranges.some((range) => range.start < end && range.end > at)) continue;
          const vma = vmaNew(mm, at, end, 3, 0, at);
          vmaLink(mm, vma);
          ranges.push({ start: at, end, vma });
          ranges.sort((a, b) => a.start - b.start);
        } else if (ranges.length > 0) {
          const [gone] = ranges.splice(at % ranges.length, 1);
          vmaUnlink(mm, gone!.vma);
          vmaFreeRcu(gone!.vma + VMA_RCU);
        }
      }
      compare(mm, ranges);
      expect(violations(words)).toEqual([]);
    }),
    { numRuns: 150 },
  );
});

test('levels thin out by four and searches stay short', () => {
  const count = 10_000;
  const words = bootHere({ vmas: count + 1 });
  const mm = words[H_MM_BASE >>> 2]!;
  words[(mm + MM_LEVEL_SEED) >>> 2] = 1;
  const byLevel = Array.from({ length: 9 }, () => 0);
  for (let i = 0; i < count; i++) {
    const start = ((i * 7919) % count) * 4;
    const vma = vmaNew(mm, start, start + 3, 3, 0, start);
    byLevel[words[(vma + VMA_LEVEL) >>> 2]!]! += 1;
    vmaLink(mm, vma);
  }
  expect(vmaAudit(mm)).toBe(0);
  expect(byLevel[1]! / count).toBeGreaterThan(0.72);
  expect(byLevel[1]! / count).toBeLessThan(0.78);
  expect(byLevel[2]! / count).toBeGreaterThan(0.16);
  expect(byLevel[2]! / count).toBeLessThan(0.22);
  expect(byLevel[0]).toBe(0);
  for (let i = 0; i < count; i += 97) {
    const vma = findVma(mm, i * 4 + 1);
    expect(words[(vma + VMA_START) >>> 2]).toBe(i * 4);
    expect(words[(vma + VMA_END) >>> 2]).toBe(i * 4 + 3);
    expect(vmaLookup(mm, i * 4 + 3)).toBe(0);
  }
});

test('VMAs run out, and come back', () => {
  const words = bootHere({ vmas: 8 });
  const mm = words[H_MM_BASE >>> 2]!;
  const made = [1, 2, 3, 4, 5, 6, 7].map((at) => vmaNew(mm, at * 10, at * 10 + 1, 3, 0, at));
  expect(new Set(made).size).toBe(7);
  expect(made).not.toContain(0);
  expect(vmaNew(mm, 100, 101, 3, 0, 100)).toBe(0);
  vmaFreeRcu(made[3]! + VMA_RCU);
  expect(vmaNew(mm, 100, 101, 3, 0, 100)).toBe(made[3]);
  expect(violations(words)).toEqual([]);
});
