import { type Setting, type Suite, openSuite, peer } from '../measurement.ts';

/** Callbacks queued before each barrier, as in the peers. */
export const CALLBACKS = 65_536;

const rows: [what: string, yardsticks: string[], beside: string[]][] = [
  ['read', ['qsbr'], ['memb']],
  ['quiescent', ['qsbr', 'qsbr-inline'], []],
  ['grace-period', ['qsbr', 'qsbr-inline'], ['memb']],
  ['call-rcu', ['qsbr'], ['memb']],
];

export const rcu: Suite = {
  name: 'rcu',
  title: 'RCU: read section, quiescent state, grace period, callback',
  async open(setting: Setting) {
    return openSuite([
      ...rows.flatMap(([what, yardsticks, beside]) => [
        ...yardsticks.flatMap((flavour) =>
          peer(setting, `rcu/${what}/${flavour}`, `rcu/${what}/${flavour}`, `rcu/${what}`),
        ),
        ...beside.flatMap((flavour) =>
          peer(setting, `rcu/${what}/${flavour}`, `rcu/${what}/${flavour}`),
        ),
      ]),
      ...peer(setting, 'rcu/call-rcu-many/qsbr', 'rcu/call-rcu/qsbr-many', 'rcu/call-rcu'),
      ...peer(setting, 'rcu/call-rcu-cpu/qsbr', 'rcu/call-rcu/qsbr-cpu', 'rcu/call-rcu'),
    ]);
  },
};
