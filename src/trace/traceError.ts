const QUOTE_LIMIT = 80;

/**
 * An input file that cannot be used. `message` is one line, `FILE:LINE: problem; allowed: ...`;
 * `line` counts from 1 and is null where a line has no meaning (a missing file).
 */
export class TraceError extends Error {
  override readonly name = 'TraceError';
  readonly file: string;
  readonly line: number | null;
  readonly problem: string;
  readonly allowed: string;

  constructor(file: string, line: number | null, problem: string, allowed: string) {
    super(`${file}${line === null ? '' : `:${line}`}: ${problem}; allowed: ${allowed}`);
    this.file = file;
    this.line = line;
    this.problem = problem;
    this.allowed = allowed;
  }
}

/** Text from an input as it may stand in a message: quoted, on one line, printable, not long. */
export function quote(text: string): string {
  const cut = text.length > QUOTE_LIMIT ? `${text.slice(0, QUOTE_LIMIT)}...` : text;
  return JSON.stringify(cut).replace(
    /[\u007f-\u009f]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
