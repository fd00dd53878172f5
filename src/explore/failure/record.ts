/**
 * Follows a schedule and records what each step did, in names: the word, its value before and after, file and line, and
 * the functions that were active. For people and for schedule files; a search has no use for it.
 *
 * The active functions are those on JavaScript's own stack when an operation's address is written into the slots: every
 * generator of the CPU is being resumed at that moment, the outermost first.
 */

import { type ProgramMaker } from '../program.ts';
import {
  DESCRIPTOR,
  D_CODE,
  ADD,
  AND,
  AWAIT,
  AWAIT_EITHER,
  CHOOSE,
  COMPARE_EXCHANGE,
  EXCHANGE,
  KIND_MASK,
  KIND_SPAN,
  LOAD,
  OR,
  SLOT_ADDRESS,
  SLOT_EXPECTED,
  SLOT_MASK,
  SLOT_VALUE,
  STORE,
  SUB,
  type Position,
  type Site,
} from '../operation.ts';
import type { Scenario } from '../scenario.ts';
import type { Schedule } from '../verdict.ts';
import { Run, type RunOptions } from './run.ts';
import { Symbols } from './symbols.ts';
import { conditionText, number, valueText } from './values.ts';

/** An operation of a CPU, done or about to be done. */
export interface RecordedOperation extends Position {
  cpu: number;
  operation: string;
  module: string;
  function: string;
  /** Functions active, outermost first, `function` the last. */
  path: readonly string[];
  /** Address in bytes, and its name; a choice has neither: -1 and empty. */
  address: number;
  word: string;
}

/** A step taken. */
export interface RecordedStep extends RecordedOperation {
  step: number;
  before: number;
  after: number;
  /** Alternative, of a choice; otherwise -1. */
  choice: number;
  /** What it did, such as `store PMD entry 0 of table 3: table 4 -> none`. */
  text: string;
}

const NO_SITE: Site = { file: '?', module: '?', line: 0, function: '?', operation: '?' };

/** Folder of the modules whose word operations are on locks. */
const LOCKS = 'kernel/lock/';
/** The explorer's own functions, which stand for the kernel's of the same name. */
const OWN_MODULE = 'awaitInterrupted';

