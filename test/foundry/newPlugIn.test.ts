/**
 * A plug-in is one file: in a copy of the project each socket gets one more, nothing else is touched, and it stands
 * wherever one can be chosen. The protocol is written out here; what other sockets get is one of their own under a
 * second name.
 */
import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { plugIns, SOCKETS } from '../../src/foundry/plug.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const KERNEL = join(ROOT, 'src/kernel');
const COPIED = [
  'src',
  'workers',
  'bench',
  'test/built.ts',
  'test/conformance',
  'test/explore',
  'build.mjs',
  'package.json',
  'tsconfig.json',
  'tsconfig.build.json',
  'vitest.config.ts',
];

/** Its name is before others in the alphabet: their codes change. */
const FIRST_TABLE = `/**
 * Reclaim protocol \`first-table\`: madvise(MADV_DONTNEED) frees the first table of what it zapped, if that is empty,
 * with everybody kept out.
 */
import { count, COUNTER_TABLES_RECLAIMED_FOUND } from '../observe/stats.ts';
import { mmapWriteLock, mmapWriteUnlock } from '../sleep/mmapLock.ts';
import { findVma, vmaNext } from '../space/vma.ts';
import { vmaStartWrite } from '../space/vmaLock.ts';
import { detachEmpty, handOver, leafLooksEmpty } from '../tables/emptiness.ts';
import { gatherFinish, gatherStart } from '../tables/gather.ts';
import { pmdFind } from '../tables/walk.ts';
import { PMD_PAGES } from '../word/config.ts';
import { VMA_START } from '../word/layout.ts';
import { load } from '../word/word.ts';

export const about = { name: 'first-table', summary: 'frees the first table of what was zapped' };

/** Write-locks every VMA that the PTE table of \`vpn\` can map. mmap_lock held for write. */
function lockSpan(mm: u32, vpn: u32): void {
  const first: u32 = (vpn & ~(PMD_PAGES - 1)) >>> 0;
  let vma = findVma(mm, first);
  while (vma !== 0 && load(vma + VMA_START) <= first + (PMD_PAGES - 1)) {
    vmaStartWrite(vma);
    vma = vmaNext(vma);
  }
}

export function rangeZapped(mm: u32, start: u32, end: u32): void {
  mmapWriteLock(mm);
  const pmd = pmdFind(mm, start);
  if (pmd === 0 || !leafLooksEmpty(pmd)) {
    mmapWriteUnlock(mm);
    return;
  }
  const gather = gatherStart(mm);
  lockSpan(mm, start);
  const table = detachEmpty(pmd, start);
  if (table !== 0) {
    count(COUNTER_TABLES_RECLAIMED_FOUND);
    handOver(gather, mm, table, start);
  }
  mmapWriteUnlock(mm);
  gatherFinish(gather);
}
`;

/** For each socket: its list in \`ptlab list\`, the option that chooses, the new file's text under \`name\`. */
interface Added {
  list: string;
  option: string;
  name: string;
  text: string;
}
const OPTIONS: Readonly<Record<string, { list: string; option: string }>> = {
  protocols: { list: 'protocols', option: 'protocol' },
  'lock/kinds': { list: 'locks', option: 'lock' },
};
const ADDED: readonly (Added & { folder: string })[] = SOCKETS.map((socket) => {
  const { folder } = socket;
  const place = OPTIONS[folder];
  if (place === undefined) throw new Error(`socket ${folder}: no option of the command line`);
  if (folder === 'protocols') return { folder, ...place, name: 'first-table', text: FIRST_TABLE };
  const one = plugIns(KERNEL, socket).findLast(({ file }) => file.split('/').length === 3)!;
  const text = readFileSync(join(KERNEL, one.file), 'utf8');
  const name = `toy-${place.option}`;
  return { folder, ...place, name, text: text.replace(`name: '${one.name}'`, `name: '${name}'`) };
});
const identOf = (name: string): string =>
  name.replaceAll(/-(.)/g, (_, letter: string) => letter.toUpperCase());
/** The options that choose all that was added. */
const CHOSEN = ADDED.flatMap(({ option, name }) => [`--${option}`, name]);

/** Longest that one program may take here. */
const LIMIT_MS = 240_000;
let folder = '';

function run(...args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: LIMIT_MS,
      killSignal: 'SIGKILL',
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stdout, stderr }));
  });
}

