/**
 * How the steps of one CPU are laid out under the functions that took them: each function is written once, indented
 * under its caller, and what it does below it. Functions that have nothing to show but one inner function share a line
 * with it.
 */

/** Lines before a step: functions entered, in groups that share a line. */
export interface Entered {
  depth: number;
  functions: readonly string[];
}

const common = (a: readonly string[], b: readonly string[]): number => {
  let length = 0;
  while (length < a.length && length < b.length && a[length] === b[length]) length += 1;
  return length;
};

/**
 * For the paths (functions active, outermost first) of a CPU's steps, in order: what is entered before each step, and
 * how deep the step itself stands.
 */
export function functionTree(
  paths: readonly (readonly string[])[],
): { entered: Entered[]; depth: number }[] {
  /** Ends of the groups written so far that are still open, as lengths of a path. */
  let open: number[] = [];
  let last: readonly string[] = [];
  return paths.map((path, at) => {
    const shared = common(last, path);
    open = open.filter((end) => end <= shared);
    const from = open.at(-1) ?? 0;
    // A group ends where the path of a later step leaves this one.
    const ends = new Set([path.length]);
    let kept = path.length;
    for (let later = at + 1; later < paths.length; later++) {
      kept = Math.min(kept, common(path, paths[later]!));
      ends.add(kept);
    }
    const entered: Entered[] = [];
    let begin = from;
    for (const end of [...ends].toSorted((a, b) => a - b)) {
      if (end <= begin) continue;
      entered.push({ depth: open.length, functions: path.slice(begin, end) });
      open = [...open, end];
      begin = end;
    }
    last = path;
    return { entered, depth: open.length };
  });
}
