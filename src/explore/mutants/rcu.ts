/** Mutants of RCU: grace periods, callbacks, the extended quiescent state. */

import type { Mutant } from './mutant.ts';

export const RCU_MUTANTS: readonly Mutant[] = [
  {
    name: 'grace-period-too-few',
    summary: 'callbacks wait for the grace period that is under way instead of the next one',
    race: 9,
    why: 'the one under way may have been reported by a reader before the pointer was removed',
    patch: {
      module: 'rcuGracePeriod',
      find: 'return numberAfter(load(G_RCU_GP_SEQ));',
      replace: 'return load(G_RCU_GP_SEQ);',
    },
    scenarios: ['rcuUpdaters', 'rcuQueues', 'zapWalk'],
    findings: ['grace-period', 'expectation'],
    quick: { strategy: 'urw', executions: 100 },
    stress: { mix: 'walkers' },
  },
  {
    name: 'callback-rides-along',
    summary: 'a callback queued behind others waits for the grace period of the first of them only',
    race: 9,
    why: 'readers that began between the two may still use what the later one frees',
    patch: {
      module: 'rcuList',
      find: 'poke(list + C_RCU_NEXT_GP, gpSnapshot());',
      replace: 'if (tail === 0) poke(list + C_RCU_NEXT_GP, gpSnapshot());',
    },
    scenarios: ['rcuQueues'],
    findings: ['grace-period', 'expectation'],
    quick: { strategy: 'urw', executions: 200 },
    stress: { mix: 'walkers' },
  },
  {
    name: 'report-the-next',
    summary: 'a quiescent state is reported for the grace period after the newest: too early',
    why: 'a section that begins after the report, and before that grace period starts, is not waited for',
    patch: {
      module: 'rcuGracePeriod',
      find: 'store(own, newest);',
      replace: 'store(own, numberAfter(newest));',
    },
    scenarios: ['rcuQueues'],
    findings: ['grace-period', 'expectation'],
    quick: { strategy: 'urw', executions: 200 },
    stress: { mix: 'walkers' },
  },
  {
    name: 'inner-section-reports',
    summary: 'the end of a read-side section reports a quiescent state, also of an inner one',
    why: 'sections nest: the outer one still goes on',
    patch: {
      module: 'rcu',
      find: 'store(cpu + C_RCU_SECTION, 0); poke(cpu + C_RCU_NESTING, nesting);',
      replace:
        'store(cpu + C_RCU_SECTION, 0); poke(cpu + C_RCU_NESTING, nesting); if (peek(cpu + C_RCU_QS) !== 0) reportQuiescent();',
    },
    scenarios: ['zapWalk'],
    findings: ['grace-period', 'expectation'],
    quick: { strategy: 'dpor', executions: 300 },
    stress: { mix: 'walkers' },
  },
  {
    name: 'quiescent-when-hurried',
    summary:
      'a CPU that an expedited grace period hurries reports a quiescent state from the interrupt',
    why: 'a reader polls interrupts inside its section',
    patch: {
      module: 'irq',
      find: 'poke(cpu + C_NEED_RESCHED, 1);',
      replace: 'if (peek(cpu + C_RCU_QS) !== 0) store(cpu + C_RCU_QS, load(0x1000));',
    },
    scenarios: ['rcuExpedited'],
    findings: ['grace-period', 'expectation'],
    quick: { strategy: 'pct', executions: 100 },
    stress: { mix: 'walkers' },
  },
  {
    name: 'cursor-kept',
    summary: 'the scan for missing CPUs goes on where the scan for an earlier grace period stopped',
    why: 'having passed one grace period says nothing about the next',
    patch: {
      module: 'rcuGracePeriod',
      find: 'peek(own + C_RCU_CURSOR_GP) === gp ? peek(own + C_RCU_CURSOR) : 0',
      replace: 'peek(own + C_RCU_CURSOR)',
    },
    scenarios: ['rcuIdle'],
    findings: ['grace-period', 'expectation'],
    quick: { strategy: 'pct', executions: 1600 },
    stress: { mix: 'walkers' },
  },
  {
    name: 'invoking-unmarked',
    summary: 'a list whose callbacks are being invoked is not passed over by others',
    why: 'the younger batch may be done first, and its count is then taken for the older one: rcuBarrier returns too soon',
    patch: {
      module: 'rcuList',
      find: 'if (gp === 0 || load(list + C_RCU_INVOKING) !== 0 || !gpEnded(gp)) {',
      replace: 'if (gp === 0 || !gpEnded(gp)) {',
    },
    scenarios: ['rcuAdopted'],
    findings: ['endless', 'unmet', 'expectation'],
    quick: { strategy: 'dpor', executions: 7800 },
    stress: { mix: 'all' },
  },
  {
    name: 'counted-before-invoked',
    summary: 'callbacks are counted as invoked before they are',
    why: 'rcuBarrier goes by the count',
    patch: {
      module: 'rcuList',
      find: `invokeChain(head);
    store(list + C_RCU_INVOKED, upto);`,
      replace: `store(list + C_RCU_INVOKED, upto);
    invokeChain(head);`,
    },
    scenarios: ['rcuAdopted', 'rcuBarrier'],
    findings: ['expectation'],
    quick: { strategy: 'pct', executions: 100 },
    stress: { mix: 'all' },
  },
];
