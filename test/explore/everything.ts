/**
 * Whether what takes minutes is to be run as well: PTLAB_TESTS=all, which `npm run test:slow` and `npm run test:hunts`
 * set.
 */
export const EVERYTHING = process.env['PTLAB_TESTS'] === 'all';
