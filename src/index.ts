/** ptlab as a library: boot a machine, drive its CPUs, run workloads, read what happened; explore scenarios. */
export { boot } from './boot/boot.ts';
export { AddressSpace, Machine, type RunOptions, type RunReport } from './machine/machine.ts';
export {
  Cpu,
  type AddressSpaceHandle,
  type Advice,
  type FileHandle,
  type MapOptions,
  type Protection,
} from './machine/cpu.ts';
export {
  OptionError,
  resolveOptions,
  CHECK_LEVELS,
  DEATH_KINDS,
  EXECUTIONS,
  FAULT_PATHS,
  FREE_MODES,
  LOCK_KINDS,
  PROTOCOLS,
  ZAP_MODES,
  type DeathInjection,
  type Injection,
  type MachineOptions,
  type ResolvedOptions,
} from './machine/options.ts';
export { CpuDiedError, type CpuDeath, type HeldLock } from './machine/death.ts';
export { ORACLE_NAMES, type OracleName } from './machine/oracles.ts';
export type { MachineEvent } from './machine/events.ts';
export type { Violation } from './machine/violations.ts';
export type { AuditFinding, AuditReport } from './machine/audit/index.ts';
export type {
  CpuStatistics,
  LockStatistics,
  MachineStatistics,
  SpaceStatistics,
} from './machine/statistics.ts';
export { errnoName } from './machine/errno.ts';
export { MIXES, MIX_NAMES, type MixName } from './experiment/mixNames.ts';
export type { Workload, WorkloadCpu } from './machine/workload.ts';
export type { WorkloadSpec } from './machine/workloadSpec.ts';
export { WORKLOAD_NAMES } from './experiment/workloads/index.ts';
export {
  MeasuredWorkload,
  measureInTurn,
  measureWorkload,
  type MeasureOptions,
  type Sample,
  type Samples,
} from './measure/measure.ts';
export { measureCost, type Cost } from './measure/cost.ts';
export type { Contention, HeatRow, LockInstance, WaitsOfCpu } from './machine/contention.ts';
export { quantile, QUANTILE_ERROR, quantilesOf, type Quantiles } from './machine/histogram.ts';
export type { Kernel } from './machine/kernel.ts';
export type { SystemCalls } from './machine/syscalls.ts';
export { loadTrace, type Trace } from './trace/load.ts';
export { operationList, type Operation, type OperationList } from './trace/operation.ts';
export {
  replay,
  type ReplayOptions,
  type ReplayProgress,
  type ReplayResult,
} from './trace/replay.ts';
export { replaySizes, type ReplaySizes } from './trace/sizes.ts';
export { TraceError } from './trace/traceError.ts';
export { compareVmpte, loadVmpte, type VmpteComparison, type VmpteSample } from './trace/vmpte.ts';
export {
  openScenario,
  readAbout,
  scenarioNames,
  ScenarioError,
  type Choices,
  type Scenario,
  type ScenarioAbout,
  type ScenarioRequest,
} from './explore/scenario.ts';
export { search, type SearchHooks, type SearchOutcome } from './explore/search.ts';
export { STRATEGIES, type SearchSettings, type Strategy } from './explore/searchSettings.ts';
export { DepartureError, replaySchedule } from './explore/replay.ts';
export { formatSchedule, parseSchedule, ScheduleError } from './explore/scheduleText.ts';
export { replayOnThreads, type ThreadReplay } from './explore/threads/replayOnThreads.ts';
export type { Schedule, SearchStatistics, Verdict, Waiter } from './explore/verdict.ts';
