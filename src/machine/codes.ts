/** Names of the kernel's codes, taken from its constants. */
import * as irq from '../kernel/abi.ts';
import * as lockOrder from '../kernel/abi.ts';
import * as report from '../kernel/abi.ts';
import * as rss from '../kernel/abi.ts';
import * as stats from '../kernel/abi.ts';
import * as table from '../kernel/abi.ts';
import { OPERATIONS } from './syscalls.ts';

/** Codes by name: every number that a module exports under `prefix`, the rest of its name in another spelling. */
function codeNames(
  module: Readonly<Record<string, unknown>>,
  prefix: string,
  separator: '-' | 'camelCase',
): ReadonlyMap<number, string> {
  const names = new Map<number, string>();
  for (const [key, value] of Object.entries(module)) {
    if (!key.startsWith(prefix) || typeof value !== 'number') continue;
    const lower = key.slice(prefix.length).toLowerCase();
    const name =
      separator === '-'
        ? lower.replaceAll('_', '-')
        : lower.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
    names.set(value, name);
  }
  return names;
}

/** COUNTER_ codes, such as `tablesReclaimedFast`. */
export const COUNTER_NAMES = codeNames(stats, 'COUNTER_', 'camelCase');
/** LC_ codes, such as `pageTable`. */
export const LOCK_CLASS_NAMES = codeNames(lockOrder, 'LC_', 'camelCase');
/** What a CPU is doing, such as `munmap` (OPERATIONS, and OP_ codes of the kernel's own work); 0 is `none`. */
export const OPERATION_NAMES: ReadonlyMap<number, string> = new Map([
  ...codeNames(report, 'OP_', '-'),
  ...Object.entries(OPERATIONS).map(([name, code]) => [code, name] as const),
]);
/** EVENT_ codes, such as `table-detach`. */
export const EVENT_NAMES = codeNames(report, 'EVENT_', '-');
/** IPI_ codes, such as `tlb`. */
export const INTERRUPT_NAMES = codeNames(irq, 'IPI_', '-');
/** LEVEL_ codes of tables in Linux's spelling, such as `PTE`. */
export const LEVEL_NAMES: ReadonlyMap<number, string> = new Map(
  [...codeNames(table, 'LEVEL_', '-')].map(([code, name]) => [code, name.toUpperCase()]),
);
/** RSS_ codes, such as `anon`. */
export const RSS_NAMES = codeNames(rss, 'RSS_', 'camelCase');
/** HOST_ codes, such as `stalled`: why a CPU ended. */
export const END_REASONS = codeNames(irq, 'HOST_', '-');
