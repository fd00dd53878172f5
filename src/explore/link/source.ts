/**
 * Reads a module's JavaScript: ours as compiled, a user's TypeScript with its types blanked out, which leaves every
 * line and column where it is.
 */

import { existsSync, readFileSync, statSync } from 'node:fs';
import { parse, type Program as ProgramNode } from 'acorn';
import { StripError, withoutTypes } from '../../foundry/strip.ts';
import { LinkError, type Patch } from './program.ts';

/** What a patch has done to a text: `removed` characters at `at` became `added` others. */
export interface Edit {
  before: string;
  at: number;
  removed: number;
  added: number;
}

/** A module's text and its syntax tree, with locations. */
export interface Source {
  text: string;
  tree: ProgramNode;
  /** Null: as it is in its file. */
  edit: Edit | null;
}

const known = new Map<string, Source & { changedMs: number }>();

function parsed(path: string, text: string, edit: Edit | null = null): Source {
  try {
    return {
      text,
      edit,
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
  if (patch === undefined) return source;
  const { text, edit } = edited(source.text, patch);
  return parsed(path, text, edit);
}

/** `text` with a patch applied; its `find` must occur once, white space compared loosely. Throws LinkError. */
export function patched(text: string, patch: Patch): string {
  return edited(text, patch).text;
}

function edited(before: string, patch: Patch): { text: string; edit: Edit } {
  const words = patch.find.trim().split(/\s+/);
  const pattern = words
    .map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`))
    .join(String.raw`\s+`);
  const found = [...before.matchAll(new RegExp(pattern, 'g'))];
  if (found.length !== 1)
    throw new LinkError(
      `patch of ${patch.module}: "${patch.find}" occurs ${found.length} times; it must occur once`,
    );
  const at = found[0]!.index;
  const removed = found[0]![0].length;
  const text = before.slice(0, at) + patch.replace + before.slice(at + removed);
  return { text, edit: { before, at, removed, added: patch.replace.length } };
}
