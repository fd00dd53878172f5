/** The rows of the tables: every reclaim protocol, and each way that one has to know that a table is empty. */
import { EMPTINESS_MODES, type MachineOptions, PROTOCOLS } from '../../src/machine/options.ts';

export interface Row {
  name: string;
  machine: Pick<MachineOptions, 'protocol' | 'emptiness'>;
}

export const ROWS: readonly Row[] = PROTOCOLS.flatMap((protocol): Row[] =>
  protocol === 'pt-rwsem'
    ? EMPTINESS_MODES.map((emptiness) => ({
        name: `${protocol}, ${emptiness}`,
        machine: { protocol, emptiness },
      }))
    : [{ name: protocol, machine: { protocol } }],
);
