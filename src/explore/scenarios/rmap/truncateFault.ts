/**
 * Truncation against a fault beyond the new end: the fault locks the page's folio and looks at the size again;
 * truncation makes the object smaller, then locks each page, unmaps it and drops it.
 *
 * From: Linux mm/filemap.c (filemap_fault: the size is checked again under the folio lock), mm/truncate.c
 * (truncate_cleanup_folio).
 * Expected: nothing beyond the end is mapped or cached afterwards.
 */

import {
  access,
  choose,
  doMmap,
  doTruncate,
  entryAt,
  expect,
  inodeCreate,
  load,
  mmCreate,
  rcuIdleEnter,
  rcuIdleExit,
  VM_READ,
  VM_WRITE,
} from '../../portable/scenarioApi.ts';
import { MMAP_SHARED, SIGBUS } from '../../../kernel/word/config.ts';
import { INODE_NR_CACHED } from '../../../kernel/word/layout.ts';
import { INODE_FILE } from '../../../kernel/rmap/inode.ts';

export const about = {
  summary: 'truncation of a file against a fault on a page beyond the new end',
  source: 'Linux mm/filemap.c (filemap_fault), mm/truncate.c (truncate_cleanup_folio)',
  expected: 'passes',
  machine: { lock: 'tas', fault: 'mmap-lock' },
  kernel: 'pairs',
  constants: { FAULT_AROUND_PAGES: 1 },
};

let mm: u32 = 0;
let inode: u32 = 0;

export function setUp(): void {
  mm = mmCreate();
  inode = inodeCreate(2, INODE_FILE);
  expect(doMmap(mm, 0, 2, VM_READ | VM_WRITE, MMAP_SHARED, inode, 0) === 0, 'set-up: mapped');
  expect(doMmap(mm, 2, 2, VM_READ | VM_WRITE, 0, inode, 0) === 0, 'set-up: mapped privately');
  expect(access(mm, 0, 1) === 0, 'set-up: page 0 accessed');
  expect(access(mm, 2, 1) === 0, 'set-up: page 0 copied');
}

function truncate(): void {
  doTruncate(inode, 1);
}

function write(): void {
  // The page itself, or a private copy of it.
  const result = access(mm, choose(2) === 0 ? 1 : 3, 1);
  expect(result === 0 || result === SIGBUS, 'the access succeeds or is a SIGBUS');
}

export const cpus = [truncate, write];

export function finish(): void {
  expect(entryAt(mm, 1) === 0, 'nothing is mapped beyond the end');
  expect(entryAt(mm, 3) === 0, 'nor is a private copy');
  expect(load(inode + INODE_NR_CACHED) === 1, 'nothing is cached beyond the end');
  rcuIdleExit();
  expect(access(mm, 1, 0) === SIGBUS, 'an access there is a SIGBUS');
  rcuIdleEnter();
}
