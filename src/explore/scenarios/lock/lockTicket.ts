/**
 * Three CPUs that count under one page-table lock of kind `ticket`: a ticket lock (Reed and Kanodia 1979). spinlock.ts
 * has the code.
 *
 * Expected: no count is lost, no two CPUs touch the count without order, and nobody waits for ever.
 */

export { cpus, finish, setUp } from './spinlock.ts';

export const about = {
  summary: 'three CPUs that count under one page-table lock of kind ticket',
  source: 'src/kernel/lock/kinds/ticket.ts: a ticket lock (Reed and Kanodia 1979)',
  expected: 'passes',
  machine: { lock: 'ticket' },
  constants: { CPUS: 3, PARKING: 1 },
};
