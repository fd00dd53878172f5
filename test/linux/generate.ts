/**
 * Seeded generator of mm scripts for the comparison with a real kernel.
 *
 * A script works on a few small arenas around the boundaries that page tables have (2 MiB, 1 GiB,
 * 512 GiB), so that its operations meet: mappings adjoin, split and merge, tables are shared by
 * neighbours, advice covers parts, holes and several mappings. Some operations are wrong on purpose.
 */
import { PAGE_BYTES } from '../../src/kernel/abi.ts';
import { generateDense } from './generateDense.ts';
import { generateFork } from './generateFork.ts';
import { generateHuge } from './generateHuge.ts';
import { createRandom } from './random.ts';
import type { Random } from './random.ts';

/**
 * `private`: mmap, munmap, touch, dontneed, populate, mprotect. `all`: mremap, shared memory and more advice, too.
 * `dense`: as `all`, with few places and many more meetings (generateDense.ts). `huge`: huge pages and collapse
 * (generateHuge.ts). `fork`: `all` and `dense` ones in several processes; `forkHuge`: `huge` ones (generateFork.ts).
 * `mthp`: any of them, every other one in several processes, without advice of which a large folio's content decides
 * the outcome (generateHuge.ts).
 */
export type Profile = 'private' | 'all' | 'dense' | 'huge' | 'fork' | 'forkHuge' | 'mthp';

export const PROFILES: readonly Profile[] = [
  'private',
  'all',
  'dense',
  'huge',
  'fork',
  'forkHuge',
  'mthp',
];

const MIB = 2 ** 20;
const GIB = 2 ** 30;
const TABLE = 2 * MIB;
const TOP = 16 * 2 ** 40;

/** Pages that one script may touch or populate: 48 MiB. */
const PAGE_BUDGET = 12_288;

/** Written the way people write it: in the largest unit that divides it, else in hexadecimal. */
export function formatNumber(value: number): string {
  for (const [unit, name] of [
    [2 ** 40, 'T'],
    [GIB, 'G'],
    [MIB, 'M'],
    [1024, 'K'],
  ] as const) {
    if (value !== 0 && value % unit === 0) return `${value / unit}${name}`;
  }
  return value < 4096 ? String(value) : `0x${value.toString(16)}`;
}

interface Range {
  start: number;
  end: number;
}

type Protection = 'none' | 'r' | 'rw';

interface Mapping extends Range {
  protection: Protection;
}

class ScriptWriter {
  readonly lines: string[] = [];
  private budget = PAGE_BUDGET;
  /** What is mapped, roughly: it steers the choice of operations and need not be right. */
  private mapped: Mapping[] = [];
  private readonly arenas: Range[];
  private readonly random: Random;
  private readonly profile: 'private' | 'all';

  constructor(seed: number, profile: 'private' | 'all') {
    this.profile = profile;
    const random = (this.random = createRandom(seed));
    const centres: readonly (() => number)[] = [
      () => GIB * (1 + random.below(600)),
      () => GIB * (1 + random.below(4)),
      () => 512 * GIB * (1 + random.below(30)),
      () => TABLE * (4 + random.below(400)),
      () => GIB * 3 + TABLE * (3 + random.below(8)),
    ];
    this.arenas = Array.from({ length: random.pick([1, 1, 2, 2, 3]) }, () => {
      const centre = random.pick(centres)();
      const before = TABLE * random.below(4);
      const after = TABLE * (1 + random.below(4));
      return { start: centre - before, end: centre + after };
    });
  }

  write(): string {
    const count = 25 + this.random.below(36);
    while (this.lines.length < count) this.writeOne();
    return `${this.lines.join('\n')}\n`;
  }

  private writeOne(): void {
    const { random } = this;
    if (this.mapped.length === 0 && random.chance(0.9)) return this.mmap();
    const everywhere = [
      [18, () => this.mmap()],
      [10, () => this.munmap()],
      [24, () => this.touch()],
      [14, () => this.advise('dontneed')],
      [5, () => this.advise('populate_read')],
      [5, () => this.advise('populate_write')],
      [11, () => this.mprotect()],
    ] as const;
    const more = [
      [22, () => this.mremap()],
      [3, () => this.advise('free')],
      [2, () => this.advise('cold')],
      [3, () => this.advise('pageout')],
    ] as const;
    random.weighted<() => void>(this.profile === 'all' ? [...everywhere, ...more] : everywhere)();
  }

