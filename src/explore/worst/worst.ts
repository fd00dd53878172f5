/**
 * Worst-case search: the greatest value of a measure (measures.ts) over all schedules, a schedule that shows it, and
 * how the values are distributed over the classes of executions.
 *
 * With `dpor`, run to its end, the value is exact: the search sees one execution of each class, and the measure the
 * greatest value of all in the class. With a strategy that samples it is a lower bound: still the greatest of each
 * class that a sample falls into, of which there are many to a sample. Executions that fail are not measured; like
 * everywhere, the search stops at the first unless `goOn`.
 */

import { exploreDpor, type DporOptions } from '../strategies/dpor.ts';
import { type Execution } from '../execution.ts';
import { type ProgramMaker } from '../program.ts';
import { DESCRIPTOR, D_CODE, CHOOSE, KIND_MASK } from '../operation.ts';
import type { SamplingStrategy } from '../strategies/pickers.ts';
import { exploreSampling, type SamplingOptions } from '../strategies/sampling.ts';
import type { StepOrder } from '../strategies/trace.ts';
import type { Schedule, SearchResult, SearchStatistics, Verdict } from '../verdict.ts';
import type { Extreme, Measure } from './measures.ts';
import { orderOf } from './order.ts';

/** A value went beyond what a correct kernel allows. */
export class MeasureError extends Error {
  override readonly name = 'MeasureError';
  readonly measure: string;
  readonly value: number;

  constructor(message: string, measure: string, value: number) {
    super(message);
    this.measure = measure;
    this.value = value;
  }
}

/** Exhaustively (the default), or by sampling. */
export type WorstOptions = ExhaustiveOptions | SampledOptions;
type ExhaustiveOptions = { strategy?: 'dpor' } & Omit<DporOptions, 'onExecution' | 'onRestart'>;
type SampledOptions = { strategy: SamplingStrategy } & Omit<SamplingOptions, 'onExecution'>;

function isSampled(options: WorstOptions): options is SampledOptions {
  return options.strategy !== undefined && options.strategy !== 'dpor';
}

export interface WorstResult {
  measure: string;
  unit: string;
  /** The greatest value; null when no execution could be measured. */
  value: number | null;
  /** `exact` over all schedules, or a lower bound. */
  bound: 'exact' | 'at least';
  /** A whole execution that has the value, and the steps of it from and to which it is measured. */
  schedule: Schedule;
  from: number;
  to: number;
  subject: Extreme['subject'];
  /**
   * For each value the number of executions measured (with `dpor`: of classes) whose greatest it is, by ascending
   * value.
   */
  distribution: readonly (readonly [value: number, executions: number])[];
  /** The search's, or a violation when the measure has a limit and it is exceeded. */
  verdict: Verdict;
  complete: boolean;
  statistics: SearchStatistics;
}

/** An order of an execution's steps with a cut: a schedule, and where its early part ends and its late part begins. */
interface Linearisation {
  schedule: Schedule;
  from: number;
  to: number;
}

/**
 * The order that shows an extreme: what is early first, what is late last, and each part in the order in which it was
 * executed.
 */
function linearise(
  execution: Execution,
  order: StepOrder,
  { early, late }: Pick<Extreme, 'early' | 'late'>,
): Linearisation {
  const parts: number[][] = [[], [], ...late.map(() => [])];
  for (let step = 0; step < execution.depth; step++) {
    const first = early.some((other) => step === other || order.before(step, other));
    const last = late.findLastIndex((other) => step === other || order.before(other, step));
    parts[first ? 0 : last + 2]!.push(step);
  }
  // Valid: what comes before a step of a part belongs to that part or an earlier one.
  const schedule = parts.flat().map((step) => {
    const cpu = execution.stepCpu[step]!;
    const code = execution.stepOperation[step * DESCRIPTOR + D_CODE]!;
    return (code & KIND_MASK) === CHOOSE ? ([cpu, execution.stepResult[step]!] as const) : cpu;
  });
  const from = parts[0]!.length;
  return { schedule, from, to: from + parts[1]!.length };
}

/** Greatest value seen so far, and the distribution. */
class Findings {
  readonly #measure: Measure;
  readonly counts = new Map<number, number>();
  worst: (Linearisation & Pick<Extreme, 'value' | 'subject'>) | null = null;
  violation: Verdict | null = null;

  constructor(measure: Measure) {
    this.#measure = measure;
  }

  clear(): void {
    this.counts.clear();
    this.worst = null;
    this.violation = null;
  }

  add(execution: Execution, verdict: Verdict, order: StepOrder): void {
    if (execution.failure !== null || verdict.kind === 'endless') return;
    const extreme = this.#measure.extreme(execution, order);
    const { value, subject } = extreme;
    this.counts.set(value, (this.counts.get(value) ?? 0) + 1);
    if (this.worst !== null && value <= this.worst.value) return;
    this.worst = { ...linearise(execution, order, extreme), value, subject };
    const { limit, exceeded, name } = this.#measure;
    if (limit === undefined || value <= limit) return;
    const message = exceeded?.(extreme) ?? `${name}: ${value}; at most ${limit}`;
    this.violation = {
      kind: 'violation',
      error: new MeasureError(message, name, value),
      cpu: subject.cpu ?? null,
      schedule: this.worst.schedule,
    };
  }
}

/** Searches for the greatest value of a measure. */
export function exploreWorst(
  make: ProgramMaker,
  measure: Measure,
  options: WorstOptions = {},
): WorstResult {
  const findings = new Findings(measure);
  const result: SearchResult = isSampled(options)
    ? exploreSampling(make, {
        ...options,
        onExecution: (execution, verdict) => findings.add(execution, verdict, orderOf(execution)),
      })
    : exploreDpor(make, {
        ...options,
        onRestart: () => findings.clear(),
        onExecution: (execution, verdict, order) => findings.add(execution, verdict, order),
      });
  const { worst } = findings;
  return {
    measure: measure.name,
    unit: measure.unit,
    value: worst?.value ?? null,
    bound: result.complete ? 'exact' : 'at least',
    schedule: worst?.schedule ?? [],
    from: worst?.from ?? 0,
    to: worst?.to ?? 0,
    subject: worst?.subject ?? {},
    distribution: [...findings.counts].toSorted(([a], [b]) => a - b),
    verdict:
      result.verdict.kind === 'passes' ? (findings.violation ?? result.verdict) : result.verdict,
    complete: result.complete,
    statistics: result.statistics,
  };
}
