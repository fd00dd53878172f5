/**
 * What scenarios may use beside the word operations of the kernel. The explorer replaces `choose` and `awaitEither` by
 * steps of its own; what stands here is what they mean in other executions.
 */

import { awaitWord } from '../../kernel/cpu/await.ts';

/** A scenario's expectation did not hold. */
export class ExpectationError extends Error {
  override readonly name = 'ExpectationError';
}

/** Ends the run with a violation named `what` unless `holds`. */
export function expect(holds: boolean, what: string): void {
  if (!holds) throw new ExpectationError(what);
}

/** One of `count` alternatives, from 0 up; the explorer tries all, other executions take the first. */
export function choose(count: u32): u32 {
  return count > 0 ? 0 : count;
}

/**
 * Waits as `awaitWord` does, or until the word at `address2` (0: none) differs from `value2`, whichever comes first;
 * returns the word at `address`. For the explorer's own awaits only.
 */
export function awaitEither(
  address: u32,
  mask: u32,
  condition: u32,
  operand: u32,
  address2: u32,
  value2: u32,
): u32 {
  return address2 + value2 === 0 ? 0 : awaitWord(address, mask, condition, operand, 0);
}
