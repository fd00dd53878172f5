/**
 * Reads a module's JavaScript: ours as compiled, a user's TypeScript with its types blanked out, which leaves every line and column
 * where it is.
 */

import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parse, type Program as ProgramNode } from 'acorn';
import { StripError, withoutTypes } from '../../foundry/strip.ts';
import { LinkError, type Patch } from './program.ts';

/** A module's text and its syntax tree, with locations. */
export interface Source {
  text: string;
  tree: ProgramNode;
}

const known = new Map<string, Source & { changedMs: number }>();

function parsed(path: string, text: string): Source {
  try {
    return {
      text,
      tree: parse(text, { ecmaVersion: 2023, sourceType: 'module', locations: true }),
    };
  } catch (error) {
    const { message, loc } = error as { message: string; loc?: { line: number } };
    throw new LinkError(`${path}:${loc?.line ?? 0}: ${message}`);
  }
}

/** A user's TypeScript as JavaScript. Throws LinkError. */
function stripped(path: string, text: string): string {
  try {
    return withoutTypes(path, text);
  } catch (error) {
    if (error instanceof StripError) throw new LinkError(error.message);
    throw error;
  }
}

/** Reads a module, `patch` applied when given. Throws LinkError. */
export function readModule(path: string, patch?: Patch): Source {
  if (!existsSync(path)) throw new LinkError(`${path}: no such module`);
  const changedMs = statSync(path).mtimeMs;
  let source = known.get(path);
  if (source === undefined || source.changedMs !== changedMs) {
    const text = readFileSync(path, 'utf8');
    source = { ...parsed(path, path.endsWith('.ts') ? stripped(path, text) : text), changedMs };
    known.set(path, source);
  }
  return patch === undefined ? source : parsed(path, patched(source.text, patch));
}

/** Path of the compiled module called `name` in `folder` or a folder below it. Throws LinkError unless there is one. */
export function modulePath(folder: string, name: string): string {
  const found = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(
    (file) => basename(file) === `${name}.js`,
  );
  if (found.length !== 1)
    throw new LinkError(
      `module ${name}: ${found.length === 0 ? 'there is none' : found.join(', ')}; its name must be one module's`,
    );
  return join(folder, found[0]!);
}

/** `text` with a patch applied; its `find` must occur once, white space compared loosely. */
export function patched(text: string, patch: Patch): string {
  const words = patch.find.trim().split(/\s+/);
  const pattern = words
    .map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`))
    .join(String.raw`\s+`);
  const found = [...text.matchAll(new RegExp(pattern, 'g'))];
  if (found.length !== 1)
    throw new LinkError(
      `patch of ${patch.module}: "${patch.find}" occurs ${found.length} times; it must occur once`,
    );
  const at = found[0]!.index;
  return text.slice(0, at) + patch.replace + text.slice(at + found[0]![0].length);
}
