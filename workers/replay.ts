/**
 * A CPU of a schedule that is replayed on threads: sets the scenario up, waits for the others, and goes along the plan.
 */

import { readyScenario } from '../src/explore/scenario.ts';
import { Baton } from '../src/explore/threads/baton.ts';
import { Plan } from '../src/explore/threads/plan.ts';
import type { ReplayTask, ReplayTaskResult } from '../src/explore/threads/replayTask.ts';
import { runThreadCpu, ThreadHost } from '../src/explore/threads/threadCpu.ts';

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
