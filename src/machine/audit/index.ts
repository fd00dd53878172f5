/**
 * The audit of an idle machine: walks every address space from its PGD, every VMA list, page cache and free list, and
 * checks that all of it balances. Written against the layout alone, apart from the kernel's own walking code, so that a
 * mistake there does not hide itself here.
 *
 * Preconditions: no CPU is in an operation; callbacks have been invoked (rcuBarrier). Lists of single CPUs may hold
 * free tables and frames.
 */
import * as layout from '../../kernel/abi.ts';
import { auditCache, auditInodes } from './files.ts';
import { auditFrames } from './frames.ts';
import { auditFreeTables, auditFreeVmas, auditSwap } from './freeLists.ts';
import { auditKhugepaged } from './khugepaged.ts';
import { Ledger, type AuditFinding } from './ledger.ts';
import { auditIdle } from './locks.ts';
import { auditAnonVmas, auditFileMappings } from './rmap.ts';
import { auditSpace } from './spaces.ts';
import { auditTranslations } from './translations.ts';

export type { AuditFinding } from './ledger.ts';

/** What an audit found. */
export interface AuditReport {
  ok: boolean;
  /** At most 100; `findingsTotal` counts all. */
  findings: AuditFinding[];
  findingsTotal: number;
  addressSpaces: number;
  vmas: number;
  /** Tables that live address spaces reach, PGDs included. */
  tables: number;
  /** Present entries of PTE tables. */
  mappedPages: number;
  durationMs: number;
}

/** Audits the memory of an idle machine whose kernel was built with CHECK at `check` (0 off, 1 fast, 2 full). */
export function audit(words: Uint32Array, check: number): AuditReport {
  const startMs = performance.now();
  const ledger = new Ledger(words, check);
  const live = new Set<number>();
  for (let i = 0; i < ledger.at(layout.H_MMS); i++) {
    const mm = ledger.at(layout.H_MM_BASE) + i * layout.MM_BYTES;
    if (ledger.at(mm + layout.MM_STATE) === 1) {
      live.add(mm);
      auditSpace(ledger, mm);
    }
  }
  auditKhugepaged(ledger, live);
  // Cached frames are known before frames are audited, used ones before the free lists.
  auditCache(ledger);
  auditFreeTables(ledger);
  auditFrames(ledger);
  auditSwap(ledger);
  auditFreeVmas(ledger);
  auditInodes(ledger);
  auditAnonVmas(ledger);
  auditFileMappings(ledger);
  auditIdle(ledger);
  auditTranslations(ledger);
  return {
    ok: ledger.findingsTotal === 0,
    findings: ledger.findings,
    findingsTotal: ledger.findingsTotal,
    addressSpaces: ledger.addressSpaces,
    vmas: ledger.vmaCount,
    tables: ledger.tables.size,
    mappedPages: ledger.mappedPages,
    durationMs: performance.now() - startMs,
  };
}
