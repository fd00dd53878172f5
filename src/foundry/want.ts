/**
 * Levels of the kernel on demand: a machine that wants one which is not built has it built, where there are sources to
 * build it from.
 */

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Level } from './sources.ts';
import { wasmFiles } from './wasm.ts';

const underWay = new Map<Level, Promise<void>>();

/** Runs the build of one level in a process of its own: asc needs a second and a gigabyte. */
function buildLevel(root: string, level: Level): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['build.mjs', '--level', level], {
      cwd: root,
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    child.on('error', reject);
    child.on('exit', (code) =>
      code === 0
        ? resolve()
        : reject(new Error(`build.mjs --level ${level}: ended with ${code}; see above`)),
    );
  });
}

/** Settles when the files of `level` are in `out`. `root`: the project's folder. Rejects when they cannot be made. */
export async function wantLevel(root: string, out: string, level: Level): Promise<void> {
  const { code, notes } = wasmFiles(out, level);
  if (existsSync(code) && existsSync(notes)) return;
  if (!existsSync(join(root, 'build.mjs')))
    throw new Error(`${code}: missing, and there are no sources to make it from`);
  let building = underWay.get(level);
  if (building === undefined) {
    building = buildLevel(root, level).finally(() => underWay.delete(level));
    underWay.set(level, building);
  }
  await building;
}
