/** What measuring costs, as `ptlab contend --cost` prints it. */
import type { Cost } from '../measure/cost.ts';
import { HOLD_EVERY } from '../kernel/abi.ts';
import { formatShare, formatSi } from './format.ts';
import { table } from './table.ts';

/** One line for each workload and machine; empty without costs. */
export function costLines(costs: readonly Cost[]): string[] {
  if (costs.length === 0) return [];
  const right = 'right' as const;
  const rows = costs.map((cost) => [
    cost.workload,
    cost.protocol,
    cost.lock,
    String(cost.cpus),
    formatSi(cost.offPerSecond),
    formatSi(cost.onPerSecond),
    ...[cost.processor, cost.elapsed].flatMap(({ median, low, high }) => [
      formatShare(median),
      `${formatShare(low)} to ${formatShare(high)}`,
    ]),
    String(cost.pairs),
  ]);
  const holds = costs[0]!.everyHold
    ? 'how long every lock is held'
    : `how long one lock in about ${HOLD_EVERY} is held`;
  return [
    ...table(
      [
        { title: 'workload' },
        { title: 'protocol' },
        { title: 'lock' },
        { title: 'CPUs', align: right },
        { title: 'off, per second', align: right },
        { title: 'on', align: right },
        { title: 'cost by processor time', align: right },
        { title: 'quartiles', align: right },
        { title: 'by the clock', align: right },
        { title: 'quartiles', align: right },
        { title: 'pairs', align: right },
      ],
      rows,
    ),
    '',
    `On: bounces of every acquisition, ${holds}, and of every wait how long it was, for which lock, for whom, and where.`,
    'Off: acquisitions, contentions and waiting times by class, as always. The cost is the median of the quotients of neighbouring samples, less 1.',
  ];
}
