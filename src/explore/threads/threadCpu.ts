/**
 * One CPU of a replay, on the thread that calls: a host for a program linked plain, which carries out each word
 * operation with Atomics on the shared memory when the baton comes.
 *
 * A step is what it is in the explorer: an operation and the plain code up to the next one. The baton is handed on at
 * that next operation, so that plain code of two CPUs never runs at the same time; or, with `overlap`, right after the
 * operation, as on a real machine, which makes no difference as long as plain words are not shared without order.
 *
 * Module-level variables of a scenario, which its set-up fills in, exist once in the explorer and once in each thread
 * here. So each thread does the set-up itself, in memory of its own, and compares.
 */

import { satisfies } from '../../kernel/abi.ts';
import {
  ALONE_STEPS_MAX,
  CpuEndedError,
  DEATHS,
  StuckError,
  type Coroutine,
  type Program,
  type ProgramMaker,
} from '../program.ts';
import type { CoroutineHost } from '../link/coroutine.ts';
import {
  ADD,
  AND,
  AWAIT,
  CHOOSE,
  COMPARE_EXCHANGE,
  EXCHANGE,
  KIND_MASK,
  LOAD,
  OR,
  SLOTS,
  SLOT_ADDRESS,
  SLOT_ADDRESS2,
  SLOT_EXPECTED,
  SLOT_MASK,
  SLOT_VALUE,
  SLOT_VALUE2,
  STORE,
  SUB,
  TAKE,
} from '../operation.ts';
import { ExpectationError } from '../portable/primitives.ts';
import { AbortedError, type Baton } from './baton.ts';
import { describeOperation, type Plan } from './plan.ts';

/** Whether the operation in the slots could be carried out now; always, unless it is a wait. */
export function holds(words: Uint32Array, slots: Uint32Array, kind: number): boolean {
  if (kind < AWAIT || kind > TAKE) return true;
  const value = Atomics.load(words, slots[SLOT_ADDRESS]! >>> 2);
  if (kind === TAKE) return value === 0;
  const masked = (value & slots[SLOT_MASK]!) >>> 0;
  if (satisfies(masked, slots[SLOT_EXPECTED]!, slots[SLOT_VALUE]!)) return true;
  const second = slots[SLOT_ADDRESS2]!;
  if (kind === AWAIT || second === 0) return false;
  return Atomics.load(words, second >>> 2) !== slots[SLOT_VALUE2]!;
}

/** Carries out the operation in the slots, which `holds`; gives the word's old value. */
export function carryOut(words: Uint32Array, slots: Uint32Array, kind: number): number {
  const at = slots[SLOT_ADDRESS]! >>> 2;
  const value = slots[SLOT_VALUE]!;
  if (kind === LOAD) return Atomics.load(words, at);
  if (kind === STORE) return Atomics.store(words, at, value);
  if (kind === EXCHANGE) return Atomics.exchange(words, at, value);
  if (kind === COMPARE_EXCHANGE)
    return Atomics.compareExchange(words, at, slots[SLOT_EXPECTED]!, value);
  if (kind === ADD) return Atomics.add(words, at, value);
  if (kind === SUB) return Atomics.sub(words, at, value);
  if (kind === OR) return Atomics.or(words, at, value);
  if (kind === AND) return Atomics.and(words, at, value);
  if (kind === TAKE) return Atomics.compareExchange(words, at, 0, value);
  return Atomics.load(words, at);
}

/** How a CPU's thread ended. JSON. */
export type CpuOutcome =
  /** It did all that its function does, or died of a death that the schedule chose. */
  | { state: 'ended' }
  | { state: 'died'; reason: number }
  /** It stands before an operation that the schedule has no step for. */
  | { state: 'stands'; code: number; slots: number[] }
  /** It threw in the step. */
  | { state: 'threw'; step: number; name: string; message: string }
  /** It did not do what the schedule says. */
  | { state: 'departed'; step: number; why: string }
  | { state: 'aborted' };

/** Runs what a plain program gave, which never yields. */
function complete(given: Coroutine | void): void {
  if (typeof given === 'object' && given.next(0).done !== true)
    throw new Error('a program for threads must be linked plain');
}

class Standing extends Error {
  readonly code: number;

  constructor(code: number) {
    super();
    this.code = code;
  }
}

class Departed extends Error {
  readonly step: number;

  constructor(step: number, why: string) {
    super(why);
    this.step = step;
  }
}

/** A program on memory that is not only one thread's: operations take effect at once until a baton is in use. */
export class ThreadHost {
  readonly slots = new Uint32Array(SLOTS);
  readonly program: Program;
  words: Uint32Array = new Uint32Array(0);
  operate: (code: number) => number = (code) => this.#alone(code);

