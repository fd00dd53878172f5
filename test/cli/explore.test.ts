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

  it('says how much a bound covers', async () => {
    const { code, stdout } = await ptlab(
      'explore',
      'counters',
      '--constants',
      'INCREMENTS=3',
      '--preemptions',
      '2',
    );
    expect(stdout).toMatch(/^counters: complete within the bound, 192 executions, /);
    expect(stdout).toContain('the bound covered 192 of 1,680 interleavings');
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
    const threads = await ptlab('explore', mine, '--replay', schedule, '--threads');
    expect(threads.stdout).toMatch(/on 2 threads, .*, memory as in the explorer: violation/);
    expect(threads.stdout).toContain('both counted');
    expect(threads.code).toBe(1);
  });

  it('says where a changed program departs from a schedule, and finds the failure again', async () => {
    const text = FAILING.replace('EXPECTED', 'passes');
    const mine = files.write('changing.ts', text);
    const [saved, kept] = [files.path + '/changing.json', files.path + '/kept.json'];
    await ptlab('explore', mine, '--save', saved);
    const same = await ptlab('explore', '--replay', saved);
    expect([same.code, same.stdout]).toEqual([1, expect.stringContaining('both counted')]);
    files.write('changing.ts', text.replace('  store(0,', '  load(4);\n  store(0,'));
    const departed = await ptlab('explore', '--replay', saved);
    expect([departed.code, departed.stdout]).toEqual([2, '']);
    expect(departed.stderr).toMatch(
      /step 0: CPU \d was to load word 0x0 .*; it is now about to load word 0x4 /,
    );
    const found = await ptlab('explore', '--replay', saved, '--find-again', '--save', kept);
    expect([found.code, found.stdout]).toEqual([1, expect.stringContaining('both counted')]);
    const again = await ptlab('explore', '--replay', kept);
    expect(again.code).toBe(1);
  });

  it('goes on from a checkpoint to the same end', async () => {
    const [whole, first] = await Promise.all([
      ptlab('explore', 'zapZap', '--json', '--quiet'),
      ptlab(
        'explore',
        'zapZap',
        '--json',
        '--quiet',
        '--executions',
        '500',
        '--checkpoint',
        files.path + '/zz',
      ),
    ]);
    const counts = ({ stdout }: { stdout: string }) => {
      const [one] = JSON.parse(stdout).explored;
      return [one.ended, one.executions, one.blocked];
    };
    expect(counts(first)[0]).toBe('executions');
    const resumed = await ptlab(
      'explore',
      'zapZap',
      '--json',
      '--quiet',
      '--resume',
      files.path + '/zz',
    );
    expect(counts(resumed)).toEqual(counts(whole));
    expect(counts(whole)[0]).toBe('complete');
    const other = await ptlab('explore', 'zapFault', '--resume', files.path + '/zz');
    expect([other.code, other.stdout]).toEqual([2, '']);
    expect(other.stderr).toContain('of another search');
  });

  it.each([
    ['cache', /^epoch: complete, 66 states, /m],
    ['dfs', /^epoch: complete, 297 executions, /m],
    ['urw', /^epoch: .*10,000 executions, /m],
  ])('searches by %s', async (strategy, pattern) => {
    const { stdout, code } = await ptlab('explore', 'epoch', '--strategy', strategy);
    expect(stdout).toMatch(pattern);
    expect(code).toBe(0);
  });

  it('finds the worst case, and shows it again', async () => {
    const { stdout } = await ptlab('explore', 'zapWalk', '--worst', 'age');
    expect(stdout).toMatch(/^ {2}age: 1 /m);
    const schedule = /shown by: .* --replay (\S+)/.exec(stdout)![1]!;
    const shown = await ptlab('explore', 'zapWalk', '--replay', schedule);
    expect([shown.code, shown.stdout]).toEqual([0, expect.stringContaining('no violation')]);
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
    [['--mutant', 'zapp'], /--mutant "zapp" is unknown; allowed: free-at-once, /],
    [['zapZap', '--find-again'], /--find-again without --replay FILE; allowed: both/],
    [['zapZap', '--threads'], /--threads without --replay; allowed: both/],
    [['zapZap', '--worst', 'age', '--preemptions', '2'], /--worst with --strategy dfs; allowed/],
    [['zapZap', '--resume', '/no/such'], /--resume \/no\/such: ENOENT/],
    [['zapZap', '--replay', '0*5,3'], /step 5: no CPU 3/],
  ])('refuses %j', async (args, message) => {
    const { code, stdout, stderr } = await ptlab('explore', ...args);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(message);
    expect(stderr.trimEnd()).not.toContain('\n');
  });
});
