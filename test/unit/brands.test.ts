/**
 * The kernel's kinds of numbers (portable.d.ts): tsc refuses one for another; AssemblyScript and the package's users
 * see plain numbers.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { brands, plainDeclaration, wasmSources } from '../../src/foundry/sources.ts';
import type { folioOf, folioOrder } from '../../src/kernel/alloc/folio.ts';
import type { findVma, vmaNext } from '../../src/kernel/space/vma.ts';
import type {
  pgdOffset,
  pmdOffset,
  pmdUnlock,
  pudOffset,
} from '../../src/kernel/tables/offsets.ts';
import type { pmdFind } from '../../src/kernel/tables/walk.ts';
import type { load, store } from '../../src/kernel/word/word.ts';

const KERNEL = fileURLToPath(new URL('../../src/kernel/', import.meta.url));
const NAMES = brands(KERNEL);

/**
 * For tsc, which fails if a line does not have the error that it is said to have; never called.
 */
export function refused(
  mm: Mm,
  vma: Vma,
  pmd: Pmd,
  frame: Frame,
  head: Head,
  vpn: Vpn,
  calls: {
    findVma: typeof findVma;
    vmaNext: typeof vmaNext;
    pgdOffset: typeof pgdOffset;
    pudOffset: typeof pudOffset;
    pmdOffset: typeof pmdOffset;
    pmdUnlock: typeof pmdUnlock;
    pmdFind: typeof pmdFind;
    folioOf: typeof folioOf;
    folioOrder: typeof folioOrder;
    load: typeof load;
    store: typeof store;
  },
): void {
  // @ts-expect-error an mm for a pmd
  calls.pmdUnlock(mm);
  // @ts-expect-error an mm for a vma
  calls.vmaNext(mm);
  // @ts-expect-error arguments that have changed places
  calls.findVma(vpn, mm);
  // @ts-expect-error what is returned is of a kind, too
  calls.vmaNext(calls.pmdFind(mm, vpn));
  // @ts-expect-error the address of an entry for its value
  calls.pmdOffset(calls.pgdOffset(mm, vpn), vpn);
  // @ts-expect-error any frame for the first of a folio
  calls.folioOrder(frame);
  // @ts-expect-error an entry is no frame
  calls.folioOf(calls.load(pmd));
  // @ts-expect-error a number of a frame, or a page, is no address
  calls.load(frame);
  // @ts-expect-error a table's entry holds no vpn
  calls.store(pmd, vpn);

  const upper: Upper = pmd;
  const any: Frame = head;
  const value: Entry = calls.load(upper);
  calls.pmdOffset(calls.load(calls.pudOffset(value, vpn)), vpn + 1);
  calls.vmaNext(calls.load(vma + 8));
  calls.folioOf(any);
  calls.findVma(4096, 17);
}

describe('kinds of numbers', () => {
  it('are u32 to AssemblyScript, in the files that use them, on no line of their own', () => {
    const { texts } = wasmSources(KERNEL);
    const file = 'zap/zap.ts';
    const [first] = texts.get(file)!.split('\n');
    expect(first).toContain('type Mm = u32; ');
    expect(first).not.toContain('type Rwsem');
    const lines = readFileSync(`${KERNEL}${file}`, 'utf8').split('\n').length;
    expect(texts.get(file)!.split('\n').length).toBe(lines);
  });

  it('are numbers in the declarations that users get', () => {
    const declared =
      '/** An Mm, as u32. */\nexport declare function f<A extends Address>(mm: Mm, address: A, seen: Pmd | u32): WordAt<A>;\n';
    expect(plainDeclaration(NAMES, declared)).toBe(
      '/** An Mm, as u32. */\nexport declare function f(mm: number, address: number, seen: number | number): number;\n',
    );
  });

  it('are found where they are declared, and only there', () => {
    expect(NAMES).toEqual(expect.arrayContaining(['Mm', 'Vma', 'Pmd', 'Pte', 'Vpn', 'Entry']));
    expect(NAMES).not.toContain('u32');
    expect(NAMES).not.toContain('WordAt');
  });
});
