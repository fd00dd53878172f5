import { MADV_DONTNEED, PAGE_BYTES } from '../../src/kernel/abi.ts';
import {
  CALL_BRK,
  CALL_FAULT,
  CALL_MADVISE,
  CALL_MMAP,
  CALL_MPROTECT,
  CALL_MUNMAP,
  CALL_NAMES,
  MAP_POPULATE,
  readOperation,
} from '../../src/trace/operation.ts';
import type { OperationList } from '../../src/trace/operation.ts';
import type { VmpteSeries } from '../../src/trace/vmpte.ts';

const TABLE_SPANS = [2 ** 21, 2 ** 30, 2 ** 39];
const PTE_SPAN = 2 ** 21;
const KB_PER_TABLE = 4;

interface Area {
  start: number;
  end: number;
  /** Neighbours with equal kinds merge. */
  kind: string;
}

/**
 * A count of page tables and nothing else: sets of the 2 MiB, 1 GiB and 512 GiB regions that have a table.
 * Faults add to them; unmapping removes those that no area is left in; DONTNEED removes a 2 MiB region's
 * table where the piece of an area that it covers is the whole region.
 */
export class TableModel {
  readonly #tables = TABLE_SPANS.map(() => new Set<number>());
  #areas: Area[] = [];
  #break = -1;
  #mappings = 0;

  get vmpteKb(): number {
    return this.#tables.reduce((sum, tables) => sum + tables.size, 0) * KB_PER_TABLE;
  }

  /** Index of the first area that ends after `address`. */
  #find(address: number): number {
    let low = 0;
    let high = this.#areas.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#areas[middle]!.end > address) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  #mapped(start: number, end: number): boolean {
    const area = this.#areas[this.#find(start)];
    return area !== undefined && area.start < end;
  }

  #cut(start: number, end: number, kind: (old: string) => string | null): void {
    const next: Area[] = [];
    for (const area of this.#areas) {
      const from = Math.max(area.start, start);
      const until = Math.min(area.end, end);
      if (from >= until) {
        next.push(area);
        continue;
      }
      if (area.start < from) next.push({ ...area, end: from });
      const changed = kind(area.kind);
      if (changed !== null) next.push({ start: from, end: until, kind: changed });
      if (until < area.end) next.push({ ...area, start: until });
    }
    this.#areas = next;
    this.#merge();
  }

  #merge(): void {
    const merged: Area[] = [];
    for (const area of this.#areas.toSorted((a, b) => a.start - b.start)) {
      const last = merged.at(-1);
      if (last?.end === area.start && last.kind === area.kind) last.end = area.end;
      else merged.push({ ...area });
    }
    this.#areas = merged;
  }

  map(start: number, length: number, kind: string): void {
    const end = start + Math.ceil(length / PAGE_BYTES) * PAGE_BYTES;
    this.unmap(start, length);
    this.#areas.push({ start, end, kind });
    this.#merge();
  }

  unmap(start: number, length: number): void {
    const end = start + Math.ceil(length / PAGE_BYTES) * PAGE_BYTES;
    if (!this.#mapped(start, end)) return;
    this.#cut(start, end, () => null);
    TABLE_SPANS.forEach((span, level) => {
      for (let at = Math.floor(start / span); at * span < end; at++) {
        if (!this.#mapped(at * span, (at + 1) * span)) this.#tables[level]!.delete(at);
      }
    });
  }

  fault(address: number): void {
    if (!this.#mapped(address, address + 1)) {
      const page = Math.floor(address / PAGE_BYTES) * PAGE_BYTES;
      this.#areas.push({ start: page, end: page + PAGE_BYTES, kind: 'unseen' });
      this.#merge();
    }
    TABLE_SPANS.forEach((span, level) => this.#tables[level]!.add(Math.floor(address / span)));
  }

  dontneed(start: number, length: number): void {
    const end = start + length;
    for (let i = this.#find(start); i < this.#areas.length; i++) {
      const area = this.#areas[i]!;
      if (area.start >= end) return;
      const until = Math.floor(Math.min(area.end, end) / PTE_SPAN);
      for (let at = Math.ceil(Math.max(area.start, start) / PTE_SPAN); at < until; at++) {
        this.#tables[0]!.delete(at);
      }
    }
  }

  protect(start: number, length: number, protection: number): void {
    const end = start + Math.ceil(length / PAGE_BYTES) * PAGE_BYTES;
    this.#cut(start, end, (kind) => `${kind.split(' ')[0]} ${protection}`);
  }

  brk(address: number): void {
    const before = this.#break;
    this.#break = address;
    if (before < 0 || before === address) return;
    if (address > before) this.map(before, address - before, 'heap 3');
    else this.unmap(address, before - address);
  }

  run(list: OperationList, index: number): void {
    const { call, address, length, arg2, arg3, arg4 } = readOperation(list.operations, index);
    if (call === CALL_FAULT) this.fault(address);
    else if (call === CALL_MUNMAP) this.unmap(address, length);
    else if (call === CALL_MPROTECT) this.protect(address, length, arg2);
    else if (call === CALL_BRK) this.brk(address);
    else if (call === CALL_MADVISE) {
      if (arg2 === MADV_DONTNEED) this.dontneed(address, length);
    } else if (call === CALL_MMAP) {
      this.map(address, length, `${arg4 === 0 ? 'anonymous' : `file${this.#mappings++}`} ${arg2}`);
      const populated = arg3 & MAP_POPULATE ? length : 0;
      for (let at = 0; at < populated; at += PAGE_BYTES) this.fault(address + at);
    } else throw new Error(`the model has no ${CALL_NAMES[call]}`);
  }
}

/** The table count after every operation of a list. */
export function modelSeries(list: OperationList): VmpteSeries {
  const model = new TableModel();
  const timesS = new Float64Array(list.count);
  const vmpteKb = new Float64Array(list.count);
  for (let i = 0; i < list.count; i++) {
    model.run(list, i);
    timesS[i] = readOperation(list.operations, i).timeS;
    vmpteKb[i] = model.vmpteKb;
  }
  return { timesS, vmpteKb };
}
