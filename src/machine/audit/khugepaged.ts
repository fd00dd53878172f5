/**
 * khugepaged's list: address spaces that are in use, each once, held by it; no pass is under way; nobody else holds an
 * mm.
 */
import * as layout from '../../kernel/abi.ts';
import type { Ledger } from './ledger.ts';

/** Follows the list. `live`: addresses of all live mms. */
export function auditKhugepaged(ledger: Ledger, live: ReadonlySet<number>): void {
  const listed = new Set<number>();
  let previous = 0;
  for (let mm = ledger.at(layout.G_KHUGEPAGED_FIRST); mm !== 0;) {
    if (!live.has(mm) || listed.has(mm)) {
      const where = layout.G_KHUGEPAGED_FIRST;
      ledger.find('accounting', where, `khugepaged: mm ${mm} is not live, or in its list twice`);
      break;
    }
    listed.add(mm);
    const before = mm + layout.MM_KHUGEPAGED_PREV;
    ledger.equal(before, `khugepaged: the mm before ${mm}`, ledger.at(before), previous);
    previous = mm;
    mm = ledger.at(mm + layout.MM_KHUGEPAGED_NEXT);
  }
  const { G_KHUGEPAGED_LAST: last, G_KHUGEPAGED_MM: turn, G_KHUGEPAGED_BUSY: busy } = layout;
  ledger.equal(last, 'khugepaged: the last mm of its list', ledger.at(last), previous);
  ledger.equal(busy, 'khugepaged: the mm that a pass is in', ledger.at(busy), 0);
  if (ledger.at(turn) !== 0 && !listed.has(ledger.at(turn)))
    ledger.find(
      'accounting',
      turn,
      `khugepaged: mm ${ledger.at(turn)}, whose turn it is, is not in its list`,
    );
  for (const mm of live) {
    const id = ledger.at(mm + layout.MM_ID);
    const scanned = listed.has(mm) ? 1 : 0;
    const mark = mm + layout.MM_KHUGEPAGED;
    ledger.equal(mark, `address space ${id}: scanned by khugepaged`, ledger.at(mark), scanned);
    const used = ledger.at(mm + layout.MM_USERS) === 0 ? 0 : 1;
    const held = mm + layout.MM_COUNT;
    ledger.equal(held, `address space ${id}: holders of its mm`, ledger.at(held), used + scanned);
    if (used === 0)
      ledger.find('accounting', held, `address space ${id}: it has ended, and its mm is held`);
  }
}
