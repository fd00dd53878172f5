/**
 * Scenario files: modules written like the kernel's, that export
 *
 *     CPUS     number of CPUs, and BYTES, bytes of memory
 *     setUp    optional: before the CPUs start
 *     run      what CPU number `cpu` does
 *     finish   optional: what must hold when all have ended (by `expect`)
 */

import { compileCoroutines, linkCoroutines, type LinkOptions } from './coroutine.ts';
import type { Coroutine, ProgramMaker } from './execution.ts';

interface ScenarioExports {
  CPUS: number;
  BYTES: number;
  setUp?: () => Coroutine | void;
  run: (cpu: number) => Coroutine;
  finish?: () => Coroutine | void;
}

/**
 * Links a scenario's compiled module (a path, or one relative to dist/src). `constants` gives values to constants of the
 * scenario or of the kernel modules that it uses. Throws LinkError.
 */
export function loadScenario(path: string, options: LinkOptions = {}): ProgramMaker {
  const linked = linkCoroutines([path], options);
  const instantiate = compileCoroutines(linked);
  return (host) => {
    const scenario = instantiate(host) as unknown as ScenarioExports;
    return {
      cpus: scenario.CPUS,
      words: scenario.BYTES >>> 2,
      sites: linked.sites,
      run: scenario.run,
      ...(scenario.setUp && { setUp: scenario.setUp }),
      ...(scenario.finish && { finish: scenario.finish }),
    };
  };
}
