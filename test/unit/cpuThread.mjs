/**
 * One CPU of a test on real threads: loads a built kernel over the shared memory, runs one scenario of
 * threadScenarios.mjs, and posts {result} or {error, reason}.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { loadKernel, prepareKernel } from '../../dist/src/machine/kernel.js';
import { scenarios } from './threadScenarios.mjs';

const { memory, execution, check, cpu, cpus, scenario, options, startedNs } = workerData;

class CpuEnded extends Error {
  constructor(reason, detail) {
    super(`CPU ${cpu} ended: reason ${reason}, detail 0x${(detail >>> 0).toString(16)}`);
    this.reason = reason;
  }
}

try {
  const kernel = await loadKernel(await prepareKernel(execution, check, memory), memory, {
    clockNs: () => Number((process.hrtime.bigint() - startedNs) & 0xffffffffn),
    end: (reason, detail) => {
      throw new CpuEnded(reason, detail);
    },
  });
  const words = new Uint32Array(memory.buffer);
  kernel.setThisCpu(cpu);
  const result = scenarios[scenario]({ kernel, words, cpu, cpus, ...options });
  parentPort.postMessage({ result }, []);
} catch (error) {
  parentPort.postMessage({ error: error.stack, reason: error.reason }, []);
}
