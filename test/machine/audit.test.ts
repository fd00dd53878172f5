import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as layout from '../../src/kernel/abi.ts';
import { audit } from '../../src/machine/audit/index.ts';
import { boot, type AddressSpace, type Machine } from '../../src/index.ts';

const GIB = 2 ** 30;
const MIB2 = 2 ** 21;
const K4 = 4096;
const FILE_PAGES = 64;

let machine: Machine;
let space: AddressSpace;
const at = (address: number): number => machine.words[address >>> 2]!;
const folio = (frame: number): number => at(layout.H_FOLIOS) + (frame << layout.FOLIO_SHIFT);
const ptdesc = (table: number): number => at(layout.H_PTDESCS) + (table << layout.PTDESC_SHIFT);

/** Address of the entry of a page at `level` (1 PTE to 4 PGD), by a walk of the test's own. */
function entryAddress(address: number, level: number): number {
  const vpn = address / K4;
  let table = at(space.handle + layout.MM_PGD);
  for (let l = 4; ; l--) {
    const index = Math.floor(vpn / 2 ** (9 * (l - 1))) % 512;
    const word = layout.TABLES + table * 2048 + index * 4;
    if (l === level) return word;
    table = at(word) >>> 8;
  }
}

const pte = (): number => entryAddress(GIB, 1);
const frame = (): number => at(pte()) >>> 8;
const pteTable = (): number => at(entryAddress(GIB, 2)) >>> 8;
const filePte = (): number => entryAddress(3 * GIB, 1);
const fileFrame = (): number => at(filePte()) >>> 8;
const firstVma = (): number => at(space.handle + layout.MM_VMA_HEAD);
/** Entry of a paged-out page. */
const swapPte = (): number => entryAddress(GIB + MIB2, 1);
const swapSlot = (): number =>
  at(layout.H_SWAP_BASE) + ((at(swapPte()) >>> 8) << layout.SWAP_SHIFT);

beforeAll(async () => {
  machine = await boot({ cpus: 2, tables: 1024, frames: 8192, vmas: 256 });
  space = await machine.createAddressSpace();
  const cpu = machine.cpu(0);
  await cpu.mmap(space, GIB, 4 * MIB2);
  await cpu.touch(space, GIB, 2 * MIB2);
  await cpu.madvise(space, GIB + MIB2, 16 * K4, 'pageout');
  await cpu.mmap(space, 2 * GIB, MIB2, { prot: 'r' });
  await cpu.touch(space, 2 * GIB, 4 * K4, 'r');
  const file = await machine.createFile(FILE_PAGES);
  await cpu.mmap(space, 3 * GIB, FILE_PAGES * K4, { file, shared: true });
  await cpu.touch(space, 3 * GIB, 8 * K4);
  await cpu.touch(space, GIB + 3 * MIB2, K4);
  await cpu.madvise(space, GIB + 3 * MIB2, MIB2, 'dontneed');
});
afterAll(() => machine.shutdown());

