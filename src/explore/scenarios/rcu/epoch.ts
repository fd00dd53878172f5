/**
 * Epoch-based reclamation, the smallest model of a grace period: READERS CPUs read what a pointer names, UPDATERS CPUs
 * replace the pointer and destroy what it named once every reader has left, or is known to be too young to have seen
 * it.
 *
 *     reader: e = G; E[r] = e; p = P; d = D[p]; d is not destroyed; E[r] = 0
 *     updater: lock; old = P; P = own; unlock; g = ++G; for each r: wait until E[r] is 0 or at least g; destroy D[old]
 *
 * GRACE 0 leaves the waiting out: a reader then finds destroyed data.
 */

import {
  add,
  AWAIT_ZERO_OR_REACHES,
  awaitWord,
  expect,
  load,
  several,
  store,
  takeWord,
} from '../../portable/scenarioApi.ts';

export const about = {
  summary: 'readers and updaters of a pointer under epoch-based reclamation: a model of known size',
  source: 'Fraser, Practical lock-freedom, 2004, section 5.2.3, reduced to one grace period',
  expected: 'passes',
  memoryBytes: 256,
};

const READERS: u32 = 1;
const UPDATERS: u32 = 1;
const GRACE: u32 = 1;

const EPOCH: u32 = 0;
const POINTER: u32 = 4;
const LOCK: u32 = 8;
const READER: u32 = 64;
const DATA: u32 = 128;

const GOOD: u32 = 1;
const DESTROYED: u32 = 2;

export function setUp(): void {
  store(EPOCH, 1);
  for (let u: u32 = 0; u <= UPDATERS; u++) store(DATA + (u << 2), GOOD);
}

function read(reader: u32): void {
  const own = READER + (reader << 2);
  store(own, load(EPOCH));
  const data = load(DATA + (load(POINTER) << 2));
  expect(data !== DESTROYED, 'data that is in use is not destroyed');
  store(own, 0);
}

function update(cpu: u32): void {
  const updater = cpu - READERS;
  takeWord(LOCK, 1);
  const old = load(POINTER);
  store(POINTER, updater + 1);
  store(LOCK, 0);
  if (GRACE !== 0) {
    const epoch = add(EPOCH, 1) + 1;
    for (let r: u32 = 0; r < READERS; r++)
      awaitWord(READER + (r << 2), 0xffffffff, AWAIT_ZERO_OR_REACHES, epoch, 0);
  }
  store(DATA + (old << 2), DESTROYED);
}

export const cpus = [...several(READERS, read), ...several(UPDATERS, update)];
