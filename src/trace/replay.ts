/**
 * Replays a list of operations on a machine: spreads it over the CPUs, waits for them, gathers what each operation did.
 * The CPUs' side is replayCpu.ts.
 */
import { H_STOP, STOP_NO, STOP_SOON } from '../kernel/abi.ts';
import { DIST } from '../machine/kernel.ts';
import { errnoName } from '../machine/errno.ts';
import { AddressSpace } from '../machine/machine.ts';
import type { Machine } from '../machine/machine.ts';
import { aboutProtocol } from '../machine/protocols.ts';
import type { SpaceStatistics } from '../machine/statistics.ts';
import {
  CALL_BARRIER,
  CALL_EXIT,
  CALL_FORK,
  CALL_MMAP,
  CALL_NAMES,
  FIELD_ARG2,
  FIELD_ARG4,
  FIELD_CALL,
  FIELD_PROCESS,
  FIELD_TIME_S,
  FILE_RADIX,
  OP_FIELDS,
} from './operation.ts';
import type { OperationList } from './operation.ts';
import { orderOperations } from './order.ts';
import { DONE, NOT_RUN, PROGRESS_WORDS, SPACE_WORDS } from './replayCpu.ts';
import type { ReplayPlan } from './replayCpu.ts';

/** Pages of every file that a recording maps: beyond any offset, so that no fault is past a file's end. */
const FILE_PAGES = 0xffff_ffff;
const POLL_MS = 50;
/** kB of one page table, as VmPTE counts it. */
export const TABLE_KB = 4;

export interface ReplayOptions {
  /**
   * Address space to replay in; default: one of its own, destroyed afterwards with those that it forked. Given one, the
   * forked ones that are left are the caller's (`ReplayResult.forked`), and a list that ends process 0 ends the given
   * one.
   */
  space?: AddressSpace;
  /** Whether conflicting operations of different CPUs keep their order; default true. Barriers always hold. */
  conflicts?: boolean;
  /** Ends the replay after the operations under way. */
  signal?: AbortSignal;
  onProgress?: (progress: ReplayProgress) => void;
}

export interface ReplayProgress {
  operations: number;
  /** Finished so far, all CPUs. */
  finished: number;
  /** Finished so far, by CPU. */
  finishedByCpu: number[];
  durationMs: number;
}

/** What a replay did. Arrays have one element per operation. */
export interface ReplayResult {
  operations: number;
  finished: number;
  cpus: number;
  /** From the first operation to the last, without setting up. */
  durationMs: number;
  /** Number of operations that each error was the answer of, by name. */
  errors: Record<string, number>;
  /** Greatest page-table memory after any operation, of all processes together, as are all that follow. */
  vmptePeakKb: number;
  /** Page-table memory and mapped anonymous pages after the last operation of the list that ran. */
  vmpteKb: number;
  anonPages: number;
  /** Linux error numbers, 0 for none, NOT_RUN. */
  errnos: Uint16Array;
  vmpteKbs: Uint32Array;
  anonPagesAfter: Uint32Array;
  /** Processes that the list names. */
  processes: number;
  /** Where there are several, per operation and process: tables (-1: no such process), mapped anonymous pages. */
  spaces: Int32Array;
  /** Address spaces that were forked and are still there. */
  forked: AddressSpace[];
  /** Why the CPUs stopped early: one of them died, or its code failed. Null otherwise. */
  failure: Error | null;
}

function shared(bytes: number): SharedArrayBuffer {
  return new SharedArrayBuffer(bytes);
}

async function createFiles(
  machine: Machine,
  list: OperationList,
): Promise<Uint32Array<SharedArrayBuffer>> {
  const files = new Uint32Array(shared(FILE_RADIX * 4));
  for (let at = 0; at < list.count * OP_FIELDS; at += OP_FIELDS) {
    if (list.operations[at + FIELD_CALL] !== CALL_MMAP) continue;
    const file = list.operations[at + FIELD_ARG4]! % FILE_RADIX;
    if (file === 0 || files[file] !== 0) continue;
    files[file] = (await machine.createFile(FILE_PAGES)).handle;
  }
  return files;
}

/**
 * Replays `list` on the machine's first `list.cpus` CPUs. Resolves also when it ended early (`finished < operations`):
 * by the signal, by a violation, or because a CPU died (`failure`). Throws a RangeError when the list names more CPUs
 * than the machine has.
 */
