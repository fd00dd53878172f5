import { quote, TraceError } from './traceError.ts';

/*
 * One line of what `perf script -F comm,pid,tid,cpu,time,event,trace` prints:
 *
 *   COMM PID/TID [CPU] SECONDS.FRACTION: GROUP:EVENT: FIELDS
 *
 * COMM may hold spaces and brackets. Runs of spaces count as one. Numbers in FIELDS are hexadecimal.
 */

export const EVENT_LOST = 0;
export const EVENT_FAULT_USER = 1;
export const EVENT_FAULT_KERNEL = 2;
export const EVENT_FORK = 3;
export const EVENT_EXEC = 4;
export const EVENT_EXIT = 5;
/** Enter events are `EVENT_ENTER + call code`, exit events `EVENT_LEAVE + call code`. */
export const EVENT_ENTER = 16;
export const EVENT_LEAVE = 32;

export const CALLS = ['mmap', 'munmap', 'madvise', 'mremap', 'brk', 'mprotect'] as const;

const FIELDS: Readonly<Record<(typeof CALLS)[number], readonly string[]>> = {
  mmap: ['addr', 'len', 'prot', 'flags', 'fd', 'off'],
  munmap: ['addr', 'len'],
  madvise: ['start', 'len_in', 'behavior'],
  mremap: ['addr', 'old_len', 'new_len', 'flags', 'new_addr'],
  brk: ['brk'],
  mprotect: ['start', 'len', 'prot'],
};

const EVENTS = new Map<string, number>([
  ['exceptions:page_fault_user', EVENT_FAULT_USER],
  ['exceptions:page_fault_kernel', EVENT_FAULT_KERNEL],
  ['sched:sched_process_fork', EVENT_FORK],
  ['sched:sched_process_exec', EVENT_EXEC],
  ['sched:sched_process_exit', EVENT_EXIT],
  ...CALLS.map((name, call) => [`syscalls:sys_enter_${name}`, EVENT_ENTER + call] as const),
  ...CALLS.map((name, call) => [`syscalls:sys_exit_${name}`, EVENT_LEAVE + call] as const),
]);

const EVENT_NAMES =
  'page_fault_user, page_fault_kernel, sched_process_fork, _exec, _exit, ' +
  `and sys_enter_ and sys_exit_ of ${CALLS.join(', ')}`;
const LINE_FORM =
  '"COMM PID/TID [CPU] SECONDS: GROUP:EVENT: FIELDS" (perf script -F comm,pid,tid,cpu,time,event,trace)';
