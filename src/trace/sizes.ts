/** How large a machine must be to replay a list of operations. */
import { MADV_POPULATE_READ, MADV_POPULATE_WRITE, PAGE_BYTES } from '../kernel/abi.ts';
import {
  CALL_FAULT,
  CALL_MADVISE,
  CALL_MMAP,
  CALL_MREMAP,
  CALL_TOUCH,
  FILE_RADIX,
  MAP_POPULATE,
  MAP_SHARED,
  OP_FIELDS,
} from './operation.ts';
import type { OperationList } from './operation.ts';

const TABLE_SPAN_BYTES = 2 ** 21;
const SPANS = 2 ** 44 / TABLE_SPAN_BYTES;
const PGD_ENTRIES = 32;
/** More do not fit into a machine beside the other sizes. */
const TABLES_MAX = 1_600_000;
export const FRAMES_MAX = 2 ** 24;

export interface ReplaySizes {
  /** Page tables in use at once, at most. */
  tables: number;
  /** Frames in use at once, at most; pages touched again after they were dropped are counted again. */
  frames: number;
  vmas: number;
  inodes: number;
}

/** Sizes of a machine for a replay. */
type ReplayMachine = ReplaySizes & {
  anonVmas: number;
  anonVmaChains: number;
  addressSpaces: number;
};

/**
 * Upper bounds for a list, from the ranges of its operations alone: each of its processes may have all that they all
 * have.
 */
export function replaySizes(list: OperationList): ReplaySizes {
  const { operations, count, processes = 1 } = list;
  const touched = new Uint8Array(SPANS);
  const files = new Set<number>();
  let frames = 0;
  let vmas = 0;
  let inodes = 0;
  const touch = (address: number, length: number, stride: number): void => {
    if (!(length > 0) || address >= 2 ** 44) return;
    const end = Math.min(address + length, 2 ** 44);
    frames += Math.ceil((end - address) / stride);
    if (stride <= TABLE_SPAN_BYTES) {
      const first = Math.floor(address / TABLE_SPAN_BYTES);
      touched.fill(1, first, Math.floor((end - 1) / TABLE_SPAN_BYTES) + 1);
      return;
    }
    for (let at = address; at < end; at += stride) touched[Math.floor(at / TABLE_SPAN_BYTES)] = 1;
  };
  for (let at = 0; at < count * OP_FIELDS; at += OP_FIELDS) {
    const address = operations[at + 2]!;
    const length = operations[at + 3]!;
    const arg2 = operations[at + 4]!;
    const arg3 = operations[at + 5]!;
    switch (operations[at]) {
      case CALL_FAULT:
        touch(address, 1, PAGE_BYTES);
        vmas += 1;
        break;
      case CALL_TOUCH:
        touch(address, length, Math.max(PAGE_BYTES, arg3));
        break;
      case CALL_MADVISE:
        vmas += 2;
        if (arg2 === MADV_POPULATE_READ || arg2 === MADV_POPULATE_WRITE) {
          touch(address, length, PAGE_BYTES);
        }
        break;
      case CALL_MMAP: {
        vmas += 3;
        const file = operations[at + 6]! % FILE_RADIX;
        if (file !== 0) files.add(file);
        else if (arg3 & MAP_SHARED) inodes++;
        if (arg3 & MAP_POPULATE) touch(address, length, PAGE_BYTES);
        break;
      }
      case CALL_MREMAP:
        vmas += 3;
        touch(arg2, Math.min(length, arg3), TABLE_SPAN_BYTES);
        break;
      default:
        vmas += 2;
    }
  }
  const tables = touched.reduce((sum, used) => sum + used, 0);
  return {
    tables: processes * (tables + Math.min(tables, 512 * PGD_ENTRIES) + PGD_ENTRIES + 1),
    frames,
    vmas: processes * vmas,
    inodes: inodes + files.size,
  };
}

/** The same for a machine, with room to spare, and never below its defaults. */
export function replayMachine(list: OperationList): ReplayMachine {
  const sizes = replaySizes(list);
  return {
    tables: Math.min(TABLES_MAX, Math.max(65_536, sizes.tables + 4096)),
    frames: Math.min(FRAMES_MAX, Math.max(1_048_576, sizes.frames + 4096)),
    vmas: Math.min(TABLES_MAX, Math.max(65_536, sizes.vmas + 4096)),
    anonVmas: Math.min(TABLES_MAX, Math.max(65_536, sizes.vmas + 4096)),
    anonVmaChains: Math.min(TABLES_MAX, 2 * Math.max(65_536, sizes.vmas + 4096)),
    inodes: Math.min(65_535, sizes.inodes + 16),
    addressSpaces: Math.max(16, list.processes ?? 1),
  };
}
