/**
 * Three CPUs that count under one page-table lock of kind `tas`: a test-and-set lock (Herlihy and Shavit, 7.2).
 * spinlock.ts has the code.
 *
 * Expected: no count is lost, no two CPUs touch the count without order, and nobody waits for ever.
 */

export { cpus, finish, setUp } from './spinlock.ts';

export const about = {
  summary: 'three CPUs that count under one page-table lock of kind tas',
  source: 'src/kernel/lock/kinds/tas.ts: a test-and-set lock (Herlihy and Shavit, 7.2)',
  expected: 'passes',
  machine: { lock: 'tas' },
  constants: { CPUS: 3, PARKING: 1 },
};
