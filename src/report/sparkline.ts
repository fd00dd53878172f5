const BARS = '▁▂▃▄▅▆▇█';

/**
 * The last `width` values as bars of eight heights, scaled from 0 to the greatest of them; padded with spaces on the
 * left. Values that are no positive number are drawn as 0.
 */
export function sparkline(values: readonly number[], width: number): string {
  const shown = width > 0 ? values.slice(-width) : [];
  const greatest = shown.reduce((most, value) => (value > most ? value : most), 0);
  let bars = '';
  for (const value of shown) {
    const level = greatest > 0 && value > 0 ? Math.ceil((value / greatest) * BARS.length) - 1 : 0;
    bars += BARS[level];
  }
  return bars.padStart(width);
}
