import { EXECUTIONS } from '../../src/index.ts';
import { type Measurement, type Setting, type Suite, openSuite, peer } from '../measurement.ts';
import { type Bench, Benches } from '../ptlab.ts';

/** Callbacks queued before each barrier, as in the peers. */
export const CALLBACKS = 65_536;

const NEVER = 2 ** 31;

const rows: [what: string, yardsticks: string[], beside: string[]][] = [
  ['read', ['qsbr'], ['memb']],
  ['quiescent', ['qsbr', 'qsbr-inline'], []],
  ['grace-period', ['qsbr', 'qsbr-inline'], ['memb']],
  ['call-rcu', ['qsbr'], ['memb']],
];

/** ptlab's part of a row. Goals are for WebAssembly. */
function own(bench: Bench, what: string): Measurement[] {
  const { execution } = bench.machine.options;
  const named = { name: `rcu/${what}/${execution}`, ...(execution === 'wasm' && { atMost: 1.5 }) };
  const word = bench.spare;
  if (what === 'read') return [bench.batches({ ...named, batch: 'readSection', given: { word } })];
  if (what === 'quiescent')
    return [bench.batches({ ...named, batch: 'quiescentState', given: {} })];
  if (what === 'grace-period') {
    const reader = { name: 'read' as const, given: { word } };
    return [bench.batches({ ...named, batch: 'gracePeriod', given: {} }, [reader])];
  }
  const given = { address: bench.spare, heads: CALLBACKS };
  return [
    bench.batches({
      ...named,
      batch: 'callRcu',
      given: { ...given, every: NEVER },
      operations: CALLBACKS,
    }),
    bench.batches({
      ...named,
      name: `${named.name}-steady`,
      batch: 'callRcu',
      given: { ...given, every: 1 },
      operations: CALLBACKS,
    }),
  ];
}

export const rcu: Suite = {
  name: 'rcu',
  title: 'RCU: read section, quiescent state, grace period, callback',
  async open(setting: Setting) {
    const benches = new Benches(setting);
    return benches.closeOnError(async () => {
      const machines: Bench[] = [];
      for (const execution of EXECUTIONS)
        machines.push(await benches.open({ cpus: 2, execution, tables: 1024, frames: 1024 }));
      return openSuite(
        [
          ...rows.flatMap(([what, yardsticks, beside]) => [
            ...yardsticks.flatMap((flavour) =>
              peer(setting, `rcu/${what}/${flavour}`, `rcu/${what}/${flavour}`, `rcu/${what}`),
            ),
            ...machines.flatMap((bench) => own(bench, what)),
            ...beside.flatMap((flavour) =>
              peer(setting, `rcu/${what}/${flavour}`, `rcu/${what}/${flavour}`),
            ),
          ]),
          ...peer(setting, 'rcu/call-rcu-many/qsbr', 'rcu/call-rcu/qsbr-many', 'rcu/call-rcu'),
          ...peer(setting, 'rcu/call-rcu-cpu/qsbr', 'rcu/call-rcu/qsbr-cpu', 'rcu/call-rcu'),
        ],
        benches.close,
      );
    });
  },
};
