/**
 * Scripts about huge pages: a few spans of 2 MiB around boundaries of 1 GiB, in mappings that may have them (madvise
 * hugepage) or not, collapsed, split by whatever covers a part of one, moved to places that fit and to places that do
 * not.
 *
 * Left out: free, cold and pageout. Linux splits a folio of which they name a part, and puts the zero page where a page
 * of it was never written to; which pages those are only their content tells, and the machine's frames have none.
 */
import { PAGE_BYTES } from '../../src/kernel/abi.ts';
import { formatNumber } from './generate.ts';
import { createRandom } from './random.ts';
import type { Random } from './random.ts';

const MIB = 2 ** 20;
const GIB = 2 ** 30;
const SPAN = 2 * MIB;

/** Pages that one touch or populate may bring in one by one, and one script, in 4 KiB. */
const PAGES_AT_ONCE = 600;
const PAGES_IN_ALL = 16_000;

interface Range {
  address: number;
  length: number;
}

class HugeWriter {
  readonly #lines: string[] = [];
  readonly #random: Random;
  readonly #arenas: Range[];
  #mapped: Range[] = [];
  #budget = PAGES_IN_ALL;
  /** How often memory is shared. */
  readonly #sharing: number;

  constructor(seed: number) {
    const random = (this.#random = createRandom(seed));
    this.#sharing = random.pick([0, 0, 0.15, 0.5]);
    this.#arenas = Array.from({ length: random.pick([1, 1, 2]) }, () => {
      const spans = 3 + random.below(6);
      const middle = GIB * (1 + random.below(8));
      const shift = random.chance(0.15) ? PAGE_BYTES * (1 + random.below(511)) : 0;
      const address = middle - SPAN * random.below(spans + 1) + shift;
      return { address, length: spans * SPAN };
    });
  }

  write(): string {
    const count = 30 + this.#random.below(40);
    while (this.#lines.length < count) this.#one();
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

  #one(): void {
    const random = this.#random;
    if (this.#mapped.length === 0 || random.chance(0.06)) return this.#map();
    random.weighted<() => void>([
      [10, () => this.#map()],
      [8, () => this.#unmap()],
      [22, () => this.#touch()],
      [12, () => this.#advise('hugepage')],
      [2, () => this.#advise('nohugepage')],
      [18, () => this.#advise('collapse')],
      [14, () => this.#advise('dontneed')],
      [3, () => this.#populate()],
      [8, () => this.#protect()],
      [12, () => this.#move()],
    ])();
  }

  /** A multiple of a page that a bound may be away from a span's. */
  #offset(): number {
    const random = this.#random;
    return random.weighted<number>([
      [60, 0],
      [15, MIB],
      [10, PAGE_BYTES * random.below(512)],
      [8, PAGE_BYTES],
      [7, SPAN - PAGE_BYTES],
    ]);
  }

  /** A range of an arena, most often of whole spans. */
  #range(): Range {
    const random = this.#random;
    const arena = random.pick(this.#arenas);
    const first = arena.address + random.below(arena.length / SPAN) * SPAN;
    const spans = 1 + random.below(3);
    const address = first + this.#offset();
    const length = Math.max(PAGE_BYTES, spans * SPAN - (address - first) - this.#offset());
    return { address, length };
  }

  /** Mostly something mapped, or a part of it. */
  #used(): Range {
    const random = this.#random;
    if (this.#mapped.length === 0 || random.chance(0.25)) return this.#range();
    const { address, length } = random.pick(this.#mapped);
    if (random.chance(0.35)) return { address, length };
    const end = address + length;
    const from = Math.min(
      address + random.below(Math.ceil(length / SPAN)) * SPAN + this.#offset(),
      end - PAGE_BYTES,
    );
    const to = Math.min(end, from - (from % SPAN) + SPAN * (1 + random.below(2)));
    const back = random.chance(0.3) ? this.#offset() : 0;
    return { address: from, length: Math.max(PAGE_BYTES, to - from - back) };
  }

  #map(): void {
    const random = this.#random;
    const { address, length } = this.#range();
    const shared = random.chance(this.#sharing);
    const protection = random.weighted([
      [20, ''],
      [2, 'r'],
    ]);
    this.#emit('mmap', address, length, protection, shared ? 'shared' : '');
    if (
      !this.#mapped.some(
        (one) => one.address < address + length && address < one.address + one.length,
      )
    )
      this.#mapped.push({ address, length });
    if (random.chance(0.5)) this.#emit('madvise', address, length, 'hugepage');
  }

  #forget({ address, length }: Range): void {
    const end = address + length;
    this.#mapped = this.#mapped.flatMap((one) => {
      const last = one.address + one.length;
      if (last <= address || end <= one.address) return [one];
      return [
        { address: one.address, length: Math.max(0, address - one.address) },
        { address: end, length: Math.max(0, last - end) },
      ].filter((piece) => piece.length > 0);
    });
  }

  #unmap(): void {
    const range = this.#used();
    this.#emit('munmap', range.address, range.length);
    this.#forget(range);
  }

  /** How many pages a touch or populate may have, and whether the script may have so many more. */
  #spend(pages: number): boolean {
    if (pages > PAGES_AT_ONCE * 2 || pages > this.#budget) return false;
    this.#budget -= pages;
    return true;
  }

  #touch(): void {
    const random = this.#random;
    const { address, length } = this.#used();
    const stride = random.weighted([
      [25, PAGE_BYTES],
      [25, 64 * 1024],
      [25, MIB],
      [25, SPAN],
    ]);
    const bytes = Math.min(length, stride * PAGES_AT_ONCE);
    if (!this.#spend(Math.ceil(bytes / stride))) return;
    const write = random.chance(0.7) ? 'w' : 'r';
    this.#emit('touch', address, bytes, write, stride === PAGE_BYTES ? '' : stride);
  }

  #populate(): void {
    const { address, length } = this.#used();
    const bytes = Math.min(length, SPAN);
    if (!this.#spend(bytes / PAGE_BYTES)) return;
    const advice = this.#random.chance(0.5) ? 'populate_read' : 'populate_write';
    this.#emit('madvise', address, bytes, advice);
  }

  #advise(advice: string): void {
    const { address, length } = this.#used();
    this.#emit('madvise', address, length, advice);
  }

  #protect(): void {
    const { address, length } = this.#used();
    const protection = this.#random.weighted([
      [1, 'none'],
      [4, 'r'],
      [7, 'rw'],
    ]);
    this.#emit('mprotect', address, length, protection);
  }

  #move(): void {
    const random = this.#random;
    const from = this.#used();
    const to = this.#range();
    // Where tables and huge pages can move as they are, as a rule.
    let target = random.chance(0.6)
      ? to.address - (to.address % SPAN) + (from.address % SPAN)
      : to.address;
    if (
      target < from.address + from.length &&
      from.address < target + from.length &&
      random.chance(0.9)
    )
      target = from.address + from.length - (from.length % SPAN) + SPAN * (1 + random.below(3));
    const length = random.weighted([
      [80, from.length],
      [10, from.length + SPAN],
      [10, Math.max(PAGE_BYTES, from.length - MIB)],
    ]);
    this.#emit('mremap', from.address, from.length, target, length === from.length ? '' : length);
    this.#forget(from);
    this.#forget({ address: target, length });
    this.#mapped.push({ address: target, length });
  }
}

/** The script that belongs to `seed`, one operation a line: 30 to 70 lines. */
export function generateHuge(seed: number): string {
  return new HugeWriter(seed).write();
}
