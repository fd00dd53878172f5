import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { DIST } from '../../src/machine/kernel.ts';
import { startWorkers } from '../../src/machine/workerPool.ts';

const ENTRY = fileURLToPath(new URL('workers/entry.cjs', DIST));

it("the threads' entry requires no ES module", () => {
  const names = `Object.keys(require(${JSON.stringify(ENTRY)})).join()`;
  const options = ['--no-experimental-require-module', '-p', names];
  const { status, stdout } = spawnSync(process.execPath, options, { encoding: 'utf8' });
  expect(status).toBe(0);
  expect(stdout.trim().split(',').toSorted()).toEqual([
    'cover',
    'cpu',
    'explain',
    'explore',
    'replay',
    'whole',
  ]);
});

it.each(['cpu', 'explore', 'replay'])(
  'a pool may end before its threads have loaded: %s',
  async (name) => {
    const pool = startWorkers(1);
    const task = pool.run({}, { name });
    const refused = expect(task).rejects.toThrow(/terminat/i);
    await pool.destroy();
    await refused;
    expect(pool.threads).toEqual([]);
  },
);
