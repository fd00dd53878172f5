import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import { COMPILED, compileCoroutines, linkKernel } from '../../src/explore/link/coroutine.ts';
import { exploreDpor } from '../../src/explore/strategies/dpor.ts';
import { Execution } from '../../src/explore/execution.ts';
import { type Coroutine, type ProgramMaker } from '../../src/explore/program.ts';
import { OracleError } from '../../src/explore/kernelScenario.ts';
import { replaySchedule } from '../../src/explore/replay.ts';
import { openScenario } from '../../src/explore/scenario.ts';
import { exploreSampling } from '../../src/explore/strategies/sampling.ts';
import { H_END } from '../../src/kernel/abi.ts';
import { createMemory } from '../../src/machine/memory.ts';
import { resolveOptions } from '../../src/machine/options.ts';

describe('one source', () => {
  const options = resolveOptions({
    cpus: 2,
    tables: 128,
    frames: 2048,
    vmas: 64,
    swapPages: 64,
    cacheBuckets: 16,
  });
  const RW = 3;
  const MM = -1;
  /** CPU, function, arguments; MM stands for the address space made first. */
  const calls: [cpu: number, name: string, ...args: number[]][] = [
    [0, 'doMmap', MM, 0, 2048, RW, 0, 0, 0],
    [0, 'populateRange', MM, 10, 700, 1],
    [1, 'access', MM, 1500, 1],
    [1, 'access', MM, 11, 0],
    [0, 'doMadvise', MM, 0, 512, 4],
    [1, 'walkLockless', MM, 11],
    [1, 'access', MM, 11, 1],
    [0, 'rcuQuiescentState'],
    [1, 'doMprotect', MM, 600, 20, 1],
    [1, 'access', MM, 605, 1],
    [0, 'doMremap', MM, 512, 512, 512, 3, 4096],
    [0, 'gupFast', MM, 4100, 0],
    [1, 'doMadvise', MM, 1024, 1024, 21],
    [1, 'access', MM, 1500, 1],
    [0, 'doMunmap', MM, 0, 2048],
    [1, 'rcuQuiescentState'],
    [0, 'rcuQuiescentState'],
    [0, 'drainCaches'],
  ];

  test('calls one after another leave the memory that the js execution leaves', async () => {
    const memory = createMemory(options);
    const initial = new Uint32Array(memory.buffer).slice();
    const folder = pathToFileURL(join(COMPILED, 'kernel/'));
    const word = await import(new URL('word/word.js', folder).href);
    const js = (await import(new URL('index.js', folder).href)) as Record<
      string,
      (...args: number[]) => number
    >;
    word.attachMemory(memory.buffer, {
      clockNs: () => 0,
      end: (): never => {
        throw new Error('a CPU ended');
      },
    });
    const results: number[] = [];
    js['setThisCpu']!(0);
    js['rcuIdleExit']!();
    const mm = js['mmCreate']!();
    js['rcuIdleEnter']!();
    for (const [cpu, name, ...args] of calls) {
      js['setThisCpu']!(cpu);
      js['rcuIdleExit']!();
      results.push(js[name]!(...args.map((value) => (value === MM ? mm : value))) ?? 0);
      js['rcuIdleEnter']!();
    }

    const linked = linkKernel();
    const mine: number[] = [];
    const make: ProgramMaker = (host) => {
      const kernel = compileCoroutines(linked)(host) as Record<
        string,
        (...args: number[]) => Coroutine | number | undefined
      >;
      function* call(name: string, ...args: number[]): Coroutine {
        const running = kernel[name]!(...args);
        if (typeof running === 'object') return yield* running;
        return running ?? 0;
      }
      return {
        cpus: 0,
        words: initial[H_END >>> 2]! >>> 2,
        sites: linked.sites,
        *setUp(): Coroutine {
          for (const [at, value] of initial.entries()) if (value !== 0) host.poke(at * 4, value);
          yield* call('setThisCpu', 0);
          yield* call('rcuIdleExit');
          const space = (yield* call('mmCreate')) as number;
          yield* call('rcuIdleEnter');
          expect(space).toBe(mm);
          for (const [cpu, name, ...args] of calls) {
            yield* call('setThisCpu', cpu);
            yield* call('rcuIdleExit');
            const given = args.map((value) => (value === MM ? space : value));
            mine.push(((yield* call(name, ...given)) as number | undefined) ?? 0);
            yield* call('rcuIdleEnter');
          }
          return undefined;
        },
        run: () => {
          throw new Error('there are no CPUs');
        },
      };
    };
    const { words } = new Execution(make);
    expect(mine).toEqual(results);
    const theirs = new Uint32Array(memory.buffer);
    const different: string[] = [];
    for (const [at, value] of words.entries())
      if (value !== theirs[at]) different.push(`0x${(at * 4).toString(16)}`);
    expect(different).toEqual([]);
    expect(words.some((value, at) => value !== initial[at])).toBe(true);
  });
});

