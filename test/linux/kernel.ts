import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
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

/** What a kernel has to answer to be compared with, and what it lacks otherwise. */
const PROBES = [
  {
    script: 'mmap 1G 2M\ntouch 1G 2M\nmadvise 1G 2M dontneed\n',
    answer: 'null 0, null 12, null 8',
    otherwise: 'this kernel does not free empty PTE tables (Linux 6.14, CONFIG_PT_RECLAIM)',
  },
  {
    script: 'mmap 1G 512G\n',
    answer: 'null 0',
    otherwise:
      'this machine refuses mappings that are larger than its memory (vm.overcommit_memory)',
  },
];

/** Moving several mappings at once came with Linux 6.17. */
const MOVE_PROBE = {
  script: 'mmap 1G 2M\nmmap 1026M 2M r\nmremap 1G 4M 2G\n',
  answer: 'null 0, null 0, null 0',
  otherwise: 'this kernel does not move several mappings at once (Linux 6.17)',
};

/** Reads of private memory that was never written to, which may not be written to, and which may. */
const ZERO_SCRIPT = 'mmap 1G 2M r\ntouch 1G 4K r\nmmap 2G 2M\ntouch 2G 4K r\n';
const ZERO_PAGE = '0, 0, 0, 0';
const NO_ZERO_PAGE = '0, 1, 1, 2';
const HUGE_ZERO_SCRIPT = 'mmap 2M 2M\nmadvise 2M 2M hugepage\ntouch 2M 4K r\n';
const HUGE_ZERO_PAGE = '0, 0, 0';
const NO_HUGE_ZERO_PAGE = '0, 0, 512';

const TIMEOUT_MS = 120_000;
const SCRIPTS_PER_PROCESS = 100;

/** Huge pages by a fault, and by a collapse of read-only pages, as since Linux 6.18. */
const HUGE_PROBE =
  'mmap 2M 4M\nmadvise 2M 2M hugepage\ntouch 2M 4K\ntouch 4M 4K\nmprotect 4M 2M r\nmadvise 4M 2M collapse\n';
const HUGE_ANSWER = '0, 0, 512, 513, 513, 1024';

export interface KernelReport {
  /** Why this machine's kernel cannot be compared with at all; null when it can. */
  why: string | null;
  /** Why scripts with mremap cannot be compared. */
  whyNotMremap: string | null;
  /** With swap, pageout takes pages away that stay without it. */
  hasSwap: boolean;
  /** Without them, advice about huge pages is EINVAL. */
  hasHugePages: boolean;
  /** Why scripts about huge pages cannot be compared; null when they can. */
  whyNotHuge: string | null;
  /** Without one, read faults of private anonymous memory allocate. */
  hasZeroPage: boolean;
  /** Why mmrun cannot act as if the kernel had no zero page; null when it can. */
  whyNotEmulated: string | null;
}

const without = (why: string): KernelReport => ({
  why,
  whyNotMremap: why,
  hasSwap: false,
  hasHugePages: false,
  whyNotHuge: why,
  hasZeroPage: true,
  whyNotEmulated: why,
});

/** Builds `mmrun` and tries it. Throws when `mmrun.c` does not compile although there is a compiler. */
export async function examineKernel(): Promise<KernelReport> {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    return without(`not Linux on x86-64 but ${process.platform} on ${process.arch}`);
  }
  await mkdir(BUILD, { recursive: true });
  const compiler = process.env['CC'] ?? 'cc';
  try {
    await run(compiler, ['-std=gnu11', '-O2', '-o', MMRUN, join(here, 'mmrun.c')]);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
      return without(`no C compiler '${compiler}'`);
    }
    throw error;
  }
  try {
    for (const probe of PROBES) {
      const why = await tryProbe(probe);
      if (why !== null) return without(why);
    }
    const zeroPage = await anonPages(ZERO_SCRIPT);
    if (zeroPage !== ZERO_PAGE && zeroPage !== NO_ZERO_PAGE)
      return without(
        `this kernel has a zero page for some reads only: ${zeroPage} anonymous pages`,
      );
    const hasZeroPage = zeroPage === ZERO_PAGE;
    const swaps = await readFile('/proc/swaps', 'utf8');
    return {
      why: null,
      whyNotMremap: await tryProbe(MOVE_PROBE),
      hasSwap: swaps.trimEnd().split('\n').length > 1,
      hasHugePages: existsSync('/sys/kernel/mm/transparent_hugepage'),
      whyNotHuge: await tryHugePages(hasZeroPage),
      hasZeroPage,
      whyNotEmulated: await tryEmulation(hasZeroPage),
    };
  } catch (error) {
    return without(`mmrun does not run here: ${(error as Error).message.trim()}`);
  }
}

