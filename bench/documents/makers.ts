/**
 * Makes the bodies of blocks: a maker of the project's data, or a shell command in which `ptlab` is the built command
 * line.
 */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { format } from 'prettier';
import { catalogue } from '../../src/cli/catalogue.ts';
import { AXIS_OPTIONS, SIZE_OPTIONS } from '../../src/cli/axes.ts';
import { TABLE_BITS, TABLE_BYTES } from '../../src/kernel/abi.ts';
import * as layout from '../../src/kernel/abi.ts';
import { CHECK_LEVELS } from '../../src/machine/options.ts';
import { readTree, ROOT, sourceCalled } from './tree.ts';

const LIMIT_MS = 4 * 60 * 60 * 1000;
const STATUS_VIOLATION = 1;

function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [head, head.map(() => '---'), ...rows];
  return lines
    .map((cells) => `| ${cells.join(' | ').replaceAll(/(?<=\w)\|/g, '\\|')} |`)
    .join('\n');
}

const code = (word: string): string => `\`${word}\``;

function axes(): string {
  const rows = Object.entries({
    ...AXIS_OPTIONS,
    check: { allowed: CHECK_LEVELS, help: 'what the oracles look at (default full; contend: off)' },
  }).map(([name, { allowed, help }]) => [code(`--${name}`), allowed.map(code).join(' '), help]);
  const { mthp } = SIZE_OPTIONS;
  rows.push([code('--mthp'), code(mthp.value), mthp.help]);
  return markdownTable(['axis', 'values', 'what it chooses'], rows);
}

function listed(kind: string): string {
  const all: Record<string, readonly { name: string; summary: string }[]> = catalogue();
  const rows = all[kind]?.map(({ name, summary }) => [code(name), summary]);
  if (rows === undefined) throw new Error(`list ${kind}; allowed: ${Object.keys(all).join(', ')}`);
  return markdownTable(['name', 'what it is'], rows);
}

const at = (address: number): string => `0x${address.toString(16).padStart(6, '0')}`;
const kib = (bytes: number): string => `${bytes / 1024} KiB each`;

/** Where what is in the shared memory, of a machine with as many CPUs as there can be. */
function memory(): string {
  const globals = Object.entries(layout).filter(([name]) => name.startsWith('G_'));
  const firstGlobal = Math.min(...globals.map(([, address]) => Number(address)));
  const rows = [
    [at(0), 'header', 'configuration (constant), stop word, violations'],
    [at(firstGlobal), 'global words', 'RCU, allocators, each hot word on a cache line of its own'],
    [
      at(layout.PERCPU),
      'per-CPU areas',
      `${kib(layout.CPU_BYTES)}: interrupts, RCU, gathers, TLB, counters, lock_stat`,
    ],
    [
      at(layout.TABLES),
      'page tables',
      `${kib(TABLE_BYTES)}: ${2 ** TABLE_BITS} entries of 32 bits`,
    ],
    ['', 'table descriptors', 'lock, generation, state, RCU head: they outlive the table'],
    ['', 'frame descriptors', 'references, map count, generation; frames have no bytes'],
    ['', 'VMAs', 'skip list under RCU, per-VMA locks'],
    ['', 'address spaces', 'mmap_lock, counters, CPU mask'],
    ['', 'inodes, page-cache buckets, swap slots, event rings'],
  ];
  const lines = rows.map(([address, what, rest = '']) =>
    `${address!.padEnd(8)}  ${what!.padEnd(17)}  ${rest}`.trimEnd(),
  );
  return `\`\`\`text\n${lines.join('\n')}\n\`\`\``;
}

/** What a block can name beside a command of the shell. */
const MAKERS: Readonly<Record<string, (argument: string) => string>> = {
  axes,
  listed,
  memory,
  source: (name) => `\`\`\`ts\n${readTree(sourceCalled(name)).trimEnd()}\n\`\`\``,
};

/** Output of a shell command. Rejects when it can neither succeed nor find a violation, or takes hours. */
function outputOf(command: string): Promise<string> {
  const main = join(ROOT, 'dist/src/cli/main.js');
  const script = `ptlab() { "${process.execPath}" "${main}" "$@"; }\n${command}`;
  const child = spawn('sh', ['-c', script], {
    cwd: ROOT,
    env: { ...process.env, NO_COLOR: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: LIMIT_MS,
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status) => {
      if (status !== null && status <= STATUS_VIOLATION) resolve(stdout);
      else reject(new Error(`${command}: ended with ${status}\n${stderr}`));
    });
  });
}

/** The body of a block of that command, as Prettier leaves it. */
export async function makeBody(command: string): Promise<string> {
  const [name, ...words] = command.split(' ');
  const maker = MAKERS[name!];
  if (maker !== undefined) return formatted(maker(words.join(' ')));
  const output = (await outputOf(command)).replace(/^\n+/, '').trimEnd();
  if (output === '') throw new Error(`${command}: printed nothing`);
  if (output.startsWith('| ')) return formatted(output);
  return `\`\`\`text\n$ ${command}\n${output.replaceAll(/[ \t]+$/gm, '')}\n\`\`\``;
}

async function formatted(markdown: string): Promise<string> {
  return (
    await format(markdown, { parser: 'markdown', embeddedLanguageFormatting: 'off' })
  ).trimEnd();
}
