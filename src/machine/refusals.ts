/**
 * Combinations of options that are not meant to work, each with the reason; a machine with one of them does not boot. What is wrong on purpose
 * (freeing `immediate`, `semi-rcu`) is not here: it is there to be caught.
 */
import { CPUS_MAX } from '../kernel/abi.ts';
import type { ResolvedOptions } from './optionTypes.ts';
import { PROTOCOL_LIST, PROTOCOLS, type ProtocolEntry } from './protocols.ts';

export interface Refusal {
  /** The option that the error names. */
  option: keyof ResolvedOptions;
  /** What the others have to do with it, and what is allowed instead. */
  reason: string;
  when(options: ResolvedOptions): boolean;
}

export const REFUSALS: readonly Refusal[] = [
  ...PROTOCOLS.flatMap((protocol) =>
    ((PROTOCOL_LIST[protocol] as ProtocolEntry).refusals ?? []).map((refusal) => ({
      ...refusal,
      when: (options: ResolvedOptions) => options.protocol === protocol && refusal.when(options),
    })),
  ),
  {
    option: 'daemonCpu',
    reason: `false with ${CPUS_MAX} CPUs: there is no further one`,
    when: ({ cpus, daemonCpu }) => daemonCpu && cpus === CPUS_MAX,
  },
  {
    option: 'emptiness',
    reason: 'scan: only protocol pt-rwsem keeps counts of entries to tell an empty table by',
    when: ({ emptiness, protocol }) => emptiness === 'count' && protocol !== 'pt-rwsem',
  },
];

/** The first refusal that applies, or null. */
export function refusalOf(options: ResolvedOptions): Refusal | null {
  return REFUSALS.find((refusal) => refusal.when(options)) ?? null;
}
