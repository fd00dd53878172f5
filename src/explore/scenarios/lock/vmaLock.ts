/**
 * The lock of one VMA, as the fault path `vma-lock` takes it, against mmap_lock writers that write-lock the VMA: the
 * reader adds itself and looks at the sequence a second time; the writer keeps new readers out, waits for the old, and
 * ends its locks with mmap_lock.
 *
 * From: Linux include/linux/mmap_lock.h (vma_start_read: the second look at vm_lock_seq), mm/mmap_lock.c
 * (__vma_start_write).
 * Expected: the word that the VMA's lock covers, a plain one, is never touched by two CPUs without order. Sequence
 * numbers wrap.
 */

import {
  expect,
  lockVmaUnderRcu,
  mmapWriteLock,
  mmapWriteUnlock,
  newSpace,
  peek,
  poke,
  scratchWord,
  vmaReadUnlock,
} from '../../portable/scenarioApi.ts';
import { vmaLookup } from '../../../kernel/space/vma.ts';
import { vmaStartWrite } from '../../../kernel/space/vmaLock.ts';

export const about = {
  summary: 'a reader of a VMA lock against two writers',
  source: 'Linux include/linux/mmap_lock.h (vma_start_read), mm/mmap_lock.c (__vma_start_write)',
  expected: 'passes',
};

let mm: u32 = 0;
let vma: u32 = 0;
let covered: u32 = 0;

export function setUp(): void {
  mm = newSpace(1);
  vma = vmaLookup(mm, 0);
  covered = scratchWord(0);
}

function read(): void {
  const locked = lockVmaUnderRcu(mm, 0);
  if (locked === 0) return;
  const seen = peek(covered);
  expect(peek(covered) === seen, 'nobody writes while a reader is in');
  vmaReadUnlock(locked);
}

function write(): void {
  mmapWriteLock(mm);
  vmaStartWrite(vma);
  poke(covered, peek(covered) + 1);
  mmapWriteUnlock(mm);
}

export const cpus = [read, write, write];

export function finish(): void {
  expect(peek(covered) === 2, 'every write counted');
}
