import { foldAddresses } from './fold.ts';
import { FIELD_CPU, OP_FIELDS } from './operation.ts';
import type { OperationList } from './operation.ts';
import {
  EVENT_ENTER,
  EVENT_EXEC,
  EVENT_EXIT,
  EVENT_FAULT_KERNEL,
  EVENT_FAULT_USER,
  EVENT_FORK,
  EVENT_LEAVE,
  EVENT_LOST,
  PerfScanner,
} from './perfLine.ts';
import { gatherFamily } from './perfFamily.ts';
import type { PerfFamily } from './perfFamily.ts';
import { PerfProcess } from './perfProcess.ts';
import { TraceError } from './traceError.ts';

/** Events of different threads may be printed this much out of order, those of one thread not at all. */
const REORDERING_S = 0.001;

export interface PerfOptions {
  /** Process to take; default: of those that called exec, the one with the most events after it. */
  pid?: number;
  /** Whether the children that the process forked are taken, too, until they exec or exit; default false. */
  children?: boolean;
  /** CPUs to spread the threads on (thread number modulo this); default and maximum: one a thread. */
  cpus?: number;
}

/** One thread of a recorded program. */
interface PerfThread {
  tid: number;
  name: string;
  cpu: number;
  exited: boolean;
}

/** A recorded program's operations since its last exec, in the order in which they took effect. */
export interface PerfTrace extends OperationList {
  pid: number;
  /** In order of their first operation. */
  threads: PerfThread[];
  /** Events of the recording, those of other processes and earlier images included. */
  events: number;
  /** Events that perf says it lost. */
  lostEvents: number;
  /** Events of processes other than `pid`; those of children that are taken are not among them. */
  foreignEvents: number;
  /** First and last moment of the image, seconds on the recording's clock. */
  startS: number;
  endS: number;
  /** What was left out and why, a sentence each, for people. */
  notes: string[];
}

/**
 * Imports what `perf script -F comm,pid,tid,cpu,time,event,trace` printed. Addresses are folded to
 * 44 bits. Throws a TraceError that names `file` and the line for anything that is not a recording.
 */
export function importPerf(bytes: Buffer, file: string, options: PerfOptions = {}): PerfTrace {
  const scan = new PerfScanner(bytes, file);
  const processes = new Map<number, PerfProcess>();
  const wanted = options.pid;
  const children = options.children === true;
  const forked = new Set<number>();
  let current: PerfProcess | undefined;
  let events = 0;
  let lostEvents = 0;
  let reordered = 0;
  let lastS = -Infinity;
  while (scan.next()) {
    const event = scan.event;
    if (event === EVENT_LOST) {
      lostEvents += scan.lost;
      continue;
    }
    events++;
    if (scan.timeS < lastS) {
      if (scan.timeS < lastS - REORDERING_S) failOrder(scan, lastS);
      reordered++;
    }
    const { pid } = scan;
    if (wanted !== undefined && pid !== wanted && !forked.has(pid)) {
      lastS = Math.max(lastS, scan.timeS);
      continue;
    }
    if (current === undefined || current.pid !== pid) {
      current = processes.get(pid);
      if (current === undefined) {
        current = new PerfProcess(pid, scan.timeS, forked.has(pid));
        processes.set(pid, current);
      }
    }
    current.events++;
    if (current.exited) continue;
    const thread = current.thread(scan);
    if (scan.timeS < thread.lastS) failOrder(scan, thread.lastS);
    thread.lastS = scan.timeS;
    if (scan.timeS < lastS) scan.timeS = lastS;
    lastS = scan.timeS;
    thread.commStart = scan.commStart;
    thread.commEnd = scan.commEnd;
    current.eventsOfImage++;
    current.endS = scan.timeS;
    if (event === EVENT_FAULT_USER) current.userFault(thread, scan);
    else if (event === EVENT_FAULT_KERNEL) current.kernelFault(thread, scan);
    else if (event >= EVENT_LEAVE) current.leave(thread, scan);
    else if (event >= EVENT_ENTER) current.enter(thread, scan);
    else if (event === EVENT_EXEC) current.exec(thread, scan);
    else if (event === EVENT_EXIT) current.exit(thread, scan);
    else if (event === EVENT_FORK && children) {
      current.fork(thread, scan);
      forked.add(scan.childPid);
    }
  }
  if (events === 0) {
    throw new TraceError(
      file,
      null,
      'no event in the file',
      'a recording as perf script prints it',
    );
  }
  const chosen = choose(processes, wanted, file);
  chosen.finish();
  const family = gatherFamily(chosen, processes);
  return describe(chosen, family, scan, file, options.cpus, { events, lostEvents, reordered });
}

