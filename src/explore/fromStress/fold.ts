/**
 * Folds the addresses of some operations onto a small machine. What was in one PTE table stays in one, tables that
 * shared a PMD table do so as far as there is room, and pages and ends of ranges keep their order within a table: equal
 * ones stay equal, different ones different. Of a table's 512 pages only those remain, besides one for each stretch
 * between them as long as there is room.
 */

import { TABLE_BITS } from '../../kernel/abi.ts';
import { rangesOf, type PageRange, type RecordedOperation } from './recorded.ts';
import { tablesOf } from './window.ts';

const ENTRIES = 2 ** TABLE_BITS;

/** A part of a table, [from, to) of its entries, and where it starts in the small table. */
interface Part {
  from: number;
  to: number;
  /** Whether an operation is about this page alone. */
  named: boolean;
  width: number;
}

export class Folding {
  /** log2 of the entries of a small table: 2, or 3 when so many pages are named. */
  readonly tableBits: 2 | 3;
  readonly #parts: Part[];
  readonly #tables: Map<number, number>;

  constructor(operations: readonly RecordedOperation[]) {
    const ranges = operations.flatMap(rangesOf);
    const all = partsOf(ranges);
    this.tableBits = all.filter(({ named }) => named).length > 4 ? 3 : 2;
    this.#parts = fitted(all, this.entries);
    this.#tables = smallTables(ranges, this.entries);
  }

  /** Entries of a small table. */
  get entries(): number {
    return 2 ** this.tableBits;
  }

  /** Small tables, by their first page. */
  get firstPages(): number[] {
    return [...this.#tables.values()].map((table) => table * this.entries);
  }

  /** First page of the small table that stands for the one of page `page`; null: none does. */
  tableOf(page: number): number | null {
    const table = this.#tables.get(Math.floor(page / ENTRIES));
    return table === undefined ? null : table * this.entries;
  }

  #before(entry: number): number {
    return this.#parts.filter(({ to }) => to <= entry).reduce((sum, { width }) => sum + width, 0);
  }

  /** The small page that stands for `page`, which is the first of a range. */
  page(page: number): number {
    return this.tableOf(page)! + Math.min(this.entries - 1, this.#before(page % ENTRIES));
  }

  /** The small pages that stand for a range, one at least. */
  range([from, to]: PageRange): PageRange {
    const first = this.page(from);
    const end = this.tableOf(to - 1)! + this.#before(((to - 1) % ENTRIES) + 1);
    return [first, Math.max(first + 1, end)];
  }
}

/** Cuts a table at every page where a range begins or ends. */
function partsOf(ranges: readonly PageRange[]): Part[] {
  const cuts = new Set([0, ENTRIES]);
  const named = new Set<number>();
  for (const [from, to] of ranges) {
    cuts.add(from % ENTRIES);
    cuts.add(to % ENTRIES);
    if (to - from === 1) named.add(from % ENTRIES);
  }
  const sorted = [...cuts].toSorted((one, other) => one - other);
  return sorted.slice(0, -1).map((from, at) => ({
    from,
    to: sorted[at + 1]!,
    named: named.has(from),
    width: 1,
  }));
}

/**
 * Parts as wide as to fill a table: those that nothing is about alone, smallest first, have no room when there are too
 * many.
 */
function fitted(parts: Part[], entries: number): Part[] {
  const bySize = parts.toSorted(
    (one, other) =>
      Number(one.named) - Number(other.named) || one.to - one.from - (other.to - other.from),
  );
  for (const part of bySize.slice(0, Math.max(0, parts.length - entries))) part.width = 0;
  const largest = bySize.findLast(({ named }) => !named) ?? bySize.at(-1)!;
  largest.width += Math.max(0, entries - parts.length);
  return parts;
}

/** Numbers of the small tables by those of the tables. */
function smallTables(ranges: readonly PageRange[], entries: number): Map<number, number> {
  const numbers = [...new Set(ranges.flatMap(tablesOf))].toSorted((one, other) => one - other);
  const small = new Map<number, number>();
  let next = 0;
  let upper = -1;
  for (const number of numbers) {
    const above = Math.floor(number / ENTRIES);
    if (upper >= 0 && above !== upper) next = Math.ceil(next / entries) * entries;
    upper = above;
    small.set(number, next);
    next += 1;
  }
  return small;
}
