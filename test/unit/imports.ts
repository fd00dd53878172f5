/**
 * What the files of the project import, and the rules that this keeps to. All of it is a function of the files' texts.
 */
import { posix } from 'node:path';

/** One file that imports another, types included. Paths are from the project's folder, with slashes. */
export interface Import {
  from: string;
  to: string;
}

const STATIC = /^(?:import|export)\b[^'";]*?\bfrom\s*['"](\.[^'"]+)['"]/gm;
const SIDE_EFFECT = /^import\s*['"](\.[^'"]+)['"]/gm;
/** Of a module or of a type, with a literal. */
const CALL = /\bimport\(\s*['"](\.[^'"]+)['"]\s*\)/g;

/** The files that a text imports by a path that begins with a dot, each once. */
export function importsOf(path: string, text: string): string[] {
  const found = [STATIC, SIDE_EFFECT, CALL].flatMap((form) =>
    [...text.matchAll(form)].map(([, to]) => posix.join(posix.dirname(path), to!)),
  );
  return [...new Set(found)];
}

/** All imports among files, given as texts by path. */
export function importsAmong(files: ReadonlyMap<string, string>): Import[] {
  return [...files].flatMap(([from, text]) => importsOf(from, text).map((to) => ({ from, to })));
}

const shown = ({ from, to }: Import): string => `${from} imports ${to}`;
const inside = (path: string, folder: string): boolean => path.startsWith(`${folder}/`);

/** Imports of files that there are none of. */
export function missing(files: ReadonlyMap<string, string>): string[] {
  return importsAmong(files)
    .filter(({ to }) => !files.has(to))
    .map((each) => `${shown(each)}, which is not there`);
}

/** Imports by which a folder's files leave it. */
export function leaving(imports: readonly Import[], folder: string): string[] {
  return imports
    .filter(({ from, to }) => inside(from, folder) && !inside(to, folder))
    .map((each) => `${shown(each)}, outside ${folder}`);
}

/** A shortest way by imports from `start` back to it; null: there is none. */
function wayBack(start: string, next: ReadonlyMap<string, readonly string[]>): string[] | null {
  const ways: string[][] = [[start]];
  const seen = new Set<string>();
  for (const way of ways)
    for (const to of next.get(way.at(-1)!) ?? []) {
      if (to === start) return [...way, start];
      if (seen.has(to)) continue;
      seen.add(to);
      ways.push([...way, to]);
    }
  return null;
}

/**
 * Circles of files, a shortest one for each set of files that import one another.
 */
export function circles(imports: readonly Import[]): string[] {
  const next = new Map<string, string[]>();
  for (const { from, to } of imports) {
    next.set(from, [...(next.get(from) ?? []), to]);
  }
  const reach = (from: string): Set<string> => {
    const reached = new Set<string>();
    const rest = [from];
    for (let file = rest.pop(); file !== undefined; file = rest.pop())
      for (const to of next.get(file) ?? [])
        if (!reached.has(to)) {
          reached.add(to);
          rest.push(to);
        }
    return reached;
  };
  const told = new Set<string>();
  const found: string[] = [];
  for (const file of [...next.keys()].toSorted()) {
    if (told.has(file)) continue;
    const way = wayBack(file, next);
    if (way === null) continue;
    for (const other of reach(file)) if (reach(other).has(file)) told.add(other);
    found.push(`a circle: ${way.join(' -> ')}`);
  }
  return found;
}

/**
 * What lies directly in a folder, from the lowest floor up; names in one list share a floor, and import nothing of one
 * another.
 */
export type Floors = readonly (string | readonly string[])[];

/**
 * Imports between what lies directly in `folder`, a subfolder or a file, that do not go down. Files that `floors` does
 * not name stand above all, on no floor of their own; a subfolder that it does not name is a finding.
 */
export function upward(imports: readonly Import[], folder: string, floors: Floors): string[] {
  const floorOf = new Map(
    floors.flatMap((names, floor) => [names].flat().map((name) => [name, floor] as const)),
  );
  const findings = new Set<string>();
  /** Name and floor of what of `folder` a file lies in; null: it is elsewhere. */
  const place = (path: string): { name: string; floor: number } | null => {
    if (!inside(path, folder)) return null;
    const [name, ...below] = path.slice(folder.length + 1).split('/');
    const floor = floorOf.get(name!);
    if (floor === undefined && below.length > 0)
      findings.add(`${folder}/${name} is on no floor; floors: ${[...floorOf.keys()].join(', ')}`);
    return { name: name!, floor: floor ?? floors.length };
  };
  for (const each of imports) {
    const [from, to] = [place(each.from), place(each.to)];
    if (from === null || to === null || from.name === to.name) continue;
    if (to.floor < from.floor) continue;
    if (from.floor === floors.length && to.floor === floors.length) continue;
    findings.add(`${shown(each)}: ${from.name} stands below ${to.name}, or beside it`);
  }
  return [...findings];
}

/**
 * Imports from outside `folder` of files in it other than `doors`, by files for which `mayPass` does not say that they
 * may.
 */
export function pastDoors(
  imports: readonly Import[],
  folder: string,
  doors: readonly string[],
  mayPass: (path: string) => boolean = () => false,
): string[] {
  const open = doors.map((door) => `${folder}/${door}`);
  return imports
    .filter(
      ({ from, to }) =>
        inside(to, folder) && !inside(from, folder) && !open.includes(to) && !mayPass(from),
    )
    .map((each) => `${shown(each)}, past ${open.join(' and ')}`);
}
