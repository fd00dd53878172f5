/**
 * ptlab against the kernel of this machine: after every operation of generated and hand-written mm scripts errno,
 * table memory and the number of anonymous pages must be the same.
 *
 *     npx vitest run test/linux                      200 scripts of each profile
 *     PTLAB_SCRIPTS=1000 npx vitest run test/linux   the full claim
 *     PTLAB_SEED=17 PTLAB_SCRIPTS=1 PTLAB_PROFILE=all npx vitest run test/linux   one script again
 *     PTLAB_MACHINE='{"fault":"mmap-lock"}' npx vitest run test/linux             a machine of one's choice
 *     PTLAB_PROFILE=fork PTLAB_SCRIPTS=1000 npx vitest run test/linux -t 'no zero page'
 *                                                    more scripts than the fifth that runs as if the kernel had no zero
 *                                                    page
 *     PTLAB_MTHP=16,64 npx vitest run test/linux     also the profile mthp, with folios of 16 and 64 KiB on both sides:
 *                                                    as root, since for as long as its scripts run on the kernel these
 *                                                    sizes are enabled in the whole system
 */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { MachineOptions } from '../../src/machine/options.ts';
import { ptlab } from '../cli/cli.ts';
import { generateScript, PROFILES } from './generate.ts';
import { examineKernel, MMRUN, MTHP_SIZES_KB, runOnKernel } from './kernel.ts';
import type { KernelSettings } from './kernel.ts';
import { describeLine, firstDifference, parseLines } from './lines.ts';
import type { EachLine } from './lines.ts';
import { bootPtlab } from './ptlabRunner.ts';
import type { Ptlab } from './ptlabRunner.ts';
import { shorten } from './shorten.ts';

const here = dirname(fileURLToPath(import.meta.url));
const scriptCount = positive('PTLAB_SCRIPTS', 200);
const firstSeed = positive('PTLAB_SEED', 1);
const profiles = PROFILES.filter(
  (profile) => (process.env['PTLAB_PROFILE'] ?? profile) === profile,
);
const given = process.env['PTLAB_MACHINE'];
const machines: readonly (readonly [name: string, options: MachineOptions])[] =
  given === undefined
    ? [
        ['wasm', { execution: 'wasm' }],
        ['js', { execution: 'js' }],
        ['mmap-lock, batches of 2', { fault: 'mmap-lock', batchEntries: 2 }],
      ]
    : [[given, JSON.parse(given) as MachineOptions]];

/** Sizes of folios that the profile mthp is compared with. */
const mthpKb = (process.env['PTLAB_MTHP'] ?? '')
  .split(',')
  .filter((word) => word !== '')
  .map(Number);
for (const kb of mthpKb)
  if (!MTHP_SIZES_KB.includes(kb))
    throw new Error(`PTLAB_MTHP names ${kb}: allowed are ${MTHP_SIZES_KB.join(', ')} (KiB)`);

/** Differences shortened and shown; the rest is counted. */
const MAX_SHOWN = 3;
/** Hand-written scripts that also go through the command line, each in a process of its own. */
const THROUGH_CLI = ['lazily-freed.mm', 'mremap-many-vmas.mm', 'nohugepage.mm', 'top.mm'];

function positive(name: string, byDefault: number): number {
  const text = process.env[name];
  if (text === undefined) return byDefault;
  if (!/^\d+$/.test(text)) throw new Error(`${name} is '${text}': allowed are whole numbers`);
  return Number(text);
}

interface Case {
  name: string;
  script: string;
  /** The command that runs this case alone. */
  again: string;
}

/** What is held against ptlab: a name, and the answers to the scripts of some cases. */
interface Reference {
  name: string;
  answers: readonly EachLine[][];
}

async function onKernel(cases: readonly Case[], settings: KernelSettings = {}): Promise<Reference> {
  const scripts = cases.map(({ script }) => script);
  return { name: 'kernel', answers: await runOnKernel(scripts, settings) };
}

