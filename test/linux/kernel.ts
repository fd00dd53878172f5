import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { parseLines } from './lines.ts';
import type { EachLine } from './lines.ts';

const run = promisify(execFile);
const here = dirname(fileURLToPath(import.meta.url));
const BUILD = join(here, 'build');

/** Where `mmrun` is built; the folder is ignored by git. */
export const MMRUN = join(BUILD, 'mmrun');

/** A table that DONTNEED empties is gone afterwards only on a kernel that reclaims it. */
const REPRODUCER = 'mmap 1G 2M\ntouch 1G 2M\nmadvise 1G 2M dontneed\n';
const REPRODUCER_VMPTE_KB = [0, 12, 8];

const TIMEOUT_MS = 120_000;
const SCRIPTS_PER_PROCESS = 100;

/**
 * Builds `mmrun` and tries it. Answers null when this machine's kernel can be compared with, else why it cannot:
 * no Linux on x86-64, no C compiler, or a kernel without the reclaim of empty PTE tables (Linux 6.14, CONFIG_PT_RECLAIM).
 */
export async function whyNoKernel(): Promise<string | null> {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    return `not Linux on x86-64 but ${process.platform} on ${process.arch}`;
  }
  await mkdir(BUILD, { recursive: true });
  const compiler = process.env['CC'] ?? 'cc';
  try {
    await run(compiler, ['-std=gnu11', '-O2', '-o', MMRUN, join(here, 'mmrun.c')]);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return `no C compiler '${compiler}'`;
    throw error;
  }
  let lines: EachLine[] | undefined;
  try {
    [lines] = await runOnKernel([REPRODUCER]);
  } catch (error) {
    return `mmrun does not run here: ${(error as Error).message.trim()}`;
  }
  const seen = lines!.map((line) => line.vmpteKb);
  if (seen.join() === REPRODUCER_VMPTE_KB.join()) return null;
  return `this kernel does not free empty PTE tables: VmPTE ${seen.join(', ')} kB instead of ${REPRODUCER_VMPTE_KB.join(', ')}`;
}

/** What the kernel answers to each script, each in a process of its own. */
export async function runOnKernel(scripts: readonly string[]): Promise<EachLine[][]> {
  const folder = await mkdtemp(join(tmpdir(), 'ptlab-mmrun-'));
  try {
    const answers: EachLine[][] = [];
    for (let first = 0; first < scripts.length; first += SCRIPTS_PER_PROCESS) {
      const batch = scripts.slice(first, first + SCRIPTS_PER_PROCESS);
      const files = batch.map((_, index) => join(folder, `${index}.mm`));
      await Promise.all(batch.map((script, index) => writeFile(files[index]!, script)));
      const { stdout } = await run(MMRUN, files, {
        timeout: TIMEOUT_MS,
        maxBuffer: 256 * 2 ** 20,
      });
      const parts = batch.length === 1 ? [stdout] : stdout.split(/^\{"script":.*\}\n/m).slice(1);
      answers.push(...parts.map(parseLines));
    }
    return answers;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
