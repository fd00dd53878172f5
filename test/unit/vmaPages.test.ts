/**
 * mmap, munmap, mprotect, mremap and page faults against a model that knows only pages: for each page its rights, what
 * it maps, and which data it holds. The unit is 128 pages, a quarter of a PTE table, so that tables are shared by
 * mappings, moved entry by entry, and moved whole.
 */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  EEXIST,
  EFAULT,
  EINVAL,
  ENOMEM,
  MMAP_REPLACE,
  MMAP_SHARED,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
} from '../../src/kernel/word/config.ts';
import * as layout from '../../src/kernel/word/layout.ts';
import { userFault } from '../../src/kernel/access/fault.ts';
import { mmCreate } from '../../src/kernel/space/mm.ts';
import { mmDestroy } from '../../src/kernel/vma/exitMm.ts';
import { doMmap } from '../../src/kernel/calls/mmap.ts';
import { doMprotect } from '../../src/kernel/vma/mprotect.ts';
import { doMremap } from '../../src/kernel/calls/mremap.ts';
import { doMunmap } from '../../src/kernel/vma/munmap.ts';
import { rcuBarrier, rcuQuiescentState } from '../../src/kernel/rcu/rcu.ts';
import { vmaAudit, vmaLookup } from '../../src/kernel/space/vma.ts';
import { pmdFind } from '../../src/kernel/tables/walk.ts';
import { pteOffset } from '../../src/kernel/tables/offsets.ts';
import { bootHere, violations } from './vmaHarness.ts';

const UNIT = 128;
const UNITS = 32;
const RW = 3;

interface Page {
  rights: number;
  /** Identity of the shared object, 0: private. */
  object: number;
  /** Page of the object. */
  index: number;
  /** Data of a private page that was written, 0: none. */
  data: number;
}

class Model {
  readonly pages = new Map<number, Page>();
  private next = 1;

  mmap(start: number, count: number, rights: number, shared: boolean, replace: boolean): number {
    const range = [...Array(count).keys()].map((i) => start + i);
    if (!replace && range.some((vpn) => this.pages.has(vpn))) return EEXIST;
    const object = shared ? this.next++ : 0;
    for (const vpn of range) this.pages.set(vpn, { rights, object, index: vpn - start, data: 0 });
    return 0;
  }

  munmap(start: number, count: number): number {
    for (let i = 0; i < count; i++) this.pages.delete(start + i);
    return 0;
  }

  mprotect(start: number, count: number, rights: number): number {
    for (let i = 0; i < count; i++) {
      const page = this.pages.get(start + i);
      if (page === undefined) return ENOMEM;
      page.rights = rights;
    }
    return 0;
  }

  write(vpn: number): number {
    const page = this.pages.get(vpn);
    if (page === undefined || (page.rights & 2) === 0) return EFAULT;
    if (page.object === 0 && page.data === 0) page.data = this.next++;
    return 0;
  }

  /** A whole move; the caller knows that the source is one mapping where it must be. */
  mremap(old: number, oldCount: number, to: number, newCount: number): number {
    if (old + oldCount > to && to + newCount > old) return EINVAL;
    if (!this.pages.has(old)) return EFAULT;
    const moved: [number, Page][] = [];
    for (let i = 0; i < Math.min(oldCount, newCount); i++) {
      const page = this.pages.get(old + i);
      if (page !== undefined) moved.push([i, page]);
    }
    const first = this.pages.get(old)!;
    if (oldCount === newCount) {
      for (const [i] of moved) this.pages.delete(to + i);
    } else this.munmap(to, newCount);
    this.munmap(old, oldCount);
    for (const [i, page] of moved) this.pages.set(to + i, page);
    for (let i = oldCount; i < newCount; i++) {
      this.pages.set(to + i, {
        rights: first.rights,
        object: first.object,
        index: first.index + i,
        data: 0,
      });
    }
    return 0;
  }
}

type Step =
  | { call: 'mmap'; at: number; units: number; rights: number; shared: boolean; replace: boolean }
  | { call: 'munmap'; at: number; units: number }
  | { call: 'write'; at: number; units: number }
  | { call: 'mprotect'; at: number; units: number; rights: number }
  | { call: 'mremap'; at: number; units: number; to: number; grow: number };

const at = fc.integer({ min: 0, max: UNITS - 1 });
const units = fc.integer({ min: 1, max: 9 });
const rights = fc.constantFrom(0, 1, RW, RW, RW);
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    call: fc.constant('mmap' as const),
    at,
    units,
    rights,
    shared: fc.nat(4).map((n) => n === 0),
    replace: fc.boolean(),
  }),
  fc.record({ call: fc.constant('munmap' as const), at, units }),
  fc.record({ call: fc.constant('write' as const), at, units }),
  fc.record({ call: fc.constant('write' as const), at, units }),
  fc.record({ call: fc.constant('mprotect' as const), at, units, rights }),
  fc.record({
    call: fc.constant('mremap' as const),
    at,
    units,
    to: at,
    grow: fc.constantFrom(0, 0, 0, -1, 1, 2),
  }),
);

class Machine {
  readonly words: Uint32Array = bootHere({ tables: 2048, frames: 8192, vmas: 2048 });
  readonly mm: number = mmCreate();
  readonly model = new Model();
  /** Where the playground starts; 4 units of room below it for realignment. */
  readonly base: number;

