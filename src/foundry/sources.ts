/**
 * The kernel's sources as its builds see them: plug-ins in their sockets, and for AssemblyScript what it reads
 * otherwise than tsc does.
 */

import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { plugged, withoutAbout } from './plug.ts';
import { runTwin } from './wasmRun.ts';

/** Values of CHECK, by the level's name. */
const LEVEL_CODES = { off: 0, fast: 1, full: 2 } as const;
export type Level = keyof typeof LEVEL_CODES;
export const LEVELS = Object.keys(LEVEL_CODES) as Level[];

/** word/check.ts (or its JavaScript) for one level. */
export function checkSource(text: string, level: Level): string {
  const constant = /(CHECK(?:: u32)? = )\d/;
  if (!constant.test(text)) throw new Error('word/check.ts: no CHECK constant to replace');
  return text.replace(constant, `$1${LEVEL_CODES[level]}`);
}

/** The kernel's names for kinds of numbers, such as Mm. `kernel`: the folder of the kernel's sources. */
export function brands(kernel: string): string[] {
  const text = readFileSync(join(kernel, 'portable.d.ts'), 'utf8');
  const names = [...text.matchAll(/^declare type (\w+) = number &/gm)].map(([, name]) => name!);
  if (names.length === 0)
    throw new Error('portable.d.ts: no line "declare type NAME = number & ..."');
  return names;
}

/** `text` behind what AssemblyScript needs to know of those of `names` that it uses. No line moves. */
function withBrands(names: readonly string[], text: string): string {
  const used = new Set(text.match(/\b[A-Z]\w*/g));
  return names
    .filter((name) => used.has(name))
    .map((name) => `type ${name} = u32; `)
    .concat(text)
    .join('');
}

/** A declaration of the compiled kernel as users get it, who have none of its names for numbers: they are `number`. */
export function plainDeclaration(names: readonly string[], text: string): string {
  return text
    .replace(/<A extends Address>/g, '')
    .replace(/\bWordAt<A>/g, 'number')
    .replace(new RegExp(`(: |=> |\\| )(?:A|u32|${names.join('|')})\\b`, 'g'), '$1number');
}

/**
 * A source as AssemblyScript reads it. Paths lose their ending: with it, `export ... from` would load a second instance
 * of the module, with a current CPU of its own. A function whose doc comment ends in the tag @inline gets the
 * decorator.
 */
function portable(file: string, text: string): string {
  return withoutAbout(file, text)
    .replace(/( from '\.[^']+)\.ts'/g, "$1'")
    .replace(/(@inline\s*\*\/\n)(export )?function /g, '$1@inline\n$2function ');
}

/**
 * Sources for AssemblyScript by path, and a digest of all that a build depends on. `kernel`: the folder of the kernel's
 * sources.
 */
export function wasmSources(kernel: string): { texts: Map<string, string>; digest: string } {
  const texts = new Map<string, string>();
  const hash = createHash('sha256');
  const names = brands(kernel);
  const files = readdirSync(kernel, { recursive: true, encoding: 'utf8' })
    .map((file) => file.replaceAll('\\', '/'))
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.d.ts'));
  for (const file of files.toSorted()) {
    const text = plugged(kernel, file, readFileSync(join(kernel, file), 'utf8'));
    const own = file === 'word/run.ts' ? runTwin(text) : withBrands(names, portable(file, text));
    texts.set(file, own);
    hash.update(`${file}\0${own}\0`);
  }
  texts.set('word/word.ts', texts.get('word/word.wasm.ts')!);
  return { texts, digest: hash.digest('hex') };
}
