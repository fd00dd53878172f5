/** The options of a machine. */
import type { OtherOptions, ResolvedOtherOptions } from './otherOptions.ts';
import type { Protocol } from './protocols.ts';

/** Options of `boot`, all optional. */
export interface MachineOptions extends OtherOptions {
  /** Reclaim protocol; default `sync`. */
  protocol?: Protocol;
}

/** Options with every default filled in. */
export interface ResolvedOptions extends ResolvedOtherOptions {
  protocol: Protocol;
}
