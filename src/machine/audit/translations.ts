/**
 * The TLB and paging-structure cache of each CPU: what is cached and counts as current must be what the tables say.
 * This sees what the kernel's own checks cannot: a translation that outlives its flush but whose frame or table lives
 * on.
 *
 * A CPU whose generation is behind its address space's is not current: it invalidates everything before it uses any of
 * it.
 */
import { PGD_SHIFT, PMD_SHIFT, PSC_BITS, PUD_SHIFT, TLB_BITS } from '../../kernel/abi.ts';
import * as entry from '../../kernel/abi.ts';
import * as layout from '../../kernel/abi.ts';
import * as tlb from '../../kernel/abi.ts';
import { hex, type Ledger } from './ledger.ts';

/** Rights and marks that a cached entry may have only as long as the table's entry has them. */
const GRANTED = entry.PTE_USER | entry.PTE_WRITE | entry.PTE_DIRTY;

/** Shifts of the levels that paging-structure caches have, in their order. */
const UPPER_SHIFTS = [PMD_SHIFT, PUD_SHIFT, PGD_SHIFT];

/** Compares what every CPU has cached with the tables of its address space. */
export function auditTranslations(ledger: Ledger): void {
  for (let cpu = 0; cpu < ledger.at(layout.H_CPUS); cpu++) {
    const area = layout.cpuArea(cpu);
    const mm = ledger.at(area + layout.C_MM);
    if (mm === 0 || ledger.at(mm + layout.MM_STATE) !== 1) continue;
    if (ledger.at(area + layout.C_TLB_GEN) !== ledger.at(mm + layout.MM_TLB_GEN)) continue;
    const epoch = ledger.at(area + layout.C_TLB_EPOCH);
    for (let i = 0; i < 2 ** TLB_BITS; i++) {
      const slot = area + layout.C_TLB + i * 16;
      if (ledger.at(slot + tlb.TLB_EPOCH) === epoch) auditEntry(ledger, cpu, mm, slot);
    }
    for (const [level, shift] of UPPER_SHIFTS.entries())
      for (let i = 0; i < 2 ** PSC_BITS; i++) {
        const slot = area + layout.C_PSC + level * layout.PSC_BYTES + i * 16;
        if (ledger.at(slot + tlb.PSC_EPOCH) === epoch) auditUpper(ledger, cpu, mm, slot, shift);
      }
  }
}

/**
 * Entry of `vpn` in the table that `upper` names, for a level whose entries cover 2^shift pages; 0 when there is none.
 */
function below(ledger: Ledger, upper: number, vpn: number, shift: number): number {
  if (!entry.entryNamesTable(upper)) return 0;
  const index = (vpn >>> shift) & (2 ** PMD_SHIFT - 1);
  return ledger.at(layout.tableAddress(upper >>> 8) + index * 4);
}

/** The upper entry for `vpn` at the level of `shift` now. */
function upperOf(ledger: Ledger, mm: number, vpn: number, shift: number): number {
  const pgd = layout.tableAddress(ledger.at(mm + layout.MM_PGD)) + (vpn >>> PGD_SHIFT) * 4;
  const value = ledger.at(pgd);
  if (shift === PGD_SHIFT) return value;
  const pud = below(ledger, value, vpn, PUD_SHIFT);
  return shift === PUD_SHIFT ? pud : below(ledger, pud, vpn, PMD_SHIFT);
}

/** The entry of `vpn` now: a PTE's, or what one would be where a huge PMD maps it. */
function entryOf(ledger: Ledger, mm: number, vpn: number): number {
  const pmd = upperOf(ledger, mm, vpn, PMD_SHIFT);
  if (entry.entryHuge(pmd)) return entry.hugePart(pmd, vpn & (2 ** PMD_SHIFT - 1));
  return below(ledger, pmd, vpn, 0);
}

function auditEntry(ledger: Ledger, cpu: number, mm: number, slot: number): void {
  const cached = ledger.at(slot + tlb.TLB_ENTRY);
  if (cached === 0) return;
  const vpn = ledger.at(slot + tlb.TLB_VPN);
  const now = entryOf(ledger, mm, vpn);
  const same = entry.entryPresent(now) && now >>> 8 === cached >>> 8;
  if (!same || (cached & ~now & GRANTED) !== 0)
    ledger.find(
      'stale-translation',
      slot,
      `CPU ${cpu} has ${hex(cached)} cached for page ${hex(vpn)}, whose entry is ${hex(now)}`,
    );
}

function auditUpper(ledger: Ledger, cpu: number, mm: number, slot: number, shift: number): void {
  const cached = ledger.at(slot + tlb.PSC_ENTRY);
  if (cached === 0) return;
  const vpn = (ledger.at(slot + tlb.PSC_TAG) << shift) >>> 0;
  const now = upperOf(ledger, mm, vpn, shift);
  if (now !== cached)
    ledger.find(
      'stale-translation',
      slot,
      `CPU ${cpu} has upper entry ${hex(cached)} cached for page ${hex(vpn)}, where it is ${hex(now)}`,
    );
}
