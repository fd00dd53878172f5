const join = (lines: readonly string[]): string => `${lines.join('\n')}\n`;

/**
 * `lines` but for `count` of them from `first` on. A fork that goes takes with it what its process does; the processes
 * of later forks move up.
 */
function without(lines: readonly string[], first: number, count: number): string[] {
  const names = new Map([[0, 0]]);
  let forks = 0;
  return lines.flatMap((line, index) => {
    const [, before, name, operation] = /^(\d+: *)?(?:@(\d+) +)?(.*)$/.exec(line)!;
    const renamed = names.get(Number(name ?? 0));
    const left = renamed !== undefined && (index < first || index >= first + count);
    if (operation === 'fork') {
      forks++;
      if (left) names.set(forks, names.size);
    }
    return left ? [`${before ?? ''}${renamed === 0 ? '' : `@${renamed} `}${operation}`] : [];
  });
}

/**
 * Shortens a failing script by removing lines while it still fails (delta debugging): first halves, then ever
 * smaller runs of lines. `fails` judges many candidates at once, in order.
 */
export async function shorten(
  script: string,
  fails: (candidates: string[]) => Promise<boolean[]>,
  maxRounds = 200,
): Promise<string> {
  let lines = script.split('\n').filter((line) => line.trim() !== '');
  let run = Math.max(1, Math.floor(lines.length / 2));
  for (let round = 0; round < maxRounds && lines.length > 1; round++) {
    const candidates: string[][] = [];
    for (let first = 0; first < lines.length; first += run) {
      const left = without(lines, first, run);
      if (left.length > 0) candidates.push(left);
    }
    const answers = await fails(candidates.map(join));
    const found = answers.indexOf(true);
    if (found >= 0) lines = candidates[found]!;
    else if (run === 1) break;
    else run = Math.max(1, Math.floor(run / 2));
    run = Math.min(run, Math.max(1, lines.length - 1));
  }
  return join(lines);
}
