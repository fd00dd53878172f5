/**
 * Three CPUs that count under one page-table lock of kind `mcs`: an MCS queue lock (Mellor-Crummey and Scott 1991,
 * figure 5). spinlock.ts has the code.
 *
 * Expected: no count is lost, no two CPUs touch the count without order, and nobody waits for ever.
 */

export { cpus, finish, setUp } from './spinlock.ts';

export const about = {
  summary: 'three CPUs that count under one page-table lock of kind mcs',
  source:
    'src/kernel/lock/kinds/mcs.ts: an MCS queue lock (Mellor-Crummey and Scott 1991, figure 5)',
  expected: 'passes',
  machine: { lock: 'mcs' },
  constants: { CPUS: 3, PARKING: 1 },
};
