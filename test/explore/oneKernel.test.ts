/**
 * One kernel: a scenario whose CPUs run one after another leaves the same memory in the js execution (the compiled
 * modules as they are, word.ts and all, but for the constants of small machines), in the explorer, and on threads with
 * a baton.
 */

import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { COMPILED } from '../../src/explore/link/coroutine.ts';
import { Execution } from '../../src/explore/execution.ts';
import { constantsOf, scenarioPath } from '../../src/explore/about.ts';
import { SIZES } from '../../src/explore/smallMachines.ts';
import { openScenario, readAbout, type ScenarioRequest } from '../../src/explore/scenario.ts';
import { replayOnThreads } from '../../src/explore/threads/replayOnThreads.ts';
import { C_SEED, cpuArea } from '../../src/kernel/abi.ts';
import { resolveOptions } from '../../src/machine/options.ts';

const NAMES = [
  'faultMunmap',
  'mremapZap',
  'rcuCallbacks',
  'zapFault',
  'zapGup',
  'zapMunmap',
  'zapZap',
];

interface Module {
  setUp?(): void;
  cpus: ((cpu: number) => void)[];
}

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'ptlab-kernel-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Copies the compiled modules, with other constants; gives the folder's URL. */
function compiledWith(name: string, constants: Readonly<Record<string, number>>): URL {
  const to = join(folder, name, 'dist/src');
  for (const part of ['foundry', 'kernel', 'machine', 'explore/portable', 'explore/scenarios']) {
    const files = readdirSync(join(COMPILED, part), { recursive: true, encoding: 'utf8' });
    for (const file of files.filter((each) => each.endsWith('.js'))) {
      mkdirSync(join(to, part, dirname(file)), { recursive: true });
      const text = readFileSync(join(COMPILED, part, file), 'utf8');
      const changed = text.replace(
        /^((?:export )?const (\w+) = )[^;]*;/gm,
        (all, head, constant) =>
          Object.hasOwn(constants, constant) ? `${head}${constants[constant]};` : all,
      );
      writeFileSync(join(to, part, file), changed);
    }
  }
  return pathToFileURL(`${to}/`);
}

/** The memory that the js execution leaves. */
async function inJs(name: string): Promise<Uint32Array> {
  const compiled = compiledWith(name, constantsOf(readAbout(name)));
  const at = (path: string): string => new URL(path, compiled).href;
  const kernel = (await import(
    at('kernel/index.js')
  )) as typeof import('../../src/kernel/index.ts');
  const word = (await import(
    at('kernel/word/word.js')
  )) as typeof import('../../src/kernel/word/word.ts');
  const scenario = (await import(at(relative(COMPILED, scenarioPath(name))))) as Module;
  const cpus = scenario.cpus.length;
  const options = resolveOptions({ ...readAbout(name).machine, cpus, execution: 'js' });
  const { createMemory } = (await import(
    at('machine/memory.js')
  )) as typeof import('../../src/machine/memory.ts');
  const { buffer } = createMemory({ ...options, ...SIZES });
  const words = new Uint32Array(buffer);
  for (let cpu = 0; cpu < cpus; cpu++) words[(cpuArea(cpu) + C_SEED) >>> 2] = 0;
  word.attachMemory(buffer, {
    clockNs: () => 0,
    end: (): never => {
      throw new Error('a CPU ended');
    },
  });
  for (let cpu = 0; cpu < cpus; cpu++) {
    kernel.setThisCpu(cpu);
    kernel.rcuIdleExit();
  }
  kernel.setThisCpu(0);
  scenario.setUp?.();
  for (const [cpu, run] of scenario.cpus.entries()) {
    kernel.setThisCpu(cpu);
    run(cpu);
    kernel.rcuIdleEnter();
  }
  return words;
}

/** Addresses at which two memories differ. */
function differences(mine: Uint32Array, theirs: Uint32Array): string[] {
  const found: string[] = [];
  for (const [word, value] of mine.entries())
    if (value !== theirs[word]) found.push(`0x${(word * 4).toString(16)}`);
  return found;
}

test.each(NAMES)('%s', async (scenario) => {
  const request: ScenarioRequest = { scenario };
  const execution = new Execution(openScenario(request).make);
  const schedule: number[] = [];
  for (let cpu = 0; cpu < execution.cpus; cpu++)
    while ((execution.finished & (1 << cpu)) === 0) {
      execution.step(cpu);
      schedule.push(cpu);
    }
  expect(differences(execution.words, execution.initial)).not.toEqual([]);
  expect(differences(execution.words, await inJs(scenario))).toEqual([]);
  const { memory, verdict } = await replayOnThreads(request, schedule);
  expect(differences(memory, execution.words)).toEqual([]);
  expect(verdict).toEqual({ kind: 'passes' });
});
