/** The table tree of an address space, from its PGD to the entries of its PTE tables. */
import {
  EMPTINESS_COUNT,
  PGD_ENTRIES,
  PGD_SHIFT,
  PMD_SHIFT,
  PUD_SHIFT,
  TABLE_BYTES,
  TABLE_ENTRIES,
} from '../../kernel/abi.ts';
import * as entry from '../../kernel/abi.ts';
import * as layout from '../../kernel/abi.ts';
import * as table from '../../kernel/abi.ts';
import { aboutProtocol, PROTOCOLS } from '../protocols.ts';
import { auditDeposits, auditHuge } from './huge.ts';
import { LEVEL_NAMES, hex, type Ledger } from './ledger.ts';
import { tableLockFree } from './locks.ts';
import { auditNonpresent, auditPage, type Space } from './pages.ts';
import type { Vma } from './vmas.ts';

const SHIFTS = [0, 0, PMD_SHIFT, PUD_SHIFT, PGD_SHIFT];

/** Whether PT_COUNT of a PTE table is its entries and visitors under the protocol of this code. */
function countsVisits(protocol: number): boolean {
  return PROTOCOLS.map(aboutProtocol).some(
    ({ code, tableCount }) => code === protocol && tableCount === 'visits',
  );
}

/** Audits table `number`, named by the word at `upper`, that maps `first` and what follows, and all below it. */
export function auditTable(
  ledger: Ledger,
  space: Space,
  number: number,
  level: number,
  first: number,
  upper: number,
): void {
  const name = `${LEVEL_NAMES[level]} table ${number} of address space ${space.id} at page ${hex(first)}`;
  const desc = ledger.ptdesc(number);
  if (number === 0 || number >= ledger.at(layout.G_TABLE_BUMP)) {
    ledger.find('bad-upper-entry', upper, `${name}: no such table`);
    return;
  }
  const known = ledger.tables.get(number);
  if (known !== undefined) {
    ledger.find('bad-upper-entry', upper, `${name}: is reached a second time, first as ${known}`);
    return;
  }
  ledger.tables.set(number, name);
  space.tablesByLevel[level]!++;
  const state = ledger.at(desc + layout.PT_STATE);
  if (state !== ((level << 8) | table.PT_LIVE) || (ledger.at(desc + layout.PT_GEN) & 1) === 0)
    ledger.find(
      'bad-upper-entry',
      upper,
      `${name}: is not live at that level: state ${hex(state)}, generation ${ledger.at(desc + layout.PT_GEN)}`,
    );
  ledger.equal(
    desc + layout.PT_MM,
    `${name}: its address space`,
    ledger.at(desc + layout.PT_MM),
    space.mm,
  );
  if (level !== table.LEVEL_PGD) {
    ledger.equal(
      desc + layout.PT_FIRST,
      `${name}: first page in its descriptor`,
      ledger.at(desc + layout.PT_FIRST),
      first,
    );
    ledger.equal(
      desc + layout.PT_UPPER,
      `${name}: upper entry in its descriptor`,
      ledger.at(desc + layout.PT_UPPER),
      upper,
    );
  }
  tableLockFree(ledger, desc + layout.PT_LOCK, name);
  const address = layout.TABLES + number * TABLE_BYTES;
  const entries = level === table.LEVEL_PGD ? PGD_ENTRIES : TABLE_ENTRIES;
  const visits = level === table.LEVEL_PTE && countsVisits(ledger.at(layout.H_PROTOCOL));
  if (visits || ledger.at(layout.H_EMPTINESS) === EMPTINESS_COUNT)
    auditCount(ledger, desc, address, entries);
  if (visits && ledger.at(desc + layout.PT_COUNT) === 0)
    ledger.find('accounting', desc, `${name}: nothing counts for it, and it is linked`);
  if (level === table.LEVEL_PTE) {
    auditEntries(ledger, space, name, address, first);
    return;
  }
  let deposits = 0;
  for (let i = 0; i < entries; i++) {
    const word = ledger.at(address + i * 4);
    if (word === 0) continue;
    if (level === table.LEVEL_PMD && entry.entryHuge(word)) {
      const page = (first + i * 2 ** PMD_SHIFT) >>> 0;
      if (auditHuge(ledger, space, name, address + i * 4, page, word)) deposits++;
      continue;
    }
    if (!entry.entryNamesTable(word) || (word & 0xff) !== entry.UPPER_FLAGS) {
      ledger.find('bad-upper-entry', address + i * 4, `${name}: entry ${i} is ${hex(word)}`);
      continue;
    }
    const below = (first + i * 2 ** SHIFTS[level]!) >>> 0;
    auditTable(ledger, space, word >>> 8, level - 1, below, address + i * 4);
  }
  if (level === table.LEVEL_PMD) auditDeposits(ledger, space, number, name, deposits);
}

/** Audits the count of entries of the table at `address`, whose descriptor is at `desc`. */
function auditCount(ledger: Ledger, desc: number, address: number, entries: number): void {
  let sum = 0;
  for (let i = 0; i < entries; i++) if (ledger.at(address + i * 4) !== 0) sum++;
  const word = desc + layout.PT_COUNT;
  ledger.equal(word, `entries of the table at ${hex(address)}`, ledger.at(word), sum);
}

/** Audits the entries of the PTE table at `address`, which maps from page `first` on. */
function auditEntries(
  ledger: Ledger,
  space: Space,
  name: string,
  address: number,
  first: number,
): void {
  const { vmas } = space;
  let next = lowerBound(vmas, first);
  for (let i = 0; i < TABLE_ENTRIES; i++) {
    const word = ledger.at(address + i * 4);
    if (word === 0) continue;
    const vpn = first + i;
    while (next < vmas.length && vmas[next]!.end <= vpn) next++;
    const vma = next < vmas.length && vmas[next]!.start <= vpn ? vmas[next]! : null;
    if (vma === null) {
      ledger.find(
        'accounting',
        address + i * 4,
        `${name}: page ${hex(vpn)} has entry ${hex(word)} and lies in no VMA`,
      );
      continue;
    }
    if (entry.entryPresent(word)) auditPage(ledger, space, name, address + i * 4, vpn, word, vma);
    else auditNonpresent(ledger, space, name, address + i * 4, vpn, word);
  }
}

/** Index of the first of `vmas` that ends behind `vpn`. */
function lowerBound(vmas: readonly Vma[], vpn: number): number {
  let low = 0;
  let high = vmas.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (vmas[middle]!.end <= vpn) low = middle + 1;
    else high = middle;
  }
  return low;
}
