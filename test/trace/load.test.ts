import { fileURLToPath } from 'node:url';

import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { loadTrace, readText } from '../../src/trace/load.ts';
import { OP_FIELDS } from '../../src/trace/operation.ts';
import { importPerf } from '../../src/trace/perf.ts';
import { TraceError } from '../../src/trace/traceError.ts';
import { compareVmpte, loadVmpte } from '../../src/trace/vmpte.ts';
import { modelSeries } from './tableModel.ts';

function fixture(name: string): string {
  return fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url));
}

function recording(name: string): string {
  return fileURLToPath(new URL(`../../src/trace/recordings/${name}`, import.meta.url));
}

describe('recorded programs', () => {
  test.each([
    ['redis', 18309, 2, 228, 100],
    ['reproducer', 10306, 1, 8244, 99],
  ])('%s: a count of tables agrees with the kernel', (name, count, cpus, mostKb, percent) => {
    const kernel = loadVmpte(recording(`${name}.vmpte`));
    const trace = loadTrace(recording(`${name}.perf.gz`), { pid: kernel.pid! });
    if (trace.kind !== 'recording') throw new Error('taken for a script');
    expect(trace.count).toBe(count);
    expect(trace.cpus).toBe(cpus);
    expect(trace.notes).toEqual([]);
    const series = modelSeries(trace);
    expect(Math.max(...Array.from(series.vmpteKb))).toBe(mostKb);
    const { startS, endS } = trace;
    const result = compareVmpte(series, kernel.samples, { startS, endS });
    expect(result.compared).toBe(kernel.samples.length);
    expect(result.agreeingPercent).toBeGreaterThanOrEqual(percent);
    const exact = { startS, endS, toleranceKb: 0, tolerancePercent: 0 };
    expect(compareVmpte(series, kernel.samples, exact).worst).toEqual([]);
  });

  test('the process is found without being named', () => {
    const trace = loadTrace(recording('redis.perf.gz'));
    if (trace.kind !== 'recording') throw new Error('taken for a script');
    expect(trace.pid).toBe(12660);
    expect(trace.threads.map((thread) => thread.name)).toEqual(['redis-server', 'jemalloc_bg_thd']);
  });

  test('lost events are told, and the rest goes on', () => {
    const trace = loadTrace(fixture('bad/lost.perf'));
    if (trace.kind !== 'recording') throw new Error('taken for a script');
    expect(trace.lostEvents).toBe(12);
    expect(trace.notes).toEqual([
      '12 events were lost by perf',
      '2 calls have only their beginning or their end in the recording and are left out',
    ]);
  });
});

describe('files that cannot be used', () => {
  test.each([
    ['bad/truncated.perf.gz', /^(\d+): the gzip data end early, the file is truncated; allowed: /],
    ['bad/cut-header.perf.gz', /^1: the gzip data end early, the file is truncated; allowed: /],
    ['bad/damaged.perf.gz', /^ the gzip data are damaged \(.*\); allowed: /],
    ['bad/default-fields.perf', /^1: not a line of a recording: .*\(perf script -F comm,pid,/],
    ['bad/binary.perf', /^\d+: binary data \(a zero byte\); allowed: /],
    ['bad/perf.data', /^1: the file is a perf\.data file \(print it with perf script first\)/],
    ['bad/empty.perf', /^ the file is empty; allowed: an mm script or a recording/],
    ['bad/wrong-event.perf', /^21: unknown event "power:cpu_idle"; allowed: page_fault_user/],
    ['bad/wrong-order.perf', /^14: time goes back from 2583\.554476 to 2583\.554422; allowed: /],
    [
      'bad/cut-line.perf',
      /^30: the call is broken or ends early: .*; allowed: "addr: 0x\.\.\., len: /,
    ],
    ['bad/broken.mm', /^3: advice "forget" is unknown; allowed: dontneed, free, /],
    ['bad/missing.mm', /^ no such file; allowed: /],
    ['bad', /^ is a directory; allowed: /],
  ])('%s', (name, message) => {
    const file = fixture(name);
    const load = (): unknown => loadTrace(file);
    expect(load).toThrow(TraceError);
    try {
      load();
    } catch (error) {
      const text = (error as Error).message;
      expect(text.startsWith(`${file}:`)).toBe(true);
      expect(text.slice(file.length + 1)).toMatch(message);
    }
  });
});

test('a damaged recording is imported or refused with a TraceError, never another error', () => {
  const sound = readText(recording('reproducer.perf.gz')).subarray(0, 12_000);
  const damage = fc.record({
    at: fc.nat({ max: sound.length - 1 }),
    bytes: fc.uint8Array({ maxLength: 4 }),
  });
  const cut = fc.option(fc.nat({ max: sound.length }), { nil: sound.length });
  fc.assert(
    fc.property(fc.array(damage, { maxLength: 5 }), cut, (damages, length) => {
      const bytes = Buffer.from(sound);
      for (const { at, bytes: some } of damages) {
        bytes.set(some.subarray(0, Math.min(some.length, bytes.length - at)), at);
      }
      try {
        const trace = importPerf(bytes.subarray(0, length), 'damaged.perf');
        expect(trace.operations.length).toBe(trace.count * OP_FIELDS);
        expect(trace.operations.every((value) => value >= 0 && value < 2 ** 53)).toBe(true);
      } catch (error) {
        if (!(error instanceof TraceError)) throw error;
        expect(error.message).not.toContain('\n');
      }
    }),
    { numRuns: 500 },
  );
});
