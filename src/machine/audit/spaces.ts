/** One address space: its VMAs, its tables, and the counters that must agree with both. */
import * as layout from '../../kernel/abi.ts';
import * as table from '../../kernel/abi.ts';
import { RSS_NAMES } from '../codes.ts';
import { LEVEL_NAMES, type Ledger } from './ledger.ts';
import { rwsemFree, tableLockFree } from './locks.ts';
import type { Space } from './pages.ts';
import { auditTable } from './tables.ts';
import { auditVmas } from './vmas.ts';

/** Audits the address space at `mm`. */
export function auditSpace(ledger: Ledger, mm: number): void {
  ledger.addressSpaces++;
  const id = ledger.at(mm + layout.MM_ID);
  const vmas = auditVmas(ledger, mm, id);
  const space: Space = { mm, id, vmas, tablesByLevel: [0, 0, 0, 0, 0], rss: new Map() };
  auditTable(ledger, space, ledger.at(mm + layout.MM_PGD), table.LEVEL_PGD, 0, 0);
  const byLevel = space.tablesByLevel;
  const levels = [table.LEVEL_PTE, table.LEVEL_PMD, table.LEVEL_PUD];
  for (const level of levels) {
    const address = mm + layout.MM_TABLES_BY_LEVEL + (level - 1) * 4;
    const what = `address space ${id}: number of ${LEVEL_NAMES[level]} tables`;
    ledger.equal(address, what, ledger.at(address), byLevel[level]!);
  }
  const total = byLevel[1]! + byLevel[2]! + byLevel[3]!;
  ledger.equal(
    mm + layout.MM_TABLES,
    `address space ${id}: tables`,
    ledger.at(mm + layout.MM_TABLES),
    total,
  );
  auditRss(ledger, space);
  ledger.equal(
    mm + layout.MM_TLB_PENDING,
    `address space ${id}: gathers open`,
    ledger.at(mm + layout.MM_TLB_PENDING),
    0,
  );
  tableLockFree(ledger, mm + layout.MM_PAGE_TABLE_LOCK, `address space ${id} (page_table_lock)`);
  rwsemFree(ledger, mm + layout.MM_LOCK, `mmap_lock of address space ${id}`);
  rwsemFree(ledger, mm + layout.MM_PT_LOCK, `page-table lock of address space ${id}`);
}

function auditRss(ledger: Ledger, { mm, id, rss }: Space): void {
  const cpus = ledger.at(layout.H_CPUS);
  for (const [kind, name] of RSS_NAMES) {
    let sum = 0;
    for (let cpu = 0; cpu < cpus; cpu++)
      sum = (sum + ledger.at(mm + layout.MM_RSS + cpu * 64 + kind)) | 0;
    ledger.equal(
      mm + layout.MM_RSS + kind,
      `address space ${id}: ${name} pages`,
      sum,
      rss.get(kind) ?? 0,
    );
  }
}
