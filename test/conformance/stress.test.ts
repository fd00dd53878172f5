/**
 * A short stress of every variant that is meant to work: four CPUs, so many operations each, full checks, an audit at
 * the end.
 *
 * One machine serves all variants of the JavaScript execution. Configuration is constant while CPUs work; here it
 * changes between runs, when all CPUs are idle and all tables free, whose locks, of the kind before, become new. A
 * WebAssembly kernel has the configuration in its code: there each variant has a machine of its own.
 */
import { LOCK_CODES } from '../../src/machine/lockKinds.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  COUNTER_TABLES_RECLAIMED_FAST,
  COUNTER_TABLES_RECLAIMED_SLOW,
  EMPTINESS_SCAN,
  FAULT_MMAP_LOCK,
  FREE_RCU,
  ZAP_PAGE,
} from '../../src/kernel/abi.ts';
import * as layout from '../../src/kernel/abi.ts';
import { MIX_NAMES } from '../../src/experiment/mixNames.ts';
import { boot } from '../../src/boot/boot.ts';
import type { Machine } from '../../src/machine/machine.ts';
import {
  EMPTINESS_MODES,
  EXECUTIONS,
  FAULT_PATHS,
  FREE_MODES,
  PROTOCOL_CODES,
  ZAP_MODES,
} from '../../src/machine/options.ts';
import { aboutProtocol } from '../../src/machine/protocols.ts';
import { VARIANTS, variantName, type Variant } from './variants.ts';

const CPUS = 4;
/** Operations of each CPU and variant. Locks whose waiters spin are slow when CPUs outnumber cores. */
const OPERATIONS = 300;
const MIXES = MIX_NAMES.filter((name) => name !== 'gup-only');

/** Every order that anonymous faults may allocate. */
const ALL_ORDERS = 0x3fc;

/** `large`: anonymous faults allocate large folios. */
function configure(machine: Machine, variant: Variant, large: boolean): void {
  const put = (address: number, value: number): void => {
    machine.words[address >>> 2] = value;
  };
  put(layout.H_PROTOCOL, PROTOCOL_CODES[variant.protocol]);
  put(layout.H_EMPTINESS, EMPTINESS_SCAN + EMPTINESS_MODES.indexOf(variant.emptiness));
  put(layout.H_FREE_MODE, FREE_RCU + FREE_MODES.indexOf(variant.free));
  put(layout.H_FAULT_PATH, FAULT_MMAP_LOCK + FAULT_PATHS.indexOf(variant.fault));
  put(layout.H_MTHP, large ? ALL_ORDERS : 0);
  put(layout.H_ZAP, ZAP_PAGE + ZAP_MODES.indexOf(variant.zap));
  put(layout.H_LOCK_KIND, LOCK_CODES[variant.lock]);
  const descriptors = machine.words[layout.H_PTDESCS >>> 2]!;
  for (let table = 1; table < machine.words[layout.G_TABLE_BUMP >>> 2]!; table++) {
    const lock = descriptors + (table << layout.PTDESC_SHIFT) + layout.PT_LOCK;
    for (let at = lock; at < lock + layout.LOCK_BYTES; at += 4) put(at, 0);
  }
}

function reclaimed(machine: Machine): number {
  let sum = 0;
  for (let cpu = 0; cpu < CPUS; cpu++)
    for (const code of [COUNTER_TABLES_RECLAIMED_FAST, COUNTER_TABLES_RECLAIMED_SLOW])
      sum += machine.words[(layout.cpuArea(cpu) + layout.C_COUNTERS + code * 4) >>> 2]!;
  return sum;
}

const SIZES = {
  cpus: CPUS,
  tables: 4096,
  frames: 32_768,
  vmas: 4096,
  anonVmas: 4096,
  anonVmaChains: 8192,
  batchEntries: 20,
  batchCount: 2,
  inject: { table: 200, frame: 500, delay: 50, resched: 20, storm: 50 },
} as const;

/** Runs a variant on `machine`, which is configured for it; returns how many tables its zaps detached. */
async function stress(machine: Machine, variant: Variant, index: number): Promise<number> {
  const before = reclaimed(machine);
  const mix = MIXES[index % MIXES.length]!;
  const report = await machine.run(mix, { operations: OPERATIONS, seed: index + 1 });
  expect(report.violations.map((one) => one.message)).toEqual([]);
  expect(report.audit?.findings).toEqual([]);
  expect(report.operations).toBe(CPUS * OPERATIONS);
  const count = reclaimed(machine) - before;
  if (aboutProtocol(variant.protocol).frees === 'nothing') expect(count).toBe(0);
  return count;
}

describe.each(EXECUTIONS.map((execution) => [execution]))('%s', (execution) => {
  let shared: Machine | null = null;
  let sum = 0;
  beforeAll(async () => {
    if (execution === 'js') shared = await boot({ ...SIZES, execution });
  });
  afterAll(() => shared?.shutdown());

  const variants = VARIANTS.filter((variant) => variant.execution === execution);
  it.each(variants.map((variant, index) => [variantName(variant), variant, index] as const))(
    '%s',
    async (_, variant, index) => {
      // Each lock kind and mix with large folios and without.
      const large = ((index + (index >>> 2)) & 1) === 1;
      if (shared !== null) {
        configure(shared, variant, large);
        sum += await stress(shared, variant, index);
      } else {
        await using machine = await boot({
          ...SIZES,
          ...variant,
          mthp: large ? 'always' : 'never',
        });
        sum += await stress(machine, variant, index);
      }
    },
  );

  it('tables were reclaimed meanwhile', () => {
    expect(sum).toBeGreaterThan(0);
  });
});