async function describeDifference(
  machine: Ptlab,
  one: Case,
  seen: number,
  settings: KernelSettings,
): Promise<string> {
  const head = one.script
    .split('\n')
    .slice(0, seen + 1)
    .join('\n');
  const short = await shorten(head, async (candidates) => {
    const theirs = await runOnKernel(candidates, settings);
    const ours = await machine.run(candidates);
    return candidates.map((_, index) => firstDifference(theirs[index]!, ours[index]!) >= 0);
  });
  const [theirs] = await runOnKernel([short], settings);
  const [ours] = await machine.run([short]);
  const at = firstDifference(theirs!, ours!);
  await mkdir(join(here, 'build'), { recursive: true });
  const file = join(here, 'build', `${one.name.replace(/\W+/g, '-')}.mm`);
  await writeFile(file, short);
  const path = relative(process.cwd(), file);
  const kernel = `${relative(process.cwd(), MMRUN)}${settings.noZeroPage === true ? ' --no-zero-page' : ''}`;
  const replay = `npx ptlab replay --each${machine.zeroPage ? '' : ' --no-zero-page'}`;
  return [
    `${one.name} differs; shortened, after operation ${at}:`,
    ...short
      .trimEnd()
      .split('\n')
      .map((line, index) => `  ${index === at ? '>' : ' '} ${line}`),
    `    kernel: ${describeLine(theirs![at])}`,
    `    ptlab (${machine.name}): ${describeLine(ours![at])}`,
    `  whole script again: ${one.again}`,
    `  short one: ${kernel} ${path}; ${replay} ${path}`,
  ].join('\n');
}

async function compare(
  machine: Ptlab,
  cases: readonly Case[],
  theirs: Reference,
  settings: KernelSettings = {},
): Promise<void> {
  const ours = await machine.run(cases.map(({ script }) => script));
  let differing = cases
    .map((one, index) => ({
      one,
      at: firstDifference(theirs.answers[index]!, ours[index]!),
      index,
    }))
    .filter(({ at }) => at >= 0);
  if (theirs.name === 'kernel' && differing.length > 0) {
    // That kernel's khugepaged may have come between once; it does not again.
    const again = await runOnKernel(
      differing.map(({ one }) => one.script),
      settings,
    );
    differing = differing.filter(
      ({ index }, place) => firstDifference(again[place]!, ours[index]!) >= 0,
    );
  }
  const texts: string[] = [];
  for (const { one, at, index } of differing.slice(0, MAX_SHOWN)) {
    texts.push(
      theirs.name === 'kernel'
        ? await describeDifference(machine, one, at, settings)
        : [
            `${one.name} differs after operation ${at}: ${one.script.split('\n')[at]}`,
            `    ${theirs.name}: ${describeLine(theirs.answers[index]![at])}`,
            `    ptlab (${machine.name}): ${describeLine(ours[index]![at])}`,
            `  again: ${one.again}`,
          ].join('\n'),
    );
  }
  if (texts.length > 0) {
    expect.fail(`${differing.length} of ${cases.length} scripts differ\n\n${texts.join('\n\n')}`);
  }
}

async function readHandWritten(): Promise<{ cases: Case[]; recorded: Reference }> {
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
  const answers = await Promise.all(
    names.map(async (name) => parseLines(await read(`${name.slice(0, -'.mm'.length)}.jsonl`))),
  );
  return { cases, recorded: { name: 'recorded', answers } };
}

