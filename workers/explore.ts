/** A worker of a search: explores the parts that it is sent, on a scenario that it opens once a search. */
import { workerData } from 'node:worker_threads';
import { PartRunner } from '../src/explore/parallel/partRunner.ts';
import type { FirstRun, Job, JobResult, Thrown } from '../src/explore/parallel/pool.ts';
import { coverWhole, exploreWhole, explainWhole } from '../src/explore/parallel/whole.ts';

const first = workerData as FirstRun | undefined;
let current: { run: string; runner: PartRunner } | null = null;

export default function explore({ run, setup, parts }: Job): JobResult {
  try {
    if (current?.run !== run) {
      current = null;
      const linked = first?.run === run ? first.scenario : undefined;
      current = { run, runner: new PartRunner(setup, linked) };
    }
    const { runner } = current;
    return { results: parts.map((part) => runner.run(part)) };
  } catch (error) {
    return thrown(error);
  }
}

function thrown(error: unknown): Thrown {
  const { name, message, stack } = error instanceof Error ? error : new Error(String(error));
  return { error: { name, message, stack } };
}

function answered<J, R>(work: (job: J) => R): (job: J) => { result: R } | Thrown {
  return (job) => {
    try {
      return { result: work(job) };
    } catch (error) {
      return thrown(error);
    }
  };
}

/** A search that is not split. */
export const whole = answered(exploreWhole);

/** How much a bounded search covered. */
export const cover = answered(coverWhole);

/** A failure explained. */
export const explain = answered(explainWhole);
