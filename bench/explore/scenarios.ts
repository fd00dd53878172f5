/**
 * Every scenario explored to its end, as a Markdown table: `node dist/bench/explore/scenarios.js [SCENARIO...]`. Times
 * are those of the whole search on all cores, start of the workers included.
 */
import { scenarioNames, openScenario } from '../../src/explore/scenario.ts';
import { search } from '../../src/explore/search.ts';
import { formatCount } from '../../src/report/format.ts';

const named = process.argv.slice(2);
const names = named.length > 0 ? named : scenarioNames();
const lines = [
  '| scenario | CPUs | executions | blocked | longest, steps | s | verdict |',
  '|---|---|---|---|---|---|---|',
];
let total = 0;
for (const name of names) {
  const { columns, request } = openScenario({ scenario: name });
  const { ended, statistics, verdict } = await search(request);
  const { executions, blocked, depth, durationMs } = statistics;
  total += durationMs;
  const cells = [
    name,
    columns.join(', '),
    formatCount(executions),
    formatCount(blocked),
    String(depth),
    (durationMs / 1000).toFixed(1),
    `${ended}: ${verdict.kind}`,
  ];
  lines.push(`| ${cells.join(' | ')} |`);
}
lines.push(`| all | | | | | ${(total / 1000).toFixed(1)} | |`);
process.stdout.write(`${lines.join('\n')}\n`);
