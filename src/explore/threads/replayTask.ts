/** What passes between a replay on threads and one of its threads (workers/replay.ts). */

import type { LinkedScenario } from '../scenario.ts';
import type { CpuOutcome } from './threadCpu.ts';

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
