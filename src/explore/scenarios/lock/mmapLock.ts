/**
 * mmap_lock between a reader, a writer, and a writer that downgrades: nobody writes while anybody reads, the downgraded
 * writer reads on without letting another writer in between, and everybody who queued is let in.
 *
 * From: Linux kernel/locking/rwsem.c (rwsem_mark_wake, downgrade_write); vms_complete_munmap_vmas, which downgrades.
 * Expected: the count is 2, is never touched without order (it is a plain word), and stays what the downgraded writer
 * made it.
 */

import {
  expect,
  mmapReadLock,
  mmapReadUnlock,
  mmapWriteDowngrade,
  mmapWriteLock,
  mmapWriteUnlock,
  newSpace,
  peek,
  poke,
  scratchWord,
} from '../../portable/scenarioApi.ts';

export const about = {
  summary: 'a reader, a writer and a downgrading writer of one mmap_lock',
  source: 'Linux kernel/locking/rwsem.c (rwsem_mark_wake, downgrade_write)',
  expected: 'passes',
};

let mm: u32 = 0;
let count: u32 = 0;

export function setUp(): void {
  mm = newSpace(1);
  count = scratchWord(0);
}

function read(): void {
  mmapReadLock(mm);
  const before = peek(count);
  expect(peek(count) === before, 'nobody writes while a reader is in');
  mmapReadUnlock(mm);
}

function write(): void {
  mmapWriteLock(mm);
  poke(count, peek(count) + 1);
  mmapWriteUnlock(mm);
}

function downgrade(): void {
  mmapWriteLock(mm);
  const mine = peek(count) + 1;
  poke(count, mine);
  mmapWriteDowngrade(mm);
  expect(peek(count) === mine, 'no writer between write lock and read lock');
  mmapReadUnlock(mm);
}

export const cpus = [read, write, downgrade];

export function finish(): void {
  expect(peek(count) === 2, 'both writers counted');
}
