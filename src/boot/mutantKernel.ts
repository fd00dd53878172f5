/**
 * A JavaScript kernel with a mutant's patch applied, for real threads: a copy of the built kernel in a folder of its
 * own, which is needed only until every CPU has loaded it.
 */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { copyJavaScript } from '../foundry/javascript.ts';
import { DIST } from '../machine/kernel.ts';
import { OptionError, type CheckLevel } from '../machine/options.ts';

/** Where a mutant's kernel lies, until it is disposed of. */
interface MutantKernel extends Disposable {
  /** URL of the folder, ending in a slash. */
  readonly folder: string;
}

/** Copies the kernel of a check level and applies the mutant called `name`. Throws OptionError for an unknown name. */
export async function makeMutantKernel(check: CheckLevel, name: string): Promise<MutantKernel> {
  const { findMutant, MUTANT_NAMES } = await import('../explore/mutants/index.ts');
  const { modulesUnder, onlyPath, patchedPaths } = await import('../explore/link/modules.ts');
  const { patched } = await import('../explore/link/source.ts');
  const mutant = findMutant(name);
  if (mutant === null) throw new OptionError('mutant', name, MUTANT_NAMES.join(', '));
  const folder = mkdtempSync(join(tmpdir(), 'ptlab-mutant-'));
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  try {
    const compiled = fileURLToPath(new URL('src/kernel', DIST));
    copyJavaScript(compiled, folder, check);
    const files = [...modulesUnder(folder).values()].flat();
    const module = onlyPath(patchedPaths(files, mutant.patch), mutant.patch);
    writeFileSync(module, patched(readFileSync(module, 'utf8'), mutant.patch));
  } catch (error) {
    remove();
    throw error;
  }
  return { folder: `${pathToFileURL(folder).href}/`, [Symbol.dispose]: remove };
}
