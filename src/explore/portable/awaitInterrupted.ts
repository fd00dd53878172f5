/**
 * The kernel's `awaitWord` for the explorer: blocked until the condition satisfies, and, with interrupts enabled,
 * disturbed by each interrupt that arrives meanwhile, which it handles as a spinning CPU does at its polls.
 */

import { satisfies } from '../../kernel/word/condition.ts';
import { pollInterrupts } from '../../kernel/cpu/irq.ts';
import { C_IPI_ACK, C_IPI_REQ, C_IRQ_DEPTH } from '../../kernel/word/layout.ts';
import { thisCpu } from '../../kernel/word/percpu.ts';
import { peek } from '../../kernel/word/word.ts';
import { awaitEither } from './primitives.ts';

/** As `awaitWord` of cpu/await.ts; `spins` means nothing here. */
export function awaitWord(address: u32, mask: u32, condition: u32, operand: u32, spins: u32): u32 {
  const cpu = thisCpu();
  let value: u32 = spins;
  let found = false;
  while (!found) {
    const disturbed: u32 = peek(cpu + C_IRQ_DEPTH) === 0 ? cpu + C_IPI_REQ : 0;
    value = awaitEither(address, mask, condition, operand, disturbed, peek(cpu + C_IPI_ACK));
    found = satisfies((value & mask) >>> 0, condition, operand);
    if (!found) pollInterrupts();
  }
  return value;
}