  constructor(base: number) {
    this.base = base;
  }

  word(address: number): number {
    return this.words[address >>> 2]!;
  }

  run(step: Step): [number, number] {
    const start = this.base + step.at * UNIT;
    const count = step.units * UNIT;
    if (step.call === 'mmap') {
      const flags = (step.shared ? MMAP_SHARED : 0) | (step.replace ? MMAP_REPLACE : 0);
      return [
        doMmap(this.mm, start, count, step.rights, flags, 0, 0),
        this.model.mmap(start, count, step.rights, step.shared, step.replace),
      ];
    }
    if (step.call === 'munmap')
      return [doMunmap(this.mm, start, count), this.model.munmap(start, count)];
    if (step.call === 'mprotect') {
      return [
        doMprotect(this.mm, start, count, step.rights),
        this.model.mprotect(start, count, step.rights),
      ];
    }
    if (step.call === 'write') {
      let result: [number, number] = [0, 0];
      for (let i = 0; i < step.units; i++) {
        result = [
          userFault(this.mm, start + i * UNIT + i, 1),
          this.model.write(start + i * UNIT + i),
        ];
        if (result[0] !== result[1]) return result;
      }
      return result;
    }
    const to = this.base + step.to * UNIT;
    const newCount = Math.max(1, step.units + step.grow) * UNIT;
    // With another length the kept part must be inside one VMA; where VMAs end is not the model's business.
    const vma = vmaLookup(this.mm, start);
    const kept = Math.min(count, newCount);
    if (count !== newCount && vma !== 0 && this.word(vma + layout.VMA_END) - start < kept) {
      const overlap = start + count > to && to + newCount > start;
      return [
        doMremap(this.mm, start, count, to, newCount, MREMAP_FIXED | MREMAP_MAYMOVE),
        overlap ? EINVAL : EFAULT,
      ];
    }
    return [
      doMremap(this.mm, start, count, to, newCount, MREMAP_FIXED | MREMAP_MAYMOVE),
      this.model.mremap(start, count, to, newCount),
    ];
  }

  entry(vpn: number): number {
    const pmd = pmdFind(this.mm, vpn);
    if (pmd === 0 || this.word(pmd) === 0) return 0;
    return this.word(pteOffset(this.word(pmd), vpn));
  }

  /** Compares every page; `frames` maps data to the frame that held it last time. */
  compare(frames: Map<number, number>): void {
    expect(vmaAudit(this.mm)).toBe(0);
    expect(violations(this.words)).toEqual([]);
    const objects = new Map<number, number>();
    const last = this.base + (UNITS + 12) * UNIT;
    for (let vpn = this.base; vpn < last; vpn++) {
      const fault = this.difference(vpn, frames, objects);
      if (fault !== '') expect.fail(`page ${vpn - this.base}: ${fault}`);
    }
  }

  /** What is wrong with a page, '' when nothing is. */
  private difference(
    vpn: number,
    frames: Map<number, number>,
    objects: Map<number, number>,
  ): string {
    const page = this.model.pages.get(vpn);
    const vma = vmaLookup(this.mm, vpn);
    const entry = this.entry(vpn);
    if ((vma !== 0) !== (page !== undefined)) return `mapped: ${vma !== 0}`;
    if (page === undefined) return entry === 0 ? '' : 'an entry without a mapping';
    if ((this.word(vma + layout.VMA_FLAGS) & 7) !== page.rights) return 'rights of the VMA';
    const inode = this.word(vma + layout.VMA_INODE);
    if ((inode !== 0) !== (page.object !== 0)) return `object: ${inode}`;
    if (page.object !== 0) {
      const index = this.word(vma + layout.VMA_PGOFF) + vpn - this.word(vma + layout.VMA_START);
      if (index !== page.index) return `page ${index} of its object, not ${page.index}`;
      if ((objects.get(page.object) ?? inode) !== inode) return 'another object';
      objects.set(page.object, inode);
      return '';
    }
    if (page.data === 0) return entry === 0 ? '' : 'an entry without data';
    if ((entry & 1) === 0) return 'data lost';
    if ((frames.get(page.data) ?? entry >>> 8) !== entry >>> 8) return 'other data';
    frames.set(page.data, entry >>> 8);
    if ((entry & 2) !== 0 && (page.rights & 2) === 0) return 'writable';
    return ((entry & 32) !== 0) === (page.rights !== 0) ? '' : 'accessible';
  }

  /** Everything is given back at the end. */
  finish(): void {
    mmDestroy(this.mm);
    rcuQuiescentState();
    rcuBarrier();
    expect(violations(this.words)).toEqual([]);
    expect(this.word(this.mm + layout.MM_TABLES)).toBe(0);
    expect(this.word(layout.G_TABLES_HELD)).toBe(0);
  }
}

describe.each([
  ['in one PMD table', 512 * 4],
  ['across a PUD entry', 512 * 512 - 512 * 3],
])('pages, %s', (_, base) => {
  test('each keeps its rights, object and data', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 40 }), (steps) => {
        const machine = new Machine(base);
        const frames = new Map<number, number>();
        for (const [i, one] of steps.entries()) {
          const [got, wanted] = machine.run(one);
          expect([i, one.call, got]).toEqual([i, one.call, wanted]);
          machine.compare(frames);
        }
        machine.finish();
      }),
      { numRuns: 40 },
    );
  });
});
