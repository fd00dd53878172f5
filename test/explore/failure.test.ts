import { describe, expect, test } from 'vitest';
import { exploreDpor } from '../../src/explore/strategies/dpor.ts';
import { explainFailure, type ExplainedFailure } from '../../src/explore/failure/explain.ts';
import { renderFailure } from '../../src/explore/failure/render.ts';
import { Run } from '../../src/explore/failure/run.ts';
import { parseSchedule } from '../../src/explore/scheduleText.ts';
import { openScenario, type ScenarioRequest } from '../../src/explore/scenario.ts';

const LIMITS = { maxExecutions: 50_000, maxMs: 60_000 };

const NO_GRACE: ScenarioRequest = {
  scenario: 'epoch',
  constants: { GRACE: 0, READERS: 2, UPDATERS: 2 },
};
const FREED_AT_ONCE: ScenarioRequest = { scenario: 'zapWalk', machine: { free: 'immediate' } };
const NO_SECOND_LOOK: ScenarioRequest = {
  scenario: 'zapFault',
  machine: { inject: { resched: 1 } },
  patch: {
    module: 'emptiness',
    find: 'const empty = tableEmpty(tableAddress(entryNumber(load(pmd))));',
    replace: `
      const empty = true;
    `,
  },
};
const NEVER_RELEASED: ScenarioRequest = {
  scenario: 'spinlock',
  machine: { lock: 'tas' },
  patch: { module: 'tas', find: 'store(lock + LOCK_WORD, 0);', replace: '' },
};

function explained(request: ScenarioRequest): ExplainedFailure {
  const scenario = openScenario(request);
  const { verdict } = exploreDpor(scenario.make, { ...LIMITS, commuting: true });
  return explainFailure(scenario, verdict);
}

/** Verdict of the passing schedule, run from the start. */
function passing({ request, passing: schedule }: ExplainedFailure): string {
  const run = new Run(openScenario(request).make);
  const steps = parseSchedule(schedule ?? 'none');
  expect(run.follow(steps)).toBe(steps.length);
  return run.enabled() === 0 ? run.verdict().kind : 'not over';
}

/**
 * Verdicts of what can come after the first steps of the schedule to keep: every order of steps, without reduction and
 * without the program's own way of starting from there.
 */
function after({ request, file }: ExplainedFailure, steps: number): Set<string> {
  const run = new Run(openScenario(request).make);
  run.follow(file.steps.slice(0, steps).map(([cpu]) => cpu));
  const kinds = new Set<string>();
  const search = (): void => {
    const enabled = run.enabled();
    if (enabled === 0) kinds.add(run.verdict().kind);
    const { depth } = run.execution;
    expect(depth).toBeLessThan(100);
    for (let cpu = 0; cpu < run.execution.cpus; cpu++) {
      if ((enabled & (1 << cpu)) === 0) continue;
      run.step(cpu);
      search();
      run.rewind(depth);
    }
  };
  search();
  return kinds;
}

describe('a program of bare words', () => {
  const failure = explained(NO_GRACE);

  test('is shrunk to the CPUs and switches that it needs', () => {
    expect(failure.request.cpus).toHaveLength(2);
    expect(failure.request.drop).toBeUndefined();
    expect(failure.switches).toEqual({ preemptions: 1, all: 2 });
    expect(failure.shrinking).toMatchObject({ cpus: [4, 2], fewest: true, outOfTime: false });
  });

  test('is drawn', () => {
    expect(renderFailure(failure, 80).map((line) => line.replace(/epoch\.ts:\d+/, 'epoch.ts:N')))
      .toMatchInlineSnapshot(`
      [
        "CPU0 read                                CPU2 update",
        "=======================================  =======================================",
        "read()",
        " load POINTER: 0 [epoch.ts:N]",
        "                                         update()",
        "                                          store POINTER: 0 -> 1 [epoch.ts:N]",
        "--------------- from here on every schedule fails (step 8 of 9) ---------------",
        "                                          store DATA: 1 -> 2 [epoch.ts:N]",
        " load DATA: 2 [epoch.ts:N]",
        "<-- here the order decides: CPU2 store DATA: 1 -> 2, before CPU0 load DATA: 2",
        "",
        "VIOLATION: data that is in use is not destroyed",
        "9 steps, 4 of them shown; 2 context switches, 1 preemption among them, the",
        "  fewest possible",
        "nearest schedule that passes, with 1 pair of steps in another order:",
        "  0*3,2*4,0*2,2",
        "files: explore/scenarios/rcu/epoch.ts",
      ]
    `);
  });

  test('fails whatever comes after the point, and need not before', () => {
    const { steps, exact } = failure.turningPoint!;
    expect(exact).toBe(true);
    expect([...after(failure, steps + 1)]).toEqual(['violation']);
    expect([...after(failure, steps)].toSorted()).toEqual(['passes', 'violation']);
    expect(passing(failure)).toBe('passes');
  });

  test('is the same each time', () => {
    const again = explained(NO_GRACE);
    expect(again.file).toEqual(failure.file);
    expect(again.passing).toBe(failure.passing);
  });
});

