/** VMAs of an address space: their list, their skip list. */
import { TASK_END, VMA_LEVELS } from '../../kernel/abi.ts';
import * as layout from '../../kernel/abi.ts';
import { hex, type Ledger } from './ledger.ts';
import { auditChains } from './rmap.ts';

/** One VMA, in page numbers. */
export interface Vma {
  address: number;
  start: number;
  end: number;
  flags: number;
  pgoff: number;
  inode: number;
  /** anon_vmas in whose lists it is. */
  anonVmas: ReadonlySet<number>;
}

/** Audits the VMAs of the address space at `mm`; gives them, lowest first. */
export function auditVmas(ledger: Ledger, mm: number, id: number): Vma[] {
  const list: Vma[] = [];
  const base = ledger.at(layout.H_VMA_BASE);
  const limit = base + (ledger.at(layout.H_VMAS) << layout.VMA_SHIFT);
  let end = 0;
  for (let at = ledger.at(mm + layout.MM_VMA_HEAD); at !== 0;) {
    const name = `address space ${id}: VMA ${hex(at)}`;
    if (
      at < base ||
      at >= limit ||
      (at - base) % (1 << layout.VMA_SHIFT) !== 0 ||
      ledger.vmas.has(at)
    ) {
      ledger.find('accounting', at, `${name}: link to no VMA, or to one that is in a list already`);
      break;
    }
    ledger.vmas.add(at);
    const vma = {
      address: at,
      start: ledger.at(at + layout.VMA_START),
      end: ledger.at(at + layout.VMA_END),
      flags: ledger.at(at + layout.VMA_FLAGS),
      pgoff: ledger.at(at + layout.VMA_PGOFF),
      inode: ledger.at(at + layout.VMA_INODE),
      anonVmas: auditChains(ledger, at, name),
    };
    if (vma.start < end || vma.end <= vma.start || vma.end > TASK_END)
      ledger.find(
        'accounting',
        at,
        `${name}: range ${hex(vma.start)}-${hex(vma.end)} is empty, or not behind ${hex(end)}`,
      );
    end = vma.end;
    ledger.equal(
      at + layout.VMA_MM,
      `${name}: its address space`,
      ledger.at(at + layout.VMA_MM),
      mm,
    );
    ledger.equal(
      at + layout.VMA_GEN,
      `${name}: parity of its generation`,
      ledger.at(at + layout.VMA_GEN) & 1,
      1,
    );
    ledger.equal(
      at + layout.VMA_REF,
      `${name}: its readers and attachment`,
      ledger.at(at + layout.VMA_REF),
      1,
    );
    if (vma.inode !== 0)
      ledger.inodeRefs.set(vma.inode, (ledger.inodeRefs.get(vma.inode) ?? 0) + 1);
    list.push(vma);
    at = ledger.at(at + layout.VMA_NEXT);
  }
  ledger.vmaCount += list.length;
  const counted = ledger.at(mm + layout.MM_MAP_COUNT);
  ledger.equal(mm + layout.MM_MAP_COUNT, `address space ${id}: VMAs`, counted, list.length);
  auditSkipList(ledger, mm, id, list);
  return list;
}

/** Every level of the skip list names VMAs of `list`, in its order. */
function auditSkipList(ledger: Ledger, mm: number, id: number, list: Vma[]): void {
  const place = new Map(list.map((vma, index) => [vma.address, index]));
  for (let level = 1; level < VMA_LEVELS; level++) {
    let last = -1;
    for (let at = ledger.at(mm + layout.MM_VMA_HEAD + level * 4); at !== 0;) {
      const index = place.get(at);
      if (index === undefined || index <= last) {
        ledger.find(
          'accounting',
          at,
          `address space ${id}: VMA ${hex(at)} is out of place on level ${level}`,
        );
        break;
      }
      last = index;
      at = ledger.at(at + layout.VMA_NEXT + level * 4);
    }
  }
}
