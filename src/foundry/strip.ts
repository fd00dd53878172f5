/** Takes the types out of TypeScript and leaves every line and column where it is. */

import { createRequire } from 'node:module';

let swc: typeof import('@swc/wasm-typescript') | null = null;

/** A source of ours or a user's that is no TypeScript; the message has place and reason. */
export class StripError extends Error {
  override readonly name = 'StripError';
}

/** `text`, the TypeScript of `file`, as JavaScript of the same length. Throws StripError. */
export function withoutTypes(file: string, text: string): string {
  // Loaded when it is needed: it takes longer than the rest of linking, in every thread.
  swc ??= createRequire(import.meta.url)('@swc/wasm-typescript') as typeof swc & object;
  try {
    return swc.transformSync(text, { mode: 'strip-only', filename: file }).code;
  } catch (error) {
    const { message, startLine } = error as { message?: string; startLine?: number };
    throw new StripError(`${file}:${startLine ?? 0}: ${message ?? String(error)}`);
  }
}

/** As withoutTypes, with the imports of a compiled module: `.ts` is `.js` there. */
export function asCompiled(file: string, text: string): string {
  return withoutTypes(file, text).replace(/( from '\.[^']+)\.ts'/g, "$1.js'");
}
