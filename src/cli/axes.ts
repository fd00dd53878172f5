/** Options that several commands share: the axes of a run, the machine's sizes, output. */
import { CPUS_MAX } from '../kernel/abi.ts';
import {
  CHECK_LEVELS,
  EMPTINESS_MODES,
  EXECUTIONS,
  FAULT_PATHS,
  FREE_MODES,
  LOCK_KINDS,
  PROTOCOLS,
  THP_MODES,
  ZAP_MODES,
} from '../machine/options.ts';
import type { ProtocolAbout } from '../foundry/about.ts';
import type { MachineOptions } from '../machine/options.ts';
import { aboutProtocol, DEFAULT_PROTOCOL } from '../machine/protocols.ts';
import { Progress } from '../report/progress.ts';

/** Protocols of which something holds, for a sentence. */
const namesWhere = (holds: (about: ProtocolAbout) => boolean): string =>
  PROTOCOLS.filter((name) => holds(aboutProtocol(name))).join(', ');
const KNOW_COUNTS = namesWhere(({ emptiness }) => emptiness?.includes('count') === true);
const WITH_DAEMON = namesWhere(({ daemon }) => daemon === true);

const NUMBERS_MAX = 2 ** 24;
const EVENTS_MAX = 2 ** 20;

/** The axes of a run, with the lists that the machine itself checks against. */
export const AXIS_OPTIONS = {
  protocol: {
    kind: 'choice',
    allowed: PROTOCOLS,
    help: `how empty page tables are reclaimed (default ${DEFAULT_PROTOCOL})`,
  },
  free: {
    kind: 'choice',
    allowed: FREE_MODES,
    help: 'how a table is freed; immediate is wrong on purpose (default rcu)',
  },
  fault: { kind: 'choice', allowed: FAULT_PATHS, help: 'fault path (default vma-lock)' },
  emptiness: {
    kind: 'choice',
    allowed: EMPTINESS_MODES,
    help: `how a protocol knows that a table is empty; count: only ${KNOW_COUNTS} (default scan)`,
  },
  zap: {
    kind: 'choice',
    allowed: ZAP_MODES,
    help: 'how pages are unmapped: one by one, or the pages of a folio at once (default page)',
  },
  thp: {
    kind: 'choice',
    allowed: THP_MODES,
    help: 'huge pages: nowhere, where MADV_HUGEPAGE was given, everywhere (default never)',
  },
  lock: {
    kind: 'choice',
    allowed: LOCK_KINDS,
    help: 'kind of the page-table locks (default adaptive)',
  },
  execution: {
    kind: 'choice',
    allowed: EXECUTIONS,
    help: 'which build of the kernel runs (default wasm)',
  },
} as const;

/** How protocol `async` goes about it. */
export const ASYNC_OPTIONS = {
  'async-delay-ms': {
    kind: 'number',
    value: 'MS',
    min: 0,
    max: 2000,
    help: 'protocol async: how long a table waits before it is looked at (default 10)',
  },
  'async-eager': {
    kind: 'flag',
    help: 'protocol async: madvise dontneed of a whole span frees its table at once, as sync does',
  },
  'waste-ms': {
    kind: 'number',
    value: 'MS',
    min: 1,
    max: 4000,
    help: 'a table freed less than this before its span gets another one was freed for nothing (default 100)',
  },
} as const;

/** Daemons, on a CPU of their own. */
export const DAEMON_OPTIONS = {
  khugepaged: {
    kind: 'text',
    value: 'LIMITS',
    help: 'with --thp and --daemon-cpu: limits of khugepaged, such as pagesToScan=512,scanSleepMs=0,maxPtesNone=511,maxPtesSwap=64,maxPtesShared=256',
  },
  'daemon-cpu': {
    kind: 'flag',
    help: `a further CPU runs daemons: khugepaged, the splitter of folios (always there with protocol ${WITH_DAEMON})`,
  },
} as const;

export const CPU_OPTION = {
  kind: 'integer',
  value: 'N',
  min: 1,
  max: CPUS_MAX,
} as const;

