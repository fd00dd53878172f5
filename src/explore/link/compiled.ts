/** Where the compiled modules are: dist/src, whether this runs from there or from the sources. */

import { fileURLToPath } from 'node:url';

const fromDist = import.meta.url.includes('/dist/src/explore/link/');

/** Folder of the compiled modules. */
export const COMPILED = fileURLToPath(
  new URL(fromDist ? '../../' : '../../../dist/src/', import.meta.url),
);
