/** One line of `ptlab replay --each` and of `mmrun`: the state after one operation. */
export interface EachLine {
  op: number;
  call: string;
  /** A name such as `ENOMEM`; null when the operation succeeded. */
  errno: string | null;
  /** Table memory of the address space in KiB, counted from the state before the first operation. */
  vmpteKb: number;
  /** Mapped anonymous pages; the zero page is not one. */
  anonPages: number;
}

const FIELDS = ['op', 'call', 'errno', 'vmpteKb', 'anonPages'] as const;

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
    if (!ours || !theirs || FIELDS.some((field) => ours[field] !== theirs[field])) return index;
  }
  return -1;
}

export function describeLine(line: EachLine | undefined): string {
  if (!line) return 'no line';
  return `${line.errno ?? 'fine'}, vmpteKb ${line.vmpteKb}, anonPages ${line.anonPages}`;
}
