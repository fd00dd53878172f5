/** Exit codes of every command (see README). */
export const EXIT_RIGHT = 0;
export const EXIT_VIOLATION = 1;
export const EXIT_USAGE = 2;
export const EXIT_FAILED = 3;
export const EXIT_INTERRUPTED = 130;

/** A command line or an input that cannot be used: one line, exit 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** The first line of what was thrown, for people. */
export function errorLine(error: unknown): string {
  const text = error instanceof Error ? error.message || error.name : String(error);
  return text.split('\n', 1)[0]!;
}

/**
 * Names of the errors that say that a command line or an input cannot be used. By name: their modules are loaded by
 * those who throw them.
 */
export const USAGE_ERRORS: readonly string[] = [
  'UsageError',
  'OptionError',
  'TraceError',
  'ScenarioError',
  'ScheduleError',
  'LinkError',
  'DepartureError',
  'CheckpointError',
  'ScheduleFileError',
];

/** The exit code of a command that threw `error`. */
export function exitCodeOf(error: unknown): number {
  return error instanceof Error && USAGE_ERRORS.includes(error.name) ? EXIT_USAGE : EXIT_FAILED;
}
