import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { parseLines } from './lines.ts';
import type { EachLine } from './lines.ts';

const run = promisify(execFile);
const MAIN = join(dirname(fileURLToPath(import.meta.url)), '../../dist/src/cli/main.js');
const TIMEOUT_MS = 60_000;

/** What ptlab answers to each script, each in a fresh address space. Needs the built package. */
export async function runScripts(scripts: readonly string[]): Promise<EachLine[][]> {
  const folder = await mkdtemp(join(tmpdir(), 'ptlab-replay-'));
  try {
    const answers: EachLine[][] = [];
    for (const [index, script] of scripts.entries()) {
      const file = join(folder, `${index}.mm`);
      await writeFile(file, script);
      const { stdout } = await run(process.execPath, [MAIN, 'replay', '--each', '--quiet', file], {
        timeout: TIMEOUT_MS,
        maxBuffer: 64 * 2 ** 20,
      });
      answers.push(parseLines(stdout));
    }
    return answers;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
