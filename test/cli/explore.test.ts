import { afterAll, describe, expect, it } from 'vitest';
import { Files, ptlab } from './cli.ts';

const files = new Files();
afterAll(() => files[Symbol.dispose]());

const FAILING = `import { expect, load, store } from 'ptlab/scenario';
export const about = {
  summary: 'two CPUs that add, in two steps each',
  source: 'here',
  expected: 'EXPECTED',
  memoryBytes: 64,
};
function bump(): void {
  store(0, load(0) + 1);
}
export const cpus = [bump, bump];
export function finish(): void {
  expect(load(0) === 2, 'both counted');
}
`;

describe('explore', () => {
  it('says that a scenario is complete', async () => {
    const { code, stdout } = await ptlab('explore', 'counters', 'spinlock', '--lock', 'tas');
    expect(stdout).toMatch(/^counters: complete, 34,650 executions, .*: no violation$/m);
    expect(stdout).toMatch(/^spinlock: complete, \d+ executions, .*: no violation$/m);
    expect(code).toBe(0);
  });

  it('finds what is wrong with a scenario of one’s own, and shows it again', async () => {
    const mine = files.write('mine.ts', FAILING.replace('EXPECTED', 'passes'));
    const found = await ptlab('explore', mine);
    expect(found.stdout).toContain('both counted');
    expect(found.code).toBe(1);
    const schedule = /--replay (\S+)/.exec(found.stdout)![1]!;
    const shown = await ptlab('explore', mine, '--replay', schedule);
    expect(shown.stdout).toContain('both counted');
    expect(shown.code).toBe(1);
  });

  it('is right when a failure is found where one is expected', async () => {
    const mine = files.write('expected.ts', FAILING.replace('EXPECTED', 'violation'));
    const { code, stdout } = await ptlab('explore', mine, '--json');
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      exitCode: 0,
      explored: [{ scenario: 'expected', asExpected: true, verdict: { kind: 'violation' } }],
    });
  });

  it.each([
    [['noSuch'], /scenario noSuch: neither a file nor one of .*zapZap/],
    [
      ['zapZap', '--preemptions', '1', '--strategy', 'pct'],
      /--preemptions with --strategy pct; allowed: dfs/,
    ],
    [['zapZap', '--choices', 'batch'], /--choices "batch" is not NAME=N/],
    [['zapZap', '--choices', 'tables=1'], /--choices "tables" is unknown; allowed: table, batch/],
    [['zapZap', '--constants', 'NOT_THERE=1'], /constants: none is called NOT_THERE/],
    [['zapZap', '--replay', '0*x'], /schedule: "0\*x"; allowed: CPU/],
    [['--replay', '0'], /--replay with 0 scenarios; allowed: one/],
    [['zapZap', '--replay', '0*5,3'], /step 5: no CPU 3/],
  ])('refuses %j', async (args, message) => {
    const { code, stdout, stderr } = await ptlab('explore', ...args);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(message);
    expect(stderr.trimEnd()).not.toContain('\n');
  });
});
