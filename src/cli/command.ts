import type { CommandSpec, OptionSpecs, ParsedCommand } from './options.ts';

/** One command of the command line: its options, and what it does; `run` resolves to the exit code. */
export interface Command {
  readonly spec: CommandSpec;
  run(values: Readonly<Record<string, unknown>>, positionals: readonly string[]): Promise<number>;
}

/** A command whose `run` sees its own options' types. */
export function defineCommand<const S extends OptionSpecs>(
  spec: CommandSpec<S>,
  run: (values: ParsedCommand<S>['values'], positionals: readonly string[]) => Promise<number>,
): Command {
  return {
    spec,
    run: (values, positionals) => run(values as ParsedCommand<S>['values'], positionals),
  };
}
