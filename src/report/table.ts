import { stripVTControlCharacters } from 'node:util';

/** A column of a table; numbers stand to the right. */
export interface Column {
  title: string;
  align?: 'left' | 'right';
}

/** Printed width of a text, colours not counted; every character is one column wide. */
function width(text: string): number {
  return [...stripVTControlCharacters(text)].length;
}

function pad(text: string, to: number, align: 'left' | 'right'): string {
  const fill = ' '.repeat(Math.max(0, to - width(text)));
  return align === 'right' ? fill + text : text + fill;
}

/**
 * Rows under their titles, two spaces between columns, no trailing spaces; one string a line. A title row is left out
 * when every title is empty. Throws a RangeError when a row has more cells than there are columns.
 */
export function table(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  indent = '',
): string[] {
  for (const row of rows) {
    if (row.length > columns.length) {
      throw new RangeError(`row of ${row.length} cells; allowed: at most ${columns.length}`);
    }
  }
  const titled = columns.some((column) => column.title !== '');
  const all = titled ? [columns.map((column) => column.title), ...rows] : [...rows];
  const widths = columns.map((_, at) => Math.max(0, ...all.map((row) => width(row[at] ?? ''))));
  return all.map((row) => {
    const cells = columns.map((column, at) =>
      pad(row[at] ?? '', widths[at]!, column.align ?? 'left'),
    );
    return (indent + cells.join('  ')).trimEnd();
  });
}

/** Cuts a line to `columns` printed characters; colours that the cut would leave open are dropped with the rest. */
export function cutLine(line: string, columns: number): string {
  if (width(line) <= columns) return line;
  return [...stripVTControlCharacters(line)].slice(0, Math.max(0, columns - 1)).join('') + '…';
}
