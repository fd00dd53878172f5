/** Finds compiled modules by their names, in whatever folder they are. */

import { readdirSync } from 'node:fs';
import { basename, join, sep } from 'node:path';
import { LinkError, type Patch } from './program.ts';

/** Modules (`.js`) in a folder and the folders in it: their paths by their files' names without the ending. */
export function modulesUnder(folder: string): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>();
  for (const file of readdirSync(folder, { recursive: true, encoding: 'utf8' }).toSorted()) {
    if (!file.endsWith('.js')) continue;
    const name = basename(file, '.js');
    found.set(name, [...(found.get(name) ?? []), join(folder, file)]);
  }
  return found;
}

/** Those of `paths` that a patch's `module` can mean. */
export function patchedPaths(paths: Iterable<string>, { module }: Patch): string[] {
  const end = `${sep}${module.replaceAll('/', sep)}`;
  return [...paths].filter((path) => path.replace(/\.[jt]s$/, '').endsWith(end));
}

/** The only one of the paths that a patch can be for. Throws LinkError when there is none, or more than one. */
export function onlyPath(paths: readonly string[], { module }: Patch): string {
  if (paths.length === 0) throw new LinkError(`patch: the program has no module ${module}`);
  if (paths.length > 1)
    throw new LinkError(
      `patch: module ${module}: ${paths.join(', ')}; allowed: one, named with folders before it`,
    );
  return paths[0]!;
}
