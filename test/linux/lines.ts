/** One line of `ptlab replay --each` and of `mmrun`: the state after one operation. */
export interface EachLine {
  op: number;
  call: string;
  /** Who did it, in scripts of several processes. */
  process?: number;
  /** A name such as `ENOMEM`; null when the operation succeeded. */
  errno: string | null;
  /** Table memory in KiB, counted from the state before the first operation, of all processes together. */
  vmpteKb: number;
  /** Mapped anonymous pages, of all processes together; the zero page is not one. */
  anonPages: number;
  /** Both of each process, in scripts of several; null for one that is not there. */
  processes?: ([vmpteKb: number, anonPages: number] | null)[];
}

const FIELDS = ['op', 'call', 'process', 'errno', 'vmpteKb', 'anonPages'] as const;

const same = (ours: EachLine, theirs: EachLine): boolean =>
  FIELDS.every((field) => ours[field] === theirs[field]) &&
  JSON.stringify(ours.processes) === JSON.stringify(theirs.processes);

/** The lines of one script. Throws a SyntaxError for a line that is not JSON. */
export function parseLines(text: string): EachLine[] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as EachLine);
}

/** The index of the first operation after which the two disagree, or -1. A missing line is a disagreement. */
export function firstDifference(kernel: readonly EachLine[], ptlab: readonly EachLine[]): number {
  const count = Math.max(kernel.length, ptlab.length);
  for (let index = 0; index < count; index++) {
    const ours = ptlab[index];
    const theirs = kernel[index];
    if (!ours || !theirs || !same(ours, theirs)) return index;
  }
  return -1;
}

export function describeLine(line: EachLine | undefined): string {
  if (!line) return 'no line';
  const all = `${line.errno ?? 'fine'}, vmpteKb ${line.vmpteKb}, anonPages ${line.anonPages}`;
  return line.processes === undefined ? all : `${all}, ${JSON.stringify(line.processes)}`;
}
