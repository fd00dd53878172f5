/**
 * A largest set of elements of a finite partial order no two of which are ordered.
 *
 * By Dilworth's theorem it has as many elements as the fewest chains that cover the order, which a largest matching of
 * the bipartite graph "u on the left, t on the right, an edge where u < t" gives; the set itself from Kőnig's theorem
 * (Fulkerson, Note on Dilworth's decomposition theorem for partially ordered sets, 1956). Time: number of elements
 * times number of ordered pairs.
 */

/** Indices of a largest antichain of 0 to `count` - 1, ascending; `less` is transitive and irreflexive. */
export function largestAntichain(count: number, less: (u: number, t: number) => boolean): number[] {
  const above: number[][] = [];
  for (let u = 0; u < count; u++) {
    above[u] = [];
    for (let t = 0; t < count; t++) if (u !== t && less(u, t)) above[u]!.push(t);
  }
  /** Partner of each element on the left, of each on the right; -1: none. */
  const right = new Int32Array(count).fill(-1);
  const left = new Int32Array(count).fill(-1);
  const match = (u: number, tried: Uint8Array): boolean => {
    for (const t of above[u]!) {
      if (tried[t] !== 0) continue;
      tried[t] = 1;
      if (left[t]! >= 0 && !match(left[t]!, tried)) continue;
      right[u] = t;
      left[t] = u;
      return true;
    }
    return false;
  };
  for (let u = 0; u < count; u++) match(u, new Uint8Array(count));
  // What alternating paths from the unmatched on the left reach; a smallest cover is the rest of the left with what
  // they reach on the right.
  const reachedLeft = new Uint8Array(count);
  const reachedRight = new Uint8Array(count);
  const ready: number[] = [];
  for (let u = 0; u < count; u++)
    if (right[u]! < 0) {
      reachedLeft[u] = 1;
      ready.push(u);
    }
  while (ready.length > 0)
    for (const t of above[ready.pop()!]!) {
      if (reachedRight[t] !== 0) continue;
      reachedRight[t] = 1;
      const partner = left[t]!;
      if (partner < 0 || reachedLeft[partner] !== 0) continue;
      reachedLeft[partner] = 1;
      ready.push(partner);
    }
  const antichain: number[] = [];
  for (let u = 0; u < count; u++)
    if (reachedLeft[u] !== 0 && reachedRight[u] === 0) antichain.push(u);
  return antichain;
}
