/**
 * The mutation matrix: for each mutant what found it, in which scenario, and at what cost.
 *
 *     node dist/bench/explore/mutants.js [options]        --help lists them
 *
 * Columns: mutant; number of the known race it shows; scenario; what found it; context switches of its failure after
 * shrinking; executions and seconds to the first failure by strategy, in one thread (for the random ones medians over
 * several seeds; a seed that did not find it counts as more than all others); operations, all CPUs, and seconds until
 * real threads found it (`ptlab stress --mutant`, start of the threads included). A cell with > says that it was not
 * found, and how far was searched.
 */

import { parseArgs } from 'node:util';
import { shrinkFailure } from '../../src/explore/failure/shrink.ts';
import { isFailing, type FailingVerdict } from '../../src/explore/failure/identity.ts';
import { findingOf } from '../../src/explore/mutants/finding.ts';
import { hunt, HUNT_STRATEGIES } from '../../src/explore/mutants/hunt.ts';
import {
  findMutant,
  MUTANT_NAMES,
  MUTANTS,
  stressMachine,
  type HuntStrategy,
  type Mutant,
} from '../../src/explore/mutants/index.ts';
import { openScenario, type Scenario } from '../../src/explore/scenario.ts';
import { CpuDiedError } from '../../src/machine/death.ts';
import { boot } from '../../src/boot/boot.ts';
import { formatCount } from '../../src/report/format.ts';

const HELP = `node dist/bench/explore/mutants.js [options]

  --mutant NAME   this mutant only; may be given more than once
  --seconds S     real-thread stress of each mutant, at most (20)
  --hunt S        each search, at most (2)
  --seeds N       seeds of each random strategy (3)
  --no-stress     without real threads
  --no-shrink     without context switches
  --json          one JSON document on stdout
  --help          this text
`;

/** One search: executions until the first failure, or of all when there was none. */
interface Hunted {
  found: boolean;
  executions: number;
  seconds: number;
}

interface Stressed extends Hunted {
  /** Operations of all CPUs, in place of executions. */
  executions: number;
  by: string | null;
}

interface Row {
  mutant: string;
  race: number | null;
  scenario: string;
  finding: string | null;
  preemptions: number | null;
  switches: number | null;
  hunts: Partial<Record<HuntStrategy, Hunted>>;
  stress: Stressed | null;
}

/** Longest that one shrinking may last, milliseconds. */
const SHRINK_MS = 10_000;

interface Settings {
  stressSeconds: number;
  huntMs: number;
  seeds: number;
  stress: boolean;
  shrink: boolean;
}

/** The middle one by cost; searches that did not find anything cost more than those that did. */
function median(all: Hunted[]): Hunted {
  const cost = ({ found, executions }: Hunted): number => (found ? executions : Infinity);
  return all.toSorted((a, b) => cost(a) - cost(b) || a.seconds - b.seconds)[(all.length - 1) >> 1]!;
}

/** Whether so many of `seeds` searches found nothing that the median is known to be one of them. */
const decided = (all: readonly Hunted[], seeds: number): boolean =>
  all.filter(({ found }) => !found).length * 2 > seeds;

function huntOnce(
  scenario: Scenario,
  strategy: HuntStrategy,
  seed: number,
  maxMs: number,
): { hunted: Hunted; verdict: FailingVerdict | null } {
  const { verdict, statistics } = hunt(scenario.make, strategy, { seed, maxMs });
  const failing = isFailing(verdict) ? verdict : null;
  const executions = statistics.executions + statistics.blocked;
  const seconds = statistics.durationMs / 1000;
  return { hunted: { found: failing !== null, executions, seconds }, verdict: failing };
}

async function stressOnce(mutant: Mutant, seconds: number): Promise<Stressed> {
  const startMs = performance.now();
  const since = (): number => (performance.now() - startMs) / 1000;
  try {
    await using running = await boot({ ...stressMachine(mutant), mutant: mutant.name });
    const report = await running.run(mutant.stress.mix, { durationMs: seconds * 1000 });
    const [violation] = report.violations;
    const by = violation?.oracle ?? report.audit?.findings[0]?.oracle ?? null;
    return { found: by !== null, executions: report.operations, seconds: since(), by };
  } catch (error) {
    if (!(error instanceof CpuDiedError)) throw error;
    const [violation] = error.report?.violations ?? [];
    const executions = error.report?.statistics.counters['ops'] ?? 0;
    return { found: true, executions, seconds: since(), by: violation?.oracle ?? 'death' };
  }
}

