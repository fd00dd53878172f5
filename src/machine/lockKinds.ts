/** Kinds of page-table locks as users choose them: what the files of `src/kernel/lock/kinds/` say of themselves. */
import type { LockAbout } from '../foundry/about.ts';
import { LOCK_LIST } from '../foundry/catalogue.ts';

export { LOCK_LIST };

export type LockKind = keyof typeof LOCK_LIST;
/** In the order of lists: the base, then by name. */
export const LOCK_KINDS = Object.keys(LOCK_LIST) as LockKind[];

/** What the kind of this code says of itself; an unknown code is the base's. */
export function lockOfCode(code: number): LockAbout {
  const kinds: readonly LockAbout[] = Object.values(LOCK_LIST);
  return kinds.find((kind) => kind.code === code) ?? LOCK_LIST.adaptive;
}

/** Codes by name. */
export const LOCK_CODES = Object.fromEntries(
  LOCK_KINDS.map((name) => [name, LOCK_LIST[name].code]),
) as Readonly<Record<LockKind, number>>;
