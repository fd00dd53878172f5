import { boot } from '../../src/boot/boot.ts';
import type { MachineOptions } from '../../src/machine/options.ts';
import { eachLines, replay } from '../../src/trace/replay.ts';
import { parseScript } from '../../src/trace/script.ts';
import type { EachLine } from './lines.ts';

/** A booted machine that answers scripts. */
export interface Ptlab extends AsyncDisposable {
  name: string;
  zeroPage: boolean;
  /** What it answers to each script, each in an address space of its own, destroyed afterwards. */
  run(scripts: readonly string[]): Promise<EachLine[][]>;
}

/**
 * Boots a machine with one CPU, full checks, no swap, and huge pages where they are asked for, as mmrun has them. `run`
 * throws when an oracle or the audit complains.
 */
export async function bootPtlab(name: string, options: MachineOptions): Promise<Ptlab> {
  const machine = await boot({ cpus: 1, swapPages: 0, check: 'full', thp: 'madvise', ...options });
  const answer = async (script: string): Promise<EachLine[]> => {
    const list = parseScript(script, name);
    const result = await replay(machine, list);
    if (result.failure !== null) throw result.failure;
    return Array.from(eachLines(list, result), (line) => JSON.parse(line) as EachLine);
  };
  return {
    name,
    zeroPage: machine.options.zeroPage,
    run: async (scripts) => {
      const answers: EachLine[][] = [];
      for (const script of scripts) {
        answers.push(await answer(script));
        const [violation] = machine.violations();
        if (violation) throw new Error(`${name}: ${JSON.stringify(violation)} in\n${script}`);
      }
      const { findings } = await machine.audit();
      if (findings.length > 0) throw new Error(`${name}: ${JSON.stringify(findings)}`);
      return answers;
    },
    [Symbol.asyncDispose]: () => machine.shutdown(),
  };
}
