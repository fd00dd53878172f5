import { describe, expect, it } from 'vitest';
import { interleave } from '../../bench/interleave.ts';
import { type Measurement, peersOf } from '../../bench/measurement.ts';
import { formatCost, formatSuite } from '../../bench/table.ts';

function scripted(name: string, values: number[], log: string[], more: Partial<Measurement> = {}) {
  let round = 0;
  return {
    name,
    unit: 'ns',
    runRound: async () => {
      log.push(`${name} begins`);
      await new Promise((resolve) => setImmediate(resolve));
      log.push(`${name} ends`);
      return values[round++] ?? Number.NaN;
    },
    ...more,
  } satisfies Measurement;
}

describe('interleaved rounds', () => {
  it('take turns, one at a time, and throw the first round away', async () => {
    const log: string[] = [];
    const { figures } = await interleave(
      [scripted('a', [900, 2, 4, 3], log), scripted('b', [1, 20, 20, 20], log)],
      3,
    );
    const turn = ['a begins', 'a ends', 'b begins', 'b ends'];
    expect(log).toEqual([...turn, ...turn, ...turn, ...turn]);
    expect(figures.map(({ rounds }) => rounds)).toEqual([
      [2, 4, 3],
      [20, 20, 20],
    ]);
    expect(figures[0]?.median).toBeCloseTo(3, 9);
    expect(figures[0]?.max).toBeCloseTo(4, 9);
  });

  it('give the ratio of the rounds that ran side by side, not of the medians', async () => {
    const { ratios } = await interleave(
      [
        scripted('walk/8/c', [1, 10, 100, 1000], [], { peerOf: 'walk/8' }),
        scripted('walk/8/wasm', [1, 20, 200, 2000], [], { atMost: 1.9 }),
        scripted('walk/80/wasm', [1, 1, 1, 1], []),
      ],
      3,
    );
    expect(ratios).toHaveLength(1);
    expect(ratios[0]).toMatchObject({ of: 'walk/8/wasm', to: 'walk/8/c', label: 'c', atMost: 1.9 });
    expect(ratios[0]?.median).toBeCloseTo(2, 9);
    expect(ratios[0]?.high).toBeCloseTo(2, 9);
  });

  it('convert units before they divide', async () => {
    const { ratios } = await interleave(
      [scripted('f/linux', [1, 1], [], { peerOf: 'f', unit: 'us' }), scripted('f', [500, 500], [])],
      1,
    );
    expect(ratios[0]?.median).toBeCloseTo(0.5, 9);
  });

  it('end with the name of the measurement that failed', async () => {
    const log: string[] = [];
    const broken = scripted('broken', [1, Number.NaN], log);
    const rounds = interleave(
      [scripted('a', [1, 1, 1, 1], log), broken, scripted('c', [1, 1, 1, 1], log)],
      3,
    );
    await expect(rounds).rejects.toThrow(/^broken: a round gave NaN/);
    expect(log.filter((line) => line === 'c begins')).toHaveLength(1);
  });

  it('end when they are interrupted', async () => {
    const stop = new AbortController();
    const log: string[] = [];
    const stopping = scripted('b', [1, 1, 1], log, {
      runRound: async () => {
        stop.abort(new Error('interrupted'));
        return 1;
      },
    });
    const rounds = interleave([scripted('a', [1, 1, 1, 1], log), stopping], 3, stop.signal);
    await expect(rounds).rejects.toThrow('interrupted');
    expect(log.filter((line) => line === 'a begins')).toHaveLength(1);
  });
});

const named = (name: string, peerOf?: string) => scripted(name, [], [], peerOf ? { peerOf } : {});

describe('yardsticks', () => {
  it('measure what goes on after their name with a slash, and not each other', () => {
    const c = named('lock/contended-2/c', 'lock/contended-2');
    const ck = named('lock/contended-2/ck', 'lock/contended-2');
    const wasm = named('lock/contended-2/wasm');
    const other = named('lock/contended-24/wasm');
    const all = [c, ck, wasm, other];
    expect(peersOf(wasm, all)).toEqual([c, ck]);
    expect(peersOf(other, all)).toEqual([]);
    expect(peersOf(ck, all)).toEqual([]);
  });
});

describe('the table', () => {
  it('keeps three digits', () => {
    expect(formatCost(2.345, 'ns')).toBe('2.35 ns');
    expect(formatCost(105_400, 'ns')).toBe('105 us');
    expect(formatCost(12.34, 'ms')).toBe('12.3 ms');
  });

  it('says whether a goal was met', async () => {
    const result = await interleave(
      [
        scripted('w/c', [1, 2], [], { peerOf: 'w' }),
        scripted('w/wasm', [1, 4], [], { atMost: 1.5 }),
        scripted('w/js', [1, 6], []),
      ],
      1,
    );
    const text = formatSuite('walks', result);
    expect(text).toMatch(/w\/wasm +4\.00 ns +±0\.0 % +2\.00x c \[2\.00-2\.00\] over, goal 1\.5x/);
    expect(text).toMatch(/w\/js +6\.00 ns +±0\.0 % +3\.00x c \[3\.00-3\.00\]$/m);
  });
});
