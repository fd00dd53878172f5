/**
 * The kernel's mutants: each is wrong on purpose in one place, as data, and is found by exploring a general scenario,
 * one that is not written around it and that the kernel passes without it.
 *
 * Known races (RACES) have the numbers that the protocols' literature in this project gives them; those of walkers that
 * the kernel does not have yet are not here.
 *
 * What exploration cannot see, and what is therefore no mutant here:
 *  - lost wake-ups: an await goes on as soon as its condition holds, whoever wakes it or not. So a futex-like lock that
 *    loses its waiters' bit, or a wake-up before the store that it announces, passes; real threads, whose parks end
 *    after a while, only get slow;
 *  - weaker memory orders: all atomics are sequentially consistent, here and in the real executions;
 *  - looks that another lock makes redundant: reclaimUnlocked compares the PMD with the one it mapped, but the PMD lock
 *    it holds keeps it; GUP-fast's second look at the PMD needs a table that changes hands with its entries in place,
 *    and mremap's overlaps it; flushing a full gather before or after the PTE lock is dropped, since the gather counts
 *    as open either way.
 */

import type { MachineOptions } from '../../machine/options.ts';
import { ASYNC_MUTANTS } from './async.ts';
import { FOLIO_MUTANTS } from './folios.ts';
import { HUGE_MUTANTS } from './huge.ts';
import { KHUGEPAGED_MUTANTS } from './khugepaged.ts';
import { LOCK_MUTANTS } from './locks.ts';
import type { Mutant } from './mutant.ts';
import { PAGE_MUTANTS } from './pages.ts';
import { SHAPE_MUTANTS } from './shape.ts';
import { RCU_MUTANTS } from './rcu.ts';
import { RECLAIM_MUTANTS } from './reclaim.ts';
import { RMAP_MUTANTS } from './rmap.ts';
import { REFCOUNT_MUTANTS } from './refcount.ts';
import { SPECULATIVE_MUTANTS } from './speculative.ts';
import { SPLIT_MUTANTS } from './split.ts';
import { TLB_MUTANTS } from './tlb.ts';
import { USERFAULT_MUTANTS } from './userfault.ts';

export type { Finding, HuntStrategy, Mutant, QuickSearch, StressAdvice } from './mutant.ts';

/** Known races, by number. */
export const RACES: Readonly<Record<number, string>> = {
  1: 'a table freed with no grace period under a lockless walker',
  2: 'a single table freed by interrupt (semi-RCU) under a pteOffsetMap reader',
  3: 'the fast path taken although the PTE lock was dropped and a slot refilled',
  4: 'move_pages_pte without the look at the PMD of the destination',
  8: 'a refcounted table freed while a visitor counts itself into it',
  6: 'a speculative fault committed without the PMD check while `sync` reclaims',
  5: 'retraction of page tables that trusts a PMD read before its locks',
  7: 'GUP-fast without its second look at the PMD, against a collapse',
  9: 'one grace-period phase too few, or a callback run one grace period early',
  10: 'a blocking PMD lock in the fast path',
};

export const MUTANTS: readonly Mutant[] = [
  ...RECLAIM_MUTANTS,
  ...RCU_MUTANTS,
  ...TLB_MUTANTS,
  ...LOCK_MUTANTS,
  ...HUGE_MUTANTS,
  ...KHUGEPAGED_MUTANTS,
  ...PAGE_MUTANTS,
  ...SHAPE_MUTANTS,
  ...RMAP_MUTANTS,
  ...FOLIO_MUTANTS,
  ...SPLIT_MUTANTS,
  ...REFCOUNT_MUTANTS,
  ...SPECULATIVE_MUTANTS,
  ...ASYNC_MUTANTS,
  ...USERFAULT_MUTANTS,
];

/** Names of all mutants, in the catalogue's order. */
export const MUTANT_NAMES: readonly string[] = MUTANTS.map(({ name }) => name);

/** Synchronisation points of which one is followed by a delay, so that other threads get between two steps. */
const STRESS_DELAY = 100;

/** The machine on which real threads have a chance to find a mutant; its mix is `stress.mix`. */
export function stressMachine({ machine, stress }: Mutant): MachineOptions {
  const inject = { delay: STRESS_DELAY, ...machine?.inject, ...stress.machine?.inject };
  return { ...machine, ...stress.machine, inject };
}

/** The mutant of that name, or null. */
export function findMutant(name: string): Mutant | null {
  return MUTANTS.find((mutant) => mutant.name === name) ?? null;
}