describe('scenarios of the kernel are explored to the end, and nothing is wrong', () => {
  test.each(['zapZap', 'zapFault', 'zapWalk'])('%s', (name) => {
    const { verdict, complete } = exploreDpor(openScenario({ scenario: name }).make, {
      commuting: true,
    });
    expect(verdict).toEqual({ kind: 'passes' });
    expect(complete).toBe(true);
  });
});

describe('page-table locks of each kind, three CPUs', () => {
  test.each(['adaptive', 'tas', 'ticket', 'mcs'] as const)('%s', (lock) => {
    const make = openScenario({
      scenario: 'spinlock',
      machine: { lock },
      constants: { CPUS: 3 },
    }).make;
    const { verdict, complete } = exploreDpor(make);
    expect(verdict).toEqual({ kind: 'passes' });
    expect(complete).toBe(true);
  });

  test('taken in two steps instead of one: two CPUs touch the count without order', () => {
    const make = openScenario({
      scenario: 'spinlock',
      machine: { lock: 'tas' },
      patch: {
        module: 'tas',
        find: 'return compareExchange(lock + LOCK_WORD, 0, cpuId() + 1) === 0;',
        replace: `if (compareExchange(lock + LOCK_WORD, 0, 0) !== 0) return false;
          store(lock + LOCK_WORD, cpuId() + 1);
          return true;`,
      },
    }).make;
    const { verdict } = exploreDpor(make);
    expect(verdict.kind).toBe('violation');
  });

  test('never released: the others wait for ever', () => {
    const make = openScenario({
      scenario: 'spinlock',
      machine: { lock: 'tas' },
      patch: { module: 'tas', find: 'store(lock + LOCK_WORD, 0);', replace: '' },
    }).make;
    const { verdict } = exploreDpor(make);
    if (verdict.kind !== 'unmet') expect.fail(verdict.kind);
    expect(verdict.waiters).toMatchObject([{ cpu: 1, site: { operation: 'awaitWord' } }]);
  });
});

describe('a kernel that is wrong', () => {
  const immediate = openScenario({ scenario: 'zapWalk', machine: { free: 'immediate' } }).make;

  test('tables freed at once: the walker reads a freed table, and the schedule shows it again', () => {
    const { verdict } = exploreDpor(immediate);
    if (verdict.kind !== 'violation') expect.fail(verdict.kind);
    expect(verdict.error).toBeInstanceOf(OracleError);
    const [first] = (verdict.error as OracleError).violations;
    expect(first).toMatchObject({ oracle: 'table-use-after-free', cpu: 1 });
    const again = replaySchedule(immediate, verdict.schedule).verdict;
    expect(again).toMatchObject({ kind: 'violation', error: { message: verdict.error.message } });
  });

  test('no second look at whether the table is empty: the fault’s page is lost', () => {
    const make = openScenario({
      scenario: 'zapFault',
      machine: { inject: { resched: 1 } },
      patch: {
        module: 'emptiness',
        find: 'const empty = tableEmpty(tableAddress(entryNumber(load(pmd))));',
        replace: 'const empty = true;',
      },
    }).make;
    const { verdict } = exploreDpor(make, { commuting: true });
    if (verdict.kind !== 'violation') expect.fail(verdict.kind);
    expect(verdict.error.message).toMatch(/^nonempty-table-freed/);
    const samples = exploreSampling(make, { strategy: 'random', maxExecutions: 2000 });
    expect(samples.verdict.kind).toBe('violation');
  });
});
