import * as config from '../kernel/abi.ts';

/** Names of the oracles, in the order of the kernel's codes. */
export const ORACLE_NAMES = [
  'table-use-after-free',
  'nonempty-table-freed',
  'stale-translation',
  'bad-upper-entry',
  'lost-entry',
  'frame-use-after-free',
  'accounting',
  'grace-period',
  'lock-order',
  'no-progress',
] as const;

export type OracleName = (typeof ORACLE_NAMES)[number];

/** Name of the oracle with a kernel ORACLE_ code. Throws RangeError for a code that no oracle has. */
export function oracleName(code: number): OracleName {
  const name = ORACLE_NAMES[code - config.ORACLE_TABLE_USE_AFTER_FREE];
  if (name === undefined)
    throw new RangeError(`oracle code ${code}: must be 1 to ${ORACLE_NAMES.length}`);
  return name;
}
