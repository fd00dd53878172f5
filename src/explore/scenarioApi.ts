/**
 * What scenario files import: the kernel's calls, its constants and word operations, and the explorer's own primitives. As `ptlab/scenario`
 * for scenarios outside of this project.
 */

export * from '../kernel/index.ts';
export * from '../kernel/config.ts';
export * from './primitives.ts';
export * from './perhaps.ts';
export * from './several.ts';
export * from './smallSpace.ts';
export {
  add,
  and,
  awaitWord,
  compareExchange,
  exchange,
  load,
  or,
  peek,
  poke,
  store,
  sub,
  takeWord,
} from '../kernel/word.ts';
