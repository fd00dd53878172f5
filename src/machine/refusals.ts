/**
 * Combinations of options that are not meant to work, each with the reason; a machine with one of them does not boot.
 * What is wrong on purpose (freeing `immediate`, `semi-rcu`) is not here: it is there to be caught.
 */
import { CPUS_MAX } from '../kernel/abi.ts';
import type { ResolvedOptions } from './optionTypes.ts';
import type { EmptinessMode } from './otherOptions.ts';
import { aboutProtocol, PROTOCOLS, type Protocol } from './protocols.ts';

interface Refusal {
  /** The option that the error names. */
  option: keyof ResolvedOptions;
  /** What the others have to do with it, and what is allowed instead. */
  reason: string;
  when(options: ResolvedOptions): boolean;
}

export const REFUSALS: readonly Refusal[] = [
  ...PROTOCOLS.flatMap((name) =>
    (aboutProtocol(name).refuses ?? []).map(({ option, value, reason }): Refusal => ({
      option: option as keyof ResolvedOptions,
      reason: `${reason} (protocol ${name})`,
      when: (options) =>
        options.protocol === name && options[option as keyof ResolvedOptions] === value,
    })),
  ),
  {
    option: 'daemonCpu',
    reason: `false with ${CPUS_MAX} CPUs: there is no further one`,
    when: ({ cpus, daemonCpu }) => daemonCpu && cpus === CPUS_MAX,
  },
  {
    option: 'emptiness',
    reason: `scan: only ${PROTOCOLS.filter((name) => knowsEmptiness(name, 'count')).join(', ')} keeps counts of entries to tell an empty table by`,
    when: ({ emptiness, protocol }) => !knowsEmptiness(protocol, emptiness),
  },
];

/** Whether a protocol can tell an empty table in this way. */
function knowsEmptiness(protocol: Protocol, mode: EmptinessMode): boolean {
  return (aboutProtocol(protocol).emptiness ?? ['scan']).includes(mode);
}

/** The first refusal that applies, or null. */
export function refusalOf(options: ResolvedOptions): Refusal | null {
  return REFUSALS.find((refusal) => refusal.when(options)) ?? null;
}
