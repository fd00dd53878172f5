/** Locks and other states that are only open in the middle of operations. */
import { LOCK_ADAPTIVE } from '../../kernel/abi.ts';
import * as layout from '../../kernel/abi.ts';
import { lockOfCode } from '../lockKinds.ts';
import { hex, type Ledger } from './ledger.ts';

/** Checks that a lock is free; `kind` is its LOCK_ kind. */
export function lockFree(
  ledger: Ledger,
  lock: number,
  what: string,
  kind: number = LOCK_ADAPTIVE,
): void {
  const word = ledger.at(lock + layout.LOCK_WORD);
  const aux = ledger.at(lock + layout.LOCK_AUX);
  const owner = ledger.at(lock + layout.LOCK_OWNER);
  const tells = lockOfCode(kind).held;
  const held = tells === 'word' ? word !== 0 : tells === 'aux' ? aux !== 0 : word !== aux;
  if (held || owner !== 0)
    ledger.find(
      'lock-order',
      lock,
      `lock of ${what} is held at quiescence: words ${hex(word)}, ${hex(aux)}, owner ${owner}`,
    );
}

/** Checks that a reader-writer lock is free and nobody waits for it. */
export function rwsemFree(ledger: Ledger, sem: number, what: string): void {
  ledger.equal(sem, what, ledger.at(sem + layout.RWSEM_STATE), 0);
  lockFree(ledger, sem + layout.RWSEM_QUEUE, `the queue of ${what}`);
}

/** Checks that a page-table lock is free. */
export function tableLockFree(ledger: Ledger, lock: number, what: string): void {
  lockFree(ledger, lock, what, ledger.at(layout.H_LOCK_KIND));
}

/** What is only open in the middle of operations. */
export function auditIdle(ledger: Ledger): void {
  const globals: [number, string][] = [
    [layout.G_TABLE_LOCK, 'free tables'],
    [layout.G_FRAME_LOCK, 'free frames'],
    [layout.G_VMA_LOCK, 'free VMAs'],
    [layout.G_SWAP_LOCK, 'free swap slots'],
    [layout.G_MM_LOCK, 'address spaces'],
  ];
  for (const [lock, name] of globals) lockFree(ledger, lock, name);
  for (let cpu = 0; cpu < ledger.at(layout.H_CPUS); cpu++) {
    const area = layout.cpuArea(cpu);
    lockFree(ledger, area + layout.C_RCU_LOCK, `CPU ${cpu}'s callbacks`);
    const closed: [number, string][] = [
      [layout.C_GATHER_DEPTH, 'gathers open'],
      [layout.C_HELD_DEPTH, 'locks held'],
      [layout.C_IRQ_DEPTH, 'interrupts disabled'],
      [layout.C_RCU_NESTING, 'RCU sections open'],
      [layout.C_MCS_USED, 'MCS nodes in use'],
      [layout.C_MAP_DEPTH, 'PTE tables mapped'],
      [layout.C_MMAP_READ, 'mmap_lock held for reading'],
      [layout.C_PT_WALK, 'page-table lock held for reading'],
      [layout.C_VMA_READ, 'VMA lock held for reading'],
      [layout.C_INSTALLED, "table with an installer's count"],
      [layout.C_CLEARED, 'entries not yet taken off a count'],
    ];
    for (const [offset, what] of closed)
      ledger.equal(area + offset, `CPU ${cpu}: ${what}`, ledger.at(area + offset), 0);
  }
}
