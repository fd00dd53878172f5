/**
 * The option `khugepaged`: how much of its address spaces khugepaged scans, how often, and what it accepts in a span.
 */
import { PMD_PAGES } from '../kernel/abi.ts';
import { OptionError } from './optionError.ts';

/** As in /sys/kernel/mm/transparent_hugepage/khugepaged/; the last three are entries of a span of 512. */
export interface Khugepaged {
  /** Pages that one pass looks at (pages_to_scan), 1 to 2^20. */
  pagesToScan: number;
  /** Milliseconds from the end of a pass to the next (scan_sleep_millisecs), 0 to 4,000. */
  scanSleepMs: number;
  /** Entries that may be none, or the zero page, 0 to 511. */
  maxPtesNone: number;
  /** Entries that may be swapped out, 0 to 511. */
  maxPtesSwap: number;
  /** Pages that may be mapped elsewhere as well, 0 to 511. */
  maxPtesShared: number;
}

/**
 * Limits, or a text such as `pagesToScan=512,maxPtesNone=0`; what is not named has Linux's default, but the sleep,
 * which is 10 ms there 10 s.
 */
export type KhugepagedOption = Partial<Khugepaged> | string;

export const KHUGEPAGED_DEFAULTS: Khugepaged = {
  pagesToScan: 8 * PMD_PAGES,
  scanSleepMs: 10,
  maxPtesNone: PMD_PAGES - 1,
  maxPtesSwap: PMD_PAGES / 8,
  maxPtesShared: PMD_PAGES / 2,
};

const RANGES: Readonly<Record<keyof Khugepaged, readonly [number, number]>> = {
  pagesToScan: [1, 2 ** 20],
  scanSleepMs: [0, 4000],
  maxPtesNone: [0, PMD_PAGES - 1],
  maxPtesSwap: [0, PMD_PAGES - 1],
  maxPtesShared: [0, PMD_PAGES - 1],
};

const KHUGEPAGED_ALLOWED = Object.entries(RANGES)
  .map(([name, [least, most]]) => `${name}=${least} to ${most}`)
  .join(', ');

const isName = (name: string): name is keyof Khugepaged => Object.hasOwn(RANGES, name);

/** The pairs of a text such as `pagesToScan=512,maxPtesNone=0`. Throws OptionError. */
function parse(text: string): [string, unknown][] {
  return text.split(',').map((part) => {
    const pair = /^([a-z]+)=(\d+)$/i.exec(part);
    if (pair === null) throw new OptionError('khugepaged', part, KHUGEPAGED_ALLOWED);
    return [pair[1]!, Number(pair[2])];
  });
}

/** Fills in defaults and checks every limit. Throws OptionError. */
export function resolveKhugepaged(given: unknown): Khugepaged {
  if (typeof given !== 'string' && (typeof given !== 'object' || given === null))
    throw new OptionError('khugepaged', given, KHUGEPAGED_ALLOWED);
  const resolved = { ...KHUGEPAGED_DEFAULTS };
  for (const [name, value] of typeof given === 'string' ? parse(given) : Object.entries(given)) {
    if (value === undefined) continue;
    if (!isName(name)) throw new OptionError('khugepaged', name, KHUGEPAGED_ALLOWED);
    const [least, most] = RANGES[name];
    if (typeof value !== 'number' || !Number.isInteger(value) || value < least || value > most)
      throw new OptionError(`khugepaged.${name}`, value, `a whole number from ${least} to ${most}`);
    resolved[name] = value;
  }
  return resolved;
}
