/** The steps that stress mixes are made of, by name. */
import { MADV_COLD, MADV_DONTNEED, MADV_FREE, MADV_PAGEOUT } from '../../kernel/abi.ts';
import {
  fill,
  pin,
  pinOnly,
  populate,
  readAgain,
  readPage,
  walk,
  walkSlowly,
  writePage,
} from './access.ts';
import {
  advisePart,
  allowHuge,
  collapse,
  fillLarge,
  movePart,
  pinPart,
  protectPart,
  unmapPart,
} from './large.ts';
import { far, life, move, protect, protectSpan, remap, replace } from './mappings.ts';
import { own, ownMove, ownZap } from './own.ts';
import { fork, forkSecond, migrate, reclaim, truncate } from './processes.ts';
import type { Step } from './step.ts';
import { bring, moveByUserfault, serve, unwatch, watch, writeProtect } from './userfault.ts';
import { advise, ageSpan, zapPart, zapSpans } from './zap.ts';

/** Steps by name. */
export const STEPS = {
  readPage,
  writePage,
  fill,
  readAgain,
  walk,
  walkSlowly,
  pin,
  pinOnly,
  zapSpans,
  zapPart,
  free: advise(MADV_FREE),
  cold: advise(MADV_COLD),
  pageout: advise(MADV_PAGEOUT),
  populate,
  collapse,
  allowHuge,
  ageSpan,
  protectSpan,
  remap,
  replace,
  move,
  protect,
  far,
  life,
  fork,
  forkSecond,
  migrate,
  reclaim,
  truncate,
  own,
  ownZap,
  watch,
  unwatch,
  bring,
  moveByUserfault,
  writeProtect,
  serve,
  ownMove,
  fillLarge,
  zapLarge: advisePart(MADV_DONTNEED),
  freeLarge: advisePart(MADV_FREE),
  coldLarge: advisePart(MADV_COLD),
  pageoutLarge: advisePart(MADV_PAGEOUT),
  protectPart,
  movePart,
  unmapPart,
  pinPart,
} satisfies Record<string, Step>;

/** Names of the steps. */
export type StepName = keyof typeof STEPS;