describe('audit', () => {
  it('finds nothing wrong with what is right', async () => {
    const report = await machine.audit();
    expect(report.findings).toEqual([]);
    expect(report).toMatchObject({ ok: true, addressSpaces: 1, vmas: 3 });
    expect(report.mappedPages).toBe(1024 - 16 + 4 + 8);
  });

  it.each<[string, () => number, (word: number) => number, string]>([
    ['an entry gone', pte, () => 0, 'accounting'],
    ['an entry that names another frame', pte, (w) => w + 256, 'accounting'],
    ['an entry that names a free frame', pte, () => (8191 << 8) | 0x2f, 'frame-use-after-free'],
    ['an entry that names no frame', pte, () => 0xffffff2f, 'frame-use-after-free'],
    [
      'an entry outside of every VMA',
      () => entryAddress(3 * GIB + FILE_PAGES * K4, 1),
      () => 0x122f,
      'accounting',
    ],
    [
      'a writable entry in a read-only VMA',
      () => entryAddress(2 * GIB, 1),
      (w) => w | 2,
      'stale-translation',
    ],
    ['a migration entry left behind', pte, () => (frame() << 8) | 4, 'accounting'],
    ['a table unlinked and not freed', () => entryAddress(GIB, 2), () => 0, 'accounting'],
    [
      'a table linked twice',
      () => entryAddress(GIB + 2 * MIB2, 2),
      () => at(entryAddress(GIB, 2)),
      'bad-upper-entry',
    ],
    [
      'a free table linked',
      () => entryAddress(GIB + 2 * MIB2, 2),
      () => (at(layout.G_TABLE_FREE) << 8) | 0x27,
      'bad-upper-entry',
    ],
    [
      'garbage in an upper entry',
      () => entryAddress(GIB + 2 * MIB2, 2),
      () => 0x5a5a5a5a,
      'bad-upper-entry',
    ],
    [
      'an upper entry past all tables',
      () => entryAddress(GIB, 3),
      () => 0xffff0027,
      'bad-upper-entry',
    ],
    [
      'a table in the wrong place',
      () => ptdesc(pteTable()) + layout.PT_FIRST,
      (w) => w + 512,
      'accounting',
    ],
    [
      'a table of another address space',
      () => ptdesc(pteTable()) + layout.PT_MM,
      (w) => w + 4096,
      'accounting',
    ],
    [
      'a table of another level',
      () => ptdesc(pteTable()) + layout.PT_STATE,
      (w) => w + 256,
      'bad-upper-entry',
    ],
    ['a table lock held', () => ptdesc(pteTable()) + layout.PT_LOCK, () => 1, 'lock-order'],
    ['a wrong count of tables', () => space.handle + layout.MM_TABLES, (w) => w - 1, 'accounting'],
    [
      'a wrong count of PMD tables',
      () => space.handle + layout.MM_TABLES_BY_LEVEL + 4,
      (w) => w + 1,
      'accounting',
    ],
    [
      'a wrong number of anonymous pages',
      () => space.handle + layout.MM_RSS + 4,
      (w) => w - 1,
      'accounting',
    ],
    ['mmap_lock held', () => space.handle + layout.MM_LOCK, () => 1, 'accounting'],
    ['a gather open', () => space.handle + layout.MM_TLB_PENDING, () => 1, 'accounting'],
    ['a wrong map count', () => folio(frame()) + layout.F_MAP, (w) => w + 1, 'accounting'],
    ['a reference too many', () => folio(frame()) + layout.F_REF, (w) => w + 1, 'accounting'],
    [
      'a frame freed while mapped',
      () => folio(frame()) + layout.F_GEN,
      (w) => w + 1,
      'frame-use-after-free',
    ],
    [
      "another's anonymous frame",
      () => folio(frame()) + layout.F_OWNER,
      (w) => w + 4096,
      'accounting',
    ],
    [
      'a page of another place in the file',
      () => folio(fileFrame()) + layout.F_INDEX,
      (w) => w + 1,
      'accounting',
    ],
    [
      'a cached page not marked',
      () => folio(fileFrame()) + layout.F_FLAGS,
      (w) => w & ~0x400,
      'accounting',
    ],
    [
      'a wrong count of cached pages',
      () => at(firstVmaWithInode() + layout.VMA_INODE) + layout.INODE_NR_CACHED,
      (w) => w + 1,
      'accounting',
    ],
    [
      'references of an inode',
      () => at(firstVmaWithInode() + layout.VMA_INODE) + layout.INODE_REF,
      () => 0,
      'accounting',
    ],
    ['a swap slot named by too few', swapSlot, (w) => w + 1, 'accounting'],
    ['a swap entry gone', swapPte, () => 0, 'accounting'],
    [
      'VMAs that overlap',
      () => firstVma() + layout.VMA_END,
      () => (2 * GIB) / K4 + 1,
      'accounting',
    ],
    ['an empty VMA', () => firstVma() + layout.VMA_END, () => GIB / K4, 'accounting'],
    ['a reader left in a VMA', () => firstVma() + layout.VMA_REF, (w) => w + 1, 'accounting'],
    [
      'a VMA taken out and not freed',
      () => space.handle + layout.MM_VMA_HEAD,
      () => at(firstVma() + layout.VMA_NEXT),
      'accounting',
    ],
    [
      'a wrong number of VMAs',
      () => space.handle + layout.MM_MAP_COUNT,
      (w) => w + 1,
      'accounting',
    ],
    ['free tables lost', () => layout.G_TABLE_FREE, () => 0, 'accounting'],
    [
      'a free table written to',
      () => layout.TABLES + at(layout.G_TABLE_FREE) * 2048 + 12,
      () => 7,
      'table-use-after-free',
    ],
    ['free frames lost', () => layout.G_FRAME_AREAS, () => 0, 'accounting'],
    ['free VMAs that loop', () => layout.G_VMA_FREE, () => firstVma(), 'accounting'],
    ['a table held back', () => layout.G_TABLES_HELD, () => 1, 'accounting'],
    ['a lock of the frames held', () => layout.G_FRAME_LOCK, () => 2, 'lock-order'],
    [
      'interrupts left disabled',
      () => layout.cpuArea(1) + layout.C_IRQ_DEPTH,
      () => 1,
      'accounting',
    ],
  ])('finds %s', (_, address, change, oracle) => {
    const index = address() >>> 2;
    const before = machine.words[index]!;
    machine.words[index] = change(before);
    expect(machine.words[index]).not.toBe(before);
    const report = audit(machine.words, 2);
    machine.words[index] = before;
    expect(report.ok).toBe(false);
    expect(report.findings.map((finding) => finding.oracle)).toContain(oracle);
    expect(report.findings[0]!.message).not.toMatch(/undefined|NaN/);
    expect(audit(machine.words, 2).findings).toEqual([]);
  });
});

function firstVmaWithInode(): number {
  let vma = firstVma();
  while (at(vma + layout.VMA_INODE) === 0) vma = at(vma + layout.VMA_NEXT);
  return vma;
}
