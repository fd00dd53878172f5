/** `count` CPUs that do the same, for a scenario's `cpus`. */
export function several(count: number, run: (cpu: u32) => void): ((cpu: u32) => void)[] {
  return Array.from({ length: count }, () => run);
}