/** Sizes of the machine. */
export const SIZE_OPTIONS = {
  mthp: {
    kind: 'text',
    value: 'SIZES',
    help: 'folios that anonymous faults may allocate: never, always, or sizes from 16K to 2M, such as 64K,2M (default never)',
  },
  'no-zero-page': {
    kind: 'flag',
    help: 'there is no zero page: reads of private anonymous memory allocate as writes do',
  },
  tables: {
    kind: 'integer',
    value: 'N',
    min: 16,
    max: NUMBERS_MAX,
    help: 'page tables there are, 2 KiB each (default 65,536; 1 TiB touched per 2 MiB needs 530,000)',
  },
  frames: {
    kind: 'integer',
    value: 'N',
    min: 64,
    max: NUMBERS_MAX,
    help: 'data frames there are, of 4 KiB (default 1,048,576)',
  },
  vmas: { kind: 'integer', value: 'N', min: 16, max: NUMBERS_MAX, help: 'VMAs (default 65,536)' },
} as const;

export const CHECK_OPTION = {
  kind: 'choice',
  allowed: CHECK_LEVELS,
} as const;

export const SEED_OPTION = {
  kind: 'integer',
  value: 'N',
  min: 0,
  max: 0xffff_ffff,
  help: 'seed of every generator of the run (default 1)',
} as const;

export const TIMEOUT_OPTION = {
  kind: 'number',
  value: 'S',
  min: 0.001,
  max: 1_000_000,
  help: 'end the run as failed (exit 3) after so many seconds (default: no limit)',
} as const;

/** What a machine keeps about itself beside its counters. */
export const RECORD_OPTIONS = {
  'lock-stat': {
    kind: 'flag',
    help: 'measure how long locks are held, and show quantiles of waits',
  },
  events: {
    kind: 'integer',
    value: 'N',
    min: 0,
    max: EVENTS_MAX,
    powerOfTwo: true,
    help: 'events that each CPU remembers, a power of two; the last ones are shown when something goes wrong (default 0)',
  },
} as const;

export const OUTPUT_OPTIONS = {
  json: { kind: 'flag', help: 'print one JSON document to stdout, and nothing else there' },
  quiet: { kind: 'flag', short: 'q', help: 'no progress on stderr' },
  progress: {
    kind: 'number',
    value: 'S',
    min: 0.1,
    max: 86_400,
    help: 'seconds between lines of progress where stderr is no terminal (default 15)',
  },
} as const;

/** The progress that a command shows on stderr. */
export function progressOf(values: { quiet: boolean; progress?: number | undefined }): Progress {
  const { quiet, progress } = values;
  return new Progress(process.stderr, {
    quiet,
    ...(progress === undefined ? {} : { lineEveryMs: progress * 1000 }),
  });
}

/** Keys of the machine's options that commands take under the same name, and under names of the command line's own. */
const MACHINE_KEYS = [
  'cpus',
  'protocol',
  'free',
  'fault',
  'zap',
  'emptiness',
  'mthp',
  'thp',
  'khugepaged',
  'lock',
  'execution',
  'check',
  'seed',
  'tables',
  'frames',
  'vmas',
] as const satisfies readonly (keyof MachineOptions)[];
const MACHINE_NAMES = {
  'lock-stat': 'lockStat',
  events: 'eventsPerCpu',
  'daemon-cpu': 'daemonCpu',
  'async-delay-ms': 'asyncDelayMs',
  'async-eager': 'asyncEager',
  'waste-ms': 'wasteMs',
} as const satisfies Readonly<Record<string, keyof MachineOptions>>;

/** The given values that are options of the machine; what was not given is left to its defaults. */
export function machineOptions(values: Readonly<Partial<Record<string, unknown>>>): MachineOptions {
  const options: Record<string, unknown> = {};
  for (const key of MACHINE_KEYS) if (values[key] !== undefined) options[key] = values[key];
  for (const [name, key] of Object.entries(MACHINE_NAMES))
    // A flag that is not given leaves the default, which may be true.
    if (values[name] !== undefined && values[name] !== false) options[key] = values[name];
  if (values['no-zero-page'] === true) options['zeroPage'] = false;
  return options as MachineOptions;
}
