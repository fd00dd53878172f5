/** A CPU of a schedule that is replayed on threads: sets the scenario up, waits for the others, and goes along the plan. */

import { readyScenario, type LinkedScenario } from '../src/explore/scenario.ts';
import { Baton } from '../src/explore/threads/baton.ts';
import { Plan } from '../src/explore/threads/plan.ts';
import { runThreadCpu, ThreadHost, type CpuOutcome } from '../src/explore/threads/threadCpu.ts';

/** What a thread is started with. */
export interface ReplayTask {
  /** Linked plain. */
  scenario: LinkedScenario;
  cpu: number;
  overlap: boolean;
  memory: SharedArrayBuffer;
  plan: SharedArrayBuffer;
  baton: SharedArrayBuffer;
}

/** How the CPU ended, and when it was ready and when it had ended, nanoseconds of the process's monotonic clock. */
export interface ReplayTaskResult {
  outcome: CpuOutcome;
  readyNs: bigint;
  endNs: bigint;
}

export default function replayCpu(task: ReplayTask): ReplayTaskResult {
  const { cpu, overlap, scenario } = task;
  const baton = new Baton(task.baton);
  const departed = (why: string): ReplayTaskResult => {
    baton.abort();
    const now = process.hrtime.bigint();
    return { outcome: { state: 'departed', step: 0, why }, readyNs: now, endNs: now };
  };
  const host = new ThreadHost(readyScenario(scenario).make);
  const shared = new Uint32Array(task.memory);
  host.setUp(new Uint32Array(shared.length));
  const different = shared.findIndex((value, word) => value !== host.words[word]);
  if (different >= 0)
    return departed(`the set-up leaves another value in word 0x${(different * 4).toString(16)}`);
  host.words = shared;
  const readyNs = process.hrtime.bigint();
  const { cpus } = host.program;
  if (baton.ready(cpus)) baton.give(0, -cpus);
  const outcome = runThreadCpu(host, new Plan(task.plan), baton, { cpu, overlap });
  return { outcome, readyNs, endNs: process.hrtime.bigint() };
}
