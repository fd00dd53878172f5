/** The commands: the module of each, which is loaded when it is wanted. */
import type { Command } from './command.ts';
import type { CommandName } from './summaries.ts';

const LOADERS: Readonly<Record<CommandName, () => Promise<Command>>> = {
  stress: async () => (await import('./stress.ts')).stress,
  replay: async () => (await import('./replay.ts')).replay,
  explore: async () => (await import('./explore.ts')).explore,
  contend: async () => (await import('./contend.ts')).contend,
  list: async () => (await import('./list.ts')).list,
  demo: async () => (await import('./demo.ts')).demo,
};

/** Loads a command; the others stay where they are. */
export function loadCommand(name: CommandName): Promise<Command> {
  return LOADERS[name]();
}
