import { EXECUTIONS, LOCK_KINDS, type MachineOptions } from '../../src/index.ts';

import { type Measurement, type Setting, type Suite, openSuite, peer } from '../measurement.ts';
import { type Bench, Benches } from '../ptlab.ts';

type LockKind = NonNullable<MachineOptions['lock']>;

/** How many locks are taken in turn without contention. */
export const LOCKS = [1, 4096] as const;

/** How many threads want the same lock. */
export const CONTENDERS = [2, 4] as const;

/** The C locks that a kind of ptlab's is put beside, where there are such. */
const beside: Partial<Record<LockKind, string[]>> = {
  adaptive: ['pthread'],
  tas: ['c-tas', 'ck-fas'],
  ticket: ['ck-ticket'],
  mcs: ['ck-mcs'],
};

/** Threads that take one lock each time to add one to a word; the word tells whether the lock let two in. */
function contending(bench: Bench, name: string, threads: number, roundMs: number): Measurement {
  const counter = bench.spare;
  const order = { name: 'countUnderLock' as const, given: { lock: bench.locks, counter } };
  const loops = Array.from({ length: threads }, () => order);
  const { words } = bench.machine;
  const run = async (durationMs: number) => {
    words[counter >>> 2] = 0;
    const { nsPerOperation, operations } = await bench.together(loops, durationMs);
    if (words[counter >>> 2] !== operations % 2 ** 32)
      throw new Error(`${name}: the lock let two threads in`);
    return nsPerOperation;
  };
  return {
    name,
    unit: 'ns',
    runRound: async () => {
      await run(roundMs / 4);
      return run(roundMs);
    },
  };
}

export const lock: Suite = {
  name: 'lock',
  title: 'table lock: lock and unlock',
  async open(setting: Setting) {
    const benches = new Benches(setting);
    const machine = { cpus: CONTENDERS[1], tables: 1024, frames: 1024 };
    return benches.closeOnError(async () => {
      const kinds = new Map<LockKind, Bench>();
      for (const kind of LOCK_KINDS)
        kinds.set(kind, await benches.open({ ...machine, lock: kind }));
      const wasm = kinds.get('adaptive')!;
      const js = await benches.open({ ...machine, execution: 'js' });
      return openSuite(
        [
          ...LOCKS.flatMap((locks) => [
            ...peer(setting, `lock/${locks}`, `lock/${locks}/c`, `lock/${locks}`),
            ...EXECUTIONS.map((execution) => {
              const bench = execution === 'wasm' ? wasm : js;
              return bench.batches({
                name: `lock/${locks}/${execution}`,
                batch: 'lock',
                given: { lock: bench.locks, locks },
                ...(execution === 'wasm' ? { atMost: 1.2 } : {}),
              });
            }),
          ]),
          ...CONTENDERS.flatMap((threads) =>
            LOCK_KINDS.flatMap((kind) => {
              const group = `lock/contended-${threads}`;
              const name = `${group}/${kind}`;
              return [
                ...(beside[kind] ?? []).flatMap((peerName) =>
                  peer(setting, `${group}/${peerName}`, `${group}/${peerName}`, name),
                ),
                contending(kinds.get(kind)!, `${name}/wasm`, threads, setting.roundMs),
                ...(kind === 'adaptive'
                  ? [contending(js, `${name}/js`, threads, setting.roundMs)]
                  : []),
              ];
            }),
          ),
        ],
        benches.close,
      );
    });
  },
};
