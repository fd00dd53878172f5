/** Free tables, swap slots and VMAs: what was handed out once is either in use or on one free list. */
import { POISON_TABLE, TABLE_BYTES, TABLE_ENTRIES } from '../../kernel/abi.ts';
import * as layout from '../../kernel/abi.ts';
import * as table from '../../kernel/abi.ts';
import { LEVEL_NAMES, hex, type Ledger } from './ledger.ts';

/** Tables on free lists, those in use, and those never used are all there are. */
export function auditFreeTables(ledger: Ledger): void {
  const bump = ledger.at(layout.G_TABLE_BUMP);
  const free = new Set<number>();
  const follow = (first: number, where: string): number => {
    let length = 0;
    for (let number = first; number !== 0; length++) {
      if (number >= bump || free.has(number)) {
        ledger.find(
          'accounting',
          ledger.ptdesc(number),
          `${where}: table ${number} was never handed out, or is free twice`,
        );
        break;
      }
      free.add(number);
      const used = ledger.tables.get(number);
      if (used !== undefined)
        ledger.find('bad-upper-entry', ledger.ptdesc(number), `${where}: ${used} is in use`);
      else auditFreeTable(ledger, number);
      number = ledger.at(ledger.ptdesc(number) + layout.PT_NEXT);
    }
    return length;
  };
  follow(ledger.at(layout.G_TABLE_FREE), 'free tables');
  for (let cpu = 0; cpu < ledger.at(layout.H_CPUS); cpu++) {
    const area = layout.cpuArea(cpu);
    const length = follow(ledger.at(area + layout.C_TABLE_HEAD), `free tables of CPU ${cpu}`);
    ledger.equal(
      area + layout.C_TABLE_COUNT,
      `CPU ${cpu}: free tables`,
      ledger.at(area + layout.C_TABLE_COUNT),
      length,
    );
  }
  for (let number = 1; number < bump; number++) {
    if (free.has(number) || ledger.tables.has(number)) continue;
    const desc = ledger.ptdesc(number);
    const state = ledger.at(desc + layout.PT_STATE);
    const last = ledger.at(desc + layout.PT_OP);
    ledger.find(
      'accounting',
      desc,
      `table ${number} is neither free nor reachable: state ${hex(state)}, ${LEVEL_NAMES[state >>> 8] ?? '?'}, last detached by CPU ${last >>> 8} in operation ${last & 0xff}`,
    );
  }
  ledger.equal(layout.G_TABLES_HELD, 'tables held back', ledger.at(layout.G_TABLES_HELD), 0);
}

/** A free table's state, and its poison where the kernel writes one. */
function auditFreeTable(ledger: Ledger, number: number): void {
  const desc = ledger.ptdesc(number);
  const generation = ledger.at(desc + layout.PT_GEN);
  if ((generation & 1) !== 0 || (ledger.at(desc + layout.PT_STATE) & 0xff) !== table.PT_FREE)
    ledger.find(
      'accounting',
      desc,
      `free table ${number}: generation ${generation}, state ${hex(ledger.at(desc + layout.PT_STATE))}`,
    );
  if (ledger.check === 0) return;
  const expected = generation === 0 ? 0 : POISON_TABLE;
  const address = layout.TABLES + number * TABLE_BYTES;
  for (let i = 0; i < TABLE_ENTRIES; i++) {
    const word = ledger.at(address + i * 4);
    if (word === expected) continue;
    ledger.find(
      'table-use-after-free',
      address + i * 4,
      `free table ${number}: entry ${i} is ${hex(word)}, expected ${hex(expected)}`,
    );
    return;
  }
}

/** Swap slots have as many references as entries name them, and are free without any. */
export function auditSwap(ledger: Ledger): void {
  const bump = ledger.at(layout.G_SWAP_BUMP);
  const slots = ledger.at(layout.H_SWAP_SLOTS);
  const free = new Set<number>();
  for (let slot = ledger.at(layout.G_SWAP_FREE); slot !== 0;) {
    if (slot >= bump || free.has(slot)) {
      ledger.find(
        'accounting',
        layout.G_SWAP_FREE,
        `free swap slots: slot ${slot} was never handed out, or is free twice`,
      );
      break;
    }
    free.add(slot);
    slot = ledger.at(
      ledger.at(layout.H_SWAP_BASE) + (slot << layout.SWAP_SHIFT) + layout.SWAP_NEXT,
    );
  }
  for (let slot = 1; slot < Math.min(bump, slots); slot++) {
    const address = ledger.at(layout.H_SWAP_BASE) + (slot << layout.SWAP_SHIFT);
    const refs = ledger.at(address + layout.SWAP_REF);
    ledger.equal(address, `swap slot ${slot}: references`, refs, ledger.swapRefs[slot]!);
    if (refs === 0 && !free.has(slot))
      ledger.find('accounting', address, `swap slot ${slot} is neither free nor in use`);
    if (refs !== 0 && free.has(slot))
      ledger.find('accounting', address, `swap slot ${slot} is free and in use`);
  }
}

/** VMAs that were handed out once are in an address space or free. */
export function auditFreeVmas(ledger: Ledger): void {
  const base = ledger.at(layout.H_VMA_BASE);
  const bump = Math.max(1, ledger.at(layout.G_VMA_BUMP));
  const free = new Set<number>();
  for (let vma = ledger.at(layout.G_VMA_FREE); vma !== 0;) {
    if (free.has(vma) || ledger.vmas.has(vma)) {
      ledger.find('accounting', vma, `free VMAs: ${hex(vma)} is in use or free twice`);
      break;
    }
    free.add(vma);
    vma = ledger.at(vma + layout.VMA_FREE);
  }
  for (let number = 1; number < bump; number++) {
    const vma = base + (number << layout.VMA_SHIFT);
    if (!free.has(vma) && !ledger.vmas.has(vma))
      ledger.find('accounting', vma, `VMA ${hex(vma)} is neither free nor in an address space`);
  }
}