/** Anonymous pages after each operation of `script`. */
async function anonPages(script: string, settings: KernelSettings = {}): Promise<string> {
  const [lines] = await runOnKernel([script], settings);
  return lines!.map((line) => line.anonPages).join(', ');
}

/**
 * Whether the kernel gives huge pages where they are asked for, at the first fault and to MADV_COLLAPSE, and has a huge
 * zero page if it has a small one.
 */
async function tryHugePages(hasZeroPage: boolean): Promise<string | null> {
  const pages = await anonPages(HUGE_PROBE);
  if (pages !== HUGE_ANSWER)
    return `no huge pages on advice: ${pages} anonymous pages instead of ${HUGE_ANSWER}`;
  const zero = await anonPages(HUGE_ZERO_SCRIPT);
  const expected = hasZeroPage ? HUGE_ZERO_PAGE : NO_HUGE_ZERO_PAGE;
  if (zero === expected) return null;
  const small = hasZeroPage ? 'a zero page' : 'no zero page';
  const huge = hasZeroPage ? 'no huge one (use_zero_page)' : 'a huge one';
  return `this kernel has ${small} and ${huge}: ${zero} anonymous pages instead of ${expected}`;
}

async function tryEmulation(hasZeroPage: boolean): Promise<string | null> {
  if (!hasZeroPage) return 'this kernel has no zero page itself';
  try {
    const pages = await anonPages(ZERO_SCRIPT, { noZeroPage: true });
    if (pages === NO_ZERO_PAGE) return null;
    return `no writing through /proc/self/mem: ${pages} anonymous pages instead of ${NO_ZERO_PAGE}`;
  } catch (error) {
    return `mmrun cannot do without a zero page here: ${(error as Error).message.trim()}`;
  }
}

async function tryProbe({ script, answer, otherwise }: typeof MOVE_PROBE): Promise<string | null> {
  const [lines] = await runOnKernel([script]);
  const seen = lines!.map((line) => `${line.errno} ${line.vmpteKb}`).join(', ');
  return seen === answer ? null : `${otherwise}: ${seen} instead of ${answer}`;
}

const THP = '/sys/kernel/mm/transparent_hugepage';

/** Sizes of folios between a page and a huge page. */
export const MTHP_SIZES_KB: readonly number[] = [16, 32, 64, 128, 256, 512, 1024];

/**
 * Has the kernel give folios of `sizesKb` on any fault, as long as `body` runs, and no others below its huge pages.
 * Takes root.
 */
async function withFolioSizes<T>(sizesKb: readonly number[], body: () => Promise<T>): Promise<T> {
  const before = new Map<string, string>();
  for (const kb of MTHP_SIZES_KB) {
    const file = `${THP}/hugepages-${kb}kB/enabled`;
    before.set(file, /\[(\w+)\]/.exec(await readFile(file, 'utf8'))![1]!);
  }
  try {
    for (const kb of MTHP_SIZES_KB) {
      const value = sizesKb.includes(kb) ? 'always' : 'never';
      await writeFile(`${THP}/hugepages-${kb}kB/enabled`, value);
    }
    return await body();
  } finally {
    for (const [file, value] of before) await writeFile(file, value);
  }
}

/** How the kernel is to run scripts. */
export interface KernelSettings {
  /**
   * With folios of these sizes on any fault, as long as it runs; otherwise folios of several pages come where scripts
   * advise them only.
   */
  sizesKb?: readonly number[];
  /** As if it had no zero page (noZeroPage.h). */
  noZeroPage?: boolean;
}

/** What the kernel answers to each script, each in processes of its own. */
export function runOnKernel(
  scripts: readonly string[],
  { sizesKb = [], noZeroPage = false }: KernelSettings = {},
): Promise<EachLine[][]> {
  const options = noZeroPage ? ['--no-zero-page'] : [];
  if (sizesKb.length === 0) return runScripts(scripts, options);
  return withFolioSizes(sizesKb, () => runScripts(scripts, ['--thp', ...options]));
}

async function runScripts(
  scripts: readonly string[],
  options: readonly string[],
): Promise<EachLine[][]> {
  const folder = await mkdtemp(join(tmpdir(), 'ptlab-mmrun-'));
  try {
    const answers: EachLine[][] = [];
    for (let first = 0; first < scripts.length; first += SCRIPTS_PER_PROCESS) {
      const batch = scripts.slice(first, first + SCRIPTS_PER_PROCESS);
      const files = batch.map((_, index) => join(folder, `${index}.mm`));
      await Promise.all(batch.map((script, index) => writeFile(files[index]!, script)));
      const { stdout } = await run(MMRUN, [...options, ...files], {
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
