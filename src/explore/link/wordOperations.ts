/**
 * The modules and functions that mean something of their own to the explorer: word operations, the functions that it
 * has another version of, and what takes the place of each call.
 */

import { join } from 'node:path';
import { COMPILED } from './compiled.ts';
import {
  ADD,
  AND,
  AWAIT,
  AWAIT_EITHER,
  CHOOSE,
  COMPARE_EXCHANGE,
  EXCHANGE,
  LOAD,
  OR,
  STORE,
  SUB,
  TAKE,
} from '../operation.ts';

export const KERNEL_FOLDER = join(COMPILED, 'kernel/');
export const WORD_MODULE = join(COMPILED, 'kernel/word/word.js');
/** The kernel's waits: steps, as the operations of word.ts are. */
const WAITS_MODULE = join(COMPILED, 'kernel/cpu/await.js');
export const PRIMITIVES_MODULE = join(COMPILED, 'explore/portable/primitives.js');
export const AWAIT_MODULE = join(COMPILED, 'explore/portable/awaitInterrupted.js');
/** What scenarios import, and what of it those without a machine get. */
export const SCENARIO_API = join(COMPILED, 'explore/portable/scenarioApi.js');
export const WORDS_API = join(COMPILED, 'explore/portable/wordsApi.js');
export const CHOICES_MODULE = join(COMPILED, 'explore/portable/choices.js');

/** Functions that the explorer has another version of, once that version's module is part of the program. */
export const REPLACED: readonly { path: string; names: readonly string[]; by: string }[] = [
  { path: WAITS_MODULE, names: ['awaitWord'], by: AWAIT_MODULE },
  {
    path: join(COMPILED, 'kernel/observe/inject.js'),
    names: ['injectFailure', 'injectNth', 'injectDeath'],
    by: CHOICES_MODULE,
  },
  { path: join(COMPILED, 'kernel/cpu/syncPoint.js'), names: ['syncPoint'], by: CHOICES_MODULE },
  { path: join(COMPILED, 'kernel/cpu/irq.js'), names: ['pollInterrupts'], by: CHOICES_MODULE },
];
export const REPORT_MODULE = join(COMPILED, 'kernel/observe/report.js');

/** How each word operation is written: its kind, and the operands in order. */
export const OPERATIONS: Readonly<
  Record<string, { kind: number; helper: string; operands: number }>
> = {
  load: { kind: LOAD, helper: '$1', operands: 1 },
  store: { kind: STORE, helper: '$2', operands: 2 },
  exchange: { kind: EXCHANGE, helper: '$2', operands: 2 },
  compareExchange: { kind: COMPARE_EXCHANGE, helper: '$3', operands: 3 },
  add: { kind: ADD, helper: '$2', operands: 2 },
  sub: { kind: SUB, helper: '$2', operands: 2 },
  or: { kind: OR, helper: '$2', operands: 2 },
  and: { kind: AND, helper: '$2', operands: 2 },
  awaitWord: { kind: AWAIT, helper: '$4', operands: 4 },
  awaitEither: { kind: AWAIT_EITHER, helper: '$6', operands: 6 },
  takeWord: { kind: TAKE, helper: '$2', operands: 2 },
  choose: { kind: CHOOSE, helper: '$c', operands: 1 },
};

/** Functions of word.ts that are no steps: the host's, or nothing. */
export const PLAIN_OPERATIONS = new Set([
  'peek',
  'poke',
  'fillWords',
  'endCpu',
  'notify',
  'clockNs',
]);

/** What a linked program begins with: how operands get into the slots. */
export const PROLOGUE = `
const $slots = $host.slots;
const peek = $host.peek, poke = $host.poke, fillWords = $host.fillWords, endCpu = $host.endCpu;
const notify = () => 0, clockNs = () => 0;
const $1 = (code, address) => { $slots[0] = address; return code; };
const $2 = (code, address, value) => { $slots[0] = address; $slots[1] = value; return code; };
const $3 = (code, address, expected, value) => {
  $slots[0] = address; $slots[2] = expected; $slots[1] = value; return code;
};
const $4 = (code, address, mask, condition, operand) => {
  $slots[0] = address; $slots[3] = mask; $slots[2] = condition; $slots[1] = operand; return code;
};
const $6 = (code, address, mask, condition, operand, address2, value2) => {
  $slots[0] = address; $slots[3] = mask; $slots[2] = condition; $slots[1] = operand;
  $slots[4] = address2; $slots[5] = value2; return code;
};
const $c = (code, count) => { $slots[0] = 0; $slots[1] = count; return code; };
`;
/** Names that no declaration of a linked program may have. */
export const RESERVED = ['peek', 'poke', 'fillWords', 'endCpu', 'notify', 'clockNs'];

/** What the primitives module has to offer: it is not read. */
export const PRIMITIVES = new Set(['expect', 'choose', 'awaitEither']);

/** Modules that the explorer does not read: it has their functions itself. */
export const OPAQUE: ReadonlySet<string> = new Set([WORD_MODULE, WAITS_MODULE, PRIMITIVES_MODULE]);
