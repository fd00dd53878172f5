import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { chart } from '../../src/report/chart.ts';
import { formatCount, formatDuration, formatShare, formatSi } from '../../src/report/format.ts';
import { Progress } from '../../src/report/progress.ts';
import type { ProgressStream } from '../../src/report/progress.ts';
import { sparkline } from '../../src/report/sparkline.ts';
import { cutLine, table } from '../../src/report/table.ts';

describe('format', () => {
  it('groups counts, scales rates and picks units of time', () => {
    expect(formatCount(102_604)).toBe('102,604');
    expect([0, 7, 999, 1000, 412_345, 1_234_567, 5e9].map(formatSi)).toEqual([
      '0',
      '7',
      '999',
      '1.00 k',
      '412 k',
      '1.23 M',
      '5.00 G',
    ]);
    expect([840, 12_340, 125_000].map(formatDuration)).toEqual(['840 ms', '12.3 s', '2 min 05 s']);
    expect([0.0314, NaN].map(formatShare)).toEqual(['3.1 %', '-']);
  });
});

describe('sparkline', () => {
  it('scales to the greatest of the values shown', () => {
    expect(sparkline([1, 2, 4, 8], 4)).toBe('▁▂▄█');
    expect(sparkline([800, 1, 2], 2)).toBe('▄█');
  });

  it('pads short series and survives zeros and no values', () => {
    expect(sparkline([3], 3)).toBe('  █');
    expect(sparkline([0, 0], 2)).toBe('▁▁');
    expect(sparkline([], 2)).toBe('  ');
    expect(sparkline([-1, NaN, 4], 3)).toBe('▁▁█');
  });
});

describe('table', () => {
  it('aligns columns, ignores colours for widths, leaves no trailing space', () => {
    const columns = [{ title: 'CPU', align: 'right' as const }, { title: 'what' }];
    expect(
      table(
        columns,
        [
          ['0', '\u001b[31mred\u001b[0m'],
          ['11', ''],
        ],
        '  ',
      ),
    ).toEqual(['  CPU  what', '    0  \u001b[31mred\u001b[0m', '   11']);
  });

  it('refuses rows that are too long', () => {
    expect(() => table([{ title: 'a' }], [['1', '2']])).toThrow(/row of 2 cells/);
  });

  it('cuts lines to the terminal', () => {
    expect(cutLine('abcdef', 4)).toBe('abc…');
    expect(cutLine('abcd', 4)).toBe('abcd');
  });
});

describe('chart', () => {
  it('draws step functions on shared axes', () => {
    const lines = chart(
      [
        { name: 'ptlab', mark: '*', x: [0, 5, 10], y: [0, 100, 100] },
        { name: 'kernel', mark: '+', x: [0, 5, 10], y: [0, 100, 50] },
      ],
      { columns: 10, rows: 3, yUnit: 'kB', xUnit: 's' },
    );
    expect(lines).toEqual([
      ' kB | * ptlab   + kernel   # both',
      '100 |     ####*',
      ' 50 |         +',
      '  0 |#####',
      '    +----------',
      '     0     10 s',
    ]);
  });

  it('is empty without points and drawable with one', () => {
    expect(chart([{ name: 'a', mark: '*', x: [], y: [] }], { yUnit: 'kB', xUnit: 's' })).toEqual(
      [],
    );
    const one = chart([{ name: 'a', mark: '*', x: [3], y: [0] }], { yUnit: 'kB', xUnit: 's' });
    expect(one.join('\n')).toContain('*');
  });
});

function screen(isTTY: boolean): { stream: ProgressStream; text: () => string } {
  const stream: ProgressStream & PassThrough = new PassThrough();
  stream.isTTY = isTTY;
  stream.columns = 20;
  stream.rows = 5;
  let text = '';
  stream.on('data', (chunk: Buffer) => (text += chunk.toString()));
  return { stream, text: () => text };
}

const view = { block: () => ['one', 'two'], line: () => 'one line' };

describe('progress', () => {
  it('redraws one block in place on a terminal and removes it', () => {
    const { stream, text } = screen(true);
    let nowMs = 0;
    const progress = new Progress(stream, { nowMs: () => nowMs });
    progress.update(view);
    progress.update(view);
    nowMs = 100;
    progress.update(view);
    progress.clear();
    progress.clear();
    const block = 'one\ntwo\n';
    expect(text()).toBe(
      `\u001b[?25l${block}\u001b[2A\u001b[0J${block}\u001b[2A\u001b[0J\u001b[?25h`,
    );
  });

  it('writes a line every 15 s elsewhere, none before', () => {
    const { stream, text } = screen(false);
    let nowMs = 0;
    const progress = new Progress(stream, { nowMs: () => nowMs });
    for (; nowMs <= 30_000; nowMs += 1000) progress.update(view);
    progress.clear();
    expect(text()).toBe('one line\none line\n');
  });

  it('is silent when quiet', () => {
    for (const isTTY of [true, false]) {
      const { stream, text } = screen(isTTY);
      const progress = new Progress(stream, { quiet: true, lineEveryMs: 0 });
      progress.update(view);
      progress.clear();
      expect(text()).toBe('');
    }
  });

  it('cuts the block to the screen', () => {
    const { stream, text } = screen(true);
    const progress = new Progress(stream);
    progress.update({
      block: () => Array.from<string>({ length: 9 }).fill('x'.repeat(30)),
      line: () => '',
    });
    expect(text().split('\n')).toHaveLength(5);
    expect(text()).toContain(`${'x'.repeat(19)}…\n`);
  });
});
