/**
 * The variants of a machine: every combination of its axes, those that are meant to work and those that are refused.
 */
import {
  EMPTINESS_MODES,
  EXECUTIONS,
  FAULT_PATHS,
  LOCK_KINDS,
  PROTOCOLS,
  resolveOptions,
  ZAP_MODES,
  type MachineOptions,
} from '../../src/machine/options.ts';
import { refusalOf } from '../../src/machine/refusals.ts';

/**
 * `semi-rcu` is right as long as tables are freed in batches, or nobody walks but GUP-fast; on one CPU nobody walks
 * while another frees. `immediate` is wrong on purpose.
 */
const FREE_RIGHT = ['rcu', 'semi-rcu'] as const;

export type Variant = Required<
  Pick<MachineOptions, 'protocol' | 'emptiness' | 'free' | 'fault' | 'zap' | 'lock' | 'execution'>
>;

const EVERY: Variant[] = EXECUTIONS.flatMap((execution) =>
  PROTOCOLS.flatMap((protocol) =>
    EMPTINESS_MODES.flatMap((emptiness) =>
      FREE_RIGHT.flatMap((free) =>
        FAULT_PATHS.flatMap((fault) =>
          ZAP_MODES.flatMap((zap) =>
            LOCK_KINDS.map((lock) => ({ protocol, emptiness, free, fault, zap, lock, execution })),
          ),
        ),
      ),
    ),
  ),
);

const isRefused = (variant: Variant): boolean =>
  refusalOf({ ...resolveOptions({}), ...variant }) !== null;

/** Every combination that is meant to work. */
export const VARIANTS: Variant[] = EVERY.filter((variant) => !isRefused(variant));
/** Every combination that a machine refuses. */
export const REFUSED: Variant[] = EVERY.filter(isRefused);

/** A variant in the words of the command line's options. */
export function variantName(variant: Variant): string {
  const { protocol, emptiness, free, fault, zap, lock, execution } = variant;
  return `${execution} ${protocol} ${emptiness} ${free} ${fault} ${zap} ${lock}`;
}
