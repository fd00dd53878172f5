/**
 * A program that begins where the first steps of a schedule lead: searches of it are searches of all that can come
 * after those steps.
 *
 * The steps are taken once, and what each CPU read meanwhile is kept. Whenever a CPU is run from its start, it is first
 * fed with that, as execution.ts does when it runs a CPU again; the memory after the steps is that after set-up. Races
 * of plain words between a step before and one after that point are not seen.
 */

import { Execution } from '../execution.ts';
import { type Coroutine, type ProgramMaker } from '../program.ts';
import { DESCRIPTOR, D_CODE, CHOOSE, KIND_MASK } from '../operation.ts';
import type { Schedule } from '../verdict.ts';

/** What one CPU saw: results of operations, and of plain reads. */
interface Seen {
  results: number[];
  reads: number[];
}

interface Prefix {
  seen: readonly Seen[];
  words: Uint32Array;
}

function takePrefix(make: ProgramMaker, prefix: Schedule): Prefix {
  let reads: number[] | null = null;
  const seen: Seen[] = [];
  const execution = new Execution((host) => {
    const program = make({
      ...host,
      peek: (address) => {
        const value = host.peek(address);
        reads?.push(value);
        return value;
      },
    });
    for (let cpu = 0; cpu < program.cpus; cpu++) seen.push({ results: [], reads: [] });
    return {
      ...program,
      select: (cpu): void => {
        program.select?.(cpu);
        ({ reads } = seen[cpu]!);
      },
    };
  });
  for (const [step, entry] of prefix.entries()) {
    const [cpu, choice] = typeof entry === 'number' ? [entry, 0] : entry;
    if (execution.failure !== null || (execution.enabled() & (1 << cpu)) === 0)
      throw new Error(`step ${step} of a prefix: CPU ${cpu} cannot move`);
    const chooses = (execution.next[cpu * DESCRIPTOR + D_CODE]! & KIND_MASK) === CHOOSE;
    execution.step(cpu, chooses ? choice : 0);
    seen[cpu]!.results.push(execution.stepResult[step]!);
  }
  return { seen, words: execution.words.slice() };
}

/** The program of `make` after the steps of `prefix`. Throws when it cannot take them. */
export function afterPrefix(make: ProgramMaker, prefix: Schedule): ProgramMaker {
  if (prefix.length === 0) return make;
  const { seen, words } = takePrefix(make, prefix);
  return (host) => {
    /** Plain reads of the CPU that is being fed; null: none is. */
    let fed: readonly number[] | null = null;
    let at = 0;
    const program = make({
      ...host,
      peek: (address) => (fed === null ? host.peek(address) : fed[at++]!),
      poke: (address, value) => {
        if (fed === null) host.poke(address, value);
      },
      fillWords: (address, count, value) => {
        if (fed === null) host.fillWords(address, count, value);
      },
      event: (kind, a, b) => {
        if (fed === null) host.event(kind, a, b);
      },
    });
    const { setUp } = program;
    return {
      ...program,
      *setUp(): Coroutine {
        const running = setUp?.();
        if (running !== undefined) yield* running;
        for (const [word, value] of words.entries())
          if (host.peek(word * 4) !== value) host.poke(word * 4, value);
        return undefined;
      },
      *run(cpu): Coroutine {
        const { results, reads } = seen[cpu]!;
        const coroutine = program.run(cpu);
        fed = reads;
        at = 0;
        let step: IteratorResult<number, unknown>;
        try {
          step = coroutine.next(0);
          for (const result of results) step = coroutine.next(result);
          // What it did after its last step, up to the next, is in the memory already.
        } finally {
          fed = null;
        }
        while (step.done !== true) step = coroutine.next(yield step.value);
        return step.value;
      },
    };
  };
}