async function measure(mutant: Mutant, settings: Settings): Promise<Row> {
  const scenario = openScenario({ scenario: mutant.scenarios[0], mutant: mutant.name });
  const hunts: Row['hunts'] = {};
  let verdict: FailingVerdict | null = null;
  for (const strategy of HUNT_STRATEGIES) {
    const seeds = strategy === 'dpor' ? 1 : settings.seeds;
    const all: Hunted[] = [];
    for (let seed = 1; seed <= seeds && !decided(all, seeds); seed++) {
      const one = huntOnce(scenario, strategy, seed, settings.huntMs);
      all.push(one.hunted);
      // The shortest failing schedule is the one that is quickest to shrink.
      if (
        one.verdict !== null &&
        (verdict === null || one.verdict.schedule.length < verdict.schedule.length)
      )
        verdict = one.verdict;
    }
    hunts[strategy] = median(all);
  }
  const shrunk =
    verdict === null || !settings.shrink
      ? null
      : shrinkFailure(scenario, verdict, { maxMs: SHRINK_MS });
  return {
    mutant: mutant.name,
    race: mutant.race ?? null,
    scenario: mutant.scenarios[0],
    finding: verdict === null ? null : findingOf(verdict),
    preemptions: shrunk?.switches.preemptions ?? null,
    switches: shrunk?.switches.all ?? null,
    hunts,
    stress: settings.stress ? await stressOnce(mutant, settings.stressSeconds) : null,
  };
}

const seconds = (value: number): string => (value < 0.095 ? value.toFixed(2) : value.toFixed(1));

function cell(hunted: Hunted | undefined): string {
  if (hunted === undefined) return '';
  const { found, executions, seconds: took } = hunted;
  return `${found ? '' : '> '}${formatCount(executions)}, ${seconds(took)} s`;
}

function stressCell(stressed: Stressed | null, limit: number): string {
  if (stressed === null) return '';
  return stressed.found ? `${cell(stressed)} (${stressed.by})` : `not in ${limit} s`;
}

const head = [
  'mutant',
  'race',
  'scenario',
  'found by',
  'switches',
  'DPOR',
  'random',
  'PCT',
  'URW',
  'real threads',
];

function line(row: Row, limit: number): string {
  const { hunts } = row;
  const cells = [
    row.mutant,
    String(row.race ?? ''),
    row.scenario,
    row.finding ?? 'NOT FOUND',
    String(row.switches ?? ''),
    ...HUNT_STRATEGIES.map((strategy) => cell(hunts[strategy])),
    stressCell(row.stress, limit),
  ];
  return `| ${cells.join(' | ')} |`;
}

function readArguments(args: string[]) {
  const { values } = parseArgs({
    args,
    options: {
      mutant: { type: 'string', multiple: true },
      seconds: { type: 'string', default: '20' },
      hunt: { type: 'string', default: '2' },
      seeds: { type: 'string', default: '3' },
      'no-stress': { type: 'boolean', default: false },
      'no-shrink': { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const positive = (option: 'seconds' | 'hunt' | 'seeds'): number => {
    const value = Number(values[option]);
    if (value > 0 && value <= 3600) return value;
    throw new Error(`--${option} '${values[option]}' is not allowed; allowed: up to 3600`);
  };
  const chosen = (values.mutant ?? MUTANT_NAMES).map((name) => {
    const mutant = findMutant(name);
    if (mutant !== null) return mutant;
    throw new Error(`--mutant '${name}' is unknown; allowed: ${MUTANT_NAMES.join(', ')}`);
  });
  const settings: Settings = {
    stressSeconds: positive('seconds'),
    huntMs: positive('hunt') * 1000,
    seeds: positive('seeds'),
    stress: !values['no-stress'],
    shrink: !values['no-shrink'],
  };
  return { chosen, settings, json: values.json, help: values.help };
}

async function main(args: string[]): Promise<number> {
  const { chosen, settings, json, help } = readArguments(args);
  if (help) {
    process.stdout.write(HELP);
    return 0;
  }
  const rows: Row[] = [];
  if (!json) process.stdout.write(`| ${head.join(' | ')} |\n|${'---|'.repeat(head.length)}\n`);
  for (const mutant of chosen) {
    const row = await measure(mutant, settings);
    rows.push(row);
    if (!json) process.stdout.write(`${line(row, settings.stressSeconds)}\n`);
  }
  if (json) process.stdout.write(`${JSON.stringify({ settings, mutants: rows }, null, 2)}\n`);
  const missed = rows.filter(({ finding }) => finding === null);
  const deep = rows.filter(({ switches }) => (switches ?? 0) >= 3);
  process.stderr.write(
    `${rows.length} of ${MUTANTS.length} mutants, ${rows.length - missed.length} found; ${deep.length} need three context switches or more\n`,
  );
  return missed.length === 0 ? 0 : 1;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 2;
}
