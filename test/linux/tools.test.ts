import { describe, expect, test } from 'vitest';
import { parseScript } from '../../src/trace/script.ts';
import { formatNumber, generateScript } from './generate.ts';
import type { Profile } from './generate.ts';
import { firstDifference, parseLines } from './lines.ts';
import { shorten } from './shorten.ts';

const seeds = Array.from({ length: 200 }, (_, index) => index);
const linesOf = (script: string): string[] => script.trimEnd().split('\n');
const words = (profile: Profile): Set<string> =>
  new Set(seeds.flatMap((seed) => generateScript(seed, profile).split(/\s/)));

describe('generated scripts', () => {
  test('have 25 to 60 operations and depend on nothing but the seed', () => {
    for (const seed of seeds) {
      const script = generateScript(seed, 'all');
      expect(generateScript(seed, 'all')).toBe(script);
      expect(linesOf(script).length).toBeGreaterThanOrEqual(25);
      expect(linesOf(script).length).toBeLessThanOrEqual(60);
    }
    expect(new Set(seeds.map((seed) => generateScript(seed, 'all'))).size).toBe(seeds.length);
  });

  test('are longer where they are dense, and reach the top of the address space', () => {
    const lengths = seeds.map((seed) => linesOf(generateScript(seed, 'dense')).length);
    expect(Math.min(...lengths)).toBeGreaterThanOrEqual(40);
    expect(Math.max(...lengths)).toBeLessThanOrEqual(90);
    expect([...words('dense')]).toEqual(expect.arrayContaining(['512G', '16T', 'shared', 'none']));
  });

  test('of several processes fork, exit, and name none that is not there', () => {
    for (const profile of ['fork', 'forkHuge'] as const) {
      const lists = seeds.map((seed) => parseScript(generateScript(seed, profile), profile));
      expect(Math.max(...lists.map(({ processes }) => processes ?? 1))).toBe(8);
      expect(Math.min(...lists.map(({ processes }) => processes ?? 1))).toBeGreaterThan(1);
      expect([...words(profile)]).toEqual(expect.arrayContaining(['fork', 'exit', '@7']));
    }
  });

  test('keep to the operations of their profile', () => {
    const onlyInAll = ['mremap', 'shared', 'free', 'cold', 'pageout'];
    const inBoth = ['mmap', 'munmap', 'touch', 'madvise', 'mprotect', 'dontneed', 'populate'];
    expect([...words('private')].filter((word) => onlyInAll.includes(word))).toEqual([]);
    expect([...words('all')]).toEqual(expect.arrayContaining([...onlyInAll, ...inBoth]));
    expect([...words('private')]).toEqual(expect.arrayContaining(inBoth));
  });

  test('write numbers in the largest unit that divides them', () => {
    const written = [0, 100, 4096, 4097, 3 * 2 ** 21, 2 ** 30, 2 ** 44].map(formatNumber);
    expect(written).toEqual(['0', '100', '4K', '0x1001', '6M', '1G', '16T']);
  });
});

describe('comparing', () => {
  const line = '{"op":0,"call":"mmap","errno":null,"vmpteKb":0,"anonPages":0}';

  test('sees each field and missing lines', () => {
    const same = parseLines(`${line}\n`);
    expect(firstDifference(same, parseLines(line))).toBe(-1);
    for (const other of [
      { errno: 'EEXIST' },
      { vmpteKb: 4 },
      { anonPages: 1 },
      { call: 'munmap' },
      { op: 1 },
    ]) {
      expect(firstDifference(same, [{ ...same[0]!, ...other }])).toBe(0);
    }
    expect(firstDifference(same, [])).toBe(0);
    expect(firstDifference(same, [...same, ...same])).toBe(1);
  });

  test('shortens a failing script to the lines it needs', async () => {
    const script = Array.from({ length: 60 }, (_, index) => `touch ${index} 1`).join('\n');
    const needed = ['touch 7 1', 'touch 31 1', 'touch 59 1'];
    const short = await shorten(script, (candidates) =>
      Promise.resolve(
        candidates.map((candidate) => needed.every((one) => linesOf(candidate).includes(one))),
      ),
    );
    expect(linesOf(short)).toEqual(needed);
  });

  test('shortening keeps names of processes right', async () => {
    const script =
      'fork\n@1 touch 1 1\nfork\n@2 touch 2 1\n@2 fork\n@1 exit\n@3 touch 3 1\nfork\n@4 exit\n';
    const short = await shorten(script, (candidates) =>
      Promise.resolve(candidates.map((one) => /^@\d touch 3 1$/m.test(one))),
    );
    expect(linesOf(short)).toEqual(['fork', '@1 fork', '@2 touch 3 1']);
  });
});
