/** A round of batches, timed as bench/peers/harness.h does it, so that ptlab's figures and C's are of one kind. */

/** Does so many operations and gives the nanoseconds that the ones it measures took. */
export type Batch = (operations: number) => number;

const BATCH_NS = 1_000_000;

/**
 * Nanoseconds of one operation: the batch is doubled until it takes a millisecond (unless `operations` fixes it),
 * warmed up for a quarter of `roundMs`, then run until `roundMs` is over; the median of those batches. `now` gives
 * milliseconds.
 */
export function medianOfBatches(
  batch: Batch,
  roundMs: number,
  now: () => number,
  operations?: number,
): number {
  let size = operations ?? 1;
  let begin = now();
  if (operations === undefined) while (batch(size) < BATCH_NS) size *= 2;
  while (now() - begin < roundMs / 4) batch(size);

  const costs: number[] = [];
  begin = now();
  do costs.push(batch(size) / size);
  while (now() - begin < roundMs);
  costs.sort((a, b) => a - b);
  const middle = costs.length >>> 1;
  return costs.length % 2 === 1 ? costs[middle]! : (costs[middle - 1]! + costs[middle]!) / 2;
}
