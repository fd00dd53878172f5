import type { AddressSpaceHandle } from './cpu.ts';
import { readSpace, type SpaceStatistics } from './statistics.ts';

/** An address space of a machine. */
export class AddressSpace implements AddressSpaceHandle {
  /** Address of its mm in the shared memory. */
  readonly handle: number;
  readonly #words: Uint32Array;

  constructor(handle: number, words: Uint32Array) {
    this.handle = handle;
    this.#words = words;
  }

  /** Its page tables and mapped pages now. */
  statistics(): SpaceStatistics {
    return readSpace(this.#words, this.handle);
  }

  /** Page-table memory as Linux counts it: 4 KiB for every PTE, PMD and PUD table. */
  get vmpteKb(): number {
    return this.statistics().vmpteKb;
  }

  /** Mapped anonymous pages; the zero page is not one. */
  get anonPages(): number {
    return this.statistics().anonPages;
  }
}
