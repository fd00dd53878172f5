/**
 * Measures a workload: boots a machine, warms up, takes samples, and gives what each sample did and what the machine
 * counted over all of them. Several are measured in turn, sample by sample (`measureInTurn`), so that a computer that
 * gets warmer or busier does so for all alike.
 *
 * A sample is a run of the workload, from its `prepare` to its `cleanUp`, on the machine that stays booted. Its rate is
 * taken over `sampleMs` in the middle: the first `settleMs` after the CPUs began are left out, in which what the run
 * before took out of caches comes back. A recorded program (`recorded:FILE`) is replayed once in each sample, and the
 * rate is that of the whole replay.
 *
 * Before the first sample the workload runs for `warmupMs`; then waits, holds and grace periods so far are forgotten.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { boot } from '../boot/boot.ts';
import { findWorkload } from '../experiment/workloads/index.ts';
import type { AuditReport } from '../machine/audit/index.ts';
import type { Contention } from '../machine/contention.ts';
import type { Machine } from '../machine/machine.ts';
import { OptionError, checkInteger, checkKeys, resolveOptions } from '../machine/options.ts';
import type { MachineOptions, ResolvedOptions } from '../machine/options.ts';
import type { LockStatistics, MachineStatistics } from '../machine/statistics.ts';
import type { Violation } from '../machine/violations.ts';
import { loadTrace } from '../trace/load.ts';
import type { OperationList } from '../trace/operation.ts';
import { replay, TABLE_KB } from '../trace/replay.ts';
import { replayMachine } from '../trace/sizes.ts';

/** What a workload's name begins with when it is a recorded program; the file's path follows. */
export const RECORDED = 'recorded:';

export interface MeasureOptions {
  /** Name of a named workload or of a mix, a module's URL, or `recorded:FILE`. */
  workload: string;
  /** The machine; sizes that the workload needs are filled in where they are not given, and `check` is `off`. */
  machine?: MachineOptions;
  /** Default 5. */
  samples?: number;
  /** Milliseconds of each sample, default 1000. */
  sampleMs?: number;
  /** Milliseconds before the first sample, default 1000. */
  warmupMs?: number;
  /** Milliseconds at the beginning of each sample that are left out, default 100. */
  settleMs?: number;
  /** Audit the machine after each sample; default true. */
  audit?: boolean;
  /** Ends the measurement; the sample under way is left out. */
  signal?: AbortSignal;
}

/** What one sample did. */
export interface Sample {
  /** The time that the other figures are of. */
  durationMs: number;
  /** Iterations of the workload as it counts them (`unit`), all CPUs; operations of one that does not count. */
  iterations: number;
  iterationsPerCpu: number[];
  iterationsPerSecond: number;
  /**
   * Processor time of the whole process meanwhile, milliseconds: of the CPUs' threads, and a little of the one that
   * looks.
   */
  processorMs: number;
  /** What the machine's counters went on by, all CPUs. */
  counters: Record<string, number>;
  /** Time that CPUs spent waiting for locks, over the time of all CPUs: 0 to 1. */
  lockWaitShare: number;
  /**
   * PTE, PMD and PUD tables, kB as Linux counts them: the greatest number there were, and how many were left when the
   * sample ended.
   */
  vmptePeakKb: number;
  vmpteKb: number;
  /** Greatest number of kB of tables seen that were detached and waited for a grace period; looked at every LOOK_MS. */
  heldBackPeakKb: number;
}

/** A measured workload. */
export interface Samples {
  workload: string;
  /** What an iteration is, such as `faults`. */
  unit: string;
  options: ResolvedOptions;
  samples: Sample[];
  /** Median of the samples' `iterationsPerSecond`, and the median of their distances from it; 0 without samples. */
  perSecond: number;
  perSecondMad: number;
  /** Of all samples together, settling included. */
  locks: Record<string, LockStatistics>;
  gracePeriodHistogramLog2Ns: number[];
  /** Null unless the machine measures contention. */
  contention: Contention | null;
  violations: Violation[];
  /** The first audit with findings, else the last; null without audits. */
  audit: AuditReport | null;
}

/** Milliseconds between two looks at a running sample. */
const LOOK_MS = 20;
const FOREVER_MS = 2 ** 31 - 1;
const OPTION_NAMES = [
  'workload',
  'machine',
  'samples',
  'sampleMs',
  'warmupMs',
  'settleMs',
  'audit',
  'signal',
];

/** The middle one of some numbers, or the mean of the two in the middle; 0 of none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const half = sorted.length >> 1;
  if (sorted.length === 0) return 0;
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}

/** Median distance from the median. */
export function medianDeviation(values: readonly number[]): number {
  const middle = median(values);
  return median(values.map((value) => Math.abs(value - middle)));
}

/** A reading of the counters. */
interface Reading {
  atMs: number;
  processorMs: number;
  statistics: MachineStatistics;
}

