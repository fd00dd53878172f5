import { PAGE_BYTES } from '../kernel/abi.ts';
import {
  ADDRESS_SPACE_BYTES,
  ADVICE_NUMBERS,
  CALL_BARRIER,
  CALL_EXIT,
  CALL_FORK,
  CALL_MADVISE,
  CALL_MMAP,
  CALL_MPROTECT,
  CALL_MREMAP,
  CALL_MUNMAP,
  CALL_TOUCH,
  MAP_POPULATE,
  MAP_SHARED,
  OperationWriter,
  PROT_READ,
  PROT_WRITE,
} from './operation.ts';
import type { Operation, OperationList } from './operation.ts';
import { quote, TraceError } from './traceError.ts';

/** Highest CPU number that an `N:` prefix may name. */
const SCRIPT_MAX_CPU = 1023;
/** Most processes that a script may have, the first one included. */
export const SCRIPT_MAX_PROCESSES = 64;

const MAX_LENGTH = 2 ** 52;
const NUMBER = /^(?:0[xX]([0-9a-fA-F]+)|([0-9]+))([KMGT]?)$/;
const SUFFIX: Readonly<Record<string, number>> = {
  '': 1,
  K: 2 ** 10,
  M: 2 ** 20,
  G: 2 ** 30,
  T: 2 ** 40,
};
const PROTECTIONS: Readonly<Record<string, number>> = {
  none: 0,
  r: PROT_READ,
  rw: PROT_READ | PROT_WRITE,
};
const PROTECTION_NAMES = ['none', 'r', undefined, 'rw'];
const USAGE: Readonly<Record<string, string>> = {
  mmap: 'mmap ADDR LEN [r|rw|none] [shared] [populate]',
  munmap: 'munmap ADDR LEN',
  touch: 'touch ADDR LEN [r|w] [STRIDE]',
  madvise: `madvise ADDR LEN ${Object.keys(ADVICE_NUMBERS).join('|')}`,
  mremap: 'mremap OLD LEN NEW [NEWLEN]',
  mprotect: 'mprotect ADDR LEN none|r|rw',
  fork: 'fork',
  exit: 'exit',
  barrier: 'barrier',
};
const CALLS = Object.keys(USAGE).join(', ');

/** The words of one line, taken from left to right; every complaint names file and line. */
class Words {
  #next = 0;
  readonly #words: readonly string[];
  readonly #file: string;
  readonly line: number;

  constructor(words: readonly string[], file: string, line: number) {
    this.#words = words;
    this.#file = file;
    this.line = line;
  }

  fail(problem: string, allowed: string): never {
    throw new TraceError(this.#file, this.line, problem, allowed);
  }

  get done(): boolean {
    return this.#next === this.#words.length;
  }

  peek(): string | undefined {
    return this.#words[this.#next];
  }

  take(): string | undefined {
    return this.#words[this.#next++];
  }

  number(what: string, most: number, mostText: string, usage: string): number {
    const word = this.take();
    if (word === undefined) this.fail(`${what} is missing`, usage);
    const value = scriptNumber(word);
    if (value === null) {
      this.fail(
        `${what} ${quote(word)} is not a number`,
        'decimal or 0x, then K, M, G or T or nothing',
      );
    }
    if (value > most) this.fail(`${what} ${quote(word)} is too large`, `0 to ${mostText}`);
    return value;
  }

  address(what: string, usage: string): number {
    return this.number(what, ADDRESS_SPACE_BYTES, '16T', usage);
  }

  length(what: string, usage: string): number {
    return this.number(what, MAX_LENGTH, '4096T', usage);
  }

  choice(what: string, choices: Readonly<Record<string, number>>, usage: string): number {
    const word = this.take();
    if (word === undefined) this.fail(`${what} is missing`, usage);
    const value = lookUp(choices, word);
    if (value === undefined) {
      this.fail(`${what} ${quote(word)} is unknown`, Object.keys(choices).join(', '));
    }
    return value;
  }

  end(usage: string): void {
    const word = this.peek();
    if (word !== undefined) this.fail(`${quote(word)} is too much`, usage);
  }
}

function lookUp<T>(table: Readonly<Record<string, T>>, word: string): T | undefined {
  return Object.hasOwn(table, word) ? table[word] : undefined;
}

/** A number of a script in bytes, or null if the word is none. Values above 2^53 lose low bits. */
export function scriptNumber(word: string): number | null {
  const match = NUMBER.exec(word);
  if (match === null) return null;
  const digits = match[1] === undefined ? Number(match[2]) : Number(`0x${match[1]}`);
  return digits * SUFFIX[match[3]!]!;
}

/**
 * The processes of a script as its lines follow each other: 0 from the start, each fork makes the next one, `exit` ends
 * one.
 */
class Processes {
  /** Line in which each one ended; 0: it has not. */
  readonly #endedAt: number[] = [0];

