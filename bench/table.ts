/** The text that `npm run bench` prints for one suite. */
import type { Figure, Ratio, Rounds } from './interleave.ts';

/** Three significant digits, in a unit that keeps them short: 2.31 ns, 111 us. */
export function formatCost(value: number, unit: Figure['unit']): string {
  const units = ['ns', 'us', 'ms', 's'];
  let at = units.indexOf(unit);
  let scaled = value;
  while (scaled >= 1000 && at < units.length - 1) {
    scaled /= 1000;
    at++;
  }
  const digits = scaled >= 100 ? 0 : scaled >= 10 ? 1 : 2;
  return `${scaled.toFixed(digits)} ${units[at]}`;
}

export function formatRatio({ median, low, high, label, atMost }: Ratio): string {
  const digits = median >= 10 ? 1 : 2;
  const [at, from, to] = [median, low, high].map((value) => value.toFixed(digits));
  const goal = atMost === undefined ? '' : ` ${median <= atMost ? 'ok' : 'over'}, goal ${atMost}x`;
  return `${at}x ${label} [${from}-${to}]${goal}`;
}

/** One line a measurement: name, median, spread, ratios. */
export function formatSuite(title: string, { figures, ratios }: Rounds): string {
  const rows = figures.map((figure) => [
    figure.name,
    formatCost(figure.median, figure.unit),
    `±${((100 * figure.mad) / figure.median).toFixed(1)} %`,
    ratios
      .filter(({ of }) => of === figure.name)
      .map(formatRatio)
      .join(', '),
  ]);
  const header = ['', 'median', 'spread', 'beside'];
  const widths = header.map((cell, column) =>
    Math.max(cell.length, ...rows.map((row) => (row[column] ?? '').length)),
  );
  const line = (cells: string[]) =>
    cells
      .map((cell, column) => {
        const width = widths[column] ?? 0;
        return column === 1 || column === 2 ? cell.padStart(width) : cell.padEnd(width);
      })
      .join('  ')
      .trimEnd();
  return [title, ...[header, ...rows].map((row) => `  ${line(row)}`)].join('\n');
}
