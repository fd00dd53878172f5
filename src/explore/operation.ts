/**
 * Word operations as the explorer sees them. A coroutine writes an operation's operands into the slots and yields its
 * code, `site * KIND_SPAN + kind`; whoever runs it carries the operation out later and resumes it with the result.
 */

/** Kinds of operations; FLAG_UNUSED is or-ed in when the program ignores the result. */
export const LOAD = 0;
export const STORE = 1;
export const EXCHANGE = 2;
export const COMPARE_EXCHANGE = 3;
export const ADD = 4;
export const SUB = 5;
export const OR = 6;
export const AND = 7;
/** Waits for a word to satisfy a condition. */
export const AWAIT = 8;
/** The same, or for a second word to differ from a value: a wait that an interrupt may disturb. */
export const AWAIT_EITHER = 9;
/** Waits for a word to be zero and stores a value there, in one step: a lock taken. */
export const TAKE = 10;
/** A choice among `value` alternatives, 0 and up. Touches no word. */
export const CHOOSE = 11;

export const FLAG_UNUSED = 16;
export const KIND_MASK = 15;
export const KIND_SPAN = 32;

export const KIND_NAMES: readonly string[] = [
  'load',
  'store',
  'exchange',
  'compareExchange',
  'add',
  'sub',
  'or',
  'and',
  'awaitWord',
  'awaitWord',
  'takeWord',
  'choose',
];

/** Slots: where operands stand. */
export const SLOT_ADDRESS = 0;
/** Value stored, added, or-ed; operand of an await; number of alternatives. */
export const SLOT_VALUE = 1;
/** Value that a compareExchange expects; condition of an await (AWAIT_ codes of config.ts). */
export const SLOT_EXPECTED = 2;
export const SLOT_MASK = 3;
/** Second word of AWAIT_EITHER, and the value from which it must differ; address 0: none. */
export const SLOT_ADDRESS2 = 4;
export const SLOT_VALUE2 = 5;
export const SLOTS = 6;

/** Operands of an operation in a descriptor, SLOTS words and then its code. */
export const DESCRIPTOR = 8;
export const D_CODE = SLOTS;

/** A line of a source file. */
export interface Position {
  /** From the folder of our sources on, such as `kernel/pteMap.ts`; of a user's scenario the path as it was given. */
  file: string;
  /** From 1. */
  line: number;
}

/** Where an operation stands in the program. */
export interface Site extends Position {
  /** Module, by its file's name without the ending. */
  module: string;
  /** Function that contains it. */
  function: string;
  /** Name of the word operation. */
  operation: string;
}