export async function replay(
  machine: Machine,
  list: OperationList,
  options: ReplayOptions = {},
): Promise<ReplayResult> {
  const { operations, count, cpus, processes = 1 } = list;
  if (cpus > machine.cpus) {
    throw new RangeError(`list names ${cpus} CPUs; allowed: at most ${machine.cpus}`);
  }
  const space = options.space ?? (await machine.createAddressSpace());
  const conflicts = options.conflicts ?? true;
  const start = space.statistics();
  const mms = new Uint32Array(shared(processes * 4));
  mms[0] = space.handle;
  const hasDaemon = aboutProtocol(machine.options.protocol).daemon === true;
  const plan: ReplayPlan = {
    mms,
    operations,
    order: orderOperations(list, { conflicts }),
    files: await createFiles(machine, list),
    progress: new Int32Array(shared(cpus * PROGRESS_WORDS * 4)),
    errnos: new Uint16Array(shared(count * 2)).fill(NOT_RUN),
    changes: cpus === 1 ? processes === 1 : conflicts,
    daemons: hasDaemon,
    clocked: hasDaemon || machine.options.wasteSlots > 0,
    timed: count > 0 && operations[(count - 1) * OP_FIELDS + FIELD_TIME_S] !== 0,
    tables: new Int32Array(shared(count * 4)),
    anonPages: new Int32Array(shared(count * 4)),
    spaces: new Int32Array(shared(processes === 1 ? 0 : count * processes * SPACE_WORDS * 4)),
  };
  const module = new URL('src/trace/replayCpu.js', DIST);
  const startMs = performance.now();
  const finishedByCpu = (): number[] =>
    Array.from({ length: cpus }, (_, cpu) =>
      Atomics.load(plan.progress, cpu * PROGRESS_WORDS + DONE),
    );
  const report = (): void => {
    const byCpu = finishedByCpu();
    options.onProgress?.({
      operations: count,
      finished: byCpu.reduce((sum, done) => sum + done, 0),
      finishedByCpu: byCpu,
      durationMs: performance.now() - startMs,
    });
  };
  const stopWord = H_STOP >>> 2;
  const stop = (): void => {
    Atomics.compareExchange(machine.words, stopWord, STOP_NO, STOP_SOON);
  };
  options.signal?.addEventListener('abort', stop, { once: true });
  if (options.signal?.aborted) stop();
  const poll = setInterval(report, POLL_MS);
  const ends = await Promise.allSettled(
    Array.from({ length: cpus }, (_, cpu) =>
      machine
        .cpu(cpu)
        .callModule(module, 'runReplay', plan)
        .catch((error: unknown) => {
          stop();
          throw error;
        }),
    ),
  );
  const durationMs = performance.now() - startMs;
  clearInterval(poll);
  options.signal?.removeEventListener('abort', stop);
  Atomics.compareExchange(machine.words, stopWord, STOP_SOON, STOP_NO);
  report();
  const failed = ends.find((end) => end.status === 'rejected');
  if (processes > 1 && plan.changes) sumChanges(plan);
  const result = gather(plan, start, durationMs);
  for (const mm of mms.subarray(1))
    if (mm !== 0) result.forked.push(new AddressSpace(mm, machine.words));
  if (failed !== undefined) result.failure = failed.reason as Error;
  else if (options.space === undefined) {
    for (const one of result.forked.splice(0)) await machine.destroyAddressSpace(one);
    if (mms[0] !== 0) await machine.destroyAddressSpace(space);
  }
  return result;
}

/** Makes what each process and all together had after each operation of what the operations changed. */
function sumChanges(plan: ReplayPlan): void {
  const { operations, tables, anonPages, spaces, mms } = plan;
  const processes = mms.length;
  const now = new Int32Array(processes * SPACE_WORDS);
  for (let process = 1; process < processes; process++) now[process * SPACE_WORDS] = -1;
  for (let op = 0; op < tables.length; op++) {
    const at = op * OP_FIELDS;
    const call = operations[at + FIELD_CALL]!;
    const process = operations[at + (call === CALL_FORK ? FIELD_ARG2 : FIELD_PROCESS)]!;
    const of = process * SPACE_WORDS;
    const done = plan.errnos[op] === 0;
    if (call === CALL_FORK && done) now[of] = 0;
    if (now[of]! >= 0) {
      now[of]! += tables[op]!;
      now[of + 1]! += anonPages[op]!;
    }
    if (call === CALL_EXIT && done) now.set([-1, 0], of);
    spaces.set(now, op * now.length);
    let [allTables, allPages] = [0, 0];
    for (let one = 0; one < processes; one++) {
      allTables += Math.max(0, now[one * SPACE_WORDS]!);
      allPages += now[one * SPACE_WORDS + 1]!;
    }
    tables[op] = allTables;
    anonPages[op] = allPages;
  }
}