  get count(): number {
    return this.#endedAt.length;
  }

  /** Takes `@P` from the front of the words, if it is there. */
  named(words: Words): number {
    const word = words.peek();
    if (word === undefined || !word.startsWith('@')) return this.#alive(words, '0', 0);
    words.take();
    const text = word.slice(1);
    return this.#alive(words, text, /^[0-9]+$/.test(text) ? Number(text) : NaN);
  }

  #alive(words: Words, text: string, process: number): number {
    const endedAt = this.#endedAt[process];
    if (endedAt === undefined) {
      const last = this.count - 1;
      const allowed = last === 0 ? '0; each fork makes the next one' : `0 to ${last}`;
      words.fail(`process ${quote(text)} is none so far`, allowed);
    }
    if (endedAt !== 0)
      words.fail(`process ${process} has exited in line ${endedAt}`, 'one that has not');
    return process;
  }

  fork(words: Words): number {
    if (this.count === SCRIPT_MAX_PROCESSES)
      words.fail('the fork is one too many', `${SCRIPT_MAX_PROCESSES} processes`);
    return this.#endedAt.push(0) - 1;
  }

  exit(words: Words, process: number): void {
    this.#endedAt[process] = words.line;
  }
}

/**
 * Parses an mm script into operation records; `timeS` is 0 in all of them.
 * `barrier` is a record of its own. Throws a TraceError that names `file` and the line.
 */
export function parseScript(text: string, file: string): OperationList {
  const writer = new OperationWriter(256);
  const lines = text.split('\n');
  const processes = new Processes();
  let cpus = 1;
  for (let index = 0; index < lines.length; index++) {
    const raw = lines[index]!;
    const hash = raw.indexOf('#');
    let body = (hash < 0 ? raw : raw.slice(0, hash)).trim();
    if (body === '') continue;
    const prefix = /^([^\s:]*)\s*:\s*/.exec(body);
    let cpu = 0;
    if (prefix !== null) {
      const number = prefix[1]!;
      cpu = /^[0-9]+$/.test(number) ? Number(number) : NaN;
      if (!(cpu <= SCRIPT_MAX_CPU)) {
        const problem = `CPU ${quote(number)} is no CPU number`;
        throw new TraceError(file, index + 1, problem, `0 to ${SCRIPT_MAX_CPU}, then ":"`);
      }
      body = body.slice(prefix[0].length);
    }
    const words = new Words(body === '' ? [] : body.split(/\s+/), file, index + 1);
    parseCall(words, cpu, processes, writer);
    if (cpu >= cpus) cpus = cpu + 1;
  }
  if (writer.count === 0) {
    throw new TraceError(file, null, 'no operation in the file', `lines of ${CALLS}`);
  }
  return { operations: writer.finish(), count: writer.count, cpus, processes: processes.count };
}

function parseCall(words: Words, cpu: number, all: Processes, writer: OperationWriter): void {
  if (words.peek() === 'barrier') {
    words.take();
    words.end(USAGE['barrier']!);
    writer.push(CALL_BARRIER, cpu, 0, 0, 0, 0, 0, 0);
    return;
  }
  const process = all.named(words);
  const name = words.take();
  if (name === undefined) words.fail('the operation is missing', CALLS);
  const usage = lookUp(USAGE, name);
  if (usage === undefined) words.fail(`operation ${quote(name)} is unknown`, CALLS);
  if (name === 'barrier') words.fail("a barrier is no process's", usage);
  if (name === 'fork' || name === 'exit') {
    words.end(usage);
    const forks = name === 'fork';
    const child = forks ? all.fork(words) : 0;
    writer.push(forks ? CALL_FORK : CALL_EXIT, cpu, 0, 0, child, 0, 0, 0, process);
    if (!forks) all.exit(words, process);
    return;
  }
  const push = (call: number, arg2: number, arg3: number): void => {
    writer.push(call, cpu, address, length, arg2, arg3, 0, 0, process);
  };
  const address = words.address(name === 'mremap' ? 'OLD' : 'ADDR', usage);
  const length = words.length('LEN', usage);
  switch (name) {
    case 'mmap': {
      const [protection, flags] = mmapOptions(words, usage);
      push(CALL_MMAP, protection, flags);
      break;
    }
    case 'munmap':
      push(CALL_MUNMAP, 0, 0);
      break;
    case 'touch': {
      const mode = words.peek();
      if (mode === 'r' || mode === 'w') words.take();
      const stride = words.done ? PAGE_BYTES : words.length('STRIDE', usage);
      if (stride === 0) words.fail('STRIDE is 0', '1 to 4096T');
      push(CALL_TOUCH, mode === 'r' ? 0 : 1, stride);
      break;
    }
    case 'madvise': {
      const advice = words.choice('advice', ADVICE_NUMBERS, usage);
      push(CALL_MADVISE, advice, 0);
      break;
    }
    case 'mremap': {
      const to = words.address('NEW', usage);
      const newLength = words.done ? length : words.length('NEWLEN', usage);
      push(CALL_MREMAP, to, newLength);
      break;
    }
    case 'mprotect': {
      const protection = words.choice('protection', PROTECTIONS, usage);
      push(CALL_MPROTECT, protection, 0);
      break;
    }
  }
  words.end(usage);
}