  private emit(...words: (string | number)[]): void {
    this.lines.push(
      words
        .filter((word) => word !== '')
        .map((word) => (typeof word === 'number' ? formatNumber(word) : word))
        .join(' '),
    );
  }

  /** A length in bytes, a multiple of a page. */
  private length(): number {
    const { random } = this;
    return random.weighted<() => number>([
      [20, () => PAGE_BYTES * (1 + random.below(16))],
      [20, () => 64 * 1024 * (1 + random.below(32))],
      [25, () => TABLE * (1 + random.below(4))],
      [15, () => MIB * (1 + random.below(6))],
      [6, () => TABLE - PAGE_BYTES],
      [6, () => TABLE + PAGE_BYTES],
      [3, () => GIB],
      [1, () => GIB * (1 + random.below(3)) + TABLE * random.below(8)],
      [1, () => 512 * GIB],
    ])();
  }

  /** A page-aligned address in or near some arena. */
  private address(): number {
    const { random } = this;
    const { start, end } = random.pick(this.arenas);
    const unit = random.weighted([
      [30, TABLE],
      [25, MIB],
      [20, 64 * 1024],
      [20, PAGE_BYTES],
      [5, GIB],
    ]);
    const at = start + random.below(Math.ceil((end - start) / unit)) * unit;
    const address = unit === GIB ? at - (at % GIB) : at;
    return random.chance(0.05) && address >= PAGE_BYTES ? address - PAGE_BYTES : address;
  }

  /** A range to operate on: mostly something mapped, a part of it, a bit more, or around a boundary. */
  private range(): Range {
    const { random } = this;
    if (this.mapped.length === 0 || random.chance(0.08)) {
      const start = this.address();
      return this.clip({ start, end: start + this.length() });
    }
    const one = random.pick(this.mapped);
    return this.clip(
      random.weighted<() => Range>([
        [30, () => ({ ...one })],
        [35, () => this.partOf(one)],
        [15, () => this.wholeTables(one)],
        [8, () => this.acrossMapped(one)],
        [4, () => ({ start: Math.max(0, one.start - this.length()), end: one.end })],
        [4, () => ({ start: one.start, end: one.end + this.length() })],
        [4, () => this.arenaAround(one)],
      ])(),
    );
  }

  private partOf({ start, end }: Range): Range {
    const { random } = this;
    const unit = random.pick([PAGE_BYTES, 64 * 1024, MIB, TABLE]);
    const units = Math.max(1, Math.ceil((end - start) / unit));
    const from = Math.min(start + random.below(Math.min(units, 2048)) * unit, end - PAGE_BYTES);
    const size = (1 + random.below(Math.min(units, 64))) * unit;
    const to = random.chance(0.3) ? end : from + size;
    return { start: from, end: random.chance(0.9) ? Math.min(to, end) : to };
  }

  private wholeTables({ start, end }: Range): Range {
    const inside = Math.ceil(start / TABLE) * TABLE;
    const from =
      inside + TABLE <= end && this.random.chance(0.7) ? inside : start - (start % TABLE);
    const tables = Math.max(1, Math.floor((end - from) / TABLE));
    const first = this.random.below(Math.min(tables, 64));
    const count = 1 + this.random.below(Math.min(4, tables - first));
    return { start: from + first * TABLE, end: from + (first + count) * TABLE };
  }

  private acrossMapped(one: Range): Range {
    const other = this.random.pick(this.mapped);
    const start = Math.min(one.start, other.start);
    const end = Math.max(one.end, other.end);
    return end - start > 8 * GIB ? { ...one } : { start, end };
  }

  private arenaAround(one: Range): Range {
    return { ...(this.arenas.find(({ start, end }) => start < one.end && one.start < end) ?? one) };
  }

