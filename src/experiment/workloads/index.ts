/** The named workloads: programs that page-table work is usually measured with. One line here for each file of them. */
import { churn } from './churn.ts';
import { mapbench } from './mapbench.ts';
import type { NamedWorkload } from './named.ts';
import { reproducer } from './reproducer.ts';
import { willItScale } from './willItScale.ts';

export type { NamedWorkload } from './named.ts';

export const WORKLOADS: readonly NamedWorkload[] = [...willItScale, ...mapbench, reproducer, churn];

export const WORKLOAD_NAMES: readonly string[] = WORKLOADS.map(({ name }) => name);

/** The workload of that name, or null. */
export function findWorkload(name: string): NamedWorkload | null {
  return WORKLOADS.find((workload) => workload.name === name) ?? null;
}
