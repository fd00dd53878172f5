/** Options of a machine: defaults, and the check of what is given. */
import { availableParallelism } from 'node:os';
import { CPUS_MAX, GATHER_BATCH_COUNT, GATHER_BATCH_ENTRIES } from '../kernel/abi.ts';
import { resolveFolioSizes } from './foliosOption.ts';
import { KHUGEPAGED_DEFAULTS, resolveKhugepaged } from './khugepagedOption.ts';
import { OptionError } from './optionError.ts';
import type { MachineOptions, ResolvedOptions } from './optionTypes.ts';
import {
  CHECK_LEVELS,
  DEATH_KINDS,
  EMPTINESS_MODES,
  EXECUTIONS,
  FAULT_PATHS,
  FREE_MODES,
  LOCK_KINDS,
  THP_MODES,
  ZAP_MODES,
  type Injection,
} from './otherOptions.ts';
import { aboutProtocol, DEFAULT_PROTOCOL, PROTOCOLS } from './protocols.ts';
import { refusalOf } from './refusals.ts';

export { OptionError };
export type { MachineOptions, ResolvedOptions } from './optionTypes.ts';
export * from './otherOptions.ts';
export { PROTOCOL_CODES, PROTOCOLS, type Protocol } from './protocols.ts';

/** Checks that `value` is a whole number in [least, most]. Throws OptionError. */
export function checkInteger(option: string, value: unknown, least: number, most: number): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < least || value > most)
    throw new OptionError(option, value, `a whole number from ${least} to ${most}`);
  return value;
}

/** Checks that `value` is a number in [least, most]. Throws OptionError. */
function checkNumber(option: string, value: unknown, least: number, most: number): number {
  if (typeof value !== 'number' || !(value >= least && value <= most))
    throw new OptionError(option, value, `a number from ${least} to ${most}`);
  return value;
}

/** Checks that `value` is one of `allowed`. Throws OptionError. */
function checkName<const T extends string>(
  option: string,
  value: unknown,
  allowed: readonly T[],
): T {
  const found = allowed.find((name) => name === value);
  if (found === undefined) throw new OptionError(option, value, allowed.join(', '));
  return found;
}

function checkBoolean(option: string, value: unknown): boolean {
  if (typeof value !== 'boolean') throw new OptionError(option, value, 'true, false');
  return value;
}

function checkText(option: string, value: unknown): string {
  if (typeof value !== 'string') throw new OptionError(option, value, 'a name');
  return value;
}

function checkPowerOfTwo(option: string, value: unknown, least: number, most: number): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most)
    if (value === 0 || Number.isInteger(Math.log2(value))) return value;
  throw new OptionError(option, value, `${least === 0 ? '0 or ' : ''}a power of two up to ${most}`);
}

/** Checks that `value` is an object with no keys but those of `known`. Throws OptionError. */
export function checkKeys(option: string, value: unknown, known: readonly string[]): object {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new OptionError(option, value, `an object with ${known.join(', ')}`);
  for (const key of Object.keys(value))
    if (!known.includes(key))
      throw new OptionError(
        option === 'options' ? key : `${option}.${key}`,
        'given',
        known.join(', '),
      );
  return value;
}

const DEFAULTS: ResolvedOptions = {
  cpus: Math.min(availableParallelism(), CPUS_MAX),
  protocol: DEFAULT_PROTOCOL,
  free: 'rcu',
  fault: 'vma-lock',
  zap: 'page',
  emptiness: 'scan',
  mthp: [],
  thp: 'never',
  zeroPage: true,
  khugepaged: KHUGEPAGED_DEFAULTS,
  lock: 'adaptive',
  execution: 'wasm',
  check: 'full',
  seed: 1,
  tables: 65_536,
  frames: 1_048_576,
  vmas: 65_536,
  anonVmas: 65_536,
  anonVmaChains: 131_072,
  addressSpaces: 16,
  inodes: 256,
  swapPages: 16_384,
  cacheBuckets: 4096,
  lockStat: false,
  contention: false,
  eventsPerCpu: 0,
  asyncDelayMs: 10,
  asyncEager: false,
  candidates: 16_384,
  daemonCpu: false,
  wasteSlots: 0,
  wasteMs: 100,
  stallMs: 4000,
  batchEntries: GATHER_BATCH_ENTRIES,
  batchCount: GATHER_BATCH_COUNT,
  inject: {
    table: 0,
    batch: 0,
    frame: 0,
    delay: 0,
    resched: 0,
    storm: 0,
    stalledReaders: 0,
    death: null,
  },
  mutant: null,
};

const U32_MAX = 0xffff_ffff;
/** Table and frame numbers are what bits 8 to 31 of an entry hold. */
const NUMBERS_MAX = 1 << 24;
const RATES = ['table', 'batch', 'frame', 'delay', 'resched', 'storm'] as const;