function mmapOptions(words: Words, usage: string): [protection: number, flags: number] {
  let protection: number | null = null;
  let flags = 0;
  for (let word = words.take(); word !== undefined; word = words.take()) {
    const named = lookUp(PROTECTIONS, word);
    const flag = word === 'shared' ? MAP_SHARED : word === 'populate' ? MAP_POPULATE : 0;
    if (named === undefined && flag === 0) words.fail(`option ${quote(word)} is unknown`, usage);
    if (named === undefined ? flags & flag : protection !== null) {
      words.fail(`option ${quote(word)} is one too many`, usage);
    }
    flags |= flag;
    protection = named ?? protection;
  }
  return [protection ?? PROT_READ | PROT_WRITE, flags];
}

function cannot(what: string): never {
  throw new RangeError(`${what} cannot stand in an mm script; allowed: ${CALLS}`);
}

/** `value` bytes as a script writes it, with the largest suffix that divides it. */
function formatScriptNumber(value: number): string {
  for (const suffix of ['T', 'G', 'M', 'K']) {
    const unit = SUFFIX[suffix]!;
    if (value !== 0 && value % unit === 0) return `${value / unit}${suffix}`;
  }
  return String(value);
}

/**
 * One operation as a line of an mm script. Throws a RangeError for what scripts cannot say: faults,
 * brk, file mappings, executable memory, mappings that replace others, mremap without MREMAP_FIXED.
 */
export function formatScriptLine(operation: Operation): string {
  const { call, cpu, address, length, arg2, arg3, arg4 } = operation;
  const onCpu = cpu === 0 ? '' : `${cpu}: `;
  const prefix = operation.process === 0 ? onCpu : `${onCpu}@${operation.process} `;
  const range = `${formatScriptNumber(address)} ${formatScriptNumber(length)}`;
  const protection = PROTECTION_NAMES[arg2];
  switch (call) {
    case CALL_BARRIER:
      return `${prefix}barrier`;
    case CALL_MMAP: {
      if (protection === undefined) return cannot(`protection ${arg2}`);
      if (arg4 !== 0) return cannot('a file mapping');
      if (arg3 > (MAP_SHARED | MAP_POPULATE)) return cannot(`mapping flags ${arg3}`);
      const shared = arg3 & MAP_SHARED ? ' shared' : '';
      const populate = arg3 & MAP_POPULATE ? ' populate' : '';
      return `${prefix}mmap ${range} ${protection}${shared}${populate}`;
    }
    case CALL_MUNMAP:
      return `${prefix}munmap ${range}`;
    case CALL_TOUCH:
      return `${prefix}touch ${range} ${arg2 === 1 ? 'w' : 'r'} ${formatScriptNumber(arg3)}`;
    case CALL_MADVISE: {
      const name = Object.keys(ADVICE_NUMBERS).find((key) => ADVICE_NUMBERS[key] === arg2);
      if (name === undefined) return cannot(`advice ${arg2}`);
      return `${prefix}madvise ${range} ${name}`;
    }
    case CALL_MREMAP:
      if (arg4 !== 0) return cannot('mremap without MREMAP_FIXED');
      return `${prefix}mremap ${range} ${formatScriptNumber(arg2)} ${formatScriptNumber(arg3)}`;
    case CALL_MPROTECT:
      if (protection === undefined) return cannot(`protection ${arg2}`);
      return `${prefix}mprotect ${range} ${protection}`;
    case CALL_FORK:
      return `${prefix}fork`;
    case CALL_EXIT:
      return `${prefix}exit`;
    default:
      return cannot(`call ${call}`);
  }
}
