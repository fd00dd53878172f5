import { setTimeout as sleep } from 'node:timers/promises';
import { H_STOP, STOP_ABORT, STOP_NO, STOP_SOON } from '../kernel/abi.ts';
import { AddressSpace } from './addressSpace.ts';
import { audit, type AuditReport } from './audit/index.ts';
import { clearContention, readContention, type Contention } from './contention.ts';
import { Cpu, type FileHandle } from './cpu.ts';
import { startThreads, type CpuThreads } from './cpuThreads.ts';
import { allowDaemons, stopDaemons } from './daemonLoop.ts';
import { CpuDiedError, describeDeath } from './death.ts';
import { readEvents, type MachineEvent } from './events.ts';
import type { SharedMemory } from './memory.ts';
import type { KernelCode } from './kernel.ts';
import { CHECK_LEVELS, OptionError, checkInteger, type ResolvedOptions } from './options.ts';
import { clearLockStatistics, readStatistics, type MachineStatistics } from './statistics.ts';
import { planRun, TIMER_MS_MAX, type RunOptions, type RunReport } from './runPlan.ts';
import { readViolations, type Violation } from './violations.ts';
import { WORKLOAD_MODULE, type WorkloadCatalogue } from './workloadSpec.ts';

export { AddressSpace } from './addressSpace.ts';
export type { RunOptions, RunReport } from './runPlan.ts';

/** Longest that CPUs are waited for once the machine is to end, milliseconds. */
const ENDING_MS = 1000;

/**
 * A booted machine: a shared memory and CPUs, each a worker thread. Make one with `boot`; end it with `shutdown` or
 * `await using`. When a CPU dies the whole machine ends: what is under way and every later call rejects with
 * CpuDiedError.
 */
export class Machine implements AsyncDisposable {
  readonly options: ResolvedOptions;
  /** Number of CPUs that run workloads; the daemons' CPU, if there is one, comes after them. */
  readonly cpus: number;
  readonly memory: SharedMemory;
  readonly words: Uint32Array;
  readonly #workloads: WorkloadCatalogue;
  readonly #threads: CpuThreads;
  readonly #links: CpuThreads['links'];
  readonly #cpus: Cpu[];
  readonly #startedMs = performance.now();
  #running = false;
  #ending: Promise<void> | null = null;
  #failure: CpuDiedError | null = null;
  #failing: Promise<void> | null = null;
  /** The rings as they were when a CPU had died. */
  #eventsAtDeath: MachineEvent[] | null = null;