/** A booted machine with a workload to measure. End it with `close` or `await using`. */
export class MeasuredWorkload implements AsyncDisposable {
  readonly machine: Machine;
  readonly #options: Required<Omit<MeasureOptions, 'machine' | 'signal'>>;
  readonly #signal: AbortSignal | undefined;
  readonly #recording: OperationList | null;
  readonly #samples: Sample[] = [];
  #audit: AuditReport | null = null;

  private constructor(
    machine: Machine,
    options: Required<Omit<MeasureOptions, 'machine' | 'signal'>>,
    signal: AbortSignal | undefined,
    recording: OperationList | null,
  ) {
    this.machine = machine;
    this.#options = options;
    this.#signal = signal;
    this.#recording = recording;
  }

  /** Boots the machine. Rejects with OptionError, TraceError, or CpuDiedError. */
  static async open(given: MeasureOptions): Promise<MeasuredWorkload> {
    checkKeys('options', given, OPTION_NAMES);
    const { machine = {}, signal, ...rest } = given;
    const options = { samples: 5, sampleMs: 1000, warmupMs: 1000, settleMs: 100, audit: true };
    Object.assign(
      options,
      Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined)),
    );
    checkInteger('samples', options.samples, 0, 1_000_000);
    checkInteger('sampleMs', options.sampleMs, 1, FOREVER_MS);
    checkInteger('warmupMs', options.warmupMs, 0, FOREVER_MS);
    checkInteger('settleMs', options.settleMs, 0, FOREVER_MS);
    const { workload } = given;
    if (typeof workload !== 'string')
      throw new OptionError('workload', workload, 'a name, a URL, or recorded:FILE');
    const recording = workload.startsWith(RECORDED)
      ? loadTrace(workload.slice(RECORDED.length), {
          ...(machine.cpus !== undefined && { cpus: machine.cpus }),
        })
      : null;
    const booted = await boot({
      check: 'off',
      ...sizesOf(workload, recording, machine.cpus),
      ...machine,
    });
    return new MeasuredWorkload(booted, { ...options, workload }, signal, recording);
  }

  /** Runs the workload for `warmupMs`, a recorded program once, and forgets what it waited. */
  async warmUp(): Promise<void> {
    if (this.#recording !== null) await this.#replay();
    else if (this.#options.warmupMs > 0)
      await this.machine.run(this.#options.workload, {
        durationMs: this.#options.warmupMs,
        audit: false,
        ...(this.#signal !== undefined && { signal: this.#signal }),
      });
    this.machine.forgetWaits();
  }

  /** Takes one sample; false when the measurement has ended: by the signal, or by a violation. */
  async sample(): Promise<boolean> {
    if (this.#ended) return false;
    const sample = this.#recording === null ? await this.#run() : await this.#replay();
    if (sample !== null && !this.#signal?.aborted) this.#samples.push(sample);
    return !this.#ended;
  }

  get #ended(): boolean {
    return this.#signal?.aborted === true || this.machine.violations().length > 0;
  }

  #read(): Reading {
    const { user, system } = process.cpuUsage();
    return {
      atMs: performance.now(),
      processorMs: (user + system) / 1000,
      statistics: this.machine.statistics(),
    };
  }

  async #run(): Promise<Sample | null> {
    const { workload, sampleMs, settleMs, audit } = this.#options;
    const end = new AbortController();
    const stop = (): void => end.abort();
    this.#signal?.addEventListener('abort', stop, { once: true });
    if (this.#signal?.aborted) stop();
    const before = this.#read();
    // Whatever becomes of the run is seen where it is awaited.
    const running = this.machine.run(workload, {
      durationMs: FOREVER_MS,
      signal: end.signal,
      audit,
    });
    const over = running.then(
      () => true,
      () => true,
    );
    const until = async (done: () => boolean): Promise<void> => {
      let ended = false;
      while (!ended && !end.signal.aborted && !done())
        ended = await Promise.race([over, sleep(Math.min(LOOK_MS, sampleMs), false)]);
    };
    const begun = progressOf(before.statistics);
    await until(() => progressOf(this.machine.statistics()) !== begun);
    await Promise.race([sleep(settleMs), over]);
    const first = this.#read();
    let last = first;
    let heldBack = 0;
    await until(() => {
      last = this.#read();
      heldBack = Math.max(heldBack, last.statistics.tables.heldBack);
      return last.atMs - first.atMs >= sampleMs;
    });
    const complete = last.atMs - first.atMs >= sampleMs;
    stop();
    this.#signal?.removeEventListener('abort', stop);
    const report = await running;
    if (this.#audit === null || this.#audit.ok) this.#audit = report.audit ?? this.#audit;
    return complete ? sampleOf(first, last, heldBack) : null;
  }

  async #replay(): Promise<Sample | null> {
    const list = this.#recording!;
    const before = this.#read();
    const result = await replay(this.machine, list, {
      ...(this.#signal !== undefined && { signal: this.#signal }),
    });
    if (result.failure !== null) throw result.failure;
    const sample = sampleOf(before, this.#read(), 0);
    if (this.#options.audit) this.#audit = await this.machine.audit();
    return {
      ...sample,
      durationMs: result.durationMs,
      iterations: result.finished,
      iterationsPerSecond: (result.finished / result.durationMs) * 1000,
      vmptePeakKb: result.vmptePeakKb,
      vmpteKb: result.vmpteKb,
    };
  }

  /** What the samples so far came to. */
  result(): Samples {
    const { workload } = this.#options;
    const statistics = this.machine.statistics();
    const rates = this.#samples.map((sample) => sample.iterationsPerSecond);
    return {
      workload,
      unit:
        findWorkload(workload)?.workload.unit ??
        (this.#recording === null ? 'operations' : 'operations of the program'),
      options: this.machine.options,
      samples: this.#samples,
      perSecond: median(rates),
      perSecondMad: medianDeviation(rates),
      locks: statistics.locks,
      gracePeriodHistogramLog2Ns: statistics.gracePeriodHistogramLog2Ns,
      contention: this.machine.contention(),
      violations: this.machine.violations(),
      audit: this.#audit,
    };
  }

  close(): Promise<void> {
    return this.machine.shutdown();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

function sizesOf(
  workload: string,
  recording: (OperationList & { cpus: number }) | null,
  cpus: number | undefined,
): MachineOptions {
  if (recording !== null)
    return { ...replayMachine(recording), swapPages: 0, cpus: cpus ?? recording.cpus };
  return (
    findWorkload(workload)?.sizes(resolveOptions(cpus === undefined ? {} : { cpus }).cpus) ?? {}
  );
}

/** Iterations and operations so far, modulo 2^32 each. */
function progressOf(statistics: MachineStatistics): number {
  const { counters } = statistics;
  return (counters['iterations'] ?? 0) + (counters['ops'] ?? 0);
}

function sampleOf(first: Reading, last: Reading, heldBack: number): Sample {
  const durationMs = last.atMs - first.atMs;
  const cpus = last.statistics.cpus.map((cpu, at) => {
    const before = first.statistics.cpus[at]!;
    const counters: Record<string, number> = {};
    for (const [name, value] of Object.entries(cpu.counters))
      counters[name] = (value - (before.counters[name] ?? 0)) >>> 0;
    return { counters, lockWaitNs: cpu.lockWaitNs - before.lockWaitNs };
  });
  const counters: Record<string, number> = {};
  for (const cpu of cpus)
    for (const [name, value] of Object.entries(cpu.counters))
      counters[name] = (counters[name] ?? 0) + value;
  const counter = (counters['iterations'] ?? 0) > 0 ? 'iterations' : 'ops';
  const iterationsPerCpu = cpus.map((cpu) => cpu.counters[counter] ?? 0);
  const iterations = iterationsPerCpu.reduce((sum, count) => sum + count, 0);
  const waitedNs = cpus.reduce((sum, cpu) => sum + cpu.lockWaitNs, 0);
  const { tables } = last.statistics;
  return {
    durationMs,
    iterations,
    iterationsPerCpu,
    iterationsPerSecond: (iterations / durationMs) * 1000,
    processorMs: last.processorMs - first.processorMs,
    counters,
    lockWaitShare: waitedNs / (durationMs * 1e6 * cpus.length),
    vmptePeakKb: tables.peak * TABLE_KB,
    vmpteKb: tables.inUse * TABLE_KB,
    heldBackPeakKb: heldBack * TABLE_KB,
  };
}

/**
 * Boots a machine, warms up, takes the samples, audits, shuts down. Rejects with OptionError, TraceError, or
 * CpuDiedError.
 */
export async function measureWorkload(options: MeasureOptions): Promise<Samples> {
  const [samples] = await measureInTurn([options]);
  return samples!;
}

/**
 * Measures several at the same time, one sample of each after the other; their machines are all booted meanwhile, but
 * only one runs. `onSample` hears of each sample taken. When one ends early, all do.
 */
export async function measureInTurn(
  list: readonly MeasureOptions[],
  onSample: (at: number, sample: number) => void = () => {},
): Promise<Samples[]> {
  const open: MeasuredWorkload[] = [];
  try {
    for (const options of list) open.push(await MeasuredWorkload.open(options));
    for (const measured of open) await measured.warmUp();
    const most = Math.max(0, ...list.map(({ samples = 5 }) => samples));
    let going = true;
    for (let sample = 0; going && sample < most; sample++)
      for (const [at, measured] of open.entries()) {
        if (!going || sample >= (list[at]!.samples ?? 5)) continue;
        going = await measured.sample();
        onSample(at, sample);
      }
    return open.map((measured) => measured.result());
  } finally {
    await Promise.all(open.map((measured) => measured.close()));
  }
}