  constructor(make: ProgramMaker) {
    const host: CoroutineHost = {
      slots: this.slots,
      operate: (code) => this.operate(code),
      peek: (address) => this.words[address >>> 2]!,
      poke: (address, value) => {
        this.words[address >>> 2] = value;
      },
      fillWords: (address, count, value) => {
        this.words.fill(value, address >>> 2, (address >>> 2) + count);
      },
      endCpu: (reason, detail) => {
        throw new CpuEndedError(reason, detail);
      },
      expect: (condition, what) => {
        if (!condition) throw new ExpectationError(what);
      },
      event: () => {},
      keeps: () => true,
    };
    this.program = make(host);
  }

  /** Operations of the set-up or end under way. */
  #steps = 0;

  #alone(code: number): number {
    if (this.#steps === ALONE_STEPS_MAX)
      throw new StuckError(`goes on after ${this.#steps} steps alone`);
    this.#steps += 1;
    const kind = code & KIND_MASK;
    if (kind === CHOOSE) return 0;
    if (!holds(this.words, this.slots, kind))
      throw new StuckError(
        `waits for 0x${this.slots[SLOT_ADDRESS]!.toString(16)} with no CPU running`,
      );
    return carryOut(this.words, this.slots, kind);
  }

  /** Does the set-up in `words`, which are zero. */
  setUp(words: Uint32Array): void {
    this.words = words;
    this.#steps = 0;
    if (this.program.setUp !== undefined) complete(this.program.setUp());
  }

  /** Does what is to be done when all CPUs have ended; throws what it throws. */
  finish(): void {
    this.#steps = 0;
    if (this.program.finish !== undefined) complete(this.program.finish(this.words));
  }
}

interface ThreadCpuOptions {
  cpu: number;
  /** Hand the baton on before the plain code that follows an operation. */
  overlap: boolean;
}

/** Runs a CPU along the plan; `host` has been set up and looks at the shared memory. */
export function runThreadCpu(
  host: ThreadHost,
  plan: Plan,
  baton: Baton,
  { cpu, overlap }: ThreadCpuOptions,
): CpuOutcome {
  const { program, slots } = host;
  const mine = plan.of(cpu);
  let taken = 0;
  /** The step that this CPU has begun; those before 0 are the starts of the CPUs, one after another. */
  let step = cpu - program.cpus;
  let holding = true;
  const handOn = (): void => {
    holding = false;
    const next = step + 1;
    if (next < 0) baton.give(next + program.cpus, next);
    else if (next < plan.steps) baton.give(plan.cpu(next), next);
  };
  host.operate = (code) => {
    const next = mine[taken];
    if (holding && next !== step + 1) handOn();
    if (next === undefined) throw new Standing(code);
    if (next !== step + 1 || !holding) baton.await(cpu, next);
    taken += 1;
    step = next;
    holding = true;
    const kind = code & KIND_MASK;
    const wrong = plan.departure(step, code, slots, program.sites);
    if (wrong !== null) throw new Departed(step, wrong);
    if (kind === CHOOSE) return plan.result(step);
    if (!holds(host.words, slots, kind))
      throw new Departed(step, `${describeOperation(code, program.sites)} still waits`);
    const result = carryOut(host.words, slots, kind);
    const other = plan.resultDeparture(step, code, result, program.sites);
    if (other !== null) throw new Departed(step, other);
    if (overlap) handOn();
    return result;
  };
  try {
    baton.await(cpu, step);
    program.select?.(cpu);
    complete(program.run(cpu));
    if (holding) handOn();
    if (taken < mine.length) throw new Departed(mine[taken]!, `CPU ${cpu} has ended`);
    return { state: 'ended' };
  } catch (error) {
    if (error instanceof Standing)
      return { state: 'stands', code: error.code, slots: [...host.slots] };
    if (error instanceof AbortedError) return { state: 'aborted' };
    const ends = taken === mine.length && !(error instanceof Departed);
    if (ends && error instanceof CpuEndedError && DEATHS.has(error.reason)) {
      if (holding) handOn();
      return { state: 'died', reason: error.reason };
    }
    if (ends && (step < 0 || step === plan.steps - 1)) {
      if (holding) handOn();
      const { name, message } = error instanceof Error ? error : new Error(String(error));
      return { state: 'threw', step, name, message };
    }
    baton.abort();
    const why = error instanceof Error ? error.message : String(error);
    return { state: 'departed', step, why };
  }
}
