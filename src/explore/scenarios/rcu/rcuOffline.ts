/**
 * Three CPUs with callbacks and no survivor that must stay: the first queues one and goes offline for good; the second
 * queues one, is idle for a while and takes its callbacks back, or finds them invoked; the third passes a quiescent
 * state and adopts what it finds.
 *
 * From: Linux kernel/rcu/tree.c (rcutree_migrate_callbacks, rcu_do_batch), kernel/cpu.c (takedown_cpu).
 * Expected: every callback is invoked exactly once, whoever of the owner, an adopter and the final barrier gets there
 * first; no adopter finishes a younger batch before an older one.
 */

import {
  callRcu,
  expect,
  load,
  rcuIdleEnter,
  rcuIdleExit,
  rcuQuiescentState,
  scratchWord,
} from '../../portable/scenarioApi.ts';
import { G_RCU_ORPHANS } from '../../../kernel/word/layout.ts';
import { RCU_TORTURE } from '../../../kernel/rcu/rcuCallbacks.ts';

export const about = {
  summary: 'callbacks of a CPU that goes offline and of one that comes back, and an adopter',
  source: 'Linux kernel/rcu/tree.c (rcutree_migrate_callbacks), kernel/cpu.c (takedown_cpu)',
  expected: 'passes',
  constants: { CHECK_SECTIONS: 0 },
};

/** Words of an RCU head and of what its callback counts up. */
const BYTES: u32 = 16;

let heads: u32 = 0;

export function setUp(): void {
  heads = scratchWord(0);
}

function goOffline(cpu: u32): void {
  callRcu(heads + cpu * BYTES, RCU_TORTURE);
}

function comeBack(cpu: u32): void {
  callRcu(heads + cpu * BYTES, RCU_TORTURE);
  rcuIdleEnter();
  rcuIdleExit();
}

function adopt(): void {
  rcuQuiescentState();
}

export const cpus = [goOffline, comeBack, adopt];

export function finish(): void {
  expect(load(heads + 12) === 1, 'the first callback is invoked once');
  expect(load(heads + BYTES + 12) === 1, 'the second callback is invoked once');
  expect(load(G_RCU_ORPHANS) === 0, 'no idle CPU counts as having left callbacks');
}
