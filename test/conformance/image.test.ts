/**
 * WebAssembly and JavaScript leave the same memory image: the same operations are done on two machines, and after every
 * few the whole memories are compared, as is each answer. Nothing is left out: the clock of both machines is a counter,
 * so that even the words that hold times agree.
 *
 * The seed of a sequence and how to run it alone stand in the message of a difference. PTLAB_SEED=n runs the sequence
 * of seed n only.
 */
import { describe, expect, it } from 'vitest';
import { PMD_PAGES } from '../../src/kernel/abi.ts';
import { describeAddress } from '../../src/machine/addresses.ts';
import {
  CHECK_LEVELS,
  FAULT_PATHS,
  LOCK_KINDS,
  PROTOCOLS,
  THP_MODES,
  ZAP_MODES,
  type MachineOptions,
} from '../../src/machine/options.ts';
import { MachineHere } from './machineHere.ts';
import {
  apply,
  Random,
  randomOperations,
  State,
  type RandomOperation,
} from './randomOperations.ts';

const OPERATIONS = 100_000;
const SEQUENCES = 20;
const OPERATIONS_EACH = OPERATIONS / SEQUENCES;
/** Operations between two comparisons. */
const COMPARE_EVERY = 250;

/** The machine of a seed: every axis, sizes that run out now and then, failures. */
function optionsOf(seed: number): MachineOptions {
  const random = new Random(~seed);
  const rate = (often: number): number => (random.below(2) === 0 ? 0 : often);
  return {
    cpus: 3,
    seed,
    protocol: PROTOCOLS[seed % PROTOCOLS.length]!,
    free: random.pick(['rcu', 'rcu', 'semi-rcu', 'immediate']),
    fault: random.pick(FAULT_PATHS),
    lock: random.pick(LOCK_KINDS),
    check: CHECK_LEVELS[random.pick([2, 2, 2, 1, 0])]!,
    tables: random.pick([64, 1024]),
    frames: random.pick([2048, 8192]),
    vmas: random.pick([64, 512]),
    swapPages: random.pick([0, 40, 256]),
    cacheBuckets: random.pick([1, 64, 1024]),
    batchEntries: random.pick([2, 7, 500]),
    batchCount: random.pick([1, 20]),
    lockStat: random.below(2) === 0,
    eventsPerCpu: 64,
    inject: {
      table: rate(40),
      batch: rate(10),
      frame: rate(40),
      resched: rate(4),
      delay: rate(20),
    },
    zap: random.pick(ZAP_MODES),
    mthp: random.pick(['never', 'always', [2, 4]]),
    thp: random.pick(THP_MODES),
    khugepaged: { scanSleepMs: 0, pagesToScan: random.pick([PMD_PAGES, 4096]) },
    zeroPage: random.below(3) !== 0,
  };
}

function show({ name, args, cpu }: RandomOperation): string {
  return `${name}(${args.map((word) => `0x${word.toString(16)}`).join(', ')}) on CPU ${cpu}`;
}

/** Where two machines differ first, in words; null when they do not. */
function difference(one: MachineHere, other: MachineHere): string | null {
  if (Buffer.compare(one.bytes, other.bytes) === 0) return null;
  const word = one.words.findIndex((value, index) => value !== other.words[index]);
  const place = describeAddress(one.words, word * 4) ?? 'no structure';
  const found = [one, other].map((m) => `${m.options.execution} 0x${m.words[word]!.toString(16)}`);
  return `word 0x${(word * 4).toString(16)} (${place}): ${found.join(', ')}`;
}

/**
 * Does the operations on both machines, comparing after every `every`. Gives the number of operations after which they
 * differed, and how, or null.
 */
function compare(
  machines: [MachineHere, MachineHere],
  operations: RandomOperation[],
  every: number,
): [number, string] | null {
  const states = machines.map((m) => new State(m.reset())) as [State, State];
  for (const [index, operation] of operations.entries()) {
    const answers = states.map((state) => apply(state, operation));
    if (answers[0] !== answers[1]) return [index + 1, `answers ${answers.join(' and ')}`];
    if ((index + 1) % every !== 0 && index + 1 !== operations.length) continue;
    const differs = difference(...machines);
    if (differs !== null) return [index + 1, differs];
  }
  for (const state of states) {
    state.m.attach();
    state.close();
    state.m.balanced();
  }
  const differs = difference(...machines);
  return differs === null ? null : [operations.length, `after the end: ${differs}`];
}

const only = process.env['PTLAB_SEED'];
const seeds = only === undefined ? Array.from({ length: SEQUENCES }, (_, i) => i + 1) : [+only];

describe(`${OPERATIONS} random operations on one CPU at a time`, () => {
  it.each(seeds)('seed %i', async (seed) => {
    const options = optionsOf(seed);
    const machines = (await Promise.all([
      MachineHere.make({ ...options, execution: 'wasm' }),
      MachineHere.make({ ...options, execution: 'js' }),
    ])) as [MachineHere, MachineHere];
    const operations = randomOperations(seed, OPERATIONS_EACH, 3);
    const rough = compare(machines, operations, COMPARE_EVERY);
    if (rough === null) return;
    const [count, what] = compare(machines, operations.slice(0, rough[0]), 1) ?? rough;
    expect.fail(
      `after operation ${count}, ${show(operations[count - 1]!)}: ${what}\n` +
        `again: PTLAB_SEED=${seed} npx vitest run test/conformance/image.test.ts`,
    );
  });
});
