/**
 * Plug-ins: kinds of a thing that the kernel calls by hooks, one file (or folder) each. This file reads them, gives
 * each its code, and writes the hooks' module in which they are called, and the catalogue by which everything else
 * knows them.
 *
 * A socket is a hooks' file of the kernel, which declares functions and does nothing, and a folder of plug-ins. A
 * plug-in exports a literal `about` and functions under hooks' names. Written out, each hook calls the plug-in whose
 * code the run has, and does what stands in the hooks' file for all others. So no list of plug-ins is kept anywhere by
 * hand.
 *
 * Order, and so codes: the base (`isBase`, code 0: what a memory of zeros means), the default (`isDefault`), then the
 * rest by name. Codes change when a plug-in is added; files use names.
 */

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Expression, FunctionDeclaration, Program as ProgramNode } from 'acorn';
import { parse } from 'acorn';
import { withoutTypes } from './strip.ts';

/** A place of the kernel where plug-ins go. */
export interface Socket {
  /** The hooks' file, under the kernel's folder. */
  hooks: string;
  /** The folder of the plug-ins, under the kernel's folder. */
  folder: string;
  /** The function of word/run.ts that tells the run's choice. */
  choice: string;
  /** The constant of the hooks' file that counts what is plugged in. */
  counter: string;
  /** The catalogue's name for the list, and for the type of one's `about`. */
  list: string;
  about: string;
}

export const SOCKETS: readonly Socket[] = [
  {
    hooks: 'word/hooks.ts',
    folder: 'protocols',
    choice: 'runProtocol',
    counter: 'PLUGGED_PROTOCOL_HOOKS',
    list: 'PROTOCOL_LIST',
    about: 'ProtocolAbout',
  },
  {
    hooks: 'lock/kindHooks.ts',
    folder: 'lock/kinds',
    choice: 'runLockKind',
    counter: 'PLUGGED_LOCK_HOOKS',
    list: 'LOCK_LIST',
    about: 'LockAbout',
  },
];

/** One plug-in. */
interface PlugIn {
  /** As users call it. */
  name: string;
  /** The file that exports `about` and hooks, under the kernel's folder. */
  file: string;
  /** Its file's name, under which its hooks are imported. */
  ident: string;
  code: number;
  about: Readonly<Record<string, unknown>>;
  /** Hooks that it exports. */
  hooks: readonly string[];
}

/** A plug-in or a hooks' file that cannot be used; the message names file and reason. */
class PlugError extends Error {
  override readonly name = 'PlugError';
}

function parsed(file: string, text: string): ProgramNode {
  return parse(withoutTypes(file, text), { ecmaVersion: 2023, sourceType: 'module' });
}

/**
 * The value of a literal expression: numbers, strings, booleans, null, arrays and objects of them. `where` names it in
 * errors.
 */
export function literal(node: Expression, where: string): unknown {
  if (node.type === 'Literal' && !('regex' in node)) return node.value;
  if (node.type === 'UnaryExpression' && node.operator === '-' && node.argument.type === 'Literal')
    return -(node.argument.value as number);
  if (node.type === 'ArrayExpression')
    return node.elements.map((each, i) => literal(each as Expression, `${where}[${i}]`));
  if (node.type === 'ObjectExpression')
    return Object.fromEntries(
      node.properties.map((property) => {
        if (property.type !== 'Property' || property.computed)
          throw new PlugError(
            `${where}: only plain properties, since it is read without being run`,
          );
        const { key } = property;
        const name =
          key.type === 'Identifier' ? key.name : String((key as { value: unknown }).value);
        return [name, literal(property.value, `${where}.${name}`)];
      }),
    );
  throw new PlugError(`${where}: a literal is wanted, since it is read without being run`);
}

/** The functions that a module declares and exports, and its `about` with where that statement stands. */
function exportsOf(file: string, text: string) {
  const functions = new Map<string, FunctionDeclaration>();
  let about: { value: unknown; start: number; end: number } | null = null;
  for (const node of parsed(file, text).body) {
    if (node.type !== 'ExportNamedDeclaration') continue;
    const { declaration } = node;
    if (declaration?.type === 'FunctionDeclaration')
      functions.set(declaration.id.name, declaration as FunctionDeclaration);
    else if (declaration?.type === 'VariableDeclaration')
      for (const { id, init } of declaration.declarations)
        if (id.type === 'Identifier' && id.name === 'about' && init)
          about = { value: literal(init, `${file}: about`), start: node.start, end: node.end };
  }
  return { functions, about };
}

/** A plug-in's source without its `about`, which AssemblyScript could not read. */
export function withoutAbout(file: string, text: string): string {
  if (!/^export const about\b/m.test(text)) return text;
  const { about } = exportsOf(file, text);
  return about === null ? text : text.slice(0, about.start) + text.slice(about.end);
}

