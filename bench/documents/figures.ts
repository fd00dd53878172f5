/** Figures that stand in sentences, by the name that follows them there. */
import { MUTANTS, RACES } from '../../src/explore/mutants/index.ts';
import { scenarioNames } from '../../src/explore/scenario.ts';
import { HOLD_EVERY } from '../../src/kernel/abi.ts';
import { ORACLE_NAMES } from '../../src/machine/oracles.ts';
import { PROTOCOLS } from '../../src/machine/options.ts';
import { formatCount } from '../../src/report/format.ts';
import { readTree } from './tree.ts';

interface Package {
  engines: { node: string };
}

/** As documents write them. Counts compiled scenarios. */
export function figures(): Record<string, string> {
  const { engines } = JSON.parse(readTree('package.json')) as Package;
  return {
    mutants: formatCount(MUTANTS.length),
    races: formatCount(Object.keys(RACES).length),
    scenarios: formatCount(scenarioNames().length),
    oracles: formatCount(ORACLE_NAMES.length),
    protocols: formatCount(PROTOCOLS.length),
    'hold-every': formatCount(HOLD_EVERY),
    'node-version': engines.node.replace('>=', ''),
  };
}
