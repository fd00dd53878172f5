/**
 * The kernel's mutants.
 */

import { LOCK_MUTANTS } from './locks.ts';
import type { Mutant } from './mutant.ts';
import { PAGE_MUTANTS } from './pages.ts';
import { RCU_MUTANTS } from './rcu.ts';
import { RECLAIM_MUTANTS } from './reclaim.ts';
import { TLB_MUTANTS } from './tlb.ts';

export type { Finding, Mutant, QuickSearch, StressAdvice } from './mutant.ts';

export const MUTANTS: readonly Mutant[] = [
  ...RECLAIM_MUTANTS,
  ...RCU_MUTANTS,
  ...TLB_MUTANTS,
  ...LOCK_MUTANTS,
  ...PAGE_MUTANTS,
];

/** Names of all mutants, in the catalogue's order. */
export const MUTANT_NAMES: readonly string[] = MUTANTS.map(({ name }) => name);

/** The mutant of that name, or null. */
export function findMutant(name: string): Mutant | null {
  return MUTANTS.find((mutant) => mutant.name === name) ?? null;
}
