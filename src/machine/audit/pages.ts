/** Single entries of PTE tables: what they map, and whether they may. */
import { RSS_ANON, RSS_FILE, RSS_SHMEM, RSS_SWAP, VM_READ, VM_WRITE } from '../../kernel/abi.ts';
import * as entry from '../../kernel/abi.ts';
import * as frame from '../../kernel/abi.ts';
import * as layout from '../../kernel/abi.ts';
import { hex, type Ledger } from './ledger.ts';
import type { Vma } from './vmas.ts';

/** The address space being audited, and what of it has been found so far. */
export interface Space {
  /** Address of its mm. */
  mm: number;
  id: number;
  /** Its VMAs, lowest first. */
  vmas: readonly Vma[];
  /** Tables found, by LEVEL_. */
  tablesByLevel: number[];
  /** Pages found, by RSS_ kind. */
  rss: Map<number, number>;
}

/** Counts `pages` more of `kind`. */
export function increment({ rss }: Space, kind: number, pages = 1): void {
  rss.set(kind, (rss.get(kind) ?? 0) + pages);
}

/** Audits the rights that the present entry `word`, at address `at`, gives to what findings call `page`. */
export function auditRights(
  ledger: Ledger,
  page: string,
  at: number,
  word: number,
  vma: Vma,
): void {
  if ((word & entry.PTE_WRITE) !== 0 && (vma.flags & VM_WRITE) === 0)
    ledger.find('stale-translation', at, `${page}: entry ${hex(word)} is writable, its VMA is not`);
  if ((word & entry.PTE_USER) !== 0 && (vma.flags & (VM_READ | VM_WRITE)) === 0)
    ledger.find(
      'stale-translation',
      at,
      `${page}: entry ${hex(word)} is accessible, its VMA is not`,
    );
}

/** Audits the present entry `word`, at address `at`, of page `vpn` in the table that findings call `name`. */
export function auditPage(
  ledger: Ledger,
  space: Space,
  name: string,
  at: number,
  vpn: number,
  word: number,
  vma: Vma,
): void {
  ledger.mappedPages++;
  const page = `${name}: page ${hex(vpn)}`;
  auditRights(ledger, page, at, word, vma);
  const number = word >>> 8;
  if ((word & entry.PTE_SPECIAL) !== 0) {
    if (number !== frame.ZERO_FRAME)
      ledger.find('accounting', at, `${page}: special entry ${hex(word)} is not the zero page`);
    return;
  }
  if (number <= frame.ZERO_FRAME || number >= ledger.mapCounts.length) {
    ledger.find('frame-use-after-free', at, `${page}: entry ${hex(word)} names no frame`);
    return;
  }
  ledger.mapCounts[number]!++;
  const head = ledger.head(number);
  const folio = ledger.folio(head);
  const flags = ledger.at(folio + layout.F_FLAGS);
  if ((ledger.at(folio + layout.F_GEN) & 1) === 0 || ledger.at(folio + layout.F_REF) === 0) {
    ledger.find('frame-use-after-free', at, `${page}: maps frame ${number}, which is free`);
    return;
  }
  const owner = ledger.at(folio + layout.F_OWNER);
  const index = (vma.pgoff + (vpn - vma.start) - (number - head)) >>> 0;
  if ((flags & frame.F_ANON) !== 0) {
    increment(space, RSS_ANON);
    if (!vma.anonVmas.has(owner))
      ledger.find(
        'accounting',
        folio + layout.F_OWNER,
        `${page}: its anonymous frame ${number} is of anon_vma ${hex(owner)}, in whose list the VMA is not`,
      );
    ledger.equal(
      folio + layout.F_INDEX,
      `${page}: place of its anonymous frame ${number}`,
      ledger.at(folio + layout.F_INDEX),
      index,
    );
    const pageFlags = ledger.at(ledger.folio(number) + layout.F_FLAGS);
    if ((word & entry.PTE_WRITE) !== 0 && (pageFlags & frame.F_EXCLUSIVE) === 0)
      ledger.find('accounting', at, `${page}: writable, and its frame ${number} is not exclusive`);
    return;
  }
  increment(space, (flags & frame.F_SHMEM) !== 0 ? RSS_SHMEM : RSS_FILE);
  ledger.equal(folio + layout.F_OWNER, `${page}: owner of its frame ${number}`, owner, vma.inode);
  ledger.equal(
    folio + layout.F_INDEX,
    `${page}: place in the file of frame ${number}`,
    ledger.at(folio + layout.F_INDEX),
    index,
  );
  if (index >= ledger.at(vma.inode + layout.INODE_PAGES))
    ledger.find('accounting', at, `${page}: page ${index} of its inode, which is shorter`);
}

/** Audits an entry that is neither none nor present. */
export function auditNonpresent(
  ledger: Ledger,
  space: Space,
  name: string,
  at: number,
  vpn: number,
  word: number,
): void {
  const kind = word & entry.ENTRY_KIND;
  const number = word >>> 8;
  if (kind === entry.ENTRY_SWAP && number > 0 && number < ledger.swapRefs.length) {
    ledger.swapRefs[number]!++;
    increment(space, RSS_SWAP);
  } else if (kind !== entry.ENTRY_MARKER) {
    ledger.find(
      'accounting',
      at,
      `${name}: page ${hex(vpn)} has entry ${hex(word)}, which no idle machine has`,
    );
  }
}
