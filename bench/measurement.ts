/** What the suites measure and how they hand it over. */
import type { PeerSet } from './peers.ts';

/** A cost: less is better. */
export type Unit = 'ns' | 'us' | 'ms';

export interface Measurement {
  /** Unique; parts divided by `/`, the last one says who is measured: `walk/4096/wasm`. */
  name: string;
  unit: Unit;
  /** One round: warms up, times its own batches and gives the median cost of one operation in `unit`. */
  runRound(): Promise<number>;
  /**
   * Makes this a yardstick: every other measurement named `peerOf`, or whose name goes on after it with a `/`, is
   * given as a ratio to this one, unless it is itself a yardstick for the same.
   */
  peerOf?: string;
  /** The ratio to its first yardstick that this should not exceed. */
  atMost?: number;
}

export interface Setting {
  /** The C peers that could be built; null where only ptlab is wanted. */
  peers: PeerSet | null;
  /** How long one round of one measurement lasts, warm-up excluded. */
  roundMs: number;
  /** Smaller sizes where a suite has a choice. */
  quick: boolean;
}

export interface OpenSuite extends AsyncDisposable {
  measurements: Measurement[];
  /** Lines to stand under the figures: what was counted in the rounds and is no cost. */
  notes?: () => string[];
}

export interface Suite {
  name: string;
  title: string;
  /** Also measured with the Node versions that `--node` names. */
  guests?: true;
  open(setting: Setting): Promise<OpenSuite>;
}

/** An open suite whose measurements share something that `close` ends. */
export function openSuite(
  measurements: Measurement[],
  close: () => Promise<void> = async () => {},
): OpenSuite {
  return { measurements, [Symbol.asyncDispose]: close };
}

/** The measurements that are yardsticks of `subject`, in the order given. */
export function peersOf(subject: Measurement, all: readonly Measurement[]): Measurement[] {
  return all.filter(
    ({ peerOf }) =>
      peerOf !== undefined &&
      peerOf !== subject.peerOf &&
      (subject.name === peerOf || subject.name.startsWith(`${peerOf}/`)),
  );
}

/**
 * What is left of a yardstick's name when the part that it shares with its subjects is taken away; else its last part.
 */
export function peerLabel({ name, peerOf }: Measurement): string {
  const prefix = `${peerOf ?? ''}/`;
  return name.startsWith(prefix) ? name.slice(prefix.length) : name.replace(/^.*\//, '');
}

/** A C peer's measurement, or nothing when that peer could not be built. */
export function peer(
  { peers, roundMs }: Setting,
  program: string,
  name: string,
  peerOf?: string,
): Measurement[] {
  if (!peers?.has(program)) return [];
  const runRound = async () => (await peers.run(program, roundMs)).nsPerOp;
  return [{ name, unit: 'ns', runRound, ...(peerOf === undefined ? {} : { peerOf }) }];
}
