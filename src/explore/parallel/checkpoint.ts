/**
 * A search that was stopped, as JSON: what has been merged, and the tasks still to be explored. It goes on to the
 * result that an uninterrupted search has, as long as it is the same search of the same program: the linked source is
 * compared by its hash.
 */

import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { Scenario } from '../scenario.ts';
import type { RunSetup, SavedTree } from './work.ts';

const FORMAT = 'ptlab exploration';
/** Changes with the format, and with anything that changes what a task explores. */
const VERSION = 1;

export interface Checkpoint {
  format: typeof FORMAT;
  version: number;
  setup: RunSetup;
  /** SHA-256 of the linked source and of what changes the program besides it. */
  source: string;
  tree: SavedTree;
}

/** A checkpoint that cannot be gone on from; the message says why. */
export class CheckpointError extends Error {
  override readonly name = 'CheckpointError';
}

/** Hash of all that determines a scenario's program. */
function sourceHash({ source, request, about }: Scenario): string {
  const rest = JSON.stringify([about.machine, about.memoryBytes, request.machine, request.cpus]);
  return createHash('sha256').update(source).update('\0').update(rest).digest('hex');
}

export function makeCheckpoint(setup: RunSetup, scenario: Scenario, tree: SavedTree): Checkpoint {
  return { format: FORMAT, version: VERSION, setup, source: sourceHash(scenario), tree };
}

/** Throws CheckpointError unless a search of `scenario` as `setup` says can go on from `checkpoint`. */
export function checkCheckpoint(checkpoint: Checkpoint, setup: RunSetup, scenario: Scenario): void {
  const { format, version } = checkpoint;
  if (format !== FORMAT)
    throw new CheckpointError(`checkpoint: format "${format}"; must be "${FORMAT}"`);
  if (version !== VERSION)
    throw new CheckpointError(`checkpoint: version ${version}; this program writes ${VERSION}`);
  const plain = JSON.parse(JSON.stringify(setup)) as RunSetup;
  for (const part of ['request', 'settings'] as const)
    if (!isDeepStrictEqual(checkpoint.setup[part], plain[part]))
      throw new CheckpointError(
        `checkpoint: of another search: ${part} ${JSON.stringify(checkpoint.setup[part])}, not ${JSON.stringify(plain[part])}`,
      );
  if (checkpoint.source !== sourceHash(scenario))
    throw new CheckpointError(
      `checkpoint: scenario ${scenario.name}, or the kernel under it, has changed since`,
    );
}
