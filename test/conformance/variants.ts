/** The variants that are meant to work. Freeing mode `immediate` is not one of them. */
import {
  EXECUTIONS,
  FAULT_PATHS,
  LOCK_KINDS,
  PROTOCOLS,
  type MachineOptions,
} from '../../src/machine/options.ts';

/**
 * `semi-rcu` is right as long as tables are freed in batches, or nobody walks but GUP-fast; on one CPU nobody walks while
 * another frees.
 */
const FREE_RIGHT = ['rcu', 'semi-rcu'] as const;

export type Variant = Required<
  Pick<MachineOptions, 'protocol' | 'free' | 'fault' | 'lock' | 'execution'>
>;

/** Every combination. */
export const VARIANTS: Variant[] = EXECUTIONS.flatMap((execution) =>
  PROTOCOLS.flatMap((protocol) =>
    FREE_RIGHT.flatMap((free) =>
      FAULT_PATHS.flatMap((fault) =>
        LOCK_KINDS.map((lock) => ({ protocol, free, fault, lock, execution })),
      ),
    ),
  ),
);

/** A variant in the words of the command line's options. */
export function variantName(variant: Variant): string {
  const { protocol, free, fault, lock, execution } = variant;
  return `${execution} ${protocol} ${free} ${fault} ${lock}`;
}
