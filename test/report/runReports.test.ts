import { describe, expect, it } from 'vitest';
import { CpuDiedError } from '../../src/machine/death.ts';
import type { MachineEvent } from '../../src/machine/events.ts';
import { quantileNs, type MachineStatistics } from '../../src/machine/statistics.ts';
import { deathLines } from '../../src/report/deathReport.ts';
import { eventLines } from '../../src/report/eventReport.ts';
import { lockTable } from '../../src/report/runReport.ts';

function event(cpu: number, timeUs: number, name: string, text = name): MachineEvent {
  return { cpu, timeUs, event: name, values: [0, 0], text };
}

describe('eventLines', () => {
  it('joins the beginning of an operation with its end when nothing lies between', () => {
    const lines = eventLines([
      event(0, -4, 'begin', 'begins walk(page 0x1)'),
      event(1, -3.5, 'begin', 'begins madvise(page 0x2)'),
      event(0, -3, 'end', 'ends walk'),
      event(1, -2, 'table-free', 'frees PTE table 7'),
      event(1, -1, 'end', 'ends madvise'),
      event(1, 2, 'violation', 'VIOLATION'),
    ]);
    expect(lines).toEqual([
      'last events, by the clock (us):',
      '  -4.0  CPU 0  walk(page 0x1) in 1.0 us',
      '  -3.5  CPU 1  begins madvise(page 0x2)',
      '  -2.0  CPU 1  frees PTE table 7',
      '  -1.0  CPU 1  ends madvise',
      '  +2.0  CPU 1  VIOLATION',
      '',
    ]);
    expect(eventLines([])).toEqual([]);
  });

  it('shows some 40, most of them before the origin, some of every CPU', () => {
    const quiet = event(1, -1000, 'quiet');
    const busy = Array.from({ length: 200 }, (_, at) => event(0, at - 150, `busy ${at}`));
    const lines = eventLines([quiet, ...busy]);
    expect(lines).toHaveLength(42);
    expect(lines[1]).toBe('  -1000.0  CPU 1  quiet');
    expect(lines.filter((line) => line.trim().startsWith('+'))).toHaveLength(8);
    expect(lines.at(-2)).toContain('busy 158');
  });
});

describe('quantileNs', () => {
  it('gives the upper end of the power of two, never more than the greatest', () => {
    const histogram = [0, 0, 90, 0, 9, 1];
    expect(quantileNs(histogram, 0.5, 40)).toBe(7);
    expect(quantileNs(histogram, 0.99, 40)).toBe(31);
    expect(quantileNs(histogram, 1, 40)).toBe(40);
    expect(quantileNs([0, 0], 0.5, 0)).toBe(0);
  });
});

describe('lockTable', () => {
  const lock = {
    acquired: 1000,
    contended: 10,
    waitTotalNs: 250_000,
    waitMaxNs: 40_000,
    waitP50Ns: 4095,
    waitP99Ns: 40_000,
    holdTotalNs: 2_000_000,
    holdMaxNs: 9000,
    waitHistogramLog2Ns: [],
  };
  const statistics = {
    locks: { pte: lock, pmd: { ...lock, acquired: 0 } },
  } as unknown as MachineStatistics;

  it('has quantiles and holds only when they are measured; leaves unused classes out', () => {
    expect(lockTable(statistics, false)).toEqual([
      'lock  acquired  contended  wait total us  wait max us',
      'pte      1,000         10            250         40.0',
    ]);
    expect(lockTable(statistics, true)).toEqual([
      'lock  acquired  contended  wait total us  wait max us  p50 us  p99 us  hold total us  hold max us',
      'pte      1,000         10            250         40.0     4.1    40.0          2,000          9.0',
    ]);
  });
});

describe('deathLines', () => {
  const death = {
    cpu: 3,
    daemons: false,
    cause: 'no',
    stack: null,
    operation: 'none',
    operationArguments: [0, 0] as [number, number],
    locks: [],
  };

  it('shows the stack of an exception, and nothing for other deaths', () => {
    expect(deathLines(new CpuDiedError(death))).toEqual([]);
    const stack = 'Error: no\n    at run (file:///w.js:1:2)';
    expect(deathLines(new CpuDiedError({ ...death, stack }))).toEqual([
      'exception on CPU 3:',
      '  Error: no',
      '      at run (file:///w.js:1:2)',
      '',
    ]);
  });

  it('names some of many locks', () => {
    const locks = Array.from({ length: 9 }, (_, at) => ({
      address: at,
      name: `lock ${at}`,
      lockClass: 'pte',
    }));
    expect(new CpuDiedError({ ...death, locks }).message).toMatch(
      /; holding lock 0, .*lock 5 and 3 more$/,
    );
  });
});
