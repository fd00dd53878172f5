/** What the parts of an audit share: the memory, what they have counted for one another, and the findings. */
import * as layout from '../../kernel/abi.ts';
import type { OracleName } from '../oracles.ts';

/** One thing that does not balance. */
export interface AuditFinding {
  oracle: OracleName;
  /** What is wrong, with addresses, numbers, and what was expected. */
  message: string;
  /** Address in the shared memory of the word or structure concerned. */
  address: number;
}

const FINDINGS_MAX = 100;
/** Names of table levels, by LEVEL_ code. */
export const LEVEL_NAMES = ['?', 'PTE', 'PMD', 'PUD', 'PGD', 'batch'];
export const hex = (value: number): string => `0x${(value >>> 0).toString(16)}`;

/** One audit under way. */
export class Ledger {
  readonly words: Uint32Array;
  /** CHECK of the kernel: 0 off, 1 fast, 2 full. */
  readonly check: number;
  /** At most FINDINGS_MAX; `findingsTotal` counts all. */
  readonly findings: AuditFinding[] = [];
  findingsTotal = 0;
  addressSpaces = 0;
  vmaCount = 0;
  /** Present entries of PTE tables. */
  mappedPages = 0;
  /** Tables that address spaces reach, and how findings name them. */
  readonly tables = new Map<number, string>();
  /** Addresses of the VMAs in lists of address spaces. */
  readonly vmas = new Set<number>();
  /** PTEs that map each frame. */
  readonly mapCounts: Uint32Array;
  /** Huge PMDs that map a folio, by its first frame. */
  readonly hugeMaps = new Map<number, number>();
  /** Entries that name each swap slot. */
  readonly swapRefs: Uint32Array;
  /** VMAs that map each inode. */
  readonly inodeRefs = new Map<number, number>();
  /** anon_vma_chains of VMAs, and the anon_vma of each. */
  readonly chains = new Map<number, number>();
  /** VMAs whose own anon_vma each is. */
  readonly activeVmas = new Map<number, number>();
  /** Frames in the page cache. */
  readonly cached = new Set<number>();

  constructor(words: Uint32Array, check: number) {
    this.words = words;
    this.check = check;
    this.mapCounts = new Uint32Array(this.at(layout.H_FRAMES));
    this.swapRefs = new Uint32Array(this.at(layout.H_SWAP_SLOTS) + 1);
  }

  /** The word at `address`. */
  at(address: number): number {
    return this.words[address >>> 2]!;
  }

  find(oracle: OracleName, address: number, message: string): void {
    this.findingsTotal++;
    if (this.findings.length < FINDINGS_MAX) this.findings.push({ oracle, message, address });
  }

  /** A finding of `accounting` at `address` unless both numbers are equal. */
  equal(address: number, what: string, found: number, expected: number): void {
    if (found !== expected)
      this.find('accounting', address, `${what} is ${found}, expected ${expected}`);
  }

  /** Address of a table's descriptor. */
  ptdesc(number: number): number {
    return this.at(layout.H_PTDESCS) + (number << layout.PTDESC_SHIFT);
  }

  /** Address of a frame's descriptor. */
  folio(number: number): number {
    return this.at(layout.H_FOLIOS) + (number << layout.FOLIO_SHIFT);
  }

  /** First frame of the folio that a frame belongs to. */
  head(number: number): number {
    return this.at(this.folio(number) + layout.F_HEAD) || number;
  }
}
