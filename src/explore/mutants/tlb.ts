/** Mutants of translations: flushes and the gather, interrupts, the idle state, atomic changes of entries. */

import type { Mutant } from './mutant.ts';

export const TLB_MUTANTS: readonly Mutant[] = [
  {
    name: 'flush-forgotten',
    summary: 'a gather without tables frees its pages without a flush',
    why: 'another CPU still has the translation, and uses a page that may be somebody else’s by now',
    patch: {
      module: 'gather',
      find: `gatherFlushTlb(gather);
    flushTables(gather);
    const bundled`,
      replace: `flushTables(gather);
    const bundled`,
    },
    scenarios: ['zapTwiceUse', 'zapAccess'],
    findings: ['stale-translation'],
    quick: { strategy: 'urw', executions: 100 },
    stress: { mix: 'zap-heavy' },
  },
  {
    name: 'generation-skipped',
    summary:
      'a flush request that is not the next generation is carried out for its own range only',
    why: 'the flush in between counts as done and never is: its request finds the generation reached',
    patch: {
      module: 'tlb',
      find: 'if (wanted === seen && wanted === (local + 1) >>> 0)',
      replace: 'if (wanted === seen)',
    },
    scenarios: ['flushFlush'],
    findings: ['expectation', 'stale-translation'],
    quick: { strategy: 'pct', executions: 100 },
    stress: { mix: 'zap-heavy' },
  },
  {
    name: 'nested-gather-unflushed',
    summary:
      'a gather that finishes while another is open does not flush what the other has cleared',
    why: 'it skipped entries as none whose translations the TLBs still hold, and returns as if they were gone',
    patch: {
      module: 'gather',
      find: 'if (load(mm + MM_TLB_PENDING) > 1) poke(gather + GATHER_FULL_MM, 1);',
      replace: '',
    },
    scenarios: ['gatherNest'],
    findings: ['expectation'],
    quick: { strategy: 'random', executions: 100 },
    stress: { mix: 'zap-heavy' },
  },
  {
    name: 'lazy-tlb-kept',
    summary:
      'a CPU that leaves the idle state does not catch up with the flushes that it was not waited for',
    why: 'an idle CPU ignores flush requests: catching up is its part of the bargain',
    patch: {
      module: 'tlb',
      find: `if (seen === peek(cpu + C_TLB_GEN)) return;
        tlbFlushLocalAll();`,
      replace: '',
    },
    scenarios: ['zapIdle'],
    findings: ['stale-translation'],
    quick: { strategy: 'urw', executions: 100 },
    stress: { mix: 'all' },
  },
  {
    name: 'lazy-tlb-too-early',
    summary:
      'a CPU that leaves the idle state catches up with flushes before it says that it has left',
    why: 'a flush in between is neither seen by it nor waited for by its sender',
    patch: {
      module: 'rcu',
      find: `store(cpu + C_RCU_QS, load(G_RCU_GP_SEQ));
        pollInterrupts();
        tlbLeaveLazy();`,
      replace: `pollInterrupts();
        tlbLeaveLazy();
        store(cpu + C_RCU_QS, load(G_RCU_GP_SEQ));`,
    },
    scenarios: ['zapIdle'],
    findings: ['stale-translation'],
    quick: { strategy: 'pct', executions: 300 },
    stress: { mix: 'all' },
  },
  {
    name: 'idle-polls-first',
    summary: 'a CPU that becomes idle polls interrupts before it stores that it is idle',
    why: 'a sender between the two finds it busy and waits, and nobody will ever acknowledge',
    patch: {
      module: 'rcu',
      find: `store(own, 0); // pairs with findMissing, and with sendInterrupt's and waitInterrupt's reads
        wake(own, G_RCU_WAITERS);
        pollInterrupts();`,
      replace: `pollInterrupts();
        store(own, 0);
        wake(own, G_RCU_WAITERS);`,
    },
    scenarios: ['zapIdle'],
    findings: ['unmet'],
    quick: { strategy: 'urw', executions: 100 },
    stress: { mix: 'all' },
  },
  {
    name: 'request-after-interrupt',
    summary: 'a flush request is marked after its interrupt has been sent',
    why: 'the target takes an interrupt without a request and acknowledges; its TLB stays as it is',
    patch: {
      module: 'irq',
      find: `or(cpuArea(cpu) + C_IPI_TLB_FROM, bit);
        return sendInterrupt(cpu, IPI_TLB);`,
      replace: `const sequence = sendInterrupt(cpu, IPI_TLB);
        or(cpuArea(cpu) + C_IPI_TLB_FROM, bit);
        return sequence;`,
    },
    scenarios: ['zapAccess'],
    findings: ['stale-translation'],
    quick: { strategy: 'dpor', executions: 100 },
    stress: { mix: 'all' },
  },
  {
    name: 'acknowledged-too-early',
    summary: 'an interrupt is acknowledged before its flush requests are carried out',
    why: 'the sender goes on and overwrites the request while it is being read',
    patch: {
      module: 'irq',
      find: 'const senders = exchange(cpu + C_IPI_TLB_FROM, 0);',
      replace:
        'const senders = exchange(cpu + C_IPI_TLB_FROM, 0); store(cpu + C_IPI_ACK, request);',
    },
    scenarios: ['zapTwiceUse'],
    findings: ['plain race'],
    quick: { strategy: 'dpor', executions: 1400 },
    stress: { mix: 'all' },
  },
  {
    name: 'walker-plain-store',
    summary:
      'the hardware walker stores accessed and dirty instead of exchanging the entry it read',
    why: 'an entry that a zap has cleared in between comes back',
    patch: {
      module: 'access',
      find: 'settled = compareExchange(leaf, entry, marked) === entry;',
      replace: 'compareExchange(leaf, load(leaf), marked); settled = true;',
    },
    scenarios: ['zapDirty'],
    findings: ['nonempty-table-freed', 'expectation', 'accounting', 'stale-translation'],
    quick: { strategy: 'random', executions: 100 },
    stress: { mix: 'all' },
  },
  {
    name: 'zap-plain-clear',
    summary: 'a zap reads an entry and then clears it, in two steps',
    why: 'a dirty bit that a walker sets in between is lost, and with it the content of a file’s page',
    patch: {
      module: 'zap',
      find: `const entry = exchange(pte, 0);
        gatherNoteRange`,
      replace: `const entry = load(pte);
        exchange(pte, 0);
        gatherNoteRange`,
    },
    scenarios: ['zapDirty'],
    findings: ['expectation'],
    quick: { strategy: 'urw', executions: 100 },
    stress: { mix: 'all' },
  },
  {
    name: 'protect-plain-store',
    summary: 'mprotect reads an entry and stores it with other rights, in two steps',
    why: 'accessed and dirty bits that a walker sets in between are lost',
    patch: {
      module: 'mprotect',
      find: 'const seen = compareExchange(address, entry, wanted);',
      replace: 'const seen = entry; store(address, wanted);',
    },
    scenarios: ['protectWrite'],
    findings: ['expectation'],
    quick: { strategy: 'dpor', executions: 240 },
    stress: { mix: 'all' },
  },
  {
    name: 'moved-without-flush',
    summary: 'mremap moves a table without flushing what TLBs have of its old place',
    why: 'who unmaps the new place flushes that only',
    patch: {
      module: 'moveTables',
      find: 'flushTlbRange(mm, old, old + PMD_PAGES, true);',
      replace: '',
    },
    scenarios: ['mremapAccess'],
    findings: ['expectation', 'stale-translation'],
    quick: { strategy: 'pct', executions: 100 },
    stress: { mix: 'map-heavy' },
  },
];
