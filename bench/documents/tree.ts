/** The checkout that documents describe, and the machine that they are measured on. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, release } from 'node:os';
import { basename, dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

function rootAbove(folder: string): string {
  const names = readdirSync(folder);
  return names.includes('package.json') ? folder : rootAbove(dirname(folder));
}

/** The folder that package.json is in, from the sources and from dist/. */
export const ROOT = rootAbove(dirname(fileURLToPath(import.meta.url)));

export const DOCUMENTS = ['README.md', 'CONTRIBUTING.md', 'bench/README.md'] as const;

/** Text of a file of the checkout. */
export function readTree(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8');
}

/** Paths of the files below `folder`, sorted; not those of dependencies, builds and git. */
export function filesBelow(folder = ''): string[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true })
    .filter(({ name }) => !['node_modules', 'dist', 'build', '.git'].includes(name))
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      return entry.isDirectory() ? filesBelow(path) : [path];
    })
    .toSorted();
}

/** The one file of `src/` that is called so. Throws unless there is exactly one. */
export function sourceCalled(name: string): string {
  const found = filesBelow('src').filter((path) => basename(path) === name);
  if (found.length !== 1)
    throw new Error(`${name}: ${found.length} files below src/ are called so; allowed: one`);
  return found[0]!;
}

/** Twelve digits for the kernel's sources: figures with others beside them are of another kernel. */
export function kernelDigest(): string {
  const hash = createHash('sha256');
  for (const path of filesBelow('src/kernel').filter((name) => name.endsWith('.ts')))
    hash.update(`${relative('src/kernel', path)}\0${readTree(path)}\0`);
  return hash.digest('hex').slice(0, 12);
}

function git(...args: string[]): string {
  return execFileSync('git', args, { cwd: ROOT, encoding: 'utf8' }).trim();
}

function commit(): string {
  const changed = git('status', '--porcelain', '--untracked-files=no', 'src') !== '';
  return `${git('rev-parse', '--short=7', 'HEAD')}${changed ? ' and changes' : ''}`;
}

/**
 * The sentence under what was measured here and now; the load, of the last minute, is that of the measurement and of
 * whatever ran beside it.
 */
export function signature(): string {
  const model = (cpus()[0]?.model ?? 'unknown').replace(/\s*(?:\d+-Core )?Processor$/, '').trim();
  const [major, minor] = release().split('.');
  return [
    `Measured ${new Date().toISOString().slice(0, 10)}`,
    `${model}, ${availableParallelism()} CPUs, Linux ${major}.${minor}, Node ${process.versions.node}, load ${loadavg()[0]!.toFixed(0)}`,
    `commit ${commit()}, kernel ${kernelDigest()}.`,
  ].join('; ');
}
