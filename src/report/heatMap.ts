/** Waits by level of locks and address, drawn with characters: all levels on one axis of addresses. */
import type { HeatRow, Waits } from '../machine/contention.ts';
import { formatDuration } from './format.ts';

/** From no wait to the longest total of the map. */
const SHADES = ' .:-=+*#%@';
const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** A number of bytes that is a power of two. */
function bytes(count: number): string {
  let unit = 0;
  let scaled = count;
  while (scaled >= 1024 && unit < UNITS.length - 1) {
    scaled /= 1024;
    unit++;
  }
  return `${scaled} ${UNITS[unit]}`;
}

/** A duration, with microseconds where it is short. */
function time(ns: number): string {
  return ns < 1e6 ? `${(ns / 1000).toFixed(1)} us` : formatDuration(ns / 1e6);
}

/** Rows of cells of one size over one range. */
interface Heat {
  start: number;
  cellBytes: number;
  rows: { level: string; cells: Waits[] }[];
}

/** Brings rows to cells of the same size, at most `columns` of them, from the first address with waits to the last. */
export function alignHeat(rows: readonly HeatRow[], columns: number): Heat {
  let cellBytes = Math.max(...rows.map((row) => row.cellBytes));
  const low = Math.min(...rows.map((row) => row.start));
  const high = Math.max(...rows.map((row) => row.start + row.cells.length * row.cellBytes));
  while (Math.ceil(high / cellBytes) - Math.floor(low / cellBytes) > columns) cellBytes *= 2;
  const first = Math.floor(low / cellBytes);
  const count = Math.ceil(high / cellBytes) - first;
  return {
    start: first * cellBytes,
    cellBytes,
    rows: rows.map((row) => {
      const cells = Array.from({ length: count }, () => ({ waits: 0, totalNs: 0 }));
      row.cells.forEach((cell, at) => {
        const to = cells[Math.floor((row.start + at * row.cellBytes) / cellBytes) - first]!;
        to.waits += cell.waits;
        to.totalNs += cell.totalNs;
      });
      return { level: row.level, cells };
    }),
  };
}

/** One character a cell, each shade standing for about three times the waiting of the one before. */
function shade({ totalNs }: Waits, mostNs: number): string {
  if (totalNs === 0) return SHADES[0]!;
  const steps = SHADES.length - 2;
  const below = Math.log10(mostNs / totalNs) * 2;
  return SHADES[1 + Math.max(0, steps - Math.round(below))]!;
}

/** The map, one string a line; empty without waits. */
export function heatLines(rows: readonly HeatRow[], columns = 64): string[] {
  if (rows.length === 0) return [];
  const heat = alignHeat(rows, columns);
  const mostNs = Math.max(1, ...heat.rows.flatMap((row) => row.cells.map((cell) => cell.totalNs)));
  const margin = Math.max(...heat.rows.map((row) => row.level.length));
  const width = heat.rows[0]!.cells.length;
  const start = `0x${heat.start.toString(16)}`;
  const end = `0x${(heat.start + width * heat.cellBytes).toString(16)}`;
  const gap = Math.max(1, width + 2 - start.length - end.length);
  return [
    ...heat.rows.map(({ level, cells }) => {
      const totalNs = cells.reduce((sum, cell) => sum + cell.totalNs, 0);
      const drawn = cells.map((cell) => shade(cell, mostNs)).join('');
      return `  ${level.padStart(margin)} |${drawn}| ${time(totalNs)}`;
    }),
    `  ${' '.repeat(margin)} ${start}${' '.repeat(gap)}${end}  ${bytes(heat.cellBytes)} a column; "@" is ${time(mostNs)}, each shade before it a third of the next`,
  ];
}