/** One operation a line, so that the n-th line is the n-th operation. */
function withoutComments(script: string): string {
  return script.replace(/#.*$/gm, '').replace(/^\s*\n/gm, '');
}

const { why, whyNotMremap, whyNotHuge, hasSwap, hasHugePages, hasZeroPage, whyNotEmulated } =
  await examineKernel();
if (whyNotMremap !== null)
  console.warn(`not compared with the kernel of this machine: ${whyNotMremap}`);
const timeout = 60_000 + scriptCount * 2_000;
/** Of the generated scripts, those that also run as if the kernel had no zero page. */
const EMULATED_SHARE = 1 / 5;

/** The same script without the advice that the kernel of this machine follows otherwise than ptlab. */
function comparable(one: Case): Case {
  const unlike = [...(hasSwap ? ['pageout'] : []), ...(hasHugePages ? [] : ['nohugepage'])];
  if (unlike.length === 0) return one;
  return {
    ...one,
    script: one.script.replace(new RegExp(` (${unlike.join('|')})$`, 'gm'), ' cold'),
  };
}

/** What scripts may do that the kernel of this machine cannot be compared in. */
const LEFT_OUT = [
  ...(whyNotMremap === null ? [] : [{ name: 'mremap', pattern: /mremap/ }]),
  ...(whyNotHuge === null ? [] : [{ name: 'huge pages', pattern: / (hugepage|collapse)$/m }]),
];

function skipped(reason: string | null): string {
  return reason === null ? '' : ` (skipped: ${reason})`;
}

const booted = new Map<boolean, Promise<Ptlab[]>>();

/** All machines, with or without a zero page. */
function machinesWith(zeroPage: boolean): Promise<Ptlab[]> {
  const boot = async (): Promise<Ptlab[]> => {
    const all: Ptlab[] = [];
    for (const [name, options] of machines)
      all.push(await bootPtlab(name, { zeroPage, ...options }));
    return all;
  };
  if (!booted.has(zeroPage)) booted.set(zeroPage, boot());
  return booted.get(zeroPage)!;
}

afterAll(async () => {
  for (const all of booted.values())
    for (const machine of await all) await machine[Symbol.asyncDispose]();
});

const MACHINES = machines.map(([name], index) => ({ name, index }));

describe('hand-written scripts answer as Linux 6.18 did', () => {
  test.each(MACHINES)('$name', async ({ index }) => {
    const { cases, recorded } = await readHandWritten();
    expect(cases.length).toBeGreaterThan(20);
    await compare((await machinesWith(true))[index]!, cases, recorded);
  });

  test.each(THROUGH_CLI)('ptlab replay --each %s', async (name) => {
    const { cases, recorded } = await readHandWritten();
    const { code, stdout } = await ptlab('replay', '--each', '-q', join(here, 'scripts', name));
    expect(code).toBe(0);
    const index = cases.findIndex((one) => one.name === name);
    expect(parseLines(stdout)).toEqual(recorded.answers[index]);
  });
});

/**
 * Tests of hand-written and of `count` generated scripts of each profile against the kernel. `zeroPage`: of the
 * machines.
 */
function compareWithKernel(zeroPage: boolean, count: number, settings: KernelSettings): void {
  const leftOut = LEFT_OUT.map(({ name }) => name).join(' and ');
  const title = `hand-written scripts${leftOut === '' ? '' : ` without ${leftOut}`}`;
  test(title, { timeout }, async () => {
    const { cases } = await readHandWritten();
    const able = cases
      .filter(({ script }) => !LEFT_OUT.some(({ pattern }) => pattern.test(script)))
      .map(comparable);
    const [machine] = await machinesWith(zeroPage);
    await compare(machine!, able, await onKernel(able, settings), settings);
  });

  for (const profile of profiles) {
    const reasons = {
      private: null,
      all: whyNotMremap,
      dense: whyNotMremap,
      huge: whyNotHuge ?? whyNotMremap,
      fork: whyNotMremap,
      forkHuge: whyNotHuge ?? whyNotMremap,
      mthp:
        whyNotHuge ?? whyNotMremap ?? (mthpKb.length === 0 ? 'PTLAB_MTHP names no sizes' : null),
    };
    const reason = reasons[profile];
    const scripts = `${count} generated scripts, ${profile}${skipped(reason)}`;
    describe.skipIf(reason !== null)(scripts, () => {
      const cases = Array.from({ length: count }, (_, index) => ({
        name: `${profile} seed ${firstSeed + index}`,
        script: generateScript(firstSeed + index, profile),
        again: `PTLAB_SEED=${firstSeed + index} PTLAB_SCRIPTS=1 PTLAB_PROFILE=${profile} npx vitest run test/linux`,
      })).map(comparable);
      const onBoth = profile === 'mthp' ? { ...settings, sizesKb: mthpKb } : settings;
      let kernel: Reference;
      beforeAll(async () => {
        kernel = await onKernel(cases, onBoth);
      }, timeout);
      test.each(MACHINES)('$name', { timeout }, async ({ index }) => {
        if (profile !== 'mthp') {
          const all = await machinesWith(zeroPage);
          return compare(all[index]!, cases, kernel, onBoth);
        }
        const [name, options] = machines[index]!;
        const mthp = mthpKb.map((kb) => `${kb < 1024 ? `${kb}K` : '1M'}`);
        await using large = await bootPtlab(name, { zeroPage, ...options, mthp });
        await compare(large, cases, kernel, onBoth);
      });
    });
  }
}

const kernelHere = `the kernel of this machine${hasZeroPage ? '' : ', which has no zero page'}`;
describe.skipIf(why !== null)(`${kernelHere}${skipped(why)}`, () => {
  compareWithKernel(hasZeroPage, scriptCount, {});
});

const emulated = `the kernel of this machine as if it had no zero page${skipped(whyNotEmulated)}`;
describe.skipIf(whyNotEmulated !== null)(emulated, () => {
  compareWithKernel(false, Math.ceil(scriptCount * EMULATED_SHARE), { noZeroPage: true });
});
