/** `ptlab explore`: every interleaving of scenarios, samples of them, or one schedule again. */
import { replaySchedule } from '../explore/replay.ts';
import { openScenario, scenarioNames, type Scenario } from '../explore/scenario.ts';
import { parseSchedule } from '../explore/scheduleText.ts';
import { search } from '../explore/search.ts';
import type { Verdict } from '../explore/verdict.ts';
import { exploredLines, verdictLines, type Explored } from '../report/exploreReport.ts';
import { defineCommand } from './command.ts';
import { EXIT_RIGHT, EXIT_VIOLATION, UsageError } from './exit.ts';
import { requestOf, settingsOf, SPEC, type ExploreValues } from './exploreOptions.ts';
import { commandLine } from './outcome.ts';
import { writeJson, writeLines } from './write.ts';

function verdictDocument(verdict: Verdict): Record<string, unknown> {
  if (verdict.kind !== 'violation') return { ...verdict };
  const { error, ...rest } = verdict;
  return { ...rest, message: error.message };
}

function exploredDocument({ scenario, result, asExpected }: Explored): Record<string, unknown> {
  const { verdict, complete, statistics } = result;
  return {
    scenario: scenario.name,
    request: scenario.request,
    expected: scenario.about.expected,
    asExpected,
    complete,
    ...statistics,
    verdict: verdictDocument(verdict),
  };
}

function again(scenario: Scenario, values: ExploreValues): string {
  return commandLine(SPEC, { ...values, replay: undefined }, [scenario.request.scenario]);
}

async function replayOne(scenario: Scenario, values: ExploreValues): Promise<number> {
  const { execution, verdict } = replaySchedule(scenario.make, parseSchedule(values.replay!));
  if (values.json) {
    await writeJson({
      command: 'explore',
      scenario: scenario.name,
      steps: execution.depth,
      verdict: verdict === null ? null : verdictDocument(verdict),
    });
  } else {
    const lines = verdict === null ? ['not over: some CPU can go on'] : verdictLines(verdict);
    await writeLines([
      `${scenario.name}: ${execution.depth} steps: ${lines[0]}`,
      ...lines.slice(1),
    ]);
  }
  return verdict === null || verdict.kind === 'passes' ? EXIT_RIGHT : EXIT_VIOLATION;
}

/** Whether a verdict is the expected one; one that is not complete can only be wrong by a failure. */
function expectedOf(scenario: Scenario, verdict: Verdict, complete: boolean): boolean {
  const { expected } = scenario.about;
  return verdict.kind === expected || (verdict.kind === 'passes' && !complete);
}

export const explore = defineCommand(SPEC, async (values, positionals) => {
  const settings = settingsOf(values);
  if (values.replay !== undefined && positionals.length !== 1)
    throw new UsageError(
      `ptlab explore: --replay with ${positionals.length} scenarios; allowed: one`,
    );
  const names = positionals.length > 0 ? positionals : scenarioNames();
  const scenarios = names.map((name) => openScenario(requestOf(name, values)));
  if (values.replay !== undefined) return replayOne(scenarios[0]!, values);
  const all: Explored[] = [];
  for (const scenario of scenarios) {
    const result = search(scenario, settings);
    const asExpected = expectedOf(scenario, result.verdict, result.complete);
    const explored = { scenario, result, asExpected };
    all.push(explored);
    if (!values.json) await writeLines(exploredLines(explored, again(scenario, values)));
  }
  const exitCode = all.every(({ asExpected }) => asExpected) ? EXIT_RIGHT : EXIT_VIOLATION;
  if (values.json)
    await writeJson({
      command: 'explore',
      exitCode,
      settings,
      explored: all.map(exploredDocument),
    });
  return exitCode;
});
