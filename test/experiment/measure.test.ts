/** Measuring a workload: what a sample is, in which order several are taken, what is forgotten, and how it ends. */
import { describe, expect, it } from 'vitest';
import { measureCost } from '../../src/measure/cost.ts';
import {
  measureInTurn,
  measureWorkload,
  median,
  medianDeviation,
  RECORDED,
  type MeasureOptions,
} from '../../src/measure/measure.ts';

const QUICK = { samples: 2, sampleMs: 60, warmupMs: 20, settleMs: 10 } as const;
const LOCAL = { workload: 'mapbench-local', ...QUICK } as const;
const RECORDING = 'src/trace/recordings/reproducer.perf.gz';

describe('a sample', () => {
  it('has the iterations and counters of its own time only', async () => {
    const measured = await measureWorkload({ ...LOCAL, machine: { cpus: 2, contention: true } });
    expect(measured.samples).toHaveLength(QUICK.samples);
    for (const sample of measured.samples) {
      const { iterations, iterationsPerCpu, durationMs, counters } = sample;
      expect(durationMs).toBeGreaterThanOrEqual(QUICK.sampleMs);
      expect(iterationsPerCpu.reduce((sum, count) => sum + count, 0)).toBe(iterations);
      expect(sample.iterationsPerSecond).toBeCloseTo((iterations / durationMs) * 1000);
      expect(counters['iterations']).toBe(iterations);
      expect(sample.lockWaitShare).toBeGreaterThanOrEqual(0);
      expect(sample.vmptePeakKb).toBeGreaterThan(0);
    }
    expect(measured.unit).toBe('iterations');
    expect(measured.audit?.ok).toBe(true);
    expect(measured.contention?.matrix).toHaveLength(2);
    const rates = measured.samples.map((sample) => sample.iterationsPerSecond);
    expect(measured.perSecond).toBe(median(rates));
  });

  it('forgets what the warm-up waited', async () => {
    const measured = await measureWorkload({
      ...LOCAL,
      samples: 0,
      warmupMs: 100,
      machine: { cpus: 2, contention: true },
    });
    expect(Object.values(measured.locks).filter(({ acquired }) => acquired > 0)).toEqual([]);
    expect(measured.contention?.instances).toEqual([]);
    expect([measured.samples, measured.perSecond]).toEqual([[], 0]);
  });

  it('of a mix counts operations', async () => {
    const measured = await measureWorkload({ ...QUICK, workload: 'walkers', machine: { cpus: 1 } });
    const [sample] = measured.samples;
    expect(measured.unit).toBe('operations');
    expect(sample!.iterations).toBe(sample!.counters['ops']);
  });

  it('of a recorded program is one replay', async () => {
    const measured = await measureWorkload({ ...QUICK, workload: RECORDED + RECORDING });
    const [first, second] = measured.samples;
    expect(first!.iterations).toBeGreaterThan(1000);
    expect(second!.iterations).toBe(first!.iterations);
    expect(first!.vmptePeakKb).toBeGreaterThan(0);
    expect(measured.audit?.ok).toBe(true);
  });
});

describe('several', () => {
  it('take their samples in turn', async () => {
    const order: number[][] = [];
    const list: MeasureOptions[] = [
      { ...LOCAL, machine: { cpus: 1 } },
      { ...LOCAL, machine: { cpus: 1, protocol: 'none' }, samples: 3 },
    ];
    const results = await measureInTurn(list, (at, sample) => order.push([sample, at]));
    expect(order).toEqual([
      [0, 0],
      [0, 1],
      [1, 0],
      [1, 1],
      [2, 1],
    ]);
    expect(results.map(({ options, samples }) => [options.protocol, samples.length])).toEqual([
      ['sync', 2],
      ['none', 3],
    ]);
  });

  it('end by the signal, without the sample under way', async () => {
    const end = new AbortController();
    const [result] = await measureInTurn(
      [{ ...LOCAL, samples: 1000, machine: { cpus: 1 }, signal: end.signal }],
      (_, sample) => {
        if (sample === 1) end.abort();
      },
    );
    expect(result!.samples.length).toBeLessThanOrEqual(2);
  });
});

describe('cost', () => {
  it('is of pairs of samples, with measuring on and off', async () => {
    const cost = await measureCost({ ...LOCAL, samples: 3, machine: { cpus: 1 } });
    expect(cost.pairs).toBe(3);
    expect(
      [cost.on, cost.off].map((boots) => boots.map((boot) => boot.contention === null)),
    ).toEqual([[false], [true]]);
    for (const { median: middle, low, high } of [cost.elapsed, cost.processor]) {
      expect(low).toBeLessThanOrEqual(middle);
      expect(middle).toBeLessThanOrEqual(high);
      expect(middle).toBeGreaterThan(-1);
    }
    expect(cost.everyHold).toBe(false);
  });

  it('machines are booted anew after five pairs', async () => {
    const cost = await measureCost({ ...LOCAL, samples: 6, machine: { cpus: 1 } });
    expect(cost.on.map(({ samples }) => samples.length)).toEqual([5, 1]);
    expect([cost.pairs, cost.off.length]).toEqual([6, 2]);
  });
});

describe('refuses', () => {
  it.each([
    [{ workload: 'page_fault4' }, /option workload: "page_fault4" .*page_fault1_threads/],
    [{ workload: 'recorded:no-such-file' }, /no-such-file/],
    [{ ...LOCAL, sampleMs: 0 }, /sampleMs: 0/],
    [{ ...LOCAL, sample: 3 }, /sample/],
    [{ ...LOCAL, machine: { cpus: 0 } }, /cpus: 0/],
  ])('%j', async (options, message) => {
    await expect(measureWorkload(options as MeasureOptions)).rejects.toThrow(message);
  });
});

it('medians', () => {
  expect([median([]), median([3]), median([1, 9]), median([5, 1, 2])]).toEqual([0, 3, 5, 2]);
  expect(medianDeviation([1, 2, 4, 100])).toBe(1.5);
});
