/**
 * Runs the schedule of a file again. Each step must be the operation that it was: the same function, operation and word
 * by name. Lines and values may be others. At the first step that is another one the program departs from the file,
 * which is said with both.
 */

import { DepartureError } from '../replay.ts';
import { openScenario, type Scenario } from '../scenario.ts';
import type { Verdict } from '../verdict.ts';
import { identify, isFailing, isPlainRace, sameFailure } from './identity.ts';
import { Recorder, type RecordedOperation } from './record.ts';
import type { FileStep, ScheduleFile } from './scheduleFile.ts';

/** A file's schedule run to its end. */
interface ReplayedFile {
  scenario: Scenario;
  recorder: Recorder;
  /** Null when some CPU could go on. */
  verdict: Verdict | null;
  /** Whether it is the failure that the file says; of an endless execution, that it goes on. */
  same: boolean;
}

type Described = Pick<RecordedOperation, 'operation' | 'word' | 'function'> & { place: string };

/** An operation in words, such as `load PMD entry 0 of table 3 in pteOffsetMap (kernel/tables/pteMap.ts:88)`. */
function inWords({ operation, word, function: name, place }: Described): string {
  return `${operation}${word === '' ? '' : ` ${word}`} in ${name} (${place})`;
}

const described = (operation: RecordedOperation): Described => ({
  ...operation,
  place: `${operation.file}:${operation.line}`,
});

/** What keeps a CPU from the step that the file has for it; null: nothing. */
function obstacle(recorder: Recorder, step: FileStep): { now: string; found: string } | null {
  const [cpu, operation, functionName, place, word, , , choice] = step;
  const { execution } = recorder.run;
  if (cpu >= execution.cpus)
    return { now: `there are only ${execution.cpus} CPUs`, found: `no CPU ${cpu}` };
  const { failure } = execution;
  if (failure !== null)
    return { now: `the program has failed: ${failure.message}`, found: failure.message };
  const bit = 1 << cpu;
  if ((execution.dead & bit) !== 0) return { now: 'it has died', found: 'died' };
  if ((execution.finished & bit) !== 0) return { now: 'it has ended', found: 'ended' };
  const next = recorder.next(cpu);
  const found = inWords(described(next));
  const expected = inWords({ operation, word, function: functionName, place });
  if (next.operation !== operation || next.function !== functionName || next.word !== word)
    return { now: `it is now about to ${found}`, found };
  if ((execution.enabled() & bit) === 0)
    return { now: `it waits there now: the word is not ${recorder.condition(cpu)}`, found };
  const chooses = recorder.run.chooses(cpu);
  if (chooses && choice === undefined)
    return { now: 'it has to choose there now', found: `${expected} with a choice` };
  return null;
}

/** Runs a file's schedule in a scenario (default: the one it names). Throws DepartureError. */
export function replayFile(file: ScheduleFile, given?: Scenario): ReplayedFile {
  const scenario = given ?? openScenario(file.request);
  const recorder = new Recorder(scenario, { plainRaces: isPlainRace(file.failure) });
  for (const [at, step] of file.steps.entries()) {
    const [cpu, operation, functionName, place, word, , , choice = 0] = step;
    const found = obstacle(recorder, step);
    if (found !== null) {
      const expected = inWords({ operation, word, function: functionName, place });
      throw new DepartureError(at, `CPU ${cpu} was to ${expected}; ${found.now}`, {
        cpu,
        expected,
        found: found.found,
      });
    }
    recorder.take(cpu, choice);
  }
  const { run, symbols } = recorder;
  if (run.enabled() !== 0)
    return { scenario, recorder, verdict: null, same: file.failure.kind === 'endless' };
  const verdict = run.verdict();
  const same =
    isFailing(verdict) &&
    sameFailure(
      identify(verdict, (address) => symbols.name(address)),
      file.failure,
    );
  return { scenario, recorder, verdict, same };
}
