/** The option `mthp`: which sizes of folios anonymous faults may allocate. */
import { PMD_SHIFT } from '../kernel/abi.ts';
import { OptionError } from './optionError.ts';

/** Smallest order: the kernel has none for folios of two pages of anonymous memory either. */
const ORDER_MIN = 2;
const PAGE_KIB = 4;

/**
 * `never`, `always` (every size), or sizes such as `64K` or `2M`, in one text with commas or as a list; a number is an
 * order, 2 to 9.
 */
export type FolioSizes = string | readonly (string | number)[];

const FOLIO_SIZES_ALLOWED =
  'never, always, or sizes 16K, 32K, 64K, 128K, 256K, 512K, 1M, 2M with commas between (in a list: orders 2 to 9 as well)';

function orderOf(size: string | number): number | null {
  if (typeof size === 'number')
    return Number.isInteger(size) && size >= ORDER_MIN && size <= PMD_SHIFT ? size : null;
  const found = /^(\d+)([KM])$/i.exec(size);
  if (found === null) return null;
  const kib = Number(found[1]) * (found[2]!.toUpperCase() === 'M' ? 1024 : 1);
  const order = Math.log2(kib / PAGE_KIB);
  return Number.isInteger(order) && order >= ORDER_MIN && order <= PMD_SHIFT ? order : null;
}

/** The orders that are enabled, smallest first. Throws OptionError. */
export function resolveFolioSizes(given: unknown): number[] {
  if (given === 'never') return [];
  if (given === 'always')
    return Array.from({ length: PMD_SHIFT - ORDER_MIN + 1 }, (_, i) => ORDER_MIN + i);
  const sizes: unknown = typeof given === 'string' ? given.split(',') : given;
  if (!Array.isArray(sizes)) throw new OptionError('mthp', given, FOLIO_SIZES_ALLOWED);
  const orders = sizes.map((size: unknown) => {
    const order = typeof size === 'string' || typeof size === 'number' ? orderOf(size) : null;
    if (order === null) throw new OptionError('mthp', size, FOLIO_SIZES_ALLOWED);
    return order;
  });
  return [...new Set(orders)].toSorted((a, b) => a - b);
}

/** Enabled orders in the words of the command line. */
export function folioSizesText(orders: readonly number[]): string {
  if (orders.length === 0) return 'never';
  return orders
    .map((order) => (order < 8 ? `${PAGE_KIB * 2 ** order}K` : `${2 ** (order - 8)}M`))
    .join(',');
}