  private clip({ start, end }: Range): Range {
    const from = Math.min(Math.max(0, start), TOP - PAGE_BYTES);
    return { start: from, end: Math.min(TOP, Math.max(end, from + PAGE_BYTES)) };
  }

  /** Now and then an argument that a kernel has to refuse or to round. */
  private spoil(range: Range): { address: number; length: number } {
    const { random } = this;
    const address = range.start;
    const length = range.end - range.start;
    if (!random.chance(0.05)) return { address, length };
    return random.pick([
      { address: address + 1 + random.below(PAGE_BYTES - 1), length },
      { address, length: 0 },
      { address, length: length - random.below(PAGE_BYTES) },
      { address, length: 1 + random.below(PAGE_BYTES) },
      { address: address + 512, length: 0 },
    ]);
  }

  private spend(pages: number): boolean {
    if (pages > this.budget) return false;
    this.budget -= pages;
    return true;
  }

  private mmap(): void {
    const { random } = this;
    let start = this.address();
    let length = this.length();
    if (this.mapped.length > 0 && random.chance(0.45)) {
      const one = random.pick(this.mapped);
      start = random.chance(0.6) ? one.end : Math.max(0, one.start - length);
    }
    for (let tries = 0; this.isMapped(start, start + 1) && tries < 3; tries++)
      start = this.address();
    const following = this.mapped
      .map((range) => range.start)
      .filter((other) => other > start)
      .toSorted((a, b) => a - b)[0];
    if (following !== undefined && following - start < length && random.chance(0.9)) {
      length = following - start;
    }
    const range = this.clip({ start, end: start + length });
    const protection = random.weighted<Protection | ''>([
      [15, ''],
      [3, 'rw'],
      [3, 'r'],
      [1, 'none'],
    ]);
    const shared = this.profile === 'all' && random.chance(0.3);
    const populate =
      random.chance(0.1) &&
      range.end - range.start <= 8 * MIB &&
      this.spend((range.end - range.start) / PAGE_BYTES);
    const { address, length: bytes } = this.spoil(range);
    this.emit(
      'mmap',
      address,
      bytes,
      protection,
      shared ? 'shared' : '',
      populate && bytes <= range.end - range.start ? 'populate' : '',
    );
    if (!this.isMapped(range.start, range.end)) {
      this.mapped.push({ ...range, protection: protection || 'rw' });
    }
  }

  private isMapped(start: number, end: number): boolean {
    return this.mapped.some((one) => one.start < end && start < one.end);
  }

  private munmap(): void {
    const range = this.range();
    const { address, length } = this.spoil(range);
    this.emit('munmap', address, length);
    if (length > 0) this.forget(range);
  }

  private forget({ start, end }: Range): void {
    this.mapped = this.mapped.flatMap((one) => {
      if (one.end <= start || one.start >= end) return [one];
      return [
        { ...one, end: Math.max(one.start, start) },
        { ...one, start: Math.min(one.end, end) },
      ].filter((piece) => piece.end > piece.start);
    });
  }

  private touch(): void {
    const { random } = this;
    const { start, end } = this.range();
    const length = end - start;
    let stride = random.weighted([
      [40, PAGE_BYTES],
      [15, 64 * 1024],
      [10, 0x5000],
      [15, 256 * 1024],
      [15, TABLE],
      [5, 0x1234],
    ]);
    while (length / stride > 2048) stride *= 8;
    const pages = Math.ceil(length / stride);
    if (!this.spend(pages)) return this.advise('dontneed');
    const offset = random.chance(0.05) ? random.below(PAGE_BYTES) : 0;
    const found = this.mapped.find((one) => one.start <= start && start < one.end);
    if (found?.protection === 'none' && random.chance(0.8)) return this.mprotect(found);
    const write = random.chance(found?.protection === 'r' ? 0.15 : 0.75);
    this.emit(
      'touch',
      start + offset,
      length - offset,
      write && stride === PAGE_BYTES && random.chance(0.5) ? '' : write ? 'w' : 'r',
      stride === PAGE_BYTES ? '' : stride,
    );
  }