const FAULT_FORM = '"address=0x... ip=... error_code=0x..."';
const LAST_FIELD: Readonly<Record<number, string>> = {
  [EVENT_FORK]: 'child_pid=',
  [EVENT_EXEC]: 'pid=',
  [EVENT_EXIT]: 'pid=',
};
const LOST_WORD = /(?<![a-z])lost(?![a-z])/i;
const LOST_COUNTS = [
  /(?<![a-z])lost(?![a-z])\D{0,20}?(\d+)/i,
  /(\d+)\D{0,20}(?<![a-z])lost(?![a-z])/i,
];
const PERF_CHATTER = /^(#|\[ perf|Warning:|Processed \d|Check IO\/CPU overload)/;

const FAULT_USER_BYTES = Buffer.from('exceptions:page_fault_user:', 'latin1');
const ADDRESS_BYTES = Buffer.from('address=', 'latin1');

const NEWLINE = 10;
const RETURN = 13;
const SPACE = 32;
const MINUS = 45;
const SLASH = 47;
const ZERO = 48;
const COLON = 58;
const LOWER_X = 120;

const HEX = new Int8Array(256).fill(-1);
for (let digit = 0; digit < 10; digit++) HEX[ZERO + digit] = digit;
for (let digit = 10; digit < 16; digit++) HEX[55 + digit] = HEX[87 + digit] = digit;

/**
 * Reads a recording line by line. `next` moves to the following event and fills the fields below;
 * it throws a TraceError for a line that is none. Lines on which perf tells of lost events come as
 * EVENT_LOST with the number of them in `lost`.
 */
export class PerfScanner {
  /** Line of the current event, from 1. */
  line = 0;
  event = EVENT_LOST;
  commStart = 0;
  commEnd = 0;
  pid = 0;
  tid = 0;
  timeS = 0;
  /** A fault's address; NaN where perf printed a kernel symbol in its place. */
  address = 0;
  errorCode = 0;
  /** What an enter event was called with, in the order of the kernel's format; negatives as 64 bits. */
  readonly args = new Float64Array(6);
  /** What an exit event returned, negative for an error number. */
  result = 0;
  lost = 0;
  /** The thread or process that a fork event tells of. */
  childPid = 0;
  /** Whether an exit event says that it is its process's last; kernels before 6.16 do not say. */
  groupDead = false;

  readonly #bytes: Buffer;
  readonly #file: string;
  #lineStart = 0;
  #lineEnd = 0;
  #at = 0;
  #hexLow = 0;
  #hexDigits = 0;

  constructor(bytes: Buffer, file: string) {
    this.#bytes = bytes;
    this.#file = file;
  }

  /** The command name of the current line, or of what stood at `start` to `end`. */
  comm(start = this.commStart, end = this.commEnd): string {
    return this.#bytes.toString('utf8', start, end);
  }

  sameComm(start: number, end: number): boolean {
    const { commStart, commEnd } = this;
    return this.#bytes.compare(this.#bytes, start, end, commStart, commEnd) === 0;
  }

  fail(problem: string, allowed: string): never {
    throw new TraceError(this.#file, this.line, problem, allowed);
  }

  next(): boolean {
    const bytes = this.#bytes;
    for (;;) {
      let start = this.#lineEnd;
      if (start >= bytes.length) return false;
      let end = bytes.indexOf(NEWLINE, start);
      if (end < 0) end = bytes.length;
      this.#lineEnd = end + 1;
      this.line++;
      while (end > start && (bytes[end - 1] === RETURN || bytes[end - 1] === SPACE)) end--;
      while (start < end && bytes[start] === SPACE) start++;
      if (start === end) continue;
      this.#lineStart = start;
      if (this.#event(start, end)) return true;
    }
  }

  #text(start: number, end: number): string {
    return this.#bytes.toString('latin1', start, end);
  }

  #event(start: number, end: number): boolean {
    const at = this.#head(start, end);
    if (at < 0) return this.#oddLine(start, end);
    const bytes = this.#bytes;
    const user = FAULT_USER_BYTES;
    let same = at + user.length <= end;
    for (let i = 0; same && i < user.length; i++) same = bytes[at + i] === user[i];
    if (same) {
      this.event = EVENT_FAULT_USER;
      this.#fault(at + user.length, end);
      return true;
    }
    let colon = bytes.indexOf(COLON, at);
    if (colon >= 0 && colon < end) colon = bytes.indexOf(COLON, colon + 1);
    if (colon < 0 || colon >= end) colon = end;
    const name = this.#text(at, colon);
    const event = EVENTS.get(name);
    if (event === undefined) {
      if (this.#lostLine(this.#text(at, end))) return true;
      if (colon === end)
        this.fail(`the line ends early: ${quote(this.#text(start, end))}`, LINE_FORM);
      this.fail(`unknown event ${quote(name)}`, EVENT_NAMES);
    }
    if (colon === end)
      this.fail(`the line ends early: ${quote(this.#text(start, end))}`, LINE_FORM);
    this.event = event;
    this.#at = colon + 1;
    if (event === EVENT_FAULT_KERNEL) this.#fault(colon + 1, end);
    else if (event >= EVENT_LEAVE) this.#result(end);
    else if (event >= EVENT_ENTER) this.#arguments(FIELDS[CALLS[event - EVENT_ENTER]!], end);
    else {
      const last = LAST_FIELD[event]!;
      const payload = this.#text(colon + 1, end);
      const found = payload.lastIndexOf(` ${last}`);
      if (found < 0 || !/^\d+\b/.test(payload.slice(found + 1 + last.length))) {
        this.fail(`${name} ends early: ${quote(payload.trim())}`, `a number after "${last}"`);
      }
      if (event === EVENT_FORK)
        this.childPid = Number.parseInt(payload.slice(found + 1 + last.length), 10);
      this.groupDead = payload.endsWith('group_dead=true') || payload.endsWith('group_dead=1');
    }
    return true;
  }

  /** Reads COMM to SECONDS and returns where the event's name begins, or -1 if the line is no event. */
  #head(start: number, end: number): number {
    const bytes = this.#bytes;
    for (let bracket = start; bracket < end; bracket++) {
      if (bytes[bracket] !== 91) continue;
      let at = bracket - 1;
      while (at > start && bytes[at] === SPACE) at--;
      const tid = this.#backwards(at, start);
      at = this.#at;
      if (tid < 0 || bytes[at] !== SLASH) continue;
      const pid = this.#backwards(at - 1, start);
      at = this.#at;
      if (pid < 0 || at < start || bytes[at] !== SPACE) continue;
      while (at > start && bytes[at - 1] === SPACE) at--;
      const commEnd = at;
      at = bracket + 1;
      while (at < end && bytes[at]! >= ZERO && bytes[at]! < COLON) at++;
      if (at === bracket + 1 || bytes[at] !== 93) continue;
      at++;
      while (at < end && bytes[at] === SPACE) at++;
      let units = 0;
      let scale = 1;
      let digits = 0;
      let point = false;
      for (; at < end; at++) {
        const byte = bytes[at]!;
        if (byte >= ZERO && byte < COLON) {
          units = units * 10 + byte - ZERO;
          digits++;
          if (point) scale *= 10;
        } else if (byte === 46 && !point) point = true;
        else break;
      }
      if (digits === 0 || at >= end || bytes[at] !== COLON) continue;
      at++;
      while (at < end && bytes[at] === SPACE) at++;
      this.commStart = start;
      this.commEnd = commEnd;
      this.pid = pid;
      this.tid = tid;
      this.timeS = units / scale;
      return at;
    }
    return -1;
  }

  /** The decimal number that ends at `at` (-1: none, or perf's own -1), leaving #at before it. */
  #backwards(at: number, start: number): number {
    const bytes = this.#bytes;
    let value = 0;
    let unit = 1;
    const last = at;
    for (; at >= start; at--) {
      const byte = bytes[at]!;
      if (byte < ZERO || byte >= COLON) break;
      value += (byte - ZERO) * unit;
      unit *= 10;
    }
    const none = at === last;
    if (!none && at >= start && bytes[at] === MINUS) at--;
    this.#at = at;
    return none ? -1 : value;
  }

  #fault(at: number, end: number): void {
    const bytes = this.#bytes;
    const address = ADDRESS_BYTES;
    while (at < end && bytes[at] === SPACE) at++;
    for (let i = 0; i < address.length; i++) {
      if (bytes[at + i] !== address[i] || at + i >= end) this.#badFault(at, end);
    }
    at += address.length;
    let code = end - 1;
    let unit = 1;
    let errorCode = 0;
    for (; code > at; code--) {
      const digit = HEX[bytes[code]!]!;
      if (digit < 0) break;
      errorCode += digit * unit;
      unit *= 16;
    }
    const complete =
      unit > 1 &&
      bytes[code] === LOWER_X &&
      bytes[code - 1] === ZERO &&
      bytes[code - 2] === 61 &&
      this.#text(code - 13, code - 1) === ' error_code=';
    if (!complete) this.#badFault(at - address.length, end);
    this.errorCode = errorCode;
    if (bytes[at] !== ZERO || bytes[at + 1] !== LOWER_X) {
      this.address = NaN;
      return;
    }
    this.#at = at;
    this.address = this.#hex(end);
    if (bytes[this.#at] !== SPACE) this.#badFault(at - address.length, end);
  }

  #badFault(at: number, end: number): never {
    const found = this.#text(at, end);
    this.fail(`the page fault is broken or ends early: ${quote(found)}`, FAULT_FORM);
  }

  /** Reads 0x and digits at #at; NaN if there are none. The low 32 bits are kept in #hexLow. */
  #hex(end: number): number {
    const bytes = this.#bytes;
    let at = this.#at;
    if (bytes[at] !== ZERO || bytes[at + 1] !== LOWER_X || at + 1 >= end) return NaN;
    at += 2;
    const first = at;
    let value = 0;
    let low = 0;
    for (; at < end; at++) {
      const digit = HEX[bytes[at]!]!;
      if (digit < 0) break;
      value = value * 16 + digit;
      low = (low << 4) | digit;
    }
    this.#at = at;
    this.#hexLow = low;
    this.#hexDigits = at - first;
    return at === first ? NaN : value;
  }

  #arguments(names: readonly string[], end: number): void {
    const bytes = this.#bytes;
    let at = this.#at;
    for (let i = 0; i < names.length; i++) {
      const label = `${names[i]}:`;
      for (;;) {
        while (at < end && bytes[at] === SPACE) at++;
        if (this.#startsWith(at, end, label)) break;
        if (i > 0) at = bytes.indexOf(44, at) + 1;
        if (i === 0 || at === 0 || at > end) this.#badArguments(names, end);
      }
      at += label.length;
      while (at < end && bytes[at] === SPACE) at++;
      this.#at = at;
      const value = this.#hex(end);
      if (!(value >= 0)) this.#badArguments(names, end);
      this.args[i] = value;
      at = this.#at;
      if (i + 1 < names.length) {
        at = bytes.indexOf(44, at) + 1;
        if (at === 0 || at > end) this.#badArguments(names, end);
      }
    }
  }

  #startsWith(at: number, end: number, label: string): boolean {
    if (at + label.length > end) return false;
    for (let i = 0; i < label.length; i++) {
      if (this.#bytes[at + i] !== label.charCodeAt(i)) return false;
    }
    return true;
  }

  #badArguments(names: readonly string[], end: number): never {
    const found = this.#text(this.#lineStart, end);
    const form = names.map((name) => `${name}: 0x...`).join(', ');
    this.fail(`the call is broken or ends early: ${quote(found)}`, `"${form}"`);
  }

  #result(end: number): void {
    const bytes = this.#bytes;
    let at = this.#at;
    while (at < end && bytes[at] === SPACE) at++;
    this.#at = at;
    const value = this.#hex(end);
    if (value >= 0 && (this.#at === end || bytes[this.#at] === SPACE)) {
      const negative = this.#hexDigits === 16 && value >= 2 ** 63;
      this.result = negative ? Math.min(this.#hexLow | 0, -1) : value;
      return;
    }
    const text = this.#text(at, end);
    if (!/^-?\d+$/.test(text)) {
      this.fail(`the result is broken or ends early: ${quote(text)}`, '0x and hexadecimal digits');
    }
    this.result = Number(text);
  }

  /** A line that is no event: what perf says about lost events, or its other remarks, or an error. */
  #oddLine(start: number, end: number): boolean {
    const text = this.#text(start, end);
    if (this.#lostLine(text)) return true;
    if (PERF_CHATTER.test(text)) return false;
    this.fail(`not a line of a recording: ${quote(text)}`, LINE_FORM);
  }

  #lostLine(text: string): boolean {
    if (!LOST_WORD.test(text)) return false;
    const counts = LOST_COUNTS.map((form) => form.exec(text)?.[1]);
    this.event = EVENT_LOST;
    this.lost = Number(counts[0] ?? counts[1] ?? 1);
    return true;
  }
}
