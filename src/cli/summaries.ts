/** The commands' names, and one line of each: what can be said of them without loading any. */

/** One line of each command, in the order of lists. */
export const SUMMARIES = {
  stress: 'run a mix of operations on all CPUs at once, with every oracle watching',
  replay: 'replay an mm script or a recorded program and show its page-table memory',
  explore: 'try every interleaving of a scenario, or samples of them, on one thread per core',
  contend: 'measure workloads over protocols, locks and CPU counts: who waits for whom, for what',
  list: 'show protocols, the other axes, workloads, injections, oracles, scenarios and mutants',
  demo: 'show the main job: the 50 GiB loop, a recorded program, a stress, an exploration (npm start)',
} as const;

export type CommandName = keyof typeof SUMMARIES;

export const COMMAND_NAMES = Object.keys(SUMMARIES) as CommandName[];

/** Whether `name` is a command's. */
export function isCommand(name: string | undefined): name is CommandName {
  return COMMAND_NAMES.some((one) => one === name);
}
