/**
 * Folios of several frames: references are on the head, map counts on each page and on the folio, and freeing gives one
 * block back.
 */
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { F_ANON, F_TAIL } from '../../src/kernel/alloc/folio.ts';
import * as layout from '../../src/kernel/word/layout.ts';
import { ENTIRELY_MAPPED } from '../../src/kernel/space/mapcount.ts';
import { EXECUTIONS } from '../../src/machine/options.ts';
import { MachineHere } from '../conformance/machineHere.ts';

const ORDER = 4;
const PAGES = 2 ** ORDER;

describe.each(EXECUTIONS)('a folio of 16 frames, %s', (execution) => {
  let m: MachineHere;
  let head = 0;
  const word = (offset: number, frame = head): number => m.at(m.folio(frame) + offset);
  const counts = (): number[] => [
    word(layout.LARGE_MAPCOUNT),
    word(layout.LARGE_ENTIRE_MAPCOUNT),
    word(layout.LARGE_PAGES_MAPPED),
  ];

  beforeAll(async () => {
    m = await MachineHere.make({ execution });
  });
  beforeEach(() => {
    m.reset();
    head = m.kernel.frameAlloc!(ORDER, F_ANON);
  });

  it('has its references on the first frame, whichever frame is named', () => {
    expect(head % PAGES).toBe(0);
    for (let i = 0; i < PAGES; i++) expect(m.kernel.folioHead!(head + i)).toBe(head);
    expect(word(layout.F_FLAGS)).toBe(F_ANON | ORDER);
    expect(word(layout.F_FLAGS, head + 1) & F_TAIL).toBe(F_TAIL);
    m.kernel.folioGet!(head + 5);
    expect(m.kernel.folioTryGet!(head + 15)).toBeTruthy();
    expect([word(layout.F_REF), word(layout.F_REF, head + 5)]).toEqual([3, 0]);
    m.kernel.folioPut!(head + 15);
    m.kernel.folioPut!(head + 1);
    expect(word(layout.F_REF)).toBe(1);
    m.kernel.folioPut!(head);
    m.balanced();
  });

  it('gives nothing to who comes too late', () => {
    m.kernel.folioPut!(head + 3);
    for (let i = 0; i < PAGES; i++) expect(m.kernel.folioTryGet!(head + i)).toBeFalsy();
    expect(m.kernel.folioHead!(head + 3)).toBe(head + 3);
    m.balanced();
  });

  it('is one block again when it is freed', () => {
    const single = m.kernel.frameAlloc!(0, F_ANON);
    m.kernel.folioPut!(head + 7);
    m.kernel.folioPut!(single);
    m.settle();
    expect(m.kernel.frameAlloc!(9, F_ANON) % 512).toBe(0);
    expect(m.violations()).toEqual([]);
  });

  it('counts pages and entries, whole and in parts', () => {
    m.kernel.rmapAddPtes!(head, PAGES);
    expect(counts()).toEqual([PAGES, 0, PAGES]);
    m.kernel.rmapAddPtes!(head + 3, 2);
    expect(counts()).toEqual([PAGES + 2, 0, PAGES]);
    expect(word(layout.F_MAP, head + 3)).toBe(2);
    m.kernel.rmapRemovePtes!(head, 4);
    expect(counts()).toEqual([PAGES - 2, 0, PAGES - 3]);
    m.kernel.rmapAddPmd!(head);
    expect(counts()).toEqual([PAGES - 1, 1, PAGES - 3 + ENTIRELY_MAPPED]);
    expect(m.kernel.folioMapCount!(head)).toBe(PAGES - 1);
    m.kernel.rmapRemovePtes!(head + 3, 2);
    m.kernel.rmapRemovePtes!(head + 4, PAGES - 4);
    m.kernel.rmapRemovePmd!(head);
    expect(counts()).toEqual([0, 0, 0]);
    m.kernel.folioPut!(head);
    m.balanced();
  });

  it('is not freed while a page of it is mapped, nor counted below zero', () => {
    m.kernel.rmapAddPtes!(head + 2, 1);
    m.kernel.folioPut!(head);
    const oracles = new Set(m.violations().map((one) => one.oracle));
    expect(oracles).toContain('frame-use-after-free');
    expect(oracles).toContain('accounting');
    m.reset();
    head = m.kernel.frameAlloc!(ORDER, F_ANON);
    m.kernel.rmapRemovePtes!(head + 2, 1);
    expect(m.violations()[0]?.oracle).toBe('accounting');
  });
});
