/**
 * A CPU goes idle with two callbacks and comes back while another CPU, which has adopted them, is in the midst of
 * invoking them. It queues a younger one and waits for all of its callbacks: the younger must not be finished, and
 * counted, before the older ones.
 *
 * From: Linux kernel/rcu/tree.c (rcu_do_batch, rcu_barrier, rcutree_migrate_callbacks).
 * Expected: when the barrier returns all three have been invoked, once each. Look at C_RCU_INVOKING: a barrier that
 * only counted would take the younger callback for the older ones.
 */

import {
  callRcu,
  expect,
  load,
  rcuBarrier,
  rcuIdleEnter,
  rcuIdleExit,
  rcuQuiescentState,
  scratchWord,
} from '../../portable/scenarioApi.ts';
import { G_RCU_ORPHANS } from '../../../kernel/word/layout.ts';
import { RCU_TORTURE } from '../../../kernel/rcu/rcuCallbacks.ts';

export const about = {
  summary: 'a CPU comes back from idle while another invokes the callbacks it had left',
  source: 'Linux kernel/rcu/tree.c (rcu_do_batch, rcu_barrier)',
  expected: 'passes',
  constants: { CHECK_SECTIONS: 0 },
};

/** Words of an RCU head and of what its callback counts up. */
const BYTES: u32 = 16;

let heads: u32 = 0;

export function setUp(): void {
  heads = scratchWord(0);
}

function leaveAndComeBack(): void {
  callRcu(heads, RCU_TORTURE);
  callRcu(heads + BYTES, RCU_TORTURE);
  rcuIdleEnter();
  rcuIdleExit();
  callRcu(heads + 2 * BYTES, RCU_TORTURE);
  rcuBarrier();
  for (let i: u32 = 0; i < 3; i += 1)
    expect(load(heads + i * BYTES + 12) === 1, 'invoked when the barrier returns');
}

function adopt(): void {
  rcuQuiescentState();
}

export const cpus = [leaveAndComeBack, adopt];

export function finish(): void {
  expect(load(G_RCU_ORPHANS) === 0, 'no idle CPU counts as having left callbacks');
}