  private advise(advice: string): void {
    const range = this.range();
    const populates = advice.startsWith('populate');
    if (populates) {
      range.end = Math.min(range.end, range.start + 6 * MIB);
      if (!this.spend((range.end - range.start) / PAGE_BYTES)) return this.advise('dontneed');
    }
    const { address, length } = this.spoil(range);
    this.emit('madvise', address, length, advice);
  }

  private mprotect(range: Range = this.range()): void {
    const { address, length } = this.spoil(range);
    const protection = this.random.weighted<Protection>([
      [2, 'none'],
      [5, 'r'],
      [9, 'rw'],
    ]);
    this.emit('mprotect', address, length, protection);
    const changed = this.mapped
      .map((one) => ({
        start: Math.max(one.start, range.start),
        end: Math.min(one.end, range.end),
        protection,
      }))
      .filter(({ start, end }) => start < end);
    this.forget(range);
    this.mapped.push(...changed);
  }

  private mremap(): void {
    const { random } = this;
    const source = this.range();
    const spoiled = this.spoil(source);
    let { length } = spoiled;
    if (random.chance(0.04)) length = 0;
    let target = random.weighted<() => number>([
      [40, () => this.address()],
      [10, () => random.pick(this.mapped.length > 0 ? this.mapped : this.arenas).end],
      [10, () => random.pick(this.mapped.length > 0 ? this.mapped : this.arenas).start],
      [
        20,
        () => {
          const unit = random.pick([TABLE, TABLE, GIB]);
          const place = this.address();
          return place - (place % unit) + (source.start % unit);
        },
      ],
      [4, () => source.start + (random.chance(0.5) ? 1 : -1) * this.length()],
      [8, () => source.end],
    ])();
    target = Math.max(0, target);
    const overlaps = (): boolean => target < source.end && source.start < target + length;
    for (let tries = 0; overlaps() && tries < 4 && random.chance(0.95); tries++) {
      target = random.chance(0.5) ? this.address() : source.end + TABLE * random.below(4);
    }
    let newLength = random.weighted<() => number>([
      [60, () => length],
      [15, () => length + this.length()],
      [12, () => Math.max(PAGE_BYTES, length - this.length())],
      [8, () => this.length()],
      [1, () => 0],
    ])();
    if (target + Math.max(newLength, length) > TOP) target = this.arenas[0]!.start;
    newLength = Math.min(newLength, TOP - target);
    if (random.chance(0.02)) target += 512;
    this.emit(
      'mremap',
      spoiled.address,
      length,
      target,
      newLength === length && random.chance(0.8) ? '' : newLength,
    );
    const moved = this.mapped.find((one) => one.start <= source.start && source.start < one.end);
    if (!moved || overlaps() || newLength === 0) return;
    if (newLength !== length && moved.end < source.end) return;
    this.forget({ start: target, end: target + newLength });
    this.forget(source);
    this.mapped.push({
      start: target,
      end: target + newLength,
      protection: moved.protection,
    });
  }
}

function generateMthp(seed: number): string {
  const profile = createRandom(seed ^ 0x1f123bb5).pick(['all', 'dense', 'huge'] as const);
  const script = generateScript(seed, profile).replace(/ (free|cold|pageout)$/gm, ' dontneed');
  return seed % 2 === 0 ? script : generateFork(seed, script);
}

/**
 * The script that belongs to `seed` (an unsigned 32-bit integer), one operation a line: 25 to 60 lines, `dense` ones 40
 * to 90, those with forks more.
 */
export function generateScript(seed: number, profile: Profile): string {
  if (profile === 'fork') {
    return generateFork(seed, generateScript(seed, seed % 2 === 0 ? 'all' : 'dense'));
  }
  if (profile === 'mthp') return generateMthp(seed);
  if (profile === 'forkHuge') return generateFork(seed, generateHuge(seed));
  if (profile === 'huge') return generateHuge(seed);
  return profile === 'dense' ? generateDense(seed) : new ScriptWriter(seed, profile).write();
}
