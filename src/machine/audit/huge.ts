/** Huge PMDs: what they map, whether they may, and the tables deposited for them. */
import {
  PMD_PAGES,
  RSS_ANON,
  RSS_FILE,
  RSS_SHMEM,
  TABLE_BYTES,
  TABLE_ENTRIES,
} from '../../kernel/abi.ts';
import * as entry from '../../kernel/abi.ts';
import * as frame from '../../kernel/abi.ts';
import * as layout from '../../kernel/abi.ts';
import * as table from '../../kernel/abi.ts';
import { hex, type Ledger } from './ledger.ts';
import { auditRights, increment, type Space } from './pages.ts';

/**
 * Audits the huge PMD entry `word`, at address `at`, of the span that starts at page `first`, in the table that
 * findings call `name`. Returns whether a table is deposited for it.
 */
export function auditHuge(
  ledger: Ledger,
  space: Space,
  name: string,
  at: number,
  first: number,
  word: number,
): boolean {
  const span = `${name}: huge PMD at page ${hex(first)}`;
  const special = (word & entry.PTE_SPECIAL) !== 0;
  ledger.mappedPages += PMD_PAGES;
  const vma = space.vmas.find(({ start, end }) => start <= first && first + PMD_PAGES <= end);
  if (!entry.entryPresent(word))
    ledger.find('bad-upper-entry', at, `${span}: entry ${hex(word)} is not present`);
  if (vma === undefined)
    ledger.find('accounting', at, `${span}: entry ${hex(word)} does not lie in one VMA`);
  else auditRights(ledger, span, at, word, vma);
  const head = word >>> 8;
  if (special) {
    if (head !== frame.ZERO_FRAME)
      ledger.find('accounting', at, `${span}: special entry ${hex(word)} is not the zero page`);
    return true;
  }
  if (head <= frame.ZERO_FRAME || head >= ledger.mapCounts.length) {
    ledger.find('frame-use-after-free', at, `${span}: entry ${hex(word)} names no frame`);
    return false;
  }
  ledger.hugeMaps.set(head, (ledger.hugeMaps.get(head) ?? 0) + 1);
  const folio = ledger.folio(head);
  const flags = ledger.at(folio + layout.F_FLAGS);
  if ((ledger.at(folio + layout.F_GEN) & 1) === 0 || ledger.at(folio + layout.F_REF) === 0)
    ledger.find('frame-use-after-free', at, `${span}: maps frame ${head}, which is free`);
  const anon = (flags & frame.F_ANON) !== 0;
  if (ledger.head(head) !== head || 2 ** (flags & frame.F_ORDER) !== PMD_PAGES)
    ledger.find(
      'accounting',
      at,
      `${span}: frame ${head} is not the first of a folio of ${PMD_PAGES}`,
    );
  const kind = anon ? RSS_ANON : (flags & frame.F_SHMEM) !== 0 ? RSS_SHMEM : RSS_FILE;
  increment(space, kind, PMD_PAGES);
  if (anon && (word & entry.PTE_WRITE) !== 0 && (flags & frame.F_EXCLUSIVE) === 0)
    ledger.find('accounting', at, `${span}: writable, and its folio ${head} is not exclusive`);
  if (!anon && vma !== undefined) {
    const index = (vma.pgoff + (first - vma.start)) >>> 0;
    const what = `${span}: folio ${head}:`;
    ledger.equal(
      folio + layout.F_OWNER,
      `${what} its owner`,
      ledger.at(folio + layout.F_OWNER),
      vma.inode,
    );
    ledger.equal(
      folio + layout.F_INDEX,
      `${what} its place in the file`,
      ledger.at(folio + layout.F_INDEX),
      index,
    );
  }
  return anon;
}

/**
 * Audits the tables deposited with PMD table `number`, which findings call `name`: `expected` of them, each empty and
 * reached by nothing else.
 */
export function auditDeposits(
  ledger: Ledger,
  space: Space,
  number: number,
  name: string,
  expected: number,
): void {
  const list = ledger.ptdesc(number) + layout.PT_NEXT;
  let found = 0;
  for (let at = ledger.at(list); at !== 0; at = ledger.at(ledger.ptdesc(at) + layout.PT_NEXT)) {
    const what = `table ${at}, deposited with ${name}`;
    if (at >= ledger.at(layout.G_TABLE_BUMP) || ledger.tables.has(at)) {
      ledger.find('bad-upper-entry', list, `${what}: does not exist, or is in use elsewhere`);
      return;
    }
    ledger.tables.set(at, what);
    found++;
    space.tablesByLevel[table.LEVEL_PTE]!++;
    const desc = ledger.ptdesc(at);
    const state = ledger.at(desc + layout.PT_STATE);
    if (state !== ((table.LEVEL_PTE << 8) | table.PT_DEPOSITED))
      ledger.find('bad-upper-entry', desc, `${what}: its state is ${hex(state)}`);
    for (let i = 0; i < TABLE_ENTRIES; i++) {
      const word = ledger.at(layout.TABLES + at * TABLE_BYTES + i * 4);
      if (word === 0) continue;
      ledger.find('lost-entry', desc, `${what}: entry ${i} is ${hex(word)}`);
      break;
    }
  }
  ledger.equal(list, `${name}: tables deposited`, found, expected);
}
