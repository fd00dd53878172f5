export { awaitWord, notify, load } from './word.ts';
export { cpuArea } from './layout.ts';
