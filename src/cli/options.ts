/**
 * Command-line options: a command declares them as data; `parseCommand` turns arguments into typed values, `helpText`
 * into the text of --help. Every complaint is a UsageError of one line that names the command, the option, the value
 * and what is allowed.
 */
import { parseArgs } from 'node:util';
import { UsageError } from './exit.ts';

type OptionSpec =
  | { readonly kind: 'flag'; readonly help: string; readonly short?: string }
  | {
      readonly kind: 'integer' | 'number';
      readonly value: string;
      readonly min: number;
      readonly max: number;
      /** Only powers of two, and 0 where `min` is 0. */
      readonly powerOfTwo?: boolean;
      readonly help: string;
    }
  | { readonly kind: 'choice'; readonly allowed: readonly string[]; readonly help: string }
  | { readonly kind: 'text'; readonly value: string; readonly help: string };

export type OptionSpecs = Readonly<Record<string, OptionSpec>>;

type ValueOf<S extends OptionSpec> = S extends { kind: 'flag' }
  ? boolean
  : S extends { kind: 'integer' | 'number' }
    ? number | undefined
    : S extends { kind: 'choice'; allowed: readonly (infer A)[] }
      ? A | undefined
      : string | undefined;

export interface CommandSpec<S extends OptionSpecs = OptionSpecs> {
  readonly name: string;
  /** One line, for the list of commands. */
  readonly summary: string;
  readonly usage: string;
  readonly positionals: { readonly name: string; readonly min: number; readonly max: number };
  readonly options: S;
  /** Further paragraphs of the help text, one line each; those indented by two spaces are items of the one before. */
  readonly notes?: readonly string[];
}

export interface ParsedCommand<S extends OptionSpecs> {
  /** Values by option name; flags are false, others undefined, where not given. */
  values: { -readonly [K in keyof S]: ValueOf<S[K]> };
  positionals: string[];
  help: boolean;
}

const QUOTE_LIMIT = 80;

/** Text from the command line as it may stand in a message: quoted, on one line, not long. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > QUOTE_LIMIT ? `${text.slice(0, QUOTE_LIMIT)}...` : text);
}

/** Fewest single-character edits between two words, for suggestions. */
function distance(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, at) => at);
  for (let i = 1; i <= one.length; i++) {
    const next = [i];
    for (let j = 1; j <= other.length; j++) {
      const same = one[i - 1] === other[j - 1] ? 0 : 1;
      next.push(Math.min(next[j - 1]! + 1, row[j]! + 1, row[j - 1]! + same));
    }
    row = next;
  }
  return row[other.length]!;
}

/** The one of `names` that `word` is most likely a slip of, or null. */
export function suggestion(word: string, names: readonly string[]): string | null {
  let best: string | null = null;
  let least = Math.min(3, Math.ceil(word.length / 2));
  for (const name of names) {
    const edits = name.startsWith(word) && word.length > 1 ? 1 : distance(word, name);
    if (edits < least) [best, least] = [name, edits];
  }
  return best;
}

/** Throws UsageError for `value` of `what` unless it is one of `allowed`. */
export function checkChoice(
  command: string,
  what: string,
  value: string,
  allowed: readonly string[],
): void {
  if (!allowed.includes(value)) {
    throw new UsageError(
      `ptlab ${command}: ${what} ${quoted(value)} is unknown; allowed: ${allowed.join(', ')}`,
    );
  }
}

type NumberSpec = Omit<OptionSpec & { kind: 'integer' | 'number' }, 'value' | 'help'>;

/** What numbers are allowed. */
function numbersText(spec: NumberSpec): string {
  if (spec.powerOfTwo) return `${spec.min === 0 ? '0 or ' : ''}a power of two up to ${spec.max}`;
  const noun = spec.kind === 'integer' ? 'a whole number' : 'a number';
  return `${noun} from ${spec.min} to ${spec.max}`;
}

/** The number that `text` writes, decimal or 0x, within [min, max]. Throws UsageError. */
export function parseNumber(command: string, what: string, text: string, spec: NumberSpec): number {
  const pattern = spec.kind === 'integer' ? /^(?:\d+|0x[0-9a-f]+)$/i : /^(?:\d+\.?\d*|\.\d+)$/;
  const value = pattern.test(text) ? Number(text) : NaN;
  const odd = spec.powerOfTwo === true && value > 0 && !Number.isInteger(Math.log2(value));
  if (value >= spec.min && value <= spec.max && !odd) return value;
  throw new UsageError(
    `ptlab ${command}: ${what} ${quoted(text)} is not allowed; allowed: ${numbersText(spec)}`,
  );
}

function parseValue(command: string, option: string, spec: OptionSpec, text: string): unknown {
  switch (spec.kind) {
    case 'integer':
    case 'number':
      return parseNumber(command, option, text, spec);
    case 'choice':
      checkChoice(command, option, text, spec.allowed);
      return text;
    default:
      return text;
  }
}

