/**
 * Scripts in which everything meets: a few grids of 4 to 12 places, laid around boundaries that page tables have, and
 * ranges that begin and end on the grid. Neighbours split and merge all the time, moves go onto, over and beside other
 * mappings, shrinks cut off holes, shared memory is duplicated and outgrown, ranges reach the end of the address space.
 */
import { PAGE_BYTES } from '../../src/kernel/abi.ts';
import { formatNumber } from './generate.ts';
import { createRandom } from './random.ts';
import type { Random } from './random.ts';

const MIB = 2 ** 20;
const GIB = 2 ** 30;
const END = 2 ** 44;

/** Pages that one touch or populate may bring in, and one script. */
const PAGES_AT_ONCE = 600;
const PAGES_IN_ALL = 12_000;

/** Sizes of a grid's cells, with the boundaries that its middle lies on. */
const GRIDS: readonly (readonly [weight: number, cell: number, boundary: number])[] = [
  [20, PAGE_BYTES, 2 * MIB],
  [10, 64 * 1024, 2 * MIB],
  [25, 512 * 1024, GIB],
  [20, 2 * MIB, GIB],
  [8, 2 * MIB, 512 * GIB],
  [8, 256 * MIB, 512 * GIB],
  [5, GIB, 512 * GIB],
  [4, 512 * GIB, 512 * GIB],
];

interface Grid {
  start: number;
  cell: number;
  cells: number;
  /** By cell, roughly: it steers the choice of ranges and need not be right. */
  mapped: boolean[];
}

interface Range {
  address: number;
  length: number;
}

function createGrid(random: Random, cell: number, boundary: number): Grid {
  const cells = 4 + random.below(9);
  const middle =
    boundary * (1 + random.below(Math.min(boundary < GIB ? 4096 : 1000, END / boundary - 1)));
  const before = cell * random.below(cells + 1);
  // Off the table's grid, so that moves do not fit.
  const shift = cell < 512 * MIB && random.chance(0.2) ? PAGE_BYTES * (1 + random.below(511)) : 0;
  const place = random.chance(0.06) ? END : Math.max(0, middle - before + shift);
  const start = Math.min(place, END - cell * cells);
  return { start, cell, cells, mapped: Array.from({ length: cells }, () => false) };
}

class DenseWriter {
  readonly #lines: string[] = [];
  readonly #random: Random;
  readonly #grids: Grid[];
  /** How often memory is shared. */
  readonly #sharing: number;
  #pages = PAGES_IN_ALL;

