/** The rows of the tables: every reclaim protocol, and each way that one has to know that a table is empty. */
import { type MachineOptions, PROTOCOLS } from '../../src/machine/options.ts';
import { aboutProtocol } from '../../src/machine/protocols.ts';

export interface Row {
  name: string;
  machine: Pick<MachineOptions, 'protocol' | 'emptiness'>;
}

export const ROWS: readonly Row[] = PROTOCOLS.flatMap((protocol): Row[] =>
  (aboutProtocol(protocol).emptiness ?? [null]).map((emptiness) =>
    emptiness === null
      ? { name: protocol, machine: { protocol } }
      : { name: `${protocol}, ${emptiness}`, machine: { protocol, emptiness } },
  ),
);
