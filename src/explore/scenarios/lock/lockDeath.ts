/**
 * A CPU that dies with a page-table lock held, at any of its acquisitions: the others wait for it for ever. On the real
 * machine the death ends the run (H_STOP), which ends every wait; here the wait itself is what is to be seen, with the
 * one who is waited for.
 *
 * From: Linux Documentation/locking/robust-futexes.rst, for why kernels have no robust spinlocks.
 * Expected: an await that stays unmet.
 */

export { cpus, finish, setUp } from './spinlock.ts';

export const about = {
  summary: 'a CPU that dies with a page-table lock held: the other waits for ever',
  source: 'Linux Documentation/locking/robust-futexes.rst',
  expected: 'unmet',
  machine: { lock: 'tas' },
  choices: { death: 1 },
};
