import { describe, expect, test } from 'vitest';

import { TraceError } from '../../src/trace/traceError.ts';
import { compareVmpte, parseVmpte } from '../../src/trace/vmpte.ts';
import type { VmpteSample } from '../../src/trace/vmpte.ts';

function sample(timeS: number, vmpteKb: number): VmpteSample {
  return { timeS, vmpteKb, rssKb: 0, sizeKb: 0, threads: 1 };
}

function agreeing(kernelKb: number, ptlabKb: number): number {
  return compareVmpte({ timesS: [1], vmpteKb: [ptlabKb] }, [sample(1, kernelKb)]).agreeing;
}

describe('files', () => {
  test('header and rows', () => {
    const text = '# pid 12 columns: seconds\n1.5 100 2000 30000 4\n\n1.505 104 2000 30000 5\r\n';
    expect(parseVmpte(text, 'a.vmpte')).toEqual({
      file: 'a.vmpte',
      pid: 12,
      samples: [
        { timeS: 1.5, vmpteKb: 100, rssKb: 2000, sizeKb: 30000, threads: 4 },
        { timeS: 1.505, vmpteKb: 104, rssKb: 2000, sizeKb: 30000, threads: 5 },
      ],
    });
    expect(parseVmpte('1 2 3 4 5\n', 'a.vmpte').pid).toBe(null);
  });

  test.each([
    ['1 2 3 4\n', 'a.vmpte:1: not a sample: "1 2 3 4"; allowed: '],
    ['# pid 1\n1 2 3 4 x\n', 'a.vmpte:2: not a sample: "1 2 3 4 x"; allowed: '],
    ['2 2 3 4 5\n1 2 3 4 5\n', 'a.vmpte:2: time goes back from 2.000000 to 1.000000; allowed: '],
    ['# pid 1\n', 'a.vmpte: no sample in the file; allowed: '],
  ])('%j is refused', (text, message) => {
    expect(() => parseVmpte(text, 'a.vmpte')).toThrow(TraceError);
    expect(() => parseVmpte(text, 'a.vmpte')).toThrow(message);
  });
});

describe('comparison', () => {
  const series = { timesS: [1, 2, 3], vmpteKb: [100, 200, 300] };

  test('a value within the window counts, one outside does not', () => {
    const samples = [
      sample(1, 100),
      sample(1.996, 200),
      sample(1.99, 200),
      sample(2.004, 100),
      sample(2.006, 100),
      sample(2.5, 200),
      sample(3, 300),
    ];
    const result = compareVmpte(series, samples);
    expect(result).toMatchObject({ compared: 7, agreeing: 5, outside: 0 });
    expect(result.agreeingPercent).toBeCloseTo((100 * 5) / 7);
    expect(result.worst).toEqual([
      { timeS: 1.99, kernelKb: 200, ptlabKb: 100 },
      { timeS: 2.006, kernelKb: 100, ptlabKb: 200 },
    ]);
  });

  test('16 kB or 1 % off still agrees, whichever is larger', () => {
    expect(agreeing(100, 116)).toBe(1);
    expect(agreeing(100, 84)).toBe(1);
    expect(agreeing(100, 117)).toBe(0);
    expect(agreeing(10000, 10100)).toBe(1);
    expect(agreeing(10000, 9900)).toBe(1);
    expect(agreeing(10000, 10101)).toBe(0);
  });

  test('a value that was had only for a moment counts', () => {
    const blip = { timesS: [1, 2, 2, 2], vmpteKb: [100, 900, 500, 100] };
    expect(compareVmpte(blip, [sample(2, 500)]).agreeing).toBe(1);
  });

  test('samples outside the recording are counted, not compared', () => {
    const samples = [sample(0.5, 7), sample(2, 200), sample(9, 7)];
    expect(compareVmpte(series, samples)).toMatchObject({ compared: 1, agreeing: 1, outside: 2 });
    expect(compareVmpte(series, samples, { startS: 0, endS: 10 })).toMatchObject({
      compared: 3,
      agreeing: 1,
      outside: 0,
    });
    expect(compareVmpte({ timesS: [], vmpteKb: [] }, samples).agreeingPercent).toBe(null);
  });

  test('the worst come first, as many as asked for', () => {
    const samples = [sample(1, 150), sample(2, 20), sample(3, 900)];
    const result = compareVmpte(series, samples, { worst: 2 });
    expect(result.worst.map((one) => one.kernelKb)).toEqual([900, 20]);
  });
});
