/**
 * The operation under way on this CPU: named for reports from its beginning to its end, at which waits of it are
 * counted.
 */

import { C_OP, C_OP_A, C_OP_B } from '../word/layout.ts';
import { thisCpu } from '../word/percpu.ts';
import { peek, poke } from '../word/word.ts';
import { event, EVENT_ARGUMENTS, EVENT_BEGIN, EVENT_END, OP_NONE } from './report.ts';
import { countLoggedWaits } from './waitLog.ts';

/** Marks the operation under way, for reports. */
export function beginOperation(op: u32, a: u32, b: u32): void {
  const cpu = thisCpu();
  poke(cpu + C_OP_A, a);
  poke(cpu + C_OP_B, b);
  poke(cpu + C_OP, op);
  event(EVENT_BEGIN, a | op, b);
}

/** Remembers two more arguments of the operation that has just begun. */
export function operationArguments(a: u32, b: u32): void {
  event(EVENT_ARGUMENTS, a, b);
}

/** Marks that no operation is under way. Precondition: no lock is held. */
export function endOperation(): void {
  const cpu = thisCpu();
  event(EVENT_END, peek(cpu + C_OP), 0);
  countLoggedWaits();
  poke(cpu + C_OP, OP_NONE);
}
