/** What goes into linking and what comes out of it. */

import type { Site } from '../operation.ts';

/** A one-place change of a module: a mutant. */
export interface Patch {
  /**
   * Module, by its file's name without the ending, such as `ptReclaim`; with folders before it when several have that
   * name.
   */
  module: string;
  /** Text to be replaced, which occurs once; white space is compared loosely. */
  find: string;
  replace: string;
}

export interface LinkOptions {
  /** New values of constants declared at the top of a module. */
  constants?: Readonly<Record<string, number>>;
  patch?: Patch;
  /** How sources that are not ours are told in positions, by path. Default: the path itself. */
  told?: Readonly<Record<string, string>>;
  /**
   * Awaits are disturbed by interrupts, as the kernel's are. Default: when the kernel's irq module is part of the
   * program.
   */
  interrupts?: boolean;
  /** Injected trouble becomes choices of the explorer (choices.ts). Default: false. */
  choices?: boolean;
  /**
   * Functions stay plain, and each word operation is a call of the host's `operate`: for CPUs that are threads of their
   * own (threads/). Sites and codes are those of the coroutines. Default: false.
   */
  plain?: boolean;
  /** The scenario has bare words and no machine: it gets wordsApi.ts for what it imports. Default: false. */
  words?: boolean;
  /**
   * Module (a path, or one relative to dist/src) whose call statements ask the host whether to be carried out
   * (`keeps`).
   */
  droppable?: string;
}

/** Linked modules, not yet instantiated. */
export interface LinkedProgram {
  /** JavaScript of a function that takes the host (CoroutineHost) and returns the entry modules' exports. */
  source: string;
  /**
   * Sites by number; a yielded code is `site * KIND_SPAN + kind`. Behind those of operations come calls of `awaitWord`
   * for which the explorer has a function of its own: nothing yields their numbers.
   */
  sites: readonly Site[];
  /** Statements that can be left out, when `droppable` was asked for. */
  statements: readonly Statement[];
}

/** A statement that only calls something, in a function of the droppable module. */
export interface Statement {
  function: string;
  /** Line in the module's source, from 1. */
  line: number;
  text: string;
}

/** What linked modules ask of whoever runs them. */
export interface CoroutineHost {
  /** Where operands are written before each yield. */
  slots: Uint32Array;
  /** Plain programs (`LinkOptions.plain`): carries out the operation of this code, whose operands are in the slots. */
  operate?(code: number): number;
  peek(address: number): number;
  poke(address: number, value: number): void;
  fillWords(address: number, count: number, value: number): void;
  /** Ends the CPU by throwing. */
  endCpu(reason: number, detail: number): void;
  /** Ends the CPU by throwing unless the condition holds. */
  expect(holds: boolean, what: string): void;
  /** An event of the kernel (EVENT_ codes of report.ts, with two words). */
  event(kind: number, a: number, b: number): void;
  /** Whether the current CPU carries out statement number `statement` of `LinkedProgram.statements`. */
  keeps(statement: number): boolean;
}

/**
 * A linked program's exports: generator functions where they can reach a word operation (unless linked plain), plain
 * ones elsewhere.
 */
export type CoroutineExports = Record<string, unknown>;

/** Modules or options that cannot be linked; the message says where and why. */
export class LinkError extends Error {
  override readonly name = 'LinkError';
}
