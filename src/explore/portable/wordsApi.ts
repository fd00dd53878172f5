/**
 * What scenarios of bare words, without a machine, import: word operations, constants, the explorer's primitives. Part
 * of scenarioApi.ts, which stands for this alone in such programs, so that they are linked without the kernel.
 */

export * from '../../kernel/word/config.ts';
export * from './primitives.ts';
export * from './several.ts';
export {
  add,
  and,
  compareExchange,
  exchange,
  load,
  or,
  peek,
  poke,
  store,
  sub,
} from '../../kernel/word/word.ts';
export { awaitWord, takeWord } from '../../kernel/cpu/await.ts';