/** Names of the functions on the stack that are the program's, outermost first. */
function programStack(stack: string): string[] {
  const names: string[] = [];
  for (const line of stack.split('\n')) {
    if (!line.includes('ptlab-coroutines.js')) continue;
    const name = /at (?:\w+\.)?([\w$]+) \(/.exec(line)?.[1];
    if (name === undefined || name.startsWith('$')) continue;
    names.push(name.replace(/\$.*$/, ''));
  }
  return names.toReversed();
}

const STACK_FRAMES = 200;

function activeFunctions(): string[] {
  const before = Error.stackTraceLimit;
  Error.stackTraceLimit = STACK_FRAMES;
  const { stack = '' } = new Error('stack');
  Error.stackTraceLimit = before;
  return programStack(stack);
}

/** A plain access of a CPU to the word that is looked at, after its step `step`; -1: before its first. */
interface PlainAccess {
  step: number;
  cpu: number;
  write: boolean;
  path: readonly string[];
}

interface RecordOptions extends RunOptions {
  /** A word, in bytes, of which plain accesses are recorded. Default: none. */
  plainAddress?: number | null;
}

/** Follows a scenario's execution step by step and says what each step is. */
export class Recorder {
  readonly run: Run;
  readonly symbols: Symbols;
  readonly steps: RecordedStep[] = [];
  /** Plain accesses to the word at `plainAddress`. */
  readonly plain: PlainAccess[] = [];
  #lastPath: readonly string[] = [];
  /** Of each CPU's next operation: the functions active. */
  readonly #paths: (readonly string[])[] = [];

  #running = -1;

  constructor(scenario: Scenario, { plainAddress = null, ...options }: RecordOptions = {}) {
    this.symbols = new Symbols(scenario);
    const make: ProgramMaker = (host) => {
      const slots = new Proxy(host.slots, {
        set: (target, key, value: number) => {
          if (key === '0') this.#lastPath = activeFunctions();
          return Reflect.set(target, key, value);
        },
      });
      const program = scenario.make({
        ...host,
        slots,
        peek: (address) => {
          if (address === plainAddress) this.#notePlain(false);
          return host.peek(address);
        },
        poke: (address, value) => {
          if (address === plainAddress) this.#notePlain(true);
          host.poke(address, value);
        },
        fillWords: (address, count, value) => {
          const into = plainAddress === null ? -1 : plainAddress - address;
          if (into >= 0 && into < count * 4) this.#notePlain(true);
          host.fillWords(address, count, value);
        },
      });
      return {
        ...program,
        select: (cpu): void => {
          program.select?.(cpu);
          this.#running = cpu;
        },
        run: (cpu) => this.#noting(cpu, program.run(cpu)),
      };
    };
    this.run = new Run(make, options);
    this.symbols.learn(this.run.execution.words);
  }

  #notePlain(write: boolean): void {
    if (this.#running < 0) return;
    const step = this.run === undefined ? -1 : this.run.execution.depth - 1;
    this.plain.push({ step, cpu: this.#running, write, path: activeFunctions() });
  }

  *#noting(
    cpu: number,
    coroutine: ReturnType<ReturnType<ProgramMaker>['run']>,
  ): ReturnType<ReturnType<ProgramMaker>['run']> {
    let { done, value } = coroutine.next(0);
    while (done !== true) {
      this.#paths[cpu] = this.#lastPath;
      ({ done, value } = coroutine.next(yield value as number));
    }
    return value;
  }

  #site(code: number): Site {
    return this.run.execution.program.sites[Math.floor(code / KIND_SPAN)] ?? NO_SITE;
  }

  /** Where a function calls one that stands for the kernel's: the first place, when there are several. */
  #callOf(callee: string, caller: string | undefined): Site | undefined {
    return this.run.execution.program.sites.find(
      (site) => site.function === caller && site.operation === callee && site.module !== OWN_MODULE,
    );
  }

  /** The next operation of a CPU that has not ended. */
  next(cpu: number): RecordedOperation {
    const { next } = this.run.execution;
    const at = cpu * DESCRIPTOR;
    const code = next[at + D_CODE]!;
    const site = this.#site(code);
    const chooses = (code & KIND_MASK) === CHOOSE;
    const address = chooses ? -1 : next[at + SLOT_ADDRESS]!;
    const path = this.#paths[cpu] ?? [site.function];
    const called = site.module === OWN_MODULE ? path.slice(0, -1) : null;
    if (site.file.startsWith(LOCKS)) this.symbols.learnLock(address);
    const { file, line } = (called && this.#callOf(site.function, called.at(-1))) ?? site;
    return {
      cpu,
      operation: site.operation,
      module: site.module,
      function: site.function,
      path: called ?? path,
      file,
      line,
      address,
      word: chooses ? '' : this.symbols.name(address),
    };
  }

  /** What the next operation of `cpu` waits for, such as `free`; null: it is no wait. */
  condition(cpu: number): string | null {
    const { next } = this.run.execution;
    const at = cpu * DESCRIPTOR;
    const kind = next[at + D_CODE]! & KIND_MASK;
    if ((this.run.execution.waiting & (1 << cpu)) === 0) return null;
    if (kind !== AWAIT && kind !== AWAIT_EITHER) return '0';
    return conditionText(
      this.symbols.word(next[at + SLOT_ADDRESS]!),
      next[at + SLOT_EXPECTED]!,
      next[at + SLOT_MASK]!,
      next[at + SLOT_VALUE]!,
      this.symbols,
    );
  }

  take(cpu: number, choice = 0): RecordedStep {
    const { execution } = this.run;
    const operation = this.next(cpu);
    const condition = this.condition(cpu);
    const step = execution.depth;
    const before = execution.events.length;
    this.run.step(cpu, choice);
    if (execution.events.length > before || execution.failure !== null)
      this.symbols.learn(execution.words);
    const recorded: RecordedStep = {
      ...operation,
      step,
      before: execution.stepBefore[step]!,
      after: execution.stepAfter[step]!,
      choice: this.run.choiceAt(step),
      text: '',
    };
    recorded.text = this.#text(recorded, condition);
    this.steps.push(recorded);
    return recorded;
  }

  #text(step: RecordedStep, condition: string | null): string {
    const { stepOperation, stepResult } = this.run.execution;
    const at = step.step * DESCRIPTOR;
    const kind = stepOperation[at + D_CODE]! & KIND_MASK;
    if (kind === CHOOSE)
      return `choose ${stepResult[step.step]} of 0 to ${stepOperation[at + SLOT_VALUE]! - 1}`;
    const word = this.symbols.word(step.address);
    const value = (of: number): string => valueText(word, of, this.symbols);
    const operand = stepOperation[at + SLOT_VALUE]!;
    const change = `${value(step.before)} -> ${value(step.after)}`;
    if (kind === LOAD) return `load ${word.name}: ${value(step.before)}`;
    if (kind === AWAIT || kind === AWAIT_EITHER)
      return `await ${word.name} is ${condition}: ${value(step.before)}`;
    if (kind === COMPARE_EXCHANGE && step.before !== stepOperation[at + SLOT_EXPECTED]!)
      return `cmpxchg ${word.name} fails: ${value(step.before)}`;
    if (kind === COMPARE_EXCHANGE) return `cmpxchg ${word.name}: ${change}`;
    const names: Record<number, string> = {
      [STORE]: 'store',
      [EXCHANGE]: 'xchg',
      [ADD]: `add ${number(operand)} to`,
      [SUB]: `sub ${number(operand)} from`,
      [OR]: `or ${number(operand)} into`,
      [AND]: `and ${number(operand)} into`,
    };
    return `${names[kind] ?? 'take'} ${word.name}: ${change}`;
  }
}

/** Records the steps of a schedule that the scenario can follow; throws when it cannot. */
export function recordSchedule(
  scenario: Scenario,
  schedule: Schedule,
  options: RecordOptions = {},
): Recorder {
  const recorder = new Recorder(scenario, options);
  for (const [step, entry] of schedule.entries()) {
    const [cpu, choice] = typeof entry === 'number' ? [entry, 0] : entry;
    if ((recorder.run.enabled() & (1 << cpu)) === 0)
      throw new Error(`step ${step}: CPU ${cpu} cannot move`);
    recorder.take(cpu, choice);
  }
  return recorder;
}
