/**
 * Replays a schedule on real threads: a worker for each CPU, a SharedArrayBuffer as memory, Atomics as word operations,
 * and a baton (baton.ts) that makes the CPUs take their steps in the schedule's order. The functions are the scenario's
 * and the kernel's as compiled, with the same constants and the same patch as in the explorer; only the word operations
 * are calls of another kind.
 *
 * What is checked: each step begins with the operation, the word and the value that the explorer saw there, and gives
 * the same result; no wait ends early; when the schedule is at its end, oracles, waiters and the final check say what
 * went wrong, as in the explorer; and the memory is the explorer's, word for word (`differences`).
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { startWorkers } from '../../machine/workerPool.ts';
import { CHOOSE, KIND_MASK, KIND_SPAN, SLOT_ADDRESS } from '../operation.ts';
import { ExpectationError } from '../portable/primitives.ts';
import { DepartureError, replaySchedule } from '../replay.ts';
import { openScenario, type ScenarioRequest } from '../scenario.ts';
import type { Schedule, Verdict, Waiter } from '../verdict.ts';
import { Baton } from './baton.ts';
import { planOf } from './plan.ts';
import type { ReplayTask, ReplayTaskResult } from './replayTask.ts';
import { holds, ThreadHost, type CpuOutcome } from './threadCpu.ts';

/** Longest that threads are waited for once they have been told to give up, milliseconds. */
const ENDING_MS = 1000;

interface ThreadReplayOptions {
  /** Longest that all of it may last, milliseconds. Default: 30,000. */
  maxMs?: number;
  /** Let plain code run at the same time on several CPUs, as real machines do (threadCpu.ts). Default: false. */
  overlap?: boolean;
}

export interface ThreadReplay {
  /** Null when some CPU could go on at the end of the schedule. */
  verdict: Verdict | null;
  /** The memory at the end of the schedule, before any final check. */
  memory: Uint32Array;
  /** Addresses, in bytes, of words that are not as in the explorer at the same point. */
  differences: number[];
  /** Steps, and how many of them were taken by another CPU than the one before. */
  steps: number;
  handOvers: number;
  /** From the moment when every thread was ready to the last one's end, milliseconds. */
  durationMs: number;
}

/** The replay cannot come to its end: a thread died, or the time is up. */
export class ThreadReplayError extends Error {
  override readonly name = 'ThreadReplayError';
}

function errorOf({ name, message }: { name: string; message: string }): Error {
  if (name === 'ExpectationError') return new ExpectationError(message);
  const error = new Error(message);
  error.name = name;
  return error;
}

const latest = (times: readonly bigint[]): bigint =>
  times.reduce((one, other) => (one > other ? one : other));

/**
 * Replays `schedule` of the scenario on as many threads as it has CPUs. Throws DepartureError when the explorer or the
 * threads cannot follow it, ThreadReplayError when a thread dies or the time is up, and what openScenario throws.
 */
export async function replayOnThreads(
  request: ScenarioRequest,
  schedule: Schedule,
  options: ThreadReplayOptions = {},
): Promise<ThreadReplay> {
  const { execution } = replaySchedule(openScenario(request).make, schedule);
  const plan = planOf(execution);
  const { about, make, name, sites, source, statements } = openScenario(request, { plain: true });
  const scenario = { name, request, about, sites, statements, source };
  const host = new ThreadHost(make);
  const memory = new SharedArrayBuffer(execution.words.length * 4);
  const words = new Uint32Array(memory);
  host.setUp(words);
  const baton = new Baton(execution.cpus);
  const shared = { scenario, overlap: options.overlap === true, memory, plan, baton: baton.buffer };
  const results = await runThreads(execution.cpus, shared, baton, options.maxMs ?? 30_000);

  const outcomes = results.map(({ outcome }) => outcome);
  for (const outcome of outcomes)
    if (outcome.state === 'departed') throw new DepartureError(outcome.step, outcome.why);
  const copy = words.slice();
  const tookNs =
    latest(results.map(({ endNs }) => endNs)) - latest(results.map(({ readyNs }) => readyNs));
  const { depth, stepCpu } = execution;
  return {
    verdict: verdictOf(host, outcomes, schedule),
    memory: copy,
    differences: [...copy.keys()]
      .filter((word) => copy[word] !== execution.words[word])
      .map((word) => word * 4),
    steps: depth,
    handOvers: Array.from({ length: depth }, (_, step) => step).filter(
      (step) => step > 0 && stepCpu[step] !== stepCpu[step - 1],
    ).length,
    durationMs: Number(tookNs) / 1e6,
  };
}

/** Runs a thread for each CPU and waits until all have ended. */
async function runThreads(
  cpus: number,
  shared: Omit<ReplayTask, 'cpu'>,
  baton: Baton,
  maxMs: number,
): Promise<ReplayTaskResult[]> {
  const pool = startWorkers(cpus);
  const limit = new AbortController();
  const tasks = Array.from({ length: cpus }, (_, cpu) =>
    (
      pool.run({ ...shared, cpu } satisfies ReplayTask, {
        name: 'replay',
      }) as Promise<ReplayTaskResult>
    ).catch((error: unknown) => {
      const why = error instanceof Error ? error.message : String(error);
      throw new ThreadReplayError(`the thread of CPU ${cpu} has died: ${why}`);
    }),
  );
  try {
    const late = sleep(maxMs, undefined, { signal: limit.signal }).then(() => {
      throw new ThreadReplayError(`not at its end after ${maxMs} ms (option maxMs)`);
    });
    late.catch(() => {});
    return await Promise.race([Promise.all(tasks), late]);
  } catch (error) {
    baton.abort();
    await Promise.race([
      Promise.allSettled(tasks),
      sleep(ENDING_MS, undefined, { signal: limit.signal }).catch(() => {}),
    ]);
    throw error;
  } finally {
    limit.abort();
    await pool.destroy();
  }
}

/** What the threads came to, by the explorer's rules (verdict.ts). */
function verdictOf(host: ThreadHost, outcomes: CpuOutcome[], schedule: Schedule): Verdict | null {
  const { program, words } = host;
  const last = schedule.at(-1);
  const cpu = last === undefined ? null : typeof last === 'number' ? last : last[0];
  const violation = (error: Error, by: number | null): Verdict => ({
    kind: 'violation',
    error,
    cpu: by,
    schedule,
  });
  const seen = (): Error | null =>
    program.watch !== undefined && words[program.watch.word] !== 0
      ? program.watch.failure(words)
      : null;
  for (const outcome of outcomes)
    if (outcome.state === 'threw') return violation(errorOf(outcome), cpu);
  const wrong = seen();
  if (wrong !== null) return violation(wrong, cpu);
  const waiters: Waiter[] = [];
  for (const [number, outcome] of outcomes.entries()) {
    if (outcome.state !== 'stands') continue;
    const slots = Uint32Array.from(outcome.slots);
    const kind = outcome.code & KIND_MASK;
    if (kind === CHOOSE || holds(words, slots, kind)) return null;
    const site = program.sites[Math.floor(outcome.code / KIND_SPAN)] ?? null;
    waiters.push({ cpu: number, address: slots[SLOT_ADDRESS]!, site });
  }
  if (waiters.length > 0)
    return { kind: waiters.length > 1 ? 'deadlock' : 'unmet', waiters, schedule };
  if (outcomes.some(({ state }) => state === 'died')) return { kind: 'passes' };
  try {
    host.finish();
  } catch (error) {
    return violation(error instanceof Error ? error : new Error(String(error)), null);
  }
  const late = seen();
  return late === null ? { kind: 'passes' } : violation(late, null);
}
