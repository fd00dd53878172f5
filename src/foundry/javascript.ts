/**
 * The kernel as JavaScript modules. dist/src/kernel/ is the kernel with full checks, plugged; the other levels are
 * copies of it in which one constant differs, made when they are first wanted.
 */

import { createHash, randomUUID } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkSource, type Level } from './sources.ts';

/** Copies the compiled kernel in `compiled` to `to`, which is not there yet, with the checks of `level`. */
export function copyJavaScript(compiled: string, to: string, level: Level): void {
  cpSync(compiled, to, {
    recursive: true,
    filter: (path) => !path.endsWith('.d.ts') && !path.endsWith('.map'),
  });
  const check = join(to, 'word/check.js');
  writeFileSync(check, checkSource(readFileSync(check, 'utf8'), level));
  writeFileSync(join(to, 'package.json'), '{ "type": "module" }\n');
}

/** Digest of a compiled kernel: of all its modules. */
function digestOf(compiled: string): string {
  const hash = createHash('sha256');
  for (const file of readdirSync(compiled, { recursive: true, encoding: 'utf8' }).toSorted())
    if (file.endsWith('.js')) hash.update(`${file}\0`).update(readFileSync(join(compiled, file)));
  return hash.digest('hex').slice(0, 16);
}

/**
 * Folder of the JavaScript kernel of `level`. `compiled`: the folder of the compiled kernel. Copies are kept in `out`,
 * or, where that cannot be written, in the system's folder for temporary files, and told apart by the compiled kernel's
 * content.
 */
export function javaScriptKernel(compiled: string, out: string, level: Level): string {
  if (level === 'full') return compiled;
  const name = `js-${level}-${digestOf(compiled)}`;
  const places = [out, join(tmpdir(), 'ptlab-kernels')];
  for (const place of places) {
    const folder = join(place, name);
    if (existsSync(folder)) return folder;
    const beside = `${folder}.${randomUUID()}`;
    try {
      mkdirSync(place, { recursive: true });
      copyJavaScript(compiled, beside, level);
      renameSync(beside, folder);
      return folder;
    } catch (error) {
      rmSync(beside, { recursive: true, force: true });
      // Another process may have been faster; else the next place is tried.
      if (existsSync(folder)) return folder;
      if (place === places.at(-1)) throw error;
    }
  }
  throw new Error(`level ${level}: no place for a copy of ${compiled}`);
}
