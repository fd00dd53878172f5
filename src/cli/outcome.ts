/** What every run ends with: a verdict, an exit code, the command line that repeats it. */
import { EXIT_FAILED, EXIT_INTERRUPTED, EXIT_RIGHT, EXIT_VIOLATION } from './exit.ts';
import type { StopReason } from './interrupt.ts';
import type { CommandSpec } from './options.ts';

export type Verdict = 'right' | 'violation' | 'failed' | 'interrupted';

export interface Outcome {
  verdict: Verdict;
  exitCode: number;
  /** One line for people. */
  summary: string;
}

const EXIT_CODES: Readonly<Record<Verdict, number>> = {
  right: EXIT_RIGHT,
  violation: EXIT_VIOLATION,
  failed: EXIT_FAILED,
  interrupted: EXIT_INTERRUPTED,
};

function make(verdict: Verdict, summary: string): Outcome {
  return { verdict, exitCode: EXIT_CODES[verdict], summary };
}

/** What a run can end with, most telling first: a violation, a failure, an interruption. */
export function outcome(found: {
  violations: number;
  /** Why the run failed, in one line, or null. */
  failure: string | null;
  stopped: StopReason | null;
}): Outcome {
  const { violations, failure, stopped } = found;
  if (violations > 0) {
    return make('violation', `${violations} violation${violations === 1 ? '' : 's'}`);
  }
  if (failure !== null) return make('failed', `run failed: ${failure}`);
  if (stopped === 'time out') return make('failed', 'run failed: time out');
  if (stopped !== null) return make('interrupted', 'interrupted; this is the partial report');
  return make('right', 'no violation');
}

function shellWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** Options that change what is printed, not what happens. */
const OUTPUT_ONLY = new Set(['json', 'quiet', 'each', 'progress']);

/** The whole command line of a run, in the order of the command's options; `values` as parsed, defaults filled in. */
export function commandLine(
  spec: CommandSpec,
  values: Readonly<Record<string, unknown>>,
  positionals: readonly string[],
): string {
  const words = ['ptlab', spec.name, ...positionals];
  for (const name of Object.keys(spec.options)) {
    const value = values[name];
    if (OUTPUT_ONLY.has(name) || value === undefined || value === false || value === '') continue;
    words.push(`--${name}`);
    if (value !== true) words.push(String(value));
  }
  return words.map(shellWord).join(' ');
}
