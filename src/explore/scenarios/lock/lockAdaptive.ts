/**
 * Three CPUs that count under one page-table lock of kind `adaptive`: an adaptive lock: spin, then park (Drepper,
 * Futexes Are Tricky, section 6). spinlock.ts has the code.
 *
 * Expected: no count is lost, no two CPUs touch the count without order, and nobody waits for ever.
 */

export { cpus, finish, setUp } from './spinlock.ts';

export const about = {
  summary: 'three CPUs that count under one page-table lock of kind adaptive',
  source:
    'src/kernel/lock/lock.ts: an adaptive lock: spin, then park (Drepper, Futexes Are Tricky, section 6)',
  expected: 'passes',
  machine: { lock: 'adaptive' },
  constants: { CPUS: 3, PARKING: 1 },
};
