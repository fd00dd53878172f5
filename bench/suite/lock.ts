import { type Setting, type Suite, openSuite, peer } from '../measurement.ts';

/** How many locks are taken in turn without contention. */
export const LOCKS = [1, 4096] as const;

/** How many threads want the same lock. */
export const CONTENDERS = [2, 4] as const;

const contended = ['c-tas', 'ck-fas', 'ck-ticket', 'ck-mcs', 'pthread'];

export const lock: Suite = {
  name: 'lock',
  title: 'table lock: lock and unlock',
  async open(setting: Setting) {
    return openSuite([
      ...LOCKS.flatMap((locks) =>
        peer(setting, `lock/${locks}`, `lock/${locks}/c`, `lock/${locks}`),
      ),
      ...CONTENDERS.flatMap((threads) =>
        contended.flatMap((kind) => {
          const name = `lock/contended-${threads}/${kind}`;
          return peer(setting, name, name, `lock/contended-${threads}`);
        }),
      ),
    ]);
  },
};
