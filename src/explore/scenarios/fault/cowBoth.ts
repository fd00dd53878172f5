/**
 * Parent and child of a fork write to the page that they share, at once: each ends up with a page of its own. Whoever
 * comes second may use the old one again, when its entry's reference is the only one left.
 *
 * From: Linux mm/memory.c (do_wp_page, wp_can_reuse_anon_folio). Expected: two frames, each writable on one side.
 */

import {
  access,
  entryAt,
  expect,
  forkMm,
  newSpace,
  PMD_PAGES,
  touchPages,
} from '../../portable/scenarioApi.ts';
import { entryNumber, PTE_WRITE } from '../../../kernel/word/entry.ts';

export const about = {
  summary: 'both sides of a fork write to a shared page at once',
  source: 'Linux mm/memory.c (do_wp_page, wp_can_reuse_anon_folio)',
  expected: 'passes',
  machine: { lock: 'tas', fault: 'mmap-lock' },
  kernel: 'pairs',
};

let parent: u32 = 0;
let child: u32 = 0;

export function setUp(): void {
  parent = newSpace(PMD_PAGES);
  touchPages(parent, 1, 2);
  child = forkMm(parent);
  expect(child !== 0, 'set-up: forked');
}

function writeParent(): void {
  expect(access(parent, 1, 1) === 0, 'the parent writes');
}

function writeChild(): void {
  expect(access(child, 1, 1) === 0, 'the child writes');
}

export const cpus = [writeParent, writeChild];

export function finish(): void {
  const ours = entryAt(parent, 1);
  const theirs = entryAt(child, 1);
  expect((ours & theirs & PTE_WRITE) !== 0, 'both can write');
  expect(entryNumber(ours) !== entryNumber(theirs), 'each to a page of its own');
}