/**
 * Sums up what the CPUs recorded. Where that is changes, the state after an operation is the sum of its change and of
 * those before it in the list: what a single CPU would have seen, however far CPUs ran ahead of each other.
 */
function gather(plan: ReplayPlan, start: SpaceStatistics, durationMs: number): ReplayResult {
  const count = plan.errnos.length;
  const { cpus } = plan.order;
  const errnos = new Uint16Array(plan.errnos);
  const vmpteKbs = new Uint32Array(count);
  const anonPagesAfter = new Uint32Array(count);
  let vmpteKbNow = start.vmpteKb;
  let anonPagesNow = start.anonPages;
  for (let op = 0; op < count; op++) {
    const kb = plan.tables[op]! * TABLE_KB;
    const pages = plan.anonPages[op]!;
    const changes = plan.changes && plan.mms.length === 1;
    vmpteKbNow = changes ? vmpteKbNow + kb : kb;
    anonPagesNow = changes ? anonPagesNow + pages : pages;
    vmpteKbs[op] = vmpteKbNow;
    anonPagesAfter[op] = anonPagesNow;
  }
  const counts = new Map<number, number>();
  let finished = 0;
  let last = -1;
  let vmptePeakKb = 0;
  for (let op = 0; op < count; op++) {
    const errno = errnos[op]!;
    if (errno === NOT_RUN) continue;
    finished++;
    last = op;
    vmptePeakKb = Math.max(vmptePeakKb, vmpteKbs[op]!);
    if (errno !== 0) counts.set(errno, (counts.get(errno) ?? 0) + 1);
  }
  const errors: Record<string, number> = {};
  for (const [errno, times] of counts) errors[errnoName(errno)!] = times;
  return {
    operations: count,
    finished,
    cpus,
    durationMs,
    errors,
    vmptePeakKb,
    vmpteKb: last < 0 ? 0 : vmpteKbs[last]!,
    anonPages: last < 0 ? 0 : anonPagesAfter[last]!,
    errnos,
    vmpteKbs,
    anonPagesAfter,
    processes: plan.mms.length,
    spaces: new Int32Array(plan.spaces),
    forked: [],
    failure: null,
  };
}

/**
 * The processes of one operation, as `replay --each` prints them: table memory in kB and anonymous pages of each, null
 * where there is none.
 */
function processesText(result: ReplayResult, op: number): string {
  const { processes, spaces } = result;
  const texts = Array.from({ length: processes }, (_, process) => {
    const at = (op * processes + process) * SPACE_WORDS;
    return spaces[at]! < 0 ? 'null' : `[${spaces[at]! * TABLE_KB},${spaces[at + 1]}]`;
  });
  return `,"processes":[${texts.join(',')}]`;
}

/**
 * What `replay --each` prints of record `op` of the list, as JSON in one line, without its newline; `number` is what it
 * counts as. `timed`: with the recording's time.
 */
export function eachLine(
  list: OperationList,
  result: ReplayResult,
  op: number,
  number: number,
  timed: boolean,
): string {
  const call = CALL_NAMES[list.operations[op * OP_FIELDS + FIELD_CALL]!]!;
  const errno = result.errnos[op]!;
  const time = timed ? `,"t":${list.operations[op * OP_FIELDS + 7]!}` : '';
  const name = errno === 0 || errno === NOT_RUN ? 'null' : `"${errnoName(errno)}"`;
  const several = result.processes > 1;
  const process = several ? `,"process":${list.operations[op * OP_FIELDS + FIELD_PROCESS]!}` : '';
  const each = several ? processesText(result, op) : '';
  return `{"op":${number},"call":"${call}"${process},"errno":${name},"vmpteKb":${result.vmpteKbs[op]},"anonPages":${result.anonPagesAfter[op]}${each}${time}}`;
}

/** The lines of `replay --each`: one for each operation that ran. Barriers are not operations and do not count. */
export function* eachLines(
  list: OperationList,
  result: ReplayResult,
  timed = false,
): Generator<string> {
  let number = 0;
  for (let op = 0; op < result.operations; op++) {
    if (list.operations[op * OP_FIELDS + FIELD_CALL] === CALL_BARRIER) continue;
    if (result.errnos[op] !== NOT_RUN) yield eachLine(list, result, op, number, timed);
    number++;
  }
}