function resolveInjection(given: unknown, cpus: number): Injection {
  const inject = {
    ...DEFAULTS.inject,
    ...checkKeys('inject', given, Object.keys(DEFAULTS.inject)),
  };
  for (const rate of RATES) checkInteger(`inject.${rate}`, inject[rate], 0, U32_MAX);
  checkInteger('inject.stalledReaders', inject.stalledReaders, 0, cpus);
  if (inject.death !== null) {
    checkKeys('inject.death', inject.death, ['cpu', 'kind', 'after']);
    checkInteger('inject.death.cpu', inject.death.cpu, 0, cpus - 1);
    checkName('inject.death.kind', inject.death.kind, DEATH_KINDS);
    checkInteger('inject.death.after', inject.death.after, 0, U32_MAX);
  }
  return inject;
}

/** Fills in defaults and checks every option. Throws OptionError for the first that cannot be used. */
export function resolveOptions(options: MachineOptions = {}): ResolvedOptions {
  checkKeys('options', options, Object.keys(DEFAULTS));
  const given = Object.fromEntries(
    Object.entries(options).filter(([, value]) => value !== undefined),
  ) as MachineOptions;
  const all = { ...DEFAULTS, ...(given.mutant !== undefined && { execution: 'js' }), ...given };
  const cpus = checkInteger('cpus', all.cpus, 1, CPUS_MAX);
  const protocol = checkName('protocol', all.protocol, PROTOCOLS);
  const hasDaemon = aboutProtocol(protocol).daemon === true;
  const resolved: ResolvedOptions = {
    cpus,
    protocol,
    free: checkName('free', all.free, FREE_MODES),
    fault: checkName('fault', all.fault, FAULT_PATHS),
    zap: checkName('zap', all.zap, ZAP_MODES),
    emptiness: checkName('emptiness', all.emptiness, EMPTINESS_MODES),
    mthp: resolveFolioSizes(all.mthp),
    thp: checkName('thp', all.thp, THP_MODES),
    zeroPage: checkBoolean('zeroPage', all.zeroPage),
    khugepaged: resolveKhugepaged(all.khugepaged),
    lock: checkName('lock', all.lock, LOCK_KINDS),
    execution: checkName('execution', all.execution, all.mutant === null ? EXECUTIONS : ['js']),
    check: checkName('check', all.check, CHECK_LEVELS),
    seed: checkInteger('seed', all.seed, 0, U32_MAX),
    tables: checkInteger('tables', all.tables, 16, NUMBERS_MAX),
    frames: checkInteger('frames', all.frames, 1024, NUMBERS_MAX),
    vmas: checkInteger('vmas', all.vmas, 16, NUMBERS_MAX),
    anonVmas: checkInteger('anonVmas', all.anonVmas, 16, NUMBERS_MAX),
    anonVmaChains: checkInteger('anonVmaChains', all.anonVmaChains, 16, NUMBERS_MAX),
    addressSpaces: checkInteger('addressSpaces', all.addressSpaces, 1, 4096),
    inodes: checkInteger('inodes', all.inodes, 1, 65_535),
    swapPages: checkInteger('swapPages', all.swapPages, 0, NUMBERS_MAX),
    cacheBuckets: checkPowerOfTwo('cacheBuckets', all.cacheBuckets, 1, 1 << 20),
    lockStat: checkBoolean('lockStat', all.lockStat),
    contention: checkBoolean('contention', all.contention),
    eventsPerCpu: checkPowerOfTwo('eventsPerCpu', all.eventsPerCpu, 0, 1 << 20),
    asyncDelayMs: checkNumber('asyncDelayMs', all.asyncDelayMs, 0, 2000),
    asyncEager: checkBoolean('asyncEager', all.asyncEager),
    candidates: checkPowerOfTwo('candidates', all.candidates, 1, 1 << 20),
    daemonCpu: checkBoolean('daemonCpu', given.daemonCpu ?? hasDaemon),
    wasteSlots: checkPowerOfTwo(
      'wasteSlots',
      given.wasteSlots ?? (hasDaemon ? 4096 : 0),
      0,
      1 << 20,
    ),
    wasteMs: checkNumber('wasteMs', all.wasteMs, 1, 4000),
    stallMs: checkInteger('stallMs', all.stallMs, 1, 4000),
    batchEntries: checkInteger('batchEntries', all.batchEntries, 1, GATHER_BATCH_ENTRIES),
    batchCount: checkInteger('batchCount', all.batchCount, 1, GATHER_BATCH_COUNT),
    inject: resolveInjection(all.inject, cpus),
    mutant: all.mutant === null ? null : checkText('mutant', all.mutant),
  };
  const refusal = refusalOf(resolved);
  if (refusal !== null)
    throw new OptionError(refusal.option, resolved[refusal.option], refusal.reason);
  return resolved;
}
