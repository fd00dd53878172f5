/**
 * From a violation that real threads ran into to a search of the explorer: the operations before it, as the rings of
 * events remember them (window.ts), folded onto a small machine (fold.ts), written as a scenario (write.ts), with the
 * recorded order of events as a guide to start from (guide.ts).
 *
 * What rings do not tell is tried: which pages were there, whether one operation of each CPU suffices or two are
 * needed, whether injected trouble came, and how far the CPU that saw the violation had got in its operation when the
 * others went on. For each of these variants the guide is followed, and the rest left to the CPUs one after another.
 * When none of them fails, each variant is searched from the end of the guide, with reduction, and from there back,
 * event by event, to the start.
 */

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RunReport } from '../../machine/machine.ts';
import { oracleName } from '../../machine/oracles.ts';
import { exploreDpor } from '../strategies/dpor.ts';
import { Execution } from '../execution.ts';
import { type ProgramMaker } from '../program.ts';
import { OracleError } from '../kernelScenario.ts';
import { openScenario, type ScenarioRequest } from '../scenario.ts';
import { verdictNow, type Schedule, type Verdict } from '../verdict.ts';
import { Folding } from './fold.ts';
import { complete, follow, guideOf, type Followed, type GuideEvent } from './guide.ts';
import { operationsBefore, RingError } from './window.ts';
import { writeScenario, type WrittenScenario } from './write.ts';

/** What is needed of a run's report; what `ptlab stress --json` prints has it. */
export type RecordedRun = Pick<RunReport, 'options' | 'violations' | 'events'>;

/** A scenario derived from a run, not yet written to a file. */
interface RingScenario extends WrittenScenario {
  /** Of the violation that it is about: the first one in time. */
  oracle: string;
  /** CPU of the scenario that saw it. */
  victim: number;
  guide: GuideEvent[];
}

/**
 * Derives a scenario with at most `perCpu` operations on each CPU. Throws RingError when the run has no violation, or
 * its rings do not tell enough.
 */
export function scenarioFromRing(run: RecordedRun, perCpu: number): RingScenario {
  const { events, options, violations } = run;
  const seen = events.find(({ event }) => event === 'violation');
  const violation =
    violations.find(
      ({ cpu, oracle }) => cpu === seen?.cpu && oracleName(seen.values[0]) === oracle,
    ) ?? violations[0];
  if (violation === undefined) throw new RingError('the run has no violation');
  const operations = operationsBefore(violation, events, perCpu);
  const folding = new Folding(operations);
  const written = writeScenario(violation, operations, folding, options);
  const guide = guideOf(events, operations, written.cpus, folding);
  const victim = written.cpus.indexOf(violation.cpu);
  return { ...written, oracle: violation.oracle, victim, guide };
}

interface RingSearchOptions {
  /** Folder for the scenario's module; made when it is not there. */
  folder: string;
  /** Longest that all searches may last together, milliseconds. Default: 60,000. */
  maxMs?: number;
  /** Executions of one search. Default: 2,000. */
  maxExecutions?: number;
}

interface RingSearch {
  /** The scenario, as it was written and is to be opened. */
  request: ScenarioRequest;
  /** Steps to search from: where the guide led, or as much of it as the failing execution begins with. */
  prefix: Schedule;
  /** Events of the guide that came about, and that did not. */
  guide: { met: number; missed: number };
  /** A violation of the same oracle; null: none was found. */
  verdict: Extract<Verdict, { kind: 'violation' }> | null;
  /** Executions tried along the guide, and in searches from it. */
  executions: number;
}

/** Whether a verdict is a violation of the oracle. */
function isOf(verdict: Verdict, oracle: string): verdict is NonNullable<RingSearch['verdict']> {
  if (verdict.kind !== 'violation' || !(verdict.error instanceof OracleError)) return false;
  return verdict.error.violations[0]?.oracle === oracle;
}

/** Lengths of the prefix to search from: its whole, then back to each event, then none. */
function lengths(depths: readonly number[]): number[] {
  return [...new Set([...depths, 0])].toSorted((one, other) => other - one);
}