describe('tables freed at once', () => {
  const failure = explained(FREED_AT_ONCE);
  const drawn = renderFailure(failure, 100).join('\n');

  test('what the CPUs do, in the kernel’s names', () => {
    expect(failure.failure.oracle).toBe('table-use-after-free');
    expect(drawn).toMatch(/^CPU0 zap +CPU1 walk\n/);
    expect(drawn).toMatch(/pteOffsetMap\(\)\n +load PMD entry 0 of table 3: table 4\n/);
    expect(drawn).toMatch(/store PMD entry 0 of table 3: table 4 -> none/);
    expect(drawn).toMatch(/\* PTE table 4 detached\n(.*\n)*.*\* PTE table 4 freed\n/);
    expect(drawn).toMatch(/here the order decides: CPU0 store PT_GEN of table 4: 1 -> 2, before/);
  });

  test('only what meets another CPU is shown', () => {
    expect(failure.steps.length).toBeLessThan(20);
    expect(failure.stepsTotal).toBeGreaterThan(100);
  });

  test('operations that are not needed are left out', () => {
    expect(failure.shrinking?.operations).toEqual([3, 2]);
  });

  test('source positions are those of the TypeScript', () => {
    const map = failure.steps.find(({ function: name }) => name === 'pteOffsetMap');
    expect(map).toMatchObject({ file: 'kernel/tables/pteMap.ts', word: 'PMD entry 0 of table 3' });
    expect(failure.steps.every(({ file }) => file.endsWith('.ts'))).toBe(true);
  });

  test('the nearest passing schedule passes', () => {
    expect(failure.turningPoint?.exact).toBe(true);
    expect(passing(failure)).toBe('passes');
  });

  test.each([40, 80, 132, 160])('no line is longer than %i columns', (width) => {
    for (const line of renderFailure(failure, width))
      expect(line.length).toBeLessThanOrEqual(width);
  });
});

/** Lines in emptiness.ts of the steps shown when the second look is replaced by something else. */
function reclaimLines(replace: string): string[] {
  const scenario = openScenario({
    ...NO_SECOND_LOOK,
    patch: { ...NO_SECOND_LOOK.patch!, replace },
  });
  const { verdict } = exploreDpor(scenario.make, { ...LIMITS, commuting: true });
  return explainFailure(scenario, verdict, { shrink: false, turningPoint: false })
    .steps.filter(({ module }) => module === 'emptiness')
    .map(({ file, line }) => `${file}:${line}`);
}

describe('no second look at whether the table is empty', () => {
  const failure = explained(NO_SECOND_LOOK);

  test('the lock decides', () => {
    expect(failure.failure.oracle).toBe('nonempty-table-freed');
    expect(failure.decides?.text).toMatch(
      /CPU1 cmpxchg PTE lock of table 4: free -> CPU 1, before CPU0 cmpxchg PTE lock of table 4/,
    );
    expect(passing(failure)).toBe('passes');
  });

  test('lines of a patched module are those of the source', () => {
    const once = 'const empty = load(pmd) !== 0;';
    expect(reclaimLines(`\n\n${once}\n`)).toEqual(reclaimLines(once));
    expect(reclaimLines(once).length).toBeGreaterThan(0);
  });
});

describe('a lock that is never released', () => {
  test('one CPU waits for one that has ended', () => {
    const failure = explained(NEVER_RELEASED);
    expect(failure.failure.kind).toBe('unmet');
    expect(failure.waits).toMatchObject([
      { cpu: 1, condition: 'free', value: 'CPU 0', on: 0, because: 'holds it', state: 'ended' },
    ]);
    expect(failure.turningPoint).toMatchObject({ steps: -1, exact: true });
    const drawn = renderFailure(failure, 80).join(' ').replace(/\s+/g, ' ');
    expect(drawn).toMatch(
      /CPU 1 waits in kindLock > spinFor > awaitNamed \(wait\.ts:\d+\) for lock/,
    );
    expect(drawn).toMatch(/held by CPU 0, which has ended/);
  });

  test('a CPU waits for one that died', () => {
    const scenario = openScenario({
      scenario: 'spinlock',
      constants: { CPUS: 3 },
      choices: { death: 1 },
    });
    const { verdict } = exploreDpor(scenario.make, {
      ...LIMITS,
    });
    const failure = explainFailure(scenario, verdict, { shrink: false });
    expect(['unmet', 'deadlock']).toContain(failure.failure.kind);
    expect(failure.waits[0]).toMatchObject({ because: 'holds it', state: 'died' });
  });
});

test('a passing verdict is refused', () => {
  const scenario = openScenario({ scenario: 'epoch' });
  expect(() => explainFailure(scenario, { kind: 'passes' })).toThrow(/nothing fails/);
});
