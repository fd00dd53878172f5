import type { CpuDiedError } from '../machine/death.ts';

/** The stack of an unforeseen exception that ended a CPU; empty for other deaths, whose cause says all. */
export function deathLines(error: CpuDiedError): string[] {
  const { cpu, stack } = error.death;
  if (stack === null) return [];
  return [
    `exception on CPU ${cpu}:`,
    ...stack.split('\n').map((line) => `  ${line.trimEnd()}`),
    '',
  ];
}