function unknownOption(command: CommandSpec, rawName: string): UsageError {
  const names = [...Object.keys(command.options), 'help'].map((name) => `--${name}`);
  const close = suggestion(rawName, names);
  const hint = close === null ? '' : `did you mean ${close}? `;
  return new UsageError(
    `ptlab ${command.name}: unknown option ${quoted(rawName)}; ${hint}allowed: ${names.join(', ')}`,
  );
}

/** Parses the arguments after the command's name. Throws UsageError. */
export function parseCommand<S extends OptionSpecs>(
  command: CommandSpec<S>,
  args: readonly string[],
): ParsedCommand<S> {
  const specs: OptionSpecs = command.options;
  const options: Record<string, { type: 'boolean' | 'string'; short?: string }> = {
    help: { type: 'boolean', short: 'h' },
  };
  for (const [name, spec] of Object.entries(specs)) {
    options[name] = { type: spec.kind === 'flag' ? 'boolean' : 'string' };
    if (spec.kind === 'flag' && spec.short !== undefined) options[name].short = spec.short;
  }
  const { tokens } = parseArgs({
    args: [...args],
    options,
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const values: Record<string, unknown> = {};
  for (const [name, spec] of Object.entries(specs)) {
    values[name] = spec.kind === 'flag' ? false : undefined;
  }
  const positionals: string[] = [];
  const seen = new Set<string>();
  let help = false;
  for (const token of tokens) {
    if (token.kind === 'positional') positionals.push(token.value);
    if (token.kind !== 'option') continue;
    const spec = Object.hasOwn(specs, token.name) ? specs[token.name] : undefined;
    if (token.name !== 'help' && spec === undefined) throw unknownOption(command, token.rawName);
    if (seen.has(token.name)) {
      throw new UsageError(`ptlab ${command.name}: ${token.rawName} is given twice; allowed: once`);
    }
    seen.add(token.name);
    if (spec === undefined || spec.kind === 'flag') {
      if (token.value !== undefined) {
        throw new UsageError(
          `ptlab ${command.name}: ${token.rawName} takes no value, not ${quoted(token.value)}`,
        );
      }
      if (spec === undefined) help = true;
      else values[token.name] = true;
      continue;
    }
    const missing =
      token.value === undefined || (token.value.startsWith('--') && !token.inlineValue);
    if (missing) {
      throw new UsageError(
        `ptlab ${command.name}: ${token.rawName} needs a value; allowed: ${allowedText(spec)}`,
      );
    }
    values[token.name] = parseValue(command.name, token.rawName, spec, token.value!);
  }
  if (!help) checkPositionals(command, positionals);
  return { values: values as ParsedCommand<S>['values'], positionals, help };
}

function checkPositionals(command: CommandSpec, positionals: readonly string[]): void {
  const { name, min, max } = command.positionals;
  if (positionals.length < min) {
    throw new UsageError(`ptlab ${command.name}: ${name} is missing; usage: ${command.usage}`);
  }
  if (positionals.length > max) {
    const extra = positionals[max]!;
    throw new UsageError(
      `ptlab ${command.name}: argument ${quoted(extra)} is one too many; usage: ${command.usage}`,
    );
  }
}

function allowedText(spec: OptionSpec): string {
  if (spec.kind === 'choice') return spec.allowed.join(', ');
  if (spec.kind === 'integer' || spec.kind === 'number') return numbersText(spec);
  return spec.kind === 'text' ? spec.value : '';
}

const HELP_WIDTH = 100;

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  lines.push(line);
  return lines;
}

function hang(text: string, at: number): string {
  return `${at === 0 ? '  ' : '    '}${text}`;
}

/** The text of `ptlab COMMAND --help`, with a newline at its end. */
export function helpText(command: CommandSpec): string {
  const rows: [string, string][] = Object.entries(command.options).map(([name, spec]) => {
    const short = spec.kind === 'flag' && spec.short !== undefined ? `, -${spec.short}` : '';
    const value =
      spec.kind === 'flag'
        ? ''
        : spec.kind === 'choice'
          ? ` ${spec.allowed.join('|')}`
          : ` ${spec.value}`;
    return [`--${name}${short}${value}`, spec.help];
  });
  rows.push(['--help, -h', 'this text']);
  const lines = [`usage: ${command.usage}`, '', ...wrap(command.summary, HELP_WIDTH), ''];
  const margin = 2 + Math.min(34, Math.max(...rows.map(([left]) => left.length))) + 2;
  for (const [left, help] of rows) {
    const wrapped = wrap(help, HELP_WIDTH - margin);
    const fits = left.length <= margin - 4;
    if (!fits) lines.push(`  ${left}`);
    wrapped.forEach((text, at) =>
      lines.push(at === 0 && fits ? `  ${left}`.padEnd(margin) + text : ' '.repeat(margin) + text),
    );
  }
  for (const note of command.notes ?? []) {
    if (note.startsWith('  ')) lines.push(...wrap(note.trim(), HELP_WIDTH - 4).map(hang));
    else lines.push('', ...wrap(note, HELP_WIDTH));
  }
  return `${lines.join('\n')}\n`;
}
