/** The reclaim protocols as users choose them: name, code in the kernel, one line, and what each cannot be combined with. */
import {
  PROTOCOL_ASYNC,
  PROTOCOL_MMAP_WRITE,
  PROTOCOL_NONE,
  PROTOCOL_PT_RWSEM,
  PROTOCOL_PTE_REFCOUNT,
  PROTOCOL_SYNC,
} from '../kernel/abi.ts';
import type { ResolvedOtherOptions } from './otherOptions.ts';

/** A combination that does not work with a protocol. */
export interface ProtocolRefusal {
  /** The option that the error names. */
  option: keyof ResolvedOtherOptions;
  /** What the protocol has to do with it, and what is allowed instead. */
  reason: string;
  /** Asked of machines with the protocol. */
  when(options: ResolvedOtherOptions): boolean;
}

export interface ProtocolEntry {
  /** PROTOCOL_ in `src/kernel/word/config.ts`. */
  code: number;
  /** One line for `ptlab list`. */
  summary: string;
  refusals?: readonly ProtocolRefusal[];
}

/** In the order of lists; `src/kernel/tables/hooks.ts` has what each does. */
export const PROTOCOL_LIST = {
  none: {
    code: PROTOCOL_NONE,
    summary: 'empty tables stay until munmap or exit, as in Linux before 6.14',
  },
  sync: {
    code: PROTOCOL_SYNC,
    summary: 'madvise(MADV_DONTNEED) frees the tables that it empties, as Linux since 6.14',
  },
  async: {
    code: PROTOCOL_ASYNC,
    summary:
      'a background CPU frees tables that became empty, however they did, some time later; upper tables and those of the zero page, too',
  },
  'pte-refcount': {
    code: PROTOCOL_PTE_REFCOUNT,
    summary:
      'each PTE table counts its entries and visitors; whoever drops the last count frees it (v3, November 2021)',
  },
  'pt-rwsem': {
    code: PROTOCOL_PT_RWSEM,
    summary:
      'a second reader-writer lock per address space: walks take it for read; its writer frees empty tables of every level',
  },
  'mmap-write': {
    code: PROTOCOL_MMAP_WRITE,
    summary:
      'looks for empty tables under mmap_lock for read, frees them under mmap_lock for write',
  },
} as const satisfies Readonly<Record<string, ProtocolEntry>>;

export type Protocol = keyof typeof PROTOCOL_LIST;
export const PROTOCOLS = Object.keys(PROTOCOL_LIST) as Protocol[];
/** Codes by name. */
export const PROTOCOL_CODES = Object.fromEntries(
  Object.entries(PROTOCOL_LIST).map(([name, { code }]) => [name, code]),
) as Readonly<Record<Protocol, number>>;
