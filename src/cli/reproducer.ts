/** The loop of the cover letter of "synchronously scan and reclaim empty user PTE pages", as a list of operations. */
import { MADV_DONTNEED, PAGE_BYTES } from '../kernel/abi.ts';
import {
  CALL_MADVISE,
  CALL_MMAP,
  CALL_TOUCH,
  OperationWriter,
  PROT_READ,
  PROT_WRITE,
} from '../trace/operation.ts';
import type { OperationList } from '../trace/operation.ts';

const GIB = 2 ** 30;
const PIECE_BYTES = 2 ** 21;

/** Maps `gib` GiB; then for each 2 MiB touches every page of it and drops them with MADV_DONTNEED. */
export function reproducer(gib: number): OperationList {
  const bytes = gib * GIB;
  const writer = new OperationWriter(1 + (2 * bytes) / PIECE_BYTES);
  writer.push(CALL_MMAP, 0, GIB, bytes, PROT_READ | PROT_WRITE, 0, 0, 0);
  for (let at = GIB; at < GIB + bytes; at += PIECE_BYTES) {
    writer.push(CALL_TOUCH, 0, at, PIECE_BYTES, 1, PAGE_BYTES, 0, 0);
    writer.push(CALL_MADVISE, 0, at, PIECE_BYTES, MADV_DONTNEED, 0, 0, 0);
  }
  return { operations: writer.finish(), count: writer.count, cpus: 1 };
}
