import { ENOMEM } from '../kernel/abi.ts';
import type { AuditReport } from '../machine/audit/index.ts';
import type { MachineEvent } from '../machine/events.ts';
import { CpuDiedError } from '../machine/death.ts';
import { boot } from '../boot/boot.ts';
import type { MachineOptions, ResolvedOptions } from '../machine/options.ts';
import type { MachineStatistics } from '../machine/statistics.ts';
import type { Violation } from '../machine/violations.ts';
import { formatCount } from '../report/format.ts';
import { violationCount } from '../report/violationReport.ts';
import { CALL_FAULT, CALL_TOUCH, OP_FIELDS } from '../trace/operation.ts';
import type { OperationList } from '../trace/operation.ts';
import { replay } from '../trace/replay.ts';
import type { ReplayOptions, ReplayResult } from '../trace/replay.ts';
import { errorLine } from './exit.ts';
import type { Stopper } from './interrupt.ts';
import { outcome } from './outcome.ts';
import type { Outcome } from './outcome.ts';

/** A replay from boot to verdict. */
export interface ReplayRun {
  result: ReplayResult;
  options: ResolvedOptions;
  /** As of the last operation, the address space still there. */
  statistics: MachineStatistics;
  violations: Violation[];
  /** What the CPUs did last, when something was wrong and the machine has rings. */
  events: MachineEvent[];
  /** Of the machine after the last operation; null when the replay did not come to its end. */
  audit: AuditReport | null;
  end: Outcome;
}

/** Touches and faults that the machine, not the program, had no memory for: Linux never answers them with ENOMEM. */
function outOfMemory(list: OperationList, result: ReplayResult): number {
  let times = 0;
  for (let op = 0; op < result.operations; op++) {
    if (result.errnos[op] !== ENOMEM) continue;
    const call = list.operations[op * OP_FIELDS]!;
    if (call === CALL_TOUCH || call === CALL_FAULT) times++;
  }
  return times;
}

/** Boots a machine, replays `list` in an address space of its own, audits, shuts the machine down. */
export async function runReplay(
  list: OperationList,
  options: MachineOptions,
  stop: Stopper,
  replayOptions: Omit<ReplayOptions, 'space' | 'signal'> = {},
): Promise<ReplayRun> {
  await using machine = await boot(options);
  const space = await machine.createAddressSpace();
  const result = await replay(machine, list, { ...replayOptions, space, signal: stop.signal });
  const statistics = machine.statistics();
  const events = machine.events();
  const complete = result.failure === null && result.finished === result.operations;
  const audit = complete ? await machine.audit() : null;
  const violations = machine.violations();
  const short = outOfMemory(list, result);
  let failure: string | null = null;
  if (result.failure !== null) failure = errorLine(result.failure);
  else if (short > 0) {
    failure =
      `out of memory ${formatCount(short)} times; the machine has ${formatCount(machine.options.tables)} tables (--tables) ` +
      `and ${formatCount(machine.options.frames)} frames (--frames)`;
  }
  const end = outcome({
    violations: violationCount(violations, audit),
    failure,
    stopped: complete ? null : stop.reason,
  });
  return {
    result,
    options: machine.options,
    statistics,
    violations,
    events: violationCount(violations, audit) > 0 || result.failure !== null ? events : [],
    audit,
    end,
  };
}

/** What --json prints of a replay: all but its operations one by one. */
export function replayDocument(run: ReplayRun): Record<string, unknown> {
  const { result, options, statistics, violations, events, audit, end } = run;
  const { failure } = result;
  return {
    verdict: end.verdict,
    exitCode: end.exitCode,
    summary: end.summary,
    options,
    operations: result.operations,
    finished: result.finished,
    cpus: result.cpus,
    durationMs: result.durationMs,
    errors: result.errors,
    vmptePeakKb: result.vmptePeakKb,
    vmpteKb: result.vmpteKb,
    anonPages: result.anonPages,
    failure: failure === null ? null : errorLine(failure),
    death: failure instanceof CpuDiedError ? failure.death : null,
    statistics,
    violations,
    events,
    audit,
  };
}
