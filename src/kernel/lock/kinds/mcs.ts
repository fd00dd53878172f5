/**
 * MCS lock: a queue of waiters, each looking at a word of its own CPU's area. First come, first
 * served; waiters spin, nobody wakes them.
 *
 * Protocol: LOCK_AUX is the last node of the queue, 0 when the lock is free; LOCK_WORD the holder's node. A node is a
 * line of its CPU's area, {next, go}; a CPU has MCS_NODES, as page-table locks nest.
 *   Lock: clear the node; swap it into LOCK_AUX; if there was a predecessor, store the node in its next and await go.
 *   Unlock: if nobody is behind, swing LOCK_AUX back to 0; otherwise await next (its owner has swapped and is about to
 *   store it) and set its go.
 * A node is free again when unlock returns: its successor stores next once, and unlock has seen that; its predecessor
 * sets go once, before the lock is held.
 * A waiter that dies leaves its successors waiting; its death aborts the run, which ends every wait (pollWhileWaiting).
 *
 * Source: Mellor-Crummey and Scott 1991, figure 5.
 */

import { spinFor } from '../../cpu/wait.ts';
import { AWAIT_DIFFERS, HOST_BROKEN } from '../../word/config.ts';
import {
  C_MCS,
  C_MCS_USED,
  LOCK_AUX,
  LOCK_OWNER,
  LOCK_WORD,
  MCS_NODES,
} from '../../word/layout.ts';
import { cpuId, thisCpu } from '../../word/percpu.ts';
import { compareExchange, endCpu, exchange, load, peek, poke, store } from '../../word/word.ts';
import { noteOwner } from '../lockOwner.ts';

export const about = {
  name: 'mcs',
  summary: 'an MCS queue lock: in the order of asking, each waiter on a word of its own',
  owner: 'owner',
  held: 'aux',
};

const NODE_NEXT: u32 = 0;
const NODE_GO: u32 = 4;

/** Takes one of this CPU's free nodes, cleared. */
function takeNode(lock: u32): u32 {
  const cpu = thisCpu();
  const used = peek(cpu + C_MCS_USED);
  let index: u32 = 0;
  while (index < MCS_NODES && ((used >>> index) & 1) !== 0) index += 1;
  if (index === MCS_NODES) endCpu(HOST_BROKEN, lock);
  poke(cpu + C_MCS_USED, used | (1 << index));
  const node = cpu + C_MCS + (index << 6);
  store(node + NODE_NEXT, 0);
  store(node + NODE_GO, 0);
  return node;
}

function freeNode(node: u32): void {
  const cpu = thisCpu();
  const bit: u32 = 1 << ((node - cpu - C_MCS) >>> 6);
  poke(cpu + C_MCS_USED, peek(cpu + C_MCS_USED) & ~bit);
}

function hold(lock: u32, node: u32): void {
  store(lock + LOCK_WORD, node);
  noteOwner(lock, cpuId() + 1);
}

/** One attempt. */
export function kindTrylock(lock: u32): boolean {
  if (load(lock + LOCK_AUX) !== 0) return false;
  const node = takeNode(lock);
  if (compareExchange(lock + LOCK_AUX, 0, node) !== 0) {
    freeNode(node);
    return false;
  }
  hold(lock, node);
  return true;
}

/** Takes the lock. */
export function kindLock(lock: u32): void {
  const node = takeNode(lock);
  const before = exchange(lock + LOCK_AUX, node);
  if (before !== 0) {
    store(before + NODE_NEXT, node); // pairs with the await in kindUnlock
    spinFor(node + NODE_GO, AWAIT_DIFFERS, 0); // pairs with the store in kindUnlock
  }
  hold(lock, node);
}

export function kindUnlock(lock: u32): void {
  const node = load(lock + LOCK_WORD);
  noteOwner(lock, 0);
  let next = load(node + NODE_NEXT);
  if (next === 0 && compareExchange(lock + LOCK_AUX, node, 0) !== node)
    next = spinFor(node + NODE_NEXT, AWAIT_DIFFERS, 0);
  if (next !== 0) store(next + NODE_GO, 1);
  freeNode(node);
}

export function kindOwner(lock: u32): u32 {
  return load(lock + LOCK_OWNER);
}
