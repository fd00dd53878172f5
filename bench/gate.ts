/**
 * The gate of `.ci/run`: a ratio that was reached once is not lost without anyone seeing it. A ratio with a goal is
 * lost when it is over the goal by more than a quarter in each of three tries: one try can meet a neighbour on the same
 * machine, three in a row are the program's.
 */
import type { Ratio } from './interleave.ts';

/** Tries that a suite has. */
export const TRIES = 3;
/** What a ratio may be, over its goal. */
export const SLACK = 1.25;

/** The ratios with a goal that are beyond its slack. */
export function beyond(ratios: readonly Ratio[]): Ratio[] {
  return ratios.filter(({ median, atMost }) => atMost !== undefined && median > atMost * SLACK);
}

/** Names of those that are beyond in all of the `tries`, each with its figures. */
export function lost(tries: readonly (readonly Ratio[])[]): string[] {
  const key = ({ of, to }: Ratio): string => `${of} over ${to}`;
  const [first = [], ...rest] = tries.map(beyond);
  return first
    .filter((ratio) => rest.every((one) => one.some((other) => key(other) === key(ratio))))
    .map((ratio) => {
      const medians = tries.map((ratios) => ratios.find((one) => key(one) === key(ratio))!.median);
      return `${key(ratio)}: ${medians.map((median) => median.toFixed(2)).join(', ')}; goal ${ratio.atMost}, at most ${(ratio.atMost! * SLACK).toFixed(2)}`;
    });
}
