/**
 * Where a module's code stands in its source: of our compiled modules by the source maps beside them, of others as it
 * is. In a patched module what stands behind the patch is told where it was before it, and what stands in the patch
 * where that begins.
 */

import { existsSync, readFileSync } from 'node:fs';
import { SourceMap } from 'node:module';
import { dirname, join, relative, sep } from 'node:path';
import { getLineInfo, type Node } from 'acorn';
import type { Position } from '../operation.ts';
import { COMPILED } from './compiled.ts';
import type { Module } from './module.ts';
import type { Edit } from './source.ts';

/** Maps of our modules; null: none. */
const maps = new Map<string, SourceMap | null>();

function mapOf(path: string): SourceMap | null {
  let map = maps.get(path);
  if (map === undefined) {
    const file = `${path}.map`;
    map =
      path.startsWith(COMPILED) && existsSync(file)
        ? new SourceMap(JSON.parse(readFileSync(file, 'utf8')))
        : null;
    maps.set(path, map);
  }
  return map;
}

const slashes = (path: string): string => path.replaceAll(sep, '/');

/**
 * How the source of a module is told: of ours the path from the folder of the sources on, of a user's as `told` has it,
 * or else whole. By the module's own name when there is no map to its source.
 */
export function fileName(path: string, told: Readonly<Record<string, string>> = {}): string {
  if (!path.startsWith(COMPILED)) return told[path] ?? slashes(path);
  const file = slashes(relative(COMPILED, path));
  return existsSync(`${path}.map`) ? file.replace(/\.js$/, '.ts') : file;
}

/** The same of a module that another one imports: a user's are told from where that one is. */
export function importedName(
  { path, file }: Pick<Module, 'path' | 'file'>,
  imported: string,
): string {
  if (imported.startsWith(COMPILED)) return fileName(imported);
  return slashes(join(dirname(file), relative(dirname(path), imported)));
}

/** Offset before the edit of what stands at `offset` after it. */
function unedited(offset: number, { added, at, removed }: Edit): number {
  if (offset < at) return offset;
  return offset < at + added ? at : offset - added + removed;
}

/** Where a node of a module stands in the source. */
export function positionOf(module: Module, { loc, start }: Node): Position {
  const { edit } = module.source;
  const { line, column } =
    edit === null ? loc!.start : getLineInfo(edit.before, unedited(start, edit));
  const entry = mapOf(module.path)?.findEntry(line - 1, column);
  if (entry === undefined || !('originalLine' in entry)) return { file: module.file, line };
  return { file: module.file, line: entry.originalLine + 1 };
}

/** The same for messages: `kernel/tables/pteMap.ts:99`. */
export function placeOf(module: Module, node: Node): string {
  const { file, line } = positionOf(module, node);
  return `${file}:${line}`;
}