/** The plug-ins of a socket, in order. `kernel`: the folder of the kernel's sources. Throws PlugError. */
export function plugIns(kernel: string, socket: Socket): PlugIn[] {
  const hooks = exportsOf(socket.hooks, readFileSync(join(kernel, socket.hooks), 'utf8')).functions;
  const found = readdirSync(join(kernel, socket.folder), { withFileTypes: true })
    .map((entry) =>
      entry.isDirectory()
        ? `${socket.folder}/${entry.name}/${entry.name}.ts`
        : `${socket.folder}/${entry.name}`,
    )
    .filter((file) => file.endsWith('.ts'))
    .map((file) => {
      if (!existsSync(join(kernel, file)))
        throw new PlugError(`${file}: a folder of ${socket.folder}/ has a file of its own name`);
      const { functions, about } = exportsOf(file, readFileSync(join(kernel, file), 'utf8'));
      const { name } = (about?.value ?? {}) as { name?: unknown };
      if (about === null || typeof name !== 'string')
        throw new PlugError(
          `${file}: export const about = { name: '...', summary: '...' } is missing`,
        );
      const strange = [...functions.keys()].filter((each) => !hooks.has(each));
      if (strange.length > 0)
        throw new PlugError(
          `${file}: ${strange.join(', ')} is no hook; of ${socket.hooks}: ${[...hooks.keys()].join(', ')}`,
        );
      return {
        name,
        file,
        ident: basename(file, '.ts'),
        about: about.value as Readonly<Record<string, unknown>>,
        hooks: [...functions.keys()],
      };
    });
  const rank = ({ about }: { about: Readonly<Record<string, unknown>> }): number =>
    about['isBase'] === true ? 0 : about['isDefault'] === true ? 1 : 2;
  const ordered = found.toSorted((a, b) => rank(a) - rank(b) || (a.name < b.name ? -1 : 1));
  const names = new Set(ordered.map(({ name }) => name));
  if (names.size !== ordered.length)
    throw new PlugError(
      `${socket.folder}/: two plug-ins have one name: ${ordered.map(({ name }) => name).join(', ')}`,
    );
  return ordered.map((each, code) => ({ ...each, code }));
}

/** The hooks' file `text` with the plug-ins' hooks called in it. */
export function pluggedHooks(text: string, socket: Socket, kinds: readonly PlugIn[]): string {
  const up = '../'.repeat(socket.hooks.split('/').length - 1);
  const imports = kinds.flatMap(({ hooks, ident, file }) =>
    hooks.length === 0
      ? []
      : [
          `import { ${hooks.map((hook) => `${hook} as ${ident}_${hook}`).join(', ')} } from '${up}${file}';`,
        ],
  );
  const { functions } = exportsOf(socket.hooks, text);
  const inserts: [at: number, code: string][] = [];
  for (const [hook, node] of functions) {
    const callees = kinds.filter(({ hooks }) => hooks.includes(hook));
    if (callees.length === 0) continue;
    const names = node.params.map((each) => (each as { name: string }).name).join(', ');
    const returns = !text.slice(node.start, node.body.start).endsWith('): void ');
    const lines = callees.map(({ ident, code }) => {
      const call = `${ident}_${hook}(${names})`;
      return `  if (${socket.choice}() === ${code}) ${returns ? `return ${call};` : `{ ${call}; return; }`}`;
    });
    inserts.push([node.body.start + 1, `\n${lines.join('\n')}\n`]);
    // A hook is a look at a constant and a call: without the decorator it would be a call more.
    const comment = text.lastIndexOf('*/', node.start);
    inserts.push([comment, '\n * @inline\n ']);
  }
  let written = text;
  for (const [at, code] of inserts.toSorted(([a], [b]) => b - a))
    written = written.slice(0, at) + code + written.slice(at);
  const count = kinds.reduce((sum, { hooks }) => sum + hooks.length, 0);
  const counter = new RegExp(`(${socket.counter}: u32 = )0`);
  if (!counter.test(written))
    throw new PlugError(`${socket.hooks}: no constant ${socket.counter} of value 0`);
  const head =
    imports.length === 0
      ? ''
      : [...imports, `import { ${socket.choice} } from '${up}word/run.ts';`].join('\n');
  written = written.replace(counter, `$1${count}`);
  const top = written.indexOf('*/') + 2;
  return `${written.slice(0, top)}\n${head}${written.slice(top)}`;
}

/**
 * A module's text as every build of the kernel sees it: `path` is under the kernel's folder `kernel`; a hooks' file is
 * plugged, others are as they are.
 */
export function plugged(kernel: string, path: string, text: string): string {
  const socket = SOCKETS.find(({ hooks }) => hooks === path);
  return socket === undefined ? text : pluggedHooks(text, socket, plugIns(kernel, socket));
}

/**
 * The catalogue's source, src/foundry/catalogue.ts: every plug-in's `about` by name, and a check of each hook against
 * its declaration.
 */
export function catalogueText(kernel: string): string {
  const parts = SOCKETS.map((socket) => {
    const kinds = plugIns(kernel, socket);
    const hooks = basename(socket.hooks, '.ts');
    return {
      imports: [
        `import type * as ${hooks} from '../kernel/${socket.hooks}';`,
        ...kinds.map(({ ident, file }) => `import type * as ${ident} from '../kernel/${file}';`),
      ],
      types: socket.about,
      text: `/** Of src/kernel/${socket.folder}/: \`about\` of each, by name, and its code in the kernel. */
export const ${socket.list} = ${JSON.stringify(
        Object.fromEntries(kinds.map(({ name, about, code }) => [name, { ...about, code }])),
        null,
        2,
      )} as const satisfies Readonly<Record<string, ${socket.about}>>;

/** Each function that a plug-in exports is one that its hook's declaration allows; else this does not compile. */
export type ${socket.about}Hooks = [
${kinds.map(({ ident }) => `  Fits<typeof ${hooks}, typeof ${ident}>,`).join('\n')}
];
`,
    };
  });
  return `/** Made by the build from the kernel's plug-ins: what stands here stands in their files. */
${parts.flatMap(({ imports }) => imports).join('\n')}
import type { Fits, ${parts.map(({ types }) => types).join(', ')} } from "./about.ts";

${parts.map(({ text }) => text).join('\n')}`;
}