/** What POPULATED may be: what the operations tell, every page, each page alone. */
function populations({ pages, populated }: RingScenario): number[] {
  const each = pages.map((_, bit) => 1 << bit);
  const all = each.reduce((mask, bit) => mask | bit, 0);
  return [...new Set([populated === 0 ? 1 : populated, all, ...each])];
}

/** A derived scenario with one set-up, opened. */
class Variant {
  readonly request: ScenarioRequest;
  readonly make: ProgramMaker;
  readonly #scenario: RingScenario;
  readonly #execution: Execution;

  constructor(scenario: RingScenario, request: ScenarioRequest) {
    this.request = request;
    this.make = openScenario(request).make;
    this.#scenario = scenario;
    this.#execution = new Execution(this.make);
  }

  /** The guide followed, the CPU that saw the violation leading. */
  followed(lead: number, trouble: number): Followed {
    const { guide, victim } = this.#scenario;
    return follow(this.#execution, guide, { cpu: victim, lead, trouble });
  }

  /** The verdict when the execution, just `followed`, goes on to its end (`complete`). */
  verdict({ schedule: begun }: Followed, trouble: number, last: boolean): Verdict {
    const open = { cpu: this.#scenario.victim, lead: 0, trouble };
    const schedule = complete(this.#execution, begun, open, last);
    const choices = (depth: number): number => {
      const entry = schedule[depth]!;
      return typeof entry === 'number' ? -1 : entry[1];
    };
    return verdictNow(this.#execution, choices, Infinity);
  }
}

/** Variants of the scenarios with one operation of each CPU, and with two; their modules are written into `folder`. */
function variantsOf(
  run: RecordedRun,
  folder: string,
): { scenario: RingScenario; variant: Variant }[] {
  const { mutant } = run.options;
  mkdirSync(folder, { recursive: true });
  return [1, 2].flatMap((perCpu) => {
    const scenario = scenarioFromRing(run, perCpu);
    const path = join(folder, `${scenario.oracle}-${perCpu}.ts`);
    writeFileSync(path, scenario.text);
    return populations(scenario).map((POPULATED) => ({
      scenario,
      variant: new Variant(scenario, {
        scenario: path,
        constants: { POPULATED },
        ...(mutant !== null && { mutant }),
      }),
    }));
  });
}

/**
 * Derives scenarios from a run, writes them into `folder`, and searches them for a violation of the same oracle,
 * starting from the recorded order of events. Throws RingError.
 */
export function exploreFromRing(run: RecordedRun, options: RingSearchOptions): RingSearch {
  const { folder, maxExecutions = 2000, maxMs = 60_000 } = options;
  const startMs = performance.now();
  const leftMs = (): number => maxMs - (performance.now() - startMs);
  const variants = variantsOf(run, folder);
  let executions = 0;
  const result = (
    { request }: Variant,
    { schedule, met, missed }: Followed,
    kept: number,
    verdict: RingSearch['verdict'],
  ): RingSearch => {
    return {
      request,
      prefix: schedule.slice(0, kept),
      guide: { met, missed },
      verdict,
      executions,
    };
  };
  for (const { scenario, variant } of variants)
    for (let lead = 0, led = true; led && leftMs() > 0; lead++)
      for (let trouble = -1, choices = 0; trouble < choices; trouble++) {
        const followed = variant.followed(lead, trouble);
        choices = Math.max(choices, followed.choices);
        led = followed.led === lead;
        if (!led) break;
        for (const last of [false, true]) {
          executions += 1;
          const verdict = variant.verdict(followed, trouble, last);
          if (isOf(verdict, scenario.oracle))
            return result(variant, followed, followed.schedule.length, verdict);
        }
      }
  for (const { scenario, variant } of variants) {
    const followed = variant.followed(0, -1);
    for (const kept of lengths(followed.depths)) {
      if (leftMs() <= 0) break;
      const { verdict, statistics } = exploreDpor(variant.make, {
        prefix: followed.schedule.slice(0, kept),
        commuting: true,
        maxExecutions,
        maxMs: leftMs(),
      });
      executions += statistics.executions + statistics.blocked;
      if (isOf(verdict, scenario.oracle)) return result(variant, followed, kept, verdict);
    }
  }
  const { variant } = variants[0]!;
  const followed = variant.followed(0, -1);
  return result(variant, followed, followed.schedule.length, null);
}
