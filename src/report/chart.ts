import { formatCount } from './format.ts';

/** A line of a chart: `y[i]` holds from `x[i]` to `x[i + 1]`; `x` ascends. */
export interface Series {
  name: string;
  /** One ASCII character. */
  mark: string;
  x: ArrayLike<number>;
  y: ArrayLike<number>;
}

interface ChartOptions {
  /** Characters for the plot itself, without the axis. */
  columns?: number;
  rows?: number;
  /** Unit of y, in the heading, for example `kB`. */
  yUnit: string;
  /** Unit of x, at the end of its axis, for example `s`. */
  xUnit: string;
  /** Mark where series lie on top of each other. */
  bothMark?: string;
}

/** Least and greatest value that a series has in each column, NaN where it has none. */
function columnRanges(
  series: Series,
  fromX: number,
  toX: number,
  columns: number,
): { low: Float64Array; high: Float64Array } {
  const low = new Float64Array(columns).fill(NaN);
  const high = new Float64Array(columns).fill(NaN);
  const put = (column: number, value: number): void => {
    if (!(low[column]! <= value)) low[column] = value;
    if (!(high[column]! >= value)) high[column] = value;
  };
  const columnOf = (x: number): number =>
    Math.min(columns - 1, Math.max(0, Math.floor(((x - fromX) / (toX - fromX || 1)) * columns)));
  const count = Math.min(series.x.length, series.y.length);
  for (let at = 0; at < count; at++) {
    const column = columnOf(series.x[at]!);
    const value = series.y[at]!;
    put(column, value);
    const next = at + 1 < count ? columnOf(series.x[at + 1]!) : column;
    for (let held = column + 1; held < next; held++) put(held, value);
  }
  return { low, high };
}

/**
 * Step functions drawn with characters, y from 0 to the greatest value, all series on the same axes; one string a line:
 * a heading with the legend, `rows` lines, the x axis. Empty when no series has a point.
 */
export function chart(seriesList: readonly Series[], options: ChartOptions): string[] {
  const { columns = 72, rows = 13, yUnit, xUnit, bothMark = '#' } = options;
  const drawn = seriesList.filter((series) => Math.min(series.x.length, series.y.length) > 0);
  if (drawn.length === 0) return [];
  let fromX = Infinity;
  let toX = -Infinity;
  let top = 0;
  for (const series of drawn) {
    const count = Math.min(series.x.length, series.y.length);
    fromX = Math.min(fromX, series.x[0]!);
    toX = Math.max(toX, series.x[count - 1]!);
    for (let at = 0; at < count; at++) top = Math.max(top, series.y[at]!);
  }
  const rowOf = (value: number): number =>
    rows - 1 - Math.round((Math.max(0, value) / (top || 1)) * (rows - 1));
  const cells = Array.from({ length: rows }, () =>
    Array.from<string>({ length: columns }).fill(' '),
  );
  for (const series of drawn) {
    const { low, high } = columnRanges(series, fromX, toX, columns);
    for (let column = 0; column < columns; column++) {
      if (Number.isNaN(low[column]!)) continue;
      for (let row = rowOf(high[column]!); row <= rowOf(low[column]!); row++) {
        cells[row]![column] = cells[row]![column] === ' ' ? series.mark : bothMark;
      }
    }
  }
  const labels = cells.map((_, row) => {
    const labelled = row === 0 || row === rows - 1 || row === Math.floor((rows - 1) / 2);
    return labelled ? formatCount(top * (1 - row / (rows - 1))) : '';
  });
  const margin = Math.max(yUnit.length, ...labels.map((label) => label.length));
  const legend = drawn.map((series) => `${series.mark} ${series.name}`);
  if (drawn.length > 1) legend.push(`${bothMark} both`);
  const end = `${formatX(toX, toX - fromX)} ${xUnit}`;
  const start = formatX(fromX, toX - fromX);
  return [
    `${yUnit.padStart(margin)} | ${legend.join('   ')}`,
    ...cells.map((row, at) => `${labels[at]!.padStart(margin)} |${row.join('')}`.trimEnd()),
    `${' '.repeat(margin)} +${'-'.repeat(columns)}`,
    `${' '.repeat(margin)}  ${start}${end.padStart(Math.max(1, columns - start.length))}`,
  ];
}

function formatX(x: number, span: number): string {
  if (span >= 100 || Number.isInteger(x)) return formatCount(x);
  return x.toFixed(span >= 10 ? 1 : 2);
}
