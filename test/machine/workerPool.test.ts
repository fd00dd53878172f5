import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { DIST } from '../../src/machine/kernel.ts';
import { startWorkers } from '../../src/machine/workerPool.ts';

const ENTRY = fileURLToPath(new URL('workers/entry.cjs', DIST));

it("the threads' entry requires no ES module", () => {
  const names = `Object.keys(require(${JSON.stringify(ENTRY)})).join()`;
  const arguments_ = ['--no-experimental-require-module', '-p', names];
  const { status, stdout } = spawnSync(process.execPath, arguments_, { encoding: 'utf8' });
  expect(status).toBe(0);
  expect(stdout.trim().split(',').toSorted()).toEqual(
    ['cover', 'cpu', 'explain', 'explore', 'replay', 'whole'].toSorted(),
  );
});

it('pools may end at any time while their threads load', async () => {
  const unsettled = Array.from({ length: 12 }, async (_, moment) => {
    const pool = startWorkers(1);
    const task = pool.run({ seed: moment }, { name: 'whole' });
    const ended = task.then(
      () => 'answered',
      () => 'ended',
    );
    await sleep(moment * 10);
    await pool.destroy();
    return ended;
  });
  for (const how of await Promise.all(unsettled)) expect(how).toMatch(/^(answered|ended)$/);
});
