/**
 * mremap that runs out of memory halfway: a table of the destination cannot be had (tried at every allocation), what
 * was moved goes back, and the destination goes, while another CPU walks the old and the new place.
 *
 * From: Linux mm/mremap.c (move_vma: "move_page_tables failed: undo by moving back").
 * Expected: all or nothing: two pages at the new place and success, or two at the old place and ENOMEM.
 */

import {
  anonPages,
  doMremap,
  ENOMEM,
  entryAt,
  expect,
  gupCheck,
  gupFastOnly,
  gupPut,
  frameGeneration,
  load,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  newSpace,
  PMD_PAGES,
  scratchWord,
  store,
  touchPages,
} from '../../portable/scenarioApi.ts';

export const about = {
  summary: 'mremap that runs out of memory halfway, under GUP-fast',
  source: 'Linux mm/mremap.c (move_vma, move_page_tables)',
  expected: 'passes',
  machine: { lock: 'tas' },
  kernel: 'pairs',
  choices: { allocation: 1 },
};

const PAGES: u32 = 3;
const TO: u32 = 9;

let mm: u32 = 0;
let failed: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES * 2);
  touchPages(mm, 1, PMD_PAGES + 1);
  failed = scratchWord(0);
}

function move(): void {
  const error = doMremap(mm, 1, PAGES, TO + 1, PAGES, MREMAP_MAYMOVE | MREMAP_FIXED);
  expect(error === 0 || error === ENOMEM, 'mremap succeeds or finds no memory');
  store(failed, error);
}

function pinOne(vpn: u32): void {
  const frame = gupFastOnly(mm, vpn, 1);
  if (frame === 0) return;
  gupCheck(frame, frameGeneration(frame));
  gupPut(frame);
}

function pin(): void {
  pinOne(1);
  pinOne(TO + 1);
}

export const cpus = [move, pin];

export function finish(): void {
  const first = load(failed) !== 0 ? 1 : TO + 1;
  const other = load(failed) !== 0 ? TO + 1 : 1;
  expect(anonPages(mm) === 2, 'no page is lost');
  expect(entryAt(mm, first) !== 0 && entryAt(mm, first + 1) !== 0, 'all pages are at one place');
  expect(entryAt(mm, other) === 0 && entryAt(mm, other + 1) === 0, 'none at the other');
}