function failOrder(scan: PerfScanner, lastS: number): never {
  const problem = `time goes back from ${lastS.toFixed(6)} to ${scan.timeS.toFixed(6)}`;
  scan.fail(problem, 'events in the order of their times, as perf script prints them');
}

function choose(
  processes: ReadonlyMap<number, PerfProcess>,
  wanted: number | undefined,
  file: string,
): PerfProcess {
  let best: PerfProcess | undefined;
  for (const process of processes.values()) {
    if (best === undefined || rank(process) > rank(best)) best = process;
  }
  if (best === undefined) {
    throw new TraceError(file, null, `no event of process ${wanted}`, 'a pid of the recording');
  }
  return best;
}

/** Any process that called exec before any that did not; then by events. */
function rank(process: PerfProcess): number {
  return process.eventsOfImage + (process.execs > 0 ? Number.MAX_SAFE_INTEGER / 2 : 0);
}

function describe(
  process: PerfProcess,
  family: PerfFamily,
  scan: PerfScanner,
  file: string,
  cpusWanted: number | undefined,
  totals: { events: number; lostEvents: number; reordered: number },
): PerfTrace {
  let folded;
  try {
    folded = foldAddresses(family.writer);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    const [problem, allowed] = error.message.split('; allowed: ');
    throw new TraceError(file, null, problem!, allowed ?? 'fewer');
  }
  const { writer } = folded;
  if (writer.count === 0) {
    const problem = `no fault and no call of process ${process.pid}`;
    throw new TraceError(file, null, problem, 'a recording of a program that ran');
  }
  const { threads } = family;
  const cpus = Math.min(cpusWanted ?? threads.length, threads.length);
  if (cpus < threads.length) {
    const { records } = writer;
    for (let at = FIELD_CPU; at < writer.count * OP_FIELDS; at += OP_FIELDS) records[at]! %= cpus;
  }
  const foreignEvents = totals.events - family.events;
  return {
    operations: writer.finish(),
    count: writer.count,
    cpus,
    processes: family.processes,
    pid: process.pid,
    threads: threads.map((thread, index) => ({
      tid: thread.tid,
      name: scan.comm(thread.commStart, thread.commEnd),
      cpu: index % cpus,
      exited: thread.exited,
    })),
    events: totals.events,
    lostEvents: totals.lostEvents,
    foreignEvents,
    startS: process.startS,
    endS: process.endS,
    notes: notesOf(process, family, folded.droppedMoves, foreignEvents, totals),
  };
}

function notesOf(
  process: PerfProcess,
  family: PerfFamily,
  droppedMoves: number,
  foreignEvents: number,
  totals: { lostEvents: number; reordered: number },
): string[] {
  const { leftOut } = process;
  const notes: string[] = [];
  const note = (count: number, one: string, many: string): void => {
    if (count > 0) notes.push(count === 1 ? `1 ${one}` : `${count} ${many}`);
  };
  note(totals.lostEvents, 'event was lost by perf', 'events were lost by perf');
  note(
    leftOut.unpairedCalls,
    'call has only its beginning or its end in the recording and is left out',
    'calls have only their beginning or their end in the recording and are left out',
  );
  note(
    totals.reordered,
    'event was printed after a later one of another thread',
    'events were printed after a later one of another thread',
  );
  note(
    foreignEvents,
    `event is of another process than ${process.pid} and is left out`,
    `events are of other processes than ${process.pid} and are left out`,
  );
  note(family.processes - 1, 'child is replayed as well', 'children are replayed as well');
  note(family.leftOut, 'child is left out', 'children are left out: there are too many');
  note(leftOut.failedCalls, 'call failed in the recording', 'calls failed in the recording');
  note(
    leftOut.otherAdvice,
    'madvise call does not concern page tables and is left out',
    'madvise calls do not concern page tables and are left out',
  );
  note(
    leftOut.kernelAddresses,
    'fault on a kernel address is left out',
    'faults on kernel addresses are left out',
  );
  note(leftOut.lowFaults, 'fault below 64 KiB is left out', 'faults below 64 KiB are left out');
  note(
    droppedMoves,
    'mremap over a gap between regions of 512 GiB is left out',
    'mremap calls over gaps between regions of 512 GiB are left out',
  );
  return notes;
}
