/**
 * What scenario files import: the kernel's calls, its constants and word operations, and the explorer's own primitives.
 * As `ptlab/scenario` for scenarios outside of this project.
 */

export * from './wordsApi.ts';
export * from '../../kernel/index.ts';
export * from './perhaps.ts';
export * from './smallSpace.ts';
