/**
 * Where an operation stands in the source: file and line of the TypeScript, from the source maps beside the compiled modules.
 *
 * A patch that adds or takes away lines moves those behind it; they are moved back, and lines of the patch count as the line on which
 * it begins. Without a map (a scenario written in JavaScript) the position is that of the module itself.
 */

import { existsSync, readFileSync } from 'node:fs';
import { SourceMap } from 'node:module';
import { basename, join } from 'node:path';
import { COMPILED } from '../link/compiled.ts';
import { readModule } from '../link/source.ts';
import type { Site } from '../operation.ts';
import { patchOf, type Scenario } from '../scenario.ts';
import { scenarioPath } from './bareNames.ts';

/** A line of a source file; the path as its map has it, from the folder of the sources, such as `kernel/tables/pteMap.ts`. */
export interface Position {
  file: string;
  line: number;
}

const FOLDERS = ['kernel', 'explore', 'explore/scenarios', 'machine'];

const maps = new Map<string, SourceMap | null>();

function mapOf(path: string): SourceMap | null {
  let map = maps.get(path);
  if (map === undefined) {
    const file = `${path}.map`;
    map = existsSync(file) ? new SourceMap(JSON.parse(readFileSync(file, 'utf8'))) : null;
    maps.set(path, map);
  }
  return map;
}

/** First line that a patch replaces in a module's text, how many it replaces, and by how many. */
interface Shift {
  first: number;
  lines: number;
  by: number;
}

function shiftOf(path: string, scenario: Scenario): Shift | null {
  const patch = patchOf(scenario.request);
  if (patch === undefined || basename(path).replace(/\.[jt]s$/, '') !== patch.module) return null;
  const before = readModule(path).text.split('\n');
  const after = readModule(path, patch).text.split('\n');
  let first = 0;
  while (first < before.length && before[first] === after[first]) first += 1;
  let end = 0;
  while (end < before.length - first && before.at(-1 - end) === after.at(-1 - end)) end += 1;
  return {
    first: first + 1,
    lines: after.length - first - end,
    by: after.length - before.length,
  };
}

export class Positions {
  readonly #scenario: Scenario;
  readonly #paths = new Map<string, string | null>();
  readonly #shifts = new Map<string, Shift | null>();

  constructor(scenario: Scenario) {
    this.#scenario = scenario;
  }

  #pathOf(module: string): string | null {
    let path = this.#paths.get(module);
    if (path !== undefined) return path;
    const own = scenarioPath(this.#scenario);
    const short = module.replace(/^.*_/, '');
    path =
      module === this.#scenario.name
        ? own
        : ([module, short]
            .flatMap((name) => FOLDERS.map((folder) => join(COMPILED, folder, `${name}.js`)))
            .find((candidate) => existsSync(candidate)) ?? null);
    this.#paths.set(module, path);
    return path;
  }

  /** The position of the first call of `callee` in a function; null: not found. */
  ofCall(functionName: string, callee: string): Position | null {
    const { request, sites } = this.#scenario;
    const module = sites.find((site) => site.function === functionName)?.module;
    const path = module === undefined ? null : this.#pathOf(module);
    if (module === undefined || path === null) return null;
    const wanted = patchOf(request);
    const patch = wanted?.module === module ? wanted : undefined;
    const lines = readModule(path, patch).text.split('\n');
    const begin = lines.findIndex((line) => line.includes(`function ${functionName}(`));
    const line = lines.findIndex((text, at) => at > begin && text.includes(`${callee}(`));
    return begin < 0 || line < 0 ? null : this.of({ module, line: line + 1 });
  }

  /** The position of a site. */
  of({ module, line }: Pick<Site, 'module' | 'line'>): Position {
    const path = this.#pathOf(module);
    if (path === null) return { file: `${module}.js`, line };
    let shift = this.#shifts.get(path);
    if (shift === undefined) {
      shift = shiftOf(path, this.#scenario);
      this.#shifts.set(path, shift);
    }
    let original = line;
    if (shift !== null && line >= shift.first)
      original = line < shift.first + shift.lines ? shift.first : line - shift.by;
    const map = mapOf(path);
    if (map === null) return { file: basename(path), line: original };
    const text = readModule(path).text.split('\n')[original - 1] ?? '';
    const entry = map.findEntry(original - 1, text.search(/\S|$/));
    if (!('originalSource' in entry)) return { file: basename(path), line: original };
    const file = entry.originalSource.replace(/^.*\/src\//, '');
    return { file, line: entry.originalLine + 1 };
  }
}
