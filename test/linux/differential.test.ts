/**
 * ptlab against the kernel of this machine: after every operation of generated and hand-written mm scripts errno,
 * table memory and the number of anonymous pages must be the same.
 *
 *     npx vitest run test/linux                      200 scripts of each profile
 *     PTLAB_SCRIPTS=1000 npx vitest run test/linux   the full claim
 *     PTLAB_SEED=17 PTLAB_SCRIPTS=1 PTLAB_PROFILE=all npx vitest run test/linux   one script again
 */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { generateScript, PROFILES } from './generate.ts';
import { examineKernel, MMRUN, runOnKernel } from './kernel.ts';
import { describeLine, firstDifference, parseLines } from './lines.ts';
import type { EachLine } from './lines.ts';
import { runScripts } from './ptlabRunner.ts';
import { shorten } from './shorten.ts';

const here = dirname(fileURLToPath(import.meta.url));
const scriptCount = positive('PTLAB_SCRIPTS', 200);
const firstSeed = positive('PTLAB_SEED', 1);
const profiles = PROFILES.filter(
  (profile) => (process.env['PTLAB_PROFILE'] ?? profile) === profile,
);

/** Differences shortened and shown; the rest is counted. */
const MAX_SHOWN = 3;

function positive(name: string, byDefault: number): number {
  const given = process.env[name];
  if (given === undefined) return byDefault;
  if (!/^\d+$/.test(given)) throw new Error(`${name} is '${given}': allowed are whole numbers`);
  return Number(given);
}

interface Case {
  name: string;
  script: string;
  /** The command that runs this case alone. */
  again: string;
}

interface Reference {
  answer(scripts: readonly string[]): Promise<EachLine[][]>;
  name: string;
}

const kernel: Reference = { name: 'kernel', answer: runOnKernel };

async function describeDifference(one: Case, seen: number): Promise<string> {
  const head = one.script
    .split('\n')
    .slice(0, seen + 1)
    .join('\n');
  const short = await shorten(head, async (candidates) => {
    const [theirs, ours] = await Promise.all([runOnKernel(candidates), runScripts(candidates)]);
    return candidates.map((_, index) => firstDifference(theirs[index]!, ours[index]!) >= 0);
  });
  const [[theirs], [ours]] = await Promise.all([runOnKernel([short]), runScripts([short])]);
  const at = firstDifference(theirs!, ours!);
  await mkdir(join(here, 'build'), { recursive: true });
  const file = join(here, 'build', `${one.name.replace(/\W+/g, '-')}.mm`);
  await writeFile(file, short);
  const path = relative(process.cwd(), file);
  return [
    `${one.name} differs; shortened, after operation ${at}:`,
    ...short
      .trimEnd()
      .split('\n')
      .map((line, index) => `  ${index === at ? '>' : ' '} ${line}`),
    `    kernel: ${describeLine(theirs![at])}`,
    `    ptlab:  ${describeLine(ours![at])}`,
    `  whole script again: ${one.again}`,
    `  short one: ${relative(process.cwd(), MMRUN)} ${path}; npx ptlab replay --each ${path}`,
  ].join('\n');
}

async function compare(cases: readonly Case[], reference: Reference): Promise<void> {
  const scripts = cases.map((one) => one.script);
  const [theirs, ours] = await Promise.all([reference.answer(scripts), runScripts(scripts)]);
  const differing = cases
    .map((one, index) => ({ one, at: firstDifference(theirs[index]!, ours[index]!), index }))
    .filter(({ at }) => at >= 0);
  const texts: string[] = [];
  for (const { one, at, index } of differing.slice(0, MAX_SHOWN)) {
    texts.push(
      reference === kernel
        ? await describeDifference(one, at)
        : [
            `${one.name} differs after operation ${at}: ${one.script.split('\n')[at]}`,
            `    ${reference.name}: ${describeLine(theirs[index]![at])}`,
            `    ptlab: ${describeLine(ours[index]![at])}`,
            `  again: ${one.again}`,
          ].join('\n'),
    );
  }
  if (texts.length > 0) {
    expect.fail(`${differing.length} of ${cases.length} scripts differ\n\n${texts.join('\n\n')}`);
  }
}

async function handWritten(): Promise<{ cases: Case[]; recorded: EachLine[][] }> {
  const folder = join(here, 'scripts');
  const names = (await readdir(folder)).filter((name) => name.endsWith('.mm')).toSorted();
  const read = (name: string): Promise<string> => readFile(join(folder, name), 'utf8');
  const cases = await Promise.all(
    names.map(async (name) => ({
      name,
      script: withoutComments(await read(name)),
      again: `npx ptlab replay --each test/linux/scripts/${name}`,
    })),
  );
  const recorded = await Promise.all(
    names.map(async (name) => parseLines(await read(`${name.slice(0, -'.mm'.length)}.jsonl`))),
  );
  return { cases, recorded };
}

/** One operation a line, so that the n-th line is the n-th operation. */
function withoutComments(script: string): string {
  return script.replace(/#.*$/gm, '').replace(/^\s*\n/gm, '');
}

const { why, whyNotMremap, hasSwap } = await examineKernel();
if (whyNotMremap !== null)
  console.warn(`not compared with the kernel of this machine: ${whyNotMremap}`);
const timeout = 60_000 + scriptCount * 2_000;

/** The same script where neither side has anything to page out to. */
function withoutPageout(one: Case): Case {
  return hasSwap ? { ...one, script: one.script.replace(/ pageout$/gm, ' cold') } : one;
}

function skipped(reason: string | null): string {
  return reason === null ? '' : ` (skipped: ${reason})`;
}

test('hand-written scripts answer as Linux 6.18 did', { timeout }, async () => {
  const { cases, recorded } = await handWritten();
  expect(cases.length).toBeGreaterThan(20);
  await compare(cases, { name: 'recorded', answer: () => Promise.resolve(recorded) });
});

describe.skipIf(why !== null)(`the kernel of this machine${skipped(why)}`, () => {
  test(
    `hand-written scripts${whyNotMremap === null ? '' : ' without mremap'}`,
    { timeout },
    async () => {
      const { cases } = await handWritten();
      const able = cases.filter(
        ({ script }) => whyNotMremap === null || !script.includes('mremap'),
      );
      await compare(able.map(withoutPageout), kernel);
    },
  );

  for (const profile of profiles) {
    const reason = profile === 'all' ? whyNotMremap : null;
    const title = `${scriptCount} generated scripts, ${profile}${skipped(reason)}`;
    test.skipIf(reason !== null)(title, { timeout }, async () => {
      const cases = Array.from({ length: scriptCount }, (_, index) => ({
        name: `${profile} seed ${firstSeed + index}`,
        script: generateScript(firstSeed + index, profile),
        again: `PTLAB_SEED=${firstSeed + index} PTLAB_SCRIPTS=1 PTLAB_PROFILE=${profile} npx vitest run test/linux`,
      }));
      await compare(cases.map(withoutPageout), kernel);
    });
  }
});
