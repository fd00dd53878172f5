/** Mutants of locks: page-table locks of each kind, mmap_lock, VMA locks. */

import type { Mutant } from './mutant.ts';

export const LOCK_MUTANTS: readonly Mutant[] = [
  {
    name: 'tas-in-two-steps',
    summary: 'the test-and-set lock looks and then stores',
    why: 'two CPUs look before either stores',
    patch: {
      module: 'tas',
      find: 'return compareExchange(lock + LOCK_WORD, 0, cpuId() + 1) === 0;',
      replace: `if (compareExchange(lock + LOCK_WORD, 0, 0) !== 0) return false;
        store(lock + LOCK_WORD, cpuId() + 1);
        return true;`,
    },
    scenarios: ['spinlock'],
    machine: { lock: 'tas' },
    findings: ['lock-order', 'plain race', 'expectation'],
    quick: { strategy: 'urw', executions: 100 },
    stress: { mix: 'all', machine: { lock: 'tas' } },
  },
  {
    name: 'ticket-drawn-twice',
    summary: 'a ticket is drawn by reading and storing',
    why: 'two CPUs draw the same ticket and hold the lock together',
    patch: {
      module: 'ticket',
      find: 'const mine = add(lock + LOCK_AUX, 1);',
      replace: 'const mine = load(lock + LOCK_AUX); store(lock + LOCK_AUX, (mine + 1) >>> 0);',
    },
    scenarios: ['spinlock'],
    machine: { lock: 'ticket' },
    constants: { CPUS: 3 },
    findings: ['unmet', 'lock-order', 'plain race', 'deadlock'],
    quick: { strategy: 'urw', executions: 100 },
    stress: { mix: 'all', machine: { lock: 'ticket' } },
  },
  {
    name: 'mcs-hand-over-lost',
    summary:
      'an MCS holder that sees no successor does not wait for one that is about to link itself',
    why: 'the successor has swapped itself into the tail and waits for a word that nobody will set',
    patch: {
      module: 'mcs',
      find: 'next = spinFor(node + NODE_NEXT, AWAIT_DIFFERS, 0);',
      replace: 'next = 0;',
    },
    scenarios: ['spinlock'],
    machine: { lock: 'mcs' },
    findings: ['unmet'],
    quick: { strategy: 'urw', executions: 100 },
    stress: { mix: 'all', machine: { lock: 'mcs' } },
  },
  {
    name: 'mcs-node-cleared-late',
    summary: 'an MCS waiter clears its go word after it has linked itself behind its predecessor',
    why: 'the hand-over may come before, and is wiped out',
    patch: {
      module: 'mcs',
      find: 'store(before + NODE_NEXT, node); // pairs with the await in kindUnlock',
      replace: 'store(before + NODE_NEXT, node); store(node + NODE_GO, 0);',
    },
    scenarios: ['spinlock'],
    machine: { lock: 'mcs' },
    findings: ['unmet'],
    quick: { strategy: 'random', executions: 100 },
    stress: { mix: 'all', machine: { lock: 'mcs' } },
  },
  {
    name: 'mmap-parks-unchecked',
    summary: 'who has joined the queue of mmap_lock does not look whether the lock has become free',
    why: 'an unlock before QUEUED was set grants nothing, and no other will come',
    patch: {
      module: 'rwsem',
      find: `or(sem + RWSEM_STATE, QUEUED); // pairs with the unlocks' subtractions
        const parked = grant(sem);`,
      replace: 'or(sem + RWSEM_STATE, QUEUED); const parked = 0;',
    },
    scenarios: ['mmapLock'],
    findings: ['unmet', 'deadlock'],
    quick: { strategy: 'pct', executions: 100 },
    stress: { mix: 'map-heavy' },
  },
  {
    name: 'mmap-queued-plain-clear',
    summary: 'QUEUED is cleared in the state of mmap_lock by reading and storing',
    why: 'an unlock in between is lost: its reader counts for ever',
    patch: {
      module: 'rwsem',
      find: 'and(sem + RWSEM_STATE, ~QUEUED);',
      replace: 'store(sem + RWSEM_STATE, (load(sem + RWSEM_STATE) & ~QUEUED) >>> 0);',
    },
    scenarios: ['mmapLock'],
    findings: ['unmet', 'accounting', 'deadlock'],
    quick: { strategy: 'urw', executions: 1100 },
    stress: { mix: 'map-heavy' },
  },
  {
    name: 'vma-locks-ended-late',
    summary: 'mmap_lock is released before the sequence moves on that ends the VMA write locks',
    why: 'the next writer finds its VMA write-locked already, and does not wait for readers that come once the sequence has moved',
    patch: {
      module: 'mmapLock',
      find: `endVmaWriteLocks(mm);
        rwsemWriteUnlock(mm + MM_LOCK, LC_MMAP_READ);`,
      replace: `rwsemWriteUnlock(mm + MM_LOCK, LC_MMAP_READ);
        store(mm + MM_LOCK_SEQ, (peek(mm + MM_LOCK_SEQ) + 1) >>> 0);`,
    },
    scenarios: ['vmaLock'],
    findings: ['plain race'],
    quick: { strategy: 'dpor', executions: 100 },
    stress: { mix: 'map-heavy' },
  },
  {
    name: 'vma-sequence-unchecked',
    summary: 'a reader of a VMA lock does not look at the sequence again once it is counted',
    why: 'a writer may have locked the VMA, found no reader, and let new ones in, between the two',
    patch: {
      module: 'vmaLock',
      find: 'if (load(vma + VMA_MM) !== mm || load(vma + VMA_LOCK_SEQ) === load(mm + MM_LOCK_SEQ)) {',
      replace: 'if (load(vma + VMA_MM) !== mm) {',
    },
    scenarios: ['protectFault', 'vmaLock'],
    findings: ['stale-translation', 'expectation', 'plain race'],
    quick: { strategy: 'dpor', executions: 100 },
    stress: { mix: 'map-heavy' },
  },
  {
    name: 'vma-writer-does-not-wait',
    summary: 'a writer of a VMA lock keeps new readers out but does not wait for those inside',
    why: 'a fault under way goes on in a mapping that is being changed or taken away',
    patch: {
      module: 'vmaLock',
      find: 'waitForReaders(vma, VMA_WRITER + 1);',
      replace: '',
    },
    scenarios: ['protectFault', 'vmaLock'],
    findings: ['stale-translation', 'expectation', 'plain race'],
    quick: { strategy: 'pct', executions: 100 },
    stress: { mix: 'map-heavy' },
  },
  {
    name: 'detach-does-not-wait',
    summary: 'a VMA is detached without waiting for a reader that is about to back out',
    why: 'the VMA is freed, with the reader still counted in it',
    patch: {
      module: 'vmaLock',
      find: 'add(vma + VMA_REF, VMA_WRITER); waitForReaders(vma, VMA_WRITER); sub(vma + VMA_REF, VMA_WRITER);',
      replace: '',
    },
    scenarios: ['faultMunmap'],
    findings: ['accounting'],
    machine: { fault: 'vma-lock' },
    quick: { strategy: 'dpor', executions: 800 },
    stress: { mix: 'map-heavy' },
  },
];
