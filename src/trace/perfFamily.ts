/**
 * A recorded process together with the children that it forked: one list of operations, in which the processes are
 * numbered in the order of their forks.
 *
 * A child does what it did until it called exec, or exited; its later image has nothing to do with its parent's memory.
 * A fork stands where perf says that it happened, an exit where perf says so, or at the exec. Two things the recording
 * does not tell: whether a child shared its parent's memory (vfork, posix_spawn), which is taken for a fork; and that a
 * descriptor of the child is the parent's, so that files that both map are two.
 */
import {
  CALL_EXIT,
  CALL_FORK,
  FIELD_CPU,
  FIELD_TIME_S,
  OP_FIELDS,
  OperationWriter,
} from './operation.ts';
import type { PerfProcess } from './perfProcess.ts';
import type { ThreadState } from './perfThread.ts';
import { SCRIPT_MAX_PROCESSES } from './script.ts';

/** Processes of a family at most: as in a script. */
const PROCESSES_MAX = SCRIPT_MAX_PROCESSES;

export interface PerfFamily {
  writer: OperationWriter;
  /** Threads of all of them, in the order of their CPU numbers. */
  threads: ThreadState[];
  processes: number;
  /** Events of all of them, as far as they are taken. */
  events: number;
  /** Children that are left out because there are too many. */
  leftOut: number;
}

/** One process's part. */
interface Part {
  process: number;
  records: Float64Array;
  count: number;
  /** CPU of its first thread, and of what it does without any. */
  cpu: number;
}

/** What happens: a record of a part, or (index -1) a fork or exit. */
interface Event {
  timeS: number;
  /** At one moment forks come first, exits last. */
  rank: number;
  part: Part;
  index: number;
  child: number;
  cpu: number;
}

class FamilyGatherer {
  readonly threads: ThreadState[] = [];
  readonly events: Event[] = [];
  processes = 0;
  recorded = 0;
  leftOut = 0;
  readonly #all: ReadonlyMap<number, PerfProcess>;

  constructor(all: ReadonlyMap<number, PerfProcess>) {
    this.#all = all;
  }

  /**
   * Adds `member`, which runs on `cpu` if it has no thread of its own; `child`: up to its exec only. Gives its number.
   */
  add(member: PerfProcess, cpu: number, child: boolean): number {
    const cut = child ? member.untilExec : null;
    const threads = cut?.threads ?? member.threads;
    const part: Part = {
      process: this.processes++,
      records: cut?.records ?? member.writer.records,
      count: cut?.count ?? member.writer.count,
      cpu: threads.length === 0 ? cpu : this.threads.length,
    };
    this.threads.push(...threads);
    this.recorded += cut?.events ?? member.events;
    for (let index = 0; index < part.count; index++) {
      const timeS = part.records[index * OP_FIELDS + FIELD_TIME_S]!;
      this.events.push({ timeS, rank: 1, part, index, child: 0, cpu: 0 });
    }
    for (const fork of cut?.forks ?? member.forks) {
      const forked = this.#all.get(fork.child);
      if (forked === undefined || !forked.forked) continue;
      if (this.processes === PROCESSES_MAX) {
        this.leftOut++;
        continue;
      }
      const on =
        fork.thread.cpu < 0 || threads.length === 0 ? part.cpu : part.cpu + fork.thread.cpu;
      const number = this.add(forked, on, true);
      this.events.push({ timeS: fork.timeS, rank: 0, part, index: -1, child: number, cpu: on });
    }
    const endS = cut?.timeS ?? (member.exited ? member.endS : null);
    if (child && endS !== null)
      this.events.push({ timeS: endS, rank: 2, part, index: -1, child: 0, cpu: part.cpu });
    return part.process;
  }

  /** All events in the order of their times, those of a process as they stood. */
  list(): OperationWriter {
    const writer = new OperationWriter(this.events.length);
    const sorted = this.events.toSorted((a, b) => a.timeS - b.timeS || a.rank - b.rank);
    for (const { timeS, rank, part, index, child, cpu } of sorted) {
      if (index < 0) {
        const call = rank === 0 ? CALL_FORK : CALL_EXIT;
        writer.push(call, cpu, 0, 0, child, 0, 0, timeS, part.process);
        continue;
      }
      const at = index * OP_FIELDS;
      const [call, , address, length, arg2, arg3, arg4] = part.records.subarray(
        at,
        at + OP_FIELDS,
      ) as unknown as [number, number, number, number, number, number, number];
      const on = part.cpu + part.records[at + FIELD_CPU]!;
      writer.push(call, on, address, length, arg2, arg3, arg4, timeS, part.process);
    }
    return writer;
  }
}

/** `process`, whose list is finished, with the children in `all` that it forked since its last exec, and theirs. */
export function gatherFamily(
  process: PerfProcess,
  all: ReadonlyMap<number, PerfProcess>,
): PerfFamily {
  for (const one of all.values()) if (one !== process && one.untilExec === null) one.finish();
  const gatherer = new FamilyGatherer(all);
  gatherer.add(process, 0, false);
  if (gatherer.processes === 1)
    return {
      writer: process.writer,
      threads: process.threads,
      processes: 1,
      events: process.events,
      leftOut: 0,
    };
  const { threads, processes, recorded: events, leftOut } = gatherer;
  return { writer: gatherer.list(), threads, processes, events, leftOut };
}