  /**
   * A machine of `options` in `memory`, which was made for them, as `kernel` was for it. `workloads`: those that `run`
   * knows by name.
   */
  constructor(
    options: ResolvedOptions,
    memory: SharedMemory,
    kernel: KernelCode,
    workloads: WorkloadCatalogue,
  ) {
    this.options = options;
    this.#workloads = workloads;
    this.cpus = options.cpus;
    this.memory = memory;
    this.words = new Uint32Array(this.memory.buffer);
    this.#threads = startThreads(options, this.memory, kernel, (id, error) =>
      this.#died(id, error),
    );
    this.#links = this.#threads.links;
    this.#cpus = this.#links.slice(0, this.cpus).map((link, id) => new Cpu(id, link));
  }

  /** Settles when every CPU is up. */
  async ready(): Promise<void> {
    await Promise.all(this.#links.map((link) => link.call((remote) => remote.ready())));
  }

  /** CPU `id`, to drive single operations. Throws OptionError for a CPU that the machine has not. */
  cpu(id: number): Cpu {
    checkInteger('cpu', id, 0, this.cpus - 1);
    return this.#cpus[id]!;
  }

  #setStop(value: number): void {
    Atomics.store(this.words, H_STOP >>> 2, value);
  }

  #kernel(cpu: number, name: string, ...args: number[]): Promise<number> {
    return this.#links[cpu]!.call((remote) => remote.kernel(name, args));
  }

  /** Makes an empty address space. Rejects with RangeError when there are no more (option `addressSpaces`). */
  async createAddressSpace(): Promise<AddressSpace> {
    const handle = await this.#kernel(0, 'mmCreate');
    if (handle === 0)
      throw new RangeError(
        `no address space left of ${this.options.addressSpaces} (option addressSpaces)`,
      );
    return new AddressSpace(handle, this.words);
  }

  /** Unmaps everything in an address space and frees it, as a process's exit does. */
  async destroyAddressSpace(space: AddressSpace): Promise<void> {
    await this.#kernel(0, 'mmDestroy', space.handle);
  }

  /** Makes a simulated file of `pages` pages. Rejects with RangeError when there are no more (option `inodes`). */
  async createFile(pages: number): Promise<FileHandle> {
    checkInteger('pages', pages, 1, 0xffff_ffff);
    const handle = await this.#kernel(0, 'inodeCreate', pages, 1);
    if (handle === 0)
      throw new RangeError(`no file left of ${this.options.inodes} (option inodes)`);
    return { handle, pages };
  }

  /** Asks CPUs in a loop of their own (a run, a called module) to end it after the operation under way. */
  stop(): void {
    Atomics.compareExchange(this.words, H_STOP >>> 2, STOP_NO, STOP_SOON);
  }

  /** Undoes `stop`, so that loops can run again; a run does so by itself. */
  resume(): void {
    Atomics.compareExchange(this.words, H_STOP >>> 2, STOP_SOON, STOP_NO);
  }

  /** Reads all counters of the machine from shared memory, at any time. */
  statistics(): MachineStatistics {
    return readStatistics(this.words, performance.now() - this.#startedMs);
  }

  /** What CPUs remember of their waits for locks; null without the option `contention`. At any time. */
  contention(): Contention | null {
    return readContention(this.words);
  }

  /** Forgets waits, holds and grace periods so far, as after a warm-up; counters go on. The CPUs must be idle. */
  forgetWaits(): void {
    if (this.#running) throw new Error('forgetWaits: a workload is running; call it between runs');
    clearLockStatistics(this.words);
    clearContention(this.words);
  }

  /** The violations that CPUs have recorded so far, oldest first for each CPU. */
  violations(): Violation[] {
    return readViolations(this.words);
  }

  /**
   * What the CPUs did last, oldest first, as far as their rings remember (option `eventsPerCpu`). Times are told from
   * the first violation, from the last event of a CPU that died, or else from the newest event.
   */
  events(): MachineEvent[] {
    if (this.#eventsAtDeath !== null) return this.#eventsAtDeath;
    const [first, ...rest] = this.violations();
    if (first === undefined) return readEvents(this.words);
    const clockNs = rest.reduce(
      (earliest, { clockNs: other }) => (((other - earliest) | 0) < 0 ? other : earliest),
      first.clockNs,
    );
    return readEvents(this.words, { clockNs });
  }

  /** Does all that daemons have to do, due or not. The CPUs must be idle. An audit begins with it. */
  async runDaemons(): Promise<void> {
    await this.#kernel(0, 'drainDaemons');
  }

  /** Has the daemons' CPU, if there is one, run them until the end of the call; gives a function that ends it. */
  #startDaemons(): () => Promise<void> {
    if (!this.options.daemonCpu) return async () => {};
    allowDaemons(this.words);
    const loop = this.#links[this.cpus]!.call((remote) => remote.daemons());
    loop.catch(() => {});
    return () => {
      stopDaemons(this.words);
      return loop;
    };
  }

  /**
   * Walks every table, VMA and free list and checks that all of it balances. The CPUs must be idle: no operation and no
   * run under way.
   */
  async audit(): Promise<AuditReport> {
    if (this.#running) throw new Error('audit: a workload is running; audit when it has ended');
    await this.runDaemons();
    await this.#kernel(0, 'rcuBarrier');
    for (let cpu = 0; cpu < this.#links.length; cpu++) await this.#kernel(cpu, 'drainCaches');
    return audit(this.words, CHECK_LEVELS.indexOf(this.options.check));
  }

  /**
   * Runs a workload on every CPU: the name of a mix or of one of the named workloads, or the URL of a module that
   * exports `run(cpu: WorkloadCpu)` for one operation (and, if it likes, `prepare` and `finish`). Violations end the
   * run and are in the report. Rejects with OptionError, or with CpuDiedError, whose `report` is the partial report.
   */
  async run(workload: string | URL, options: RunOptions = {}): Promise<RunReport> {
    const plan = planRun(workload, options, this.options, this.#workloads);
    if (this.#failure !== null) throw this.#failure;
    if (this.#running) throw new Error('run: another workload is running');
    this.#running = true;
    const startMs = performance.now();
    let ended: RunReport['ended'] = 'count';
    let operationsPerCpu: (number | null)[] = Array.from({ length: this.cpus }, () => null);
    let auditReport: AuditReport | null = null;
    let events: MachineEvent[] = [];
    const report = (): RunReport => ({
      workload: plan.spec.name,
      seed: plan.spec.seed,
      options: this.options,
      durationMs: durationMs ?? performance.now() - startMs,
      operations: operationsPerCpu.reduce<number>((sum, count) => sum + (count ?? 0), 0),
      operationsPerCpu,
      ended,
      statistics: this.statistics(),
      violations: this.violations(),
      events,
      audit: auditReport,
    });
    let durationMs: number | null = null;
    let timer: NodeJS.Timeout | undefined;
    let progress: NodeJS.Timeout | undefined;
    const stop = (why: RunReport['ended']): void => {
      if (Atomics.compareExchange(this.words, H_STOP >>> 2, STOP_NO, STOP_SOON) === STOP_NO)
        ended = why;
    };
    const interrupt = (): void => stop('interrupted');
    let endDaemons = async (): Promise<void> => {};
    try {
      this.#setStop(STOP_NO);
      const shared = await this.#links[0]!.call((remote) => remote.prepare(plan.spec));
      if (plan.durationMs !== null)
        timer = setTimeout(() => stop('time'), Math.min(plan.durationMs, TIMER_MS_MAX));
      endDaemons = this.#startDaemons();
      const { onProgress } = options;
      if (onProgress !== undefined)
        progress = setInterval(
          () => onProgress(this.statistics(), performance.now() - startMs),
          options.progressMs ?? 500,
        );
      options.signal?.addEventListener('abort', interrupt);
      if (options.signal?.aborted) interrupt();
      operationsPerCpu = await Promise.all(
        this.#links.slice(0, this.cpus).map((link, cpu) =>
          link
            .call((remote) => remote.run(plan.spec, shared))
            .then((count) => {
              operationsPerCpu[cpu] = count;
              return count;
            }),
        ),
      );
      durationMs = performance.now() - startMs;
      await endDaemons();
      if (this.violations().length > 0) ended = 'violation';
      const eventsBeforeAudit = this.events();
      this.#setStop(STOP_NO);
      this.#running = false;
      if (options.audit !== false) auditReport = await this.audit();
      if (this.violations().length > 0 || auditReport?.ok === false) events = eventsBeforeAudit;
      await this.#links[0]!.call((remote) => remote.cleanUp(plan.spec, shared));
      return report();
    } catch (error) {
      if (error instanceof CpuDiedError && error.report === null) {
        ended = 'death';
        events = this.events();
        error.report = report();
      }
      // An error keeps its name on its way from another thread, not its class.
      if (error instanceof Error && error.name === 'OptionError' && !(error instanceof OptionError))
        throw new OptionError('workload', plan.spec.name, WORKLOAD_MODULE);
      throw error;
    } finally {
      stopDaemons(this.words);
      this.#running = false;
      clearTimeout(timer);
      clearInterval(progress);
      options.signal?.removeEventListener('abort', interrupt);
    }
  }

  /** The task of CPU `id` has failed: ends the machine. */
  #died(id: number, error: unknown): Promise<void> {
    if (this.#ending !== null) return Promise.resolve();
    if (this.#failing === null) {
      this.#eventsAtDeath = readEvents(this.words, { lastOfCpu: id });
      this.#failure = new CpuDiedError(describeDeath(this.words, id, error), error);
      this.#failing = this.#fail(this.#failure);
    }
    return Promise.resolve();
  }

  async #fail(failure: CpuDiedError): Promise<void> {
    this.#setStop(STOP_ABORT);
    await this.#endTasks();
    for (const link of this.#links) link.end(failure);
  }

  /** Asks every CPU to end its task, waits for that a limited time, and ends the threads. */
  async #endTasks(): Promise<void> {
    for (const link of this.#links) link.call((remote) => remote.shutdown()).catch(() => {});
    const timeout = new AbortController();
    await Promise.race([
      Promise.all(this.#threads.tasks),
      sleep(ENDING_MS, undefined, { signal: timeout.signal }).catch(() => {}),
    ]);
    timeout.abort();
    await this.#threads.pool.destroy();
  }

  /** Ends the machine: its CPUs, their threads. What is under way rejects. Can be called more than once. */
  shutdown(): Promise<void> {
    this.#ending ??= this.#end();
    return this.#ending;
  }

  async #end(): Promise<void> {
    if (this.#failing !== null) return this.#failing;
    this.#setStop(STOP_ABORT);
    await this.#endTasks();
    for (const link of this.#links) link.end(new Error('the machine has been shut down'));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.shutdown();
  }
}