/** Runs the copy's command line with --json and all that was added; it must end with 0. */
async function ptlab(...args: string[]): Promise<Record<string, unknown>> {
  const { code, stdout, stderr } = await run('dist/src/cli/main.js', ...args, '--json');
  expect(code, `ptlab ${args.join(' ')}: ${stderr}`).toBe(0);
  return JSON.parse(stdout) as Record<string, unknown>;
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ptlab-plug-in-'));
  for (const path of COPIED) cpSync(join(ROOT, path), join(folder, path), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  for (const { folder: socket, name, text } of ADDED)
    writeFileSync(join(folder, 'src/kernel', socket, `${identOf(name)}.ts`), text, { flag: 'wx' });
  const { code, stderr, stdout } = await run('build.mjs', 'fast');
  expect(code, `${stdout}${stderr}`).toBe(0);
}, LIMIT_MS);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('one file more in every socket, and', { timeout: LIMIT_MS }, () => {
  test.each(ADDED)('$name is listed', async ({ list, name }) => {
    const listed = (await ptlab('list', list))[list] as { name: string }[];
    expect(listed.map((entry) => entry.name)).toContain(name);
  });

  test('stress runs it, and its tables are freed', async () => {
    const options = '--mix zap-heavy --cpus 2 --ops 2000 --quiet'.split(' ');
    const document = await ptlab('stress', ...options, ...CHOSEN);
    expect(document).toMatchObject({
      options: Object.fromEntries(ADDED.map(({ option, name }) => [option, name])),
      violations: [],
      audit: { ok: true },
    });
    const { counters } = document['statistics'] as { counters: Record<string, number> };
    expect(counters['tablesReclaimedFound']).toBeGreaterThan(0);
  });

  test('explore explores it', async () => {
    const document = await ptlab(
      'explore',
      'zapFault',
      '--executions',
      '200',
      '--quiet',
      ...CHOSEN,
    );
    expect(document).toMatchObject({
      explored: [
        { request: { machine: { protocol: 'first-table' } }, verdict: { kind: 'passes' } },
      ],
    });
  });

  test('contend measures it', async () => {
    const settings = '--workload mapbench-local --cpus 1 --samples 1 --sample-seconds 0.1 --quiet';
    const document = await ptlab('contend', ...settings.split(' '), ...CHOSEN);
    expect(document).toMatchObject({ results: [{ options: { protocol: 'first-table' } }] });
  });

  test('replay replays under it', async () => {
    const recording = join(ROOT, 'src/trace/recordings/redis.perf.gz');
    const document = await ptlab('replay', recording, '--quiet', ...CHOSEN);
    expect(document).toMatchObject({ violations: [], audit: { ok: true } });
  });

  test.each([
    ['conformance', 'conformance/semantics', 'js first-table scan rcu (vma|mmap)-lock page', 100],
    [
      "the scenarios' tests",
      'explore/protocols',
      'first-table.* (zapGup|zapFault)|MoveHole.*first-table',
      3,
    ],
  ])('%s of the copy: it is among what they try, and passes', async (_, file, pattern, least) => {
    const { code, stdout, stderr } = await run(
      'node_modules/vitest/vitest.mjs',
      'run',
      `test/${file}.test.ts`,
      '--reporter=json',
      `--testNamePattern=${pattern}`,
    );
    const { numPassedTests, testResults } = JSON.parse(stdout) as {
      numPassedTests: number;
      testResults: { assertionResults: { fullName: string; failureMessages: string[] }[] }[];
    };
    const failed = testResults
      .flatMap(({ assertionResults }) => assertionResults)
      .filter(({ failureMessages }) => failureMessages.length > 0);
    expect(failed, stderr).toEqual([]);
    expect(code, stderr).toBe(0);
    expect(numPassedTests).toBeGreaterThanOrEqual(least);
  });

  test('a schedule that was saved before, under a protocol whose code has changed, fails as it did', async () => {
    const file = join(folder, 'saved.json');
    const search = '--mutant free-at-once --protocol pt-rwsem --quiet --save'.split(' ');
    const saved = await run(
      join(ROOT, 'dist/src/cli/main.js'),
      'explore',
      'zapWalk',
      ...search,
      file,
    );
    expect(saved.code, saved.stderr).toBe(1);
    const { request } = JSON.parse(readFileSync(file, 'utf8')) as { request: unknown };
    expect(request).toMatchObject({ machine: { protocol: 'pt-rwsem' } });
    const again = await run('dist/src/cli/main.js', 'explore', '--replay', file, '--quiet');
    expect(again.code, again.stderr).toBe(1);
    expect(again.stdout).toContain('table-use-after-free');
  });

  test('a hook of the wrong type does not compile', async () => {
    const file = 'src/kernel/protocols/firstTable.ts';
    const wrong = FIRST_TABLE.replace('end: u32): void {', 'end: boolean): void {');
    expect(wrong).not.toBe(FIRST_TABLE);
    writeFileSync(join(folder, file), wrong);
    try {
      const { code, stdout } = await run(
        'node_modules/typescript/bin/tsc',
        '--noEmit',
        '-p',
        'tsconfig.build.json',
      );
      expect(code).not.toBe(0);
      expect(stdout).toMatch(/catalogue\.ts.*firstTable/s);
      expect(stdout).toContain('rangeZapped');
    } finally {
      writeFileSync(join(folder, file), FIRST_TABLE);
    }
  });
});
