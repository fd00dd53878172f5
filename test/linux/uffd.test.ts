/**
 * userfaultfd on ptlab against the kernel of this machine: after every operation of generated scripts the error, the
 * table memory, the anonymous pages and the pages that an ioctl says it did must be the same. Faults are answered by
 * SIGBUS on both, so that nobody waits.
 *
 *     npx vitest run test/linux/uffd.test.ts
 *     PTLAB_SCRIPTS=1000 npx vitest run test/linux/uffd.test.ts
 *     PTLAB_SEED=17 PTLAB_SCRIPTS=1 npx vitest run test/linux/uffd.test.ts     one script again
 */
import { execFile, execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';
import {
  MADV_DONTNEED,
  UFFD_FEATURE_SIGBUS,
  UFFD_FEATURE_WP_UNPOPULATED,
} from '../../src/kernel/abi.ts';
import { MachineHere } from '../conformance/machineHere.ts';
import { createRandom } from './random.ts';

const here = dirname(fileURLToPath(import.meta.url));
const UFFDRUN = join(here, 'build', 'uffdrun');
const SCRIPTS = Number(process.env['PTLAB_SCRIPTS'] ?? 300);
const FIRST = Number(process.env['PTLAB_SEED'] ?? 1);
const TIMEOUT_MS = 120_000;
/** Of the scripts, those that also run as if the kernel had no zero page. */
const EMULATED_SHARE = 1 / 3;
/**
 * What scripts use, asked for or not, by Linux's bits: PAGEFAULT_FLAG_WP, MISSING_SHMEM, SIGBUS, WP_HUGETLBFS_SHMEM,
 * WP_UNPOPULATED (which comes with half of the scripts), MOVE.
 */
const FEATURES =
  (1 << 0) | (1 << 5) | (1 << 7) | (1 << 12) | UFFD_FEATURE_WP_UNPOPULATED | (1 << 16);
/** Two mappings' worth of spans, and a place for mremap to move to. */
const PLACES = [0, 512, 2048, 2560, 6144];

/** An operation and its numbers, in pages. */
type Line = [name: string, ...numbers: number[]];

interface Script {
  features: number;
  lines: Line[];
}

function generate(seed: number): Script {
  const random = createRandom(seed);
  const features = UFFD_FEATURE_SIGBUS | (seed % 2 === 0 ? UFFD_FEATURE_WP_UNPOPULATED : 0);
  const place = (): number => random.pick(PLACES) + random.pick([0, 0, 0, 1, 2, 5, 508, 511]);
  const pages = (): number => random.pick([1, 1, 2, 3, 4, 8, 16, 512]);
  const makers: (() => Line)[] = [
    () => ['map', place(), random.pick([8, 16, 512, 1024]), random.pick([1, 2, 2, 2]), 0],
    () => ['map', place(), random.pick([8, 16, 512]), 2, 1],
    () => ['touch', place(), pages() % 32 || 1, random.below(2)],
    () => ['touch', place(), 1, 1],
    () => ['touch', place(), 4, 1],
    () => ['dontneed', place(), pages()],
    () => ['dontneed', random.pick(PLACES), 512],
    () => ['unmap', place(), pages()],
    () => ['protect', place(), pages(), random.pick([0, 1, 2, 2])],
    () => ['move', place(), pages(), random.pick(PLACES)],
    () => ['register', place(), pages(), random.pick([1, 1, 2, 3, 3, 0, 8])],
    () => ['register', random.pick(PLACES), 512, random.pick([1, 2, 3])],
    () => ['unregister', place(), pages()],
    () => ['copy', place(), pages() % 32 || 1, random.pick([0, 0, 1, 2])],
    () => ['zero', place(), pages() % 32 || 1, random.pick([0, 0, 1, 2])],
    () => ['wp', place(), pages(), random.pick([1, 1, 0, 0, 2, 3])],
    () => ['umove', place(), place(), random.pick([1, 1, 2, 4, 8]), random.pick([0, 0, 2, 1, 4])],
  ];
  const lines: Line[] = [
    ['map', 0, 1024, 2, 0],
    ['map', 2048, 1024, 2, random.below(2)],
    ['touch', 0, 4, 1],
    ['register', random.pick(PLACES.slice(0, 4)), 512, random.pick([1, 2, 3])],
  ];
  const count = 30 + random.below(30);
  for (let i = 0; i < count; i++) lines.push(random.pick(makers)());
  return { features, lines };
}

const textOf = ({ features, lines }: Script): string =>
  `script ${features}\n${lines.map((words) => words.join(' ')).join('\n')}\n`;

/** What ptlab answers: a line of the kernel's form for each operation. */
function onPtlab(m: MachineHere, { features, lines }: Script): string[] {
  m.reset();
  expect(m.calls.uffdApi(m.mm, features)).toBe(0);
  const prot = [0, 1, 3, 3];
  const done = (errno: number): [number, number] => [errno, m.kernel.uffdDone() >>> 0];
  const calls: Record<string, (a: number, b: number, c: number, d: number) => [number, number]> = {
    map: (at, n, p, shared) => [m.mmap(at, n, { prot: prot[p]!, flags: shared }), 0],
    touch: (at, n, write) => {
      for (let i = 0; i < n; i++) {
        const errno = write === 1 ? m.write(at + i) : m.read(at + i);
        if (errno !== 0) return [errno, 0];
      }
      return [0, 0];
    },
    dontneed: (at, n) => [m.madvise(at, n, MADV_DONTNEED), 0],
    unmap: (at, n) => [m.munmap(at, n), 0],
    protect: (at, n, p) => [m.mprotect(at, n, prot[p]!), 0],
    move: (at, n, to) => [m.move(at, n, to), 0],
    register: (at, n, mode) => [m.calls.uffdRegister(m.mm, at, n, mode), 0],
    unregister: (at, n) => [m.calls.uffdUnregister(m.mm, at, n), 0],
    copy: (at, n, mode) => done(m.calls.uffdCopy(m.mm, at, n, mode)),
    zero: (at, n, mode) => done(m.calls.uffdZeropage(m.mm, at, n, mode)),
    wp: (at, n, mode) => [m.calls.uffdWriteprotect(m.mm, at, n, mode), 0],
    umove: (to, from, n, mode) => done(m.calls.uffdMove(m.mm, to, from, n, mode)),
  };
  const answers = lines.map(([name, a = 0, b = 0, c = 0, d = 0]) => {
    const [errno, pages] = calls[name]!(a, b, c, d);
    const tables = m.tables.reduce((sum, count) => sum + count, 0);
    return `${errno} ${tables * 4} ${m.rss.anon} ${pages}`;
  });
  m.balanced();
  return answers;
}

/** What a kernel has to answer to be compared with: errno, table memory, anonymous pages, pages done. */
const PROBE = {
  script:
    'map 0 512 2 0\nregister 0 512 1\ntouch 0 1 0\numove 0 1 1 0\ndontneed 0 512\nunregister 0 512\ntouch 1 1 1\n',
  answer: '0 0 0 0, 0 0 0 0, 7 12 0 0, 2 12 0 0, 0 8 0 0, 0 8 0 0, 0 12 1 0',
};
/** A read of memory that may not be written to, and UFFDIO_ZEROPAGE. */
const ZERO_SCRIPT =
  'map 0 512 1 0\ntouch 0 1 0\nmap 2048 512 2 0\nregister 2048 512 1\nzero 2048 1 0\n';
const ZERO_ANSWERS = {
  zeroPage: '0 0 0 0, 0 12 0 0, 0 12 0 0, 0 12 0 0, 0 16 0 1',
  noZeroPage: '0 0 0 0, 0 12 1 0, 0 12 1 0, 0 12 1 0, 0 16 2 1',
  onlyForMonitors: '0 0 0 0, 0 12 1 0, 0 12 1 0, 0 12 1 0, 0 16 1 1',
};

const NO_ZERO_PAGE = '--no-zero-page';

function answersTo(script: string, ...options: string[]): string {
  const input = `script ${FEATURES}\n${script}`;
  const answer = execFileSync(UFFDRUN, options, { input, encoding: 'utf8' });
  return answer.trimEnd().split('\n').slice(1).join(', ');
}

interface Report {
  /** Why uffdrun cannot be used here, or null. */
  why: string | null;
  /** Without one, read faults of private anonymous memory allocate. */
  hasZeroPage: boolean;
  /** Why UFFDIO_ZEROPAGE is left out, or null. */
  whyNotZeropage: string | null;
  /** Why uffdrun cannot act as if the kernel had no zero page, or null. */
  whyNotEmulated: string | null;
}

const without = (why: string): Report => ({
  why,
  hasZeroPage: true,
  whyNotZeropage: why,
  whyNotEmulated: why,
});

function tryEmulation(): string | null {
  try {
    const seen = answersTo(ZERO_SCRIPT, NO_ZERO_PAGE);
    return seen === ZERO_ANSWERS.noZeroPage
      ? null
      : `no writing through /proc/self/mem: ${seen} instead of ${ZERO_ANSWERS.noZeroPage}`;
  } catch (error) {
    return `uffdrun cannot do without a zero page here: ${(error as Error).message}`;
  }
}

/**
 * Builds uffdrun and tries it. Throws when `uffdrun.c` does not compile although there are a compiler and the kernel's
 * headers.
 */
function examine(): Report {
  if (process.platform !== 'linux' || process.arch !== 'x64') return without('not Linux on x86-64');
  mkdirSync(dirname(UFFDRUN), { recursive: true });
  const compiler = process.env['CC'] ?? 'cc';
  try {
    const source = join(here, 'uffdrun.c');
    execFileSync(compiler, ['-std=gnu11', '-O2', '-o', UFFDRUN, source], { stdio: 'pipe' });
  } catch (error) {
    const { code, stderr } = error as NodeJS.ErrnoException & { stderr?: Buffer };
    if (code === 'ENOENT') return without(`no C compiler '${compiler}'`);
    const header = 'linux/userfaultfd.h';
    if (String(stderr).includes(`${header}: No such file`)) return without(`no header ${header}`);
    throw error;
  }
  try {
    const seen = answersTo(PROBE.script);
    if (seen !== PROBE.answer)
      return without(`this kernel answers ${seen} instead of ${PROBE.answer}`);
    const zero = answersTo(ZERO_SCRIPT);
    const known = Object.values(ZERO_ANSWERS).includes(zero);
    if (!known) return without(`this kernel has a zero page for some reads only: ${zero}`);
    const hasZeroPage = zero === ZERO_ANSWERS.zeroPage;
    return {
      why: null,
      hasZeroPage,
      whyNotZeropage:
        zero === ZERO_ANSWERS.onlyForMonitors
          ? 'this kernel has a zero page for UFFDIO_ZEROPAGE, and none for reads'
          : null,
      whyNotEmulated: hasZeroPage ? tryEmulation() : 'this kernel has no zero page itself',
    };
  } catch (error) {
    return without(`uffdrun does not run here: ${(error as Error).message}`);
  }
}

const { why, hasZeroPage, whyNotZeropage, whyNotEmulated } = examine();
if (why !== null) console.warn(`test/linux/uffd.test.ts is skipped: ${why}`);

function skipped(reason: string | null): string {
  return reason === null ? '' : ` (skipped: ${reason})`;
}

/** The script without what the kernel of this machine is not compared in. */
function comparable(script: Script): Script {
  if (whyNotZeropage === null) return script;
  return { ...script, lines: script.lines.filter(([name]) => name !== 'zero') };
}

/** Scripts that one run of uffdrun has room for. */
const BATCH = 300;

/** What the kernel answers to each of at most BATCH scripts. */
function onKernel(scripts: readonly Script[], options: readonly string[]): Promise<string[][]> {
  return new Promise((resolve, reject) => {
    const child = execFile(
      UFFDRUN,
      options,
      { maxBuffer: 2 ** 26, timeout: TIMEOUT_MS },
      (error, stdout) => {
        if (error !== null) reject(error);
        else
          resolve(
            stdout
              .split('script\n')
              .slice(1)
              .map((part) => part.trimEnd().split('\n')),
          );
      },
    );
    child.stdin!.end(scripts.map(textOf).join(''));
  });
}

/** Tests of `count` scripts, which uffdrun with `options` runs on the kernel. `zeroPage`: of the machines. */
function compareWithKernel(zeroPage: boolean, count: number, options: readonly string[]): void {
  const scripts = Array.from({ length: count }, (_, i) => comparable(generate(FIRST + i)));
  const answers: string[][] = [];
  beforeAll(async () => {
    for (let first = 0; first < count; first += BATCH)
      answers.push(...(await onKernel(scripts.slice(first, first + BATCH), options)));
  }, TIMEOUT_MS);

  test.each(['vma-lock', 'mmap-lock', 'speculative'] as const)(
    '%s',
    async (fault) => {
      const machine = await MachineHere.make({ fault, zeroPage, cpus: 1 });
      const differences: string[] = [];
      scripts.forEach((script, i) => {
        const ours = onPtlab(machine, script);
        const at = ours.findIndex((line, n) => line !== answers[i]![n]);
        if (at < 0) return;
        const lead = script.lines.slice(0, at + 1).map((words) => words.join(' '));
        differences.push(
          `PTLAB_SEED=${FIRST + i} PTLAB_SCRIPTS=1 npx vitest run test/linux/uffd.test.ts\n` +
            `features ${script.features}\n${lead.join('\n')}\n` +
            `kernel: ${answers[i]![at]}, ptlab: ${ours[at]} (errno, KiB, anonymous, done)`,
        );
      });
      expect(differences.length, differences.slice(0, 3).join('\n\n')).toBe(0);
    },
    TIMEOUT_MS,
  );
}

const kernelHere = `the kernel of this machine${hasZeroPage ? '' : ', which has no zero page,'}`;
const leftOut = whyNotZeropage === null ? '' : `, without UFFDIO_ZEROPAGE: ${whyNotZeropage}`;
describe.skipIf(why !== null)(
  `userfaultfd as ${kernelHere} has it${why === null ? leftOut : skipped(why)}`,
  () => compareWithKernel(hasZeroPage, SCRIPTS, []),
);

describe.skipIf(whyNotEmulated !== null)(
  `userfaultfd as the kernel of this machine has it without a zero page${skipped(whyNotEmulated)}`,
  () => compareWithKernel(false, Math.ceil(SCRIPTS * EMULATED_SHARE), [NO_ZERO_PAGE]),
);