  constructor(seed: number) {
    const random = (this.#random = createRandom(seed ^ 0x5bd1e995));
    this.#sharing = random.pick([0.1, 0.3, 0.9]);
    const sizes = GRIDS.map(([weight, cell, boundary]) => [weight, { cell, boundary }] as const);
    const first = random.weighted(sizes);
    this.#grids = Array.from({ length: 1 + random.below(3) }, (_, index) => {
      const { cell, boundary } = index > 0 && random.chance(0.3) ? random.weighted(sizes) : first;
      return createGrid(random, cell, boundary);
    });
  }

  write(): string {
    const count = 40 + this.#random.below(51);
    while (this.#lines.length < count) this.#writeOne();
    return `${this.#lines.join('\n')}\n`;
  }

  #emit(...words: (string | number)[]): void {
    this.#lines.push(
      words
        .filter((word) => word !== '')
        .map((word) => (typeof word === 'number' ? formatNumber(word) : word))
        .join(' '),
    );
  }

  #writeOne(): void {
    this.#random.weighted<() => void>([
      [26, () => this.#mmap()],
      [8, () => this.#munmap()],
      [22, () => this.#touch()],
      [18, () => this.#madvise()],
      [14, () => this.#mprotect()],
      [26, () => this.#mremap()],
    ])();
  }

  /** Up to `most` cells of a grid, mostly ones that are mapped as `mapped` says; its ends are not always the cells'. */
  #range(most: number, mapped: boolean): Range {
    const random = this.#random;
    const grid = random.pick(this.#grids);
    const fitting = grid.mapped.flatMap((is, cell) => (is === mapped ? [cell] : []));
    const choosy = fitting.length > 0 && random.chance(0.85);
    const from = choosy ? random.pick(fitting) : random.below(grid.cells);
    let count = 1 + random.below(Math.min(most, grid.cells - from));
    if (choosy && random.chance(0.75)) {
      const other = grid.mapped.indexOf(!mapped, from);
      if (other > from) count = Math.min(count, other - from);
    }
    const range = { address: grid.start + from * grid.cell, length: count * grid.cell };
    return random.chance(0.12) ? this.#frayed(range) : range;
  }

  #setMapped({ address, length }: Range, mapped: boolean): void {
    for (const { start, cell, cells, mapped: map } of this.#grids) {
      for (let at = 0; at < cells; at++) {
        const from = start + at * cell;
        if (from < address + length && address < from + cell) map[at] = mapped;
      }
    }
  }

  #isMapped({ address, length }: Range): boolean {
    return this.#grids.some(({ start, cell, mapped }) =>
      mapped.some((is, at) => {
        const from = start + at * cell;
        return is && from < address + length && address < from + cell;
      }),
    );
  }

  /** The range with an end that is off the grid. */
  #frayed({ address, length }: Range): Range {
    return this.#random.pick<() => Range>([
      () => ({ address: address + PAGE_BYTES, length }),
      () => ({ address: Math.max(0, address - PAGE_BYTES), length }),
      () => ({ address, length: length + PAGE_BYTES }),
      () => ({ address, length: Math.max(PAGE_BYTES, length - PAGE_BYTES) }),
      () => ({ address: address + PAGE_BYTES, length: Math.max(PAGE_BYTES, length - PAGE_BYTES) }),
      () => ({ address, length: length - this.#random.below(PAGE_BYTES) }),
      () => ({ address, length: PAGE_BYTES * (1 + this.#random.below(512)) }),
      () => ({ address, length: 0 }),
    ])();
  }

  #mayTouch(pages: number): boolean {
    if (pages > PAGES_AT_ONCE || pages > this.#pages) return false;
    this.#pages -= pages;
    return true;
  }

  #mmap(): void {
    const random = this.#random;
    const range = this.#range(5, false);
    const { address, length } = range;
    const protection = random.weighted([
      [6, 'rw'],
      [6, ''],
      [5, 'r'],
      [2, 'none'],
    ]);
    const populate = random.chance(0.3) && this.#mayTouch(length / PAGE_BYTES) ? 'populate' : '';
    this.#emit(
      'mmap',
      address,
      length,
      protection,
      random.chance(this.#sharing) ? 'shared' : '',
      populate,
    );
    if (!this.#isMapped(range)) this.#setMapped(range, true);
  }

  #munmap(): void {
    const range = this.#range(this.#random.chance(0.2) ? 12 : 4, true);
    this.#emit('munmap', range.address, range.length);
    this.#setMapped(range, false);
  }

  #touch(): void {
    const random = this.#random;
    const { address, length } = this.#range(12, true);
    const strides = [PAGE_BYTES, 3 * PAGE_BYTES, 64 * 1024, 2 * MIB, GIB, 512 * GIB, length];
    const fitting = strides.filter((stride) => length / stride <= PAGES_AT_ONCE);
    const stride = random.pick(fitting.length > 0 ? fitting : [length]) || PAGE_BYTES;
    if (!this.#mayTouch(Math.ceil(length / stride))) return this.#munmap();
    const kind = random.weighted([
      [3, 'w'],
      [2, 'r'],
    ]);
    this.#emit('touch', address, length, kind, stride === PAGE_BYTES ? '' : stride);
  }

  #madvise(): void {
    const { address, length } = this.#range(12, true);
    let advice = this.#random.weighted([
      [10, 'dontneed'],
      [3, 'free'],
      [3, 'pageout'],
      [1, 'cold'],
      [3, 'nohugepage'],
      [4, 'populate_read'],
      [4, 'populate_write'],
    ]);
    if (advice.startsWith('populate') && !this.#mayTouch(length / PAGE_BYTES)) advice = 'dontneed';
    this.#emit('madvise', address, length, advice);
  }

  #mprotect(): void {
    const { address, length } = this.#range(12, true);
    const protection = this.#random.weighted([
      [5, 'rw'],
      [4, 'r'],
      [2, 'none'],
    ]);
    this.#emit('mprotect', address, length, protection);
  }

  #mremap(): void {
    const random = this.#random;
    const source = this.#range(random.chance(0.3) ? 12 : 4, true);
    const target = random.weighted<() => Range>([
      [3, () => this.#range(12, true)],
      [3, () => this.#range(12, false)],
      [1, () => ({ address: source.address + source.length, length: source.length })],
      [1, () => ({ ...source, address: Math.max(0, source.address - source.length) })],
    ])();
    const newLength = random.weighted<() => number>([
      [10, () => source.length],
      [5, () => target.length],
      [3, () => source.length + target.length],
      [3, () => Math.max(PAGE_BYTES, source.length - target.length)],
      [2, () => PAGE_BYTES],
    ])();
    const length = random.chance(0.08) ? 0 : source.length;
    const to = Math.min(END, target.address);
    this.#emit('mremap', source.address, length, to, newLength === length ? '' : newLength);
    if (to < source.address + length && source.address < to + newLength) return;
    if (length > 0) this.#setMapped(source, false);
    this.#setMapped({ address: to, length: newLength }, true);
  }
}

/** The dense script that belongs to `seed` (an unsigned 32-bit integer): 40 to 90 lines, one operation each. */
export function generateDense(seed: number): string {
  return new DenseWriter(seed).write();
}
