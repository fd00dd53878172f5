/**
 * Writes operations that have been folded onto a small machine as a scenario: a set-up that maps the tables and
 * populates pages, a function for each CPU, nothing at the end but the audit.
 */

import * as config from '../../kernel/abi.ts';
import { OPERATION_NAMES } from '../../machine/codes.ts';
import type { ResolvedOptions } from '../../machine/options.ts';
import type { Violation } from '../../machine/violations.ts';
import type { Choices, ScenarioMachine } from '../scenarioTypes.ts';
import type { Folding } from './fold.ts';
import { rangesOf, type RecordedOperation } from './recorded.ts';

/** Pages that the set-up can populate, a bit of POPULATED each, at most. */
const POPULATED_MAX = 16;

const CODES = new Map([...OPERATION_NAMES].map(([code, name]) => [name, code]));

/** Names of madvise's advice by its number. */
const ADVICE = new Map(
  Object.entries(config)
    .filter(([name]) => name.startsWith('MADV_'))
    .map(([name, code]) => [code as number, name]),
);

/** Lines of a CPU's function that do what the operation did. */
function linesOf(operation: RecordedOperation, folding: Folding): string[] {
  const { arguments: given, name } = operation;
  const [first = 0, second = 0] = given;
  const ranges = rangesOf(operation).map((range) => folding.range(range));
  const [page, end] = ranges[0]!;
  const pages = end - page;
  const call = ((): string[] => {
    switch (name) {
      case 'access':
      case 'fault':
        return [`access(mm, ${page}, ${first});`];
      case 'touch':
        return Array.from({ length: pages }, (_, at) => `access(mm, ${page + at}, ${first});`);
      case 'walk':
        return [first === 0 ? `walkLockless(mm, ${page});` : `stallReader(mm, ${page}, 1);`];
      case 'gup':
        return [`release(${second === 0 ? 'gupFast' : 'gupFastOnly'}(mm, ${page}, ${first}));`];
      case 'madvise':
        return [`doMadvise(mm, ${page}, ${pages}, ${ADVICE.get(second) ?? second});`];
      case 'munmap':
        return [`doMunmap(mm, ${page}, ${pages});`];
      case 'mprotect':
        return [`doMprotect(mm, ${page}, ${pages}, ${second});`];
      case 'mmap':
        // Files are not folded: all memory is anonymous, private or shared.
        return [`doMmap(mm, ${page}, ${pages}, ${second}, ${given[2] ?? 0}, 0, 0);`];
      case 'mremap': {
        const [to, toEnd] = ranges[1]!;
        return [`doMremap(mm, ${page}, ${pages}, ${to}, ${toEnd - to}, ${given[3] ?? 0});`];
      }
      default:
        throw new Error(`operation ${name} has no addresses`);
    }
  })();
  return [
    `beginOperation(${CODES.get(name)}, mm, ${page}); // ${name}`,
    ...call,
    'endOperation();',
  ];
}

/** A scenario's module, and what can be varied in it. */
export interface WrittenScenario {
  text: string;
  /** Recorded CPUs, in the order of the scenario's. */
  cpus: number[];
  /** Pages that the set-up populates when their bit is set in the constant POPULATED. */
  pages: number[];
  /** POPULATED as far as the operations tell: pages that they read, walk or pin. */
  populated: number;
}

/** Axes of the recorded machine that the small one shares. */
function axesOf(options: ResolvedOptions): ScenarioMachine {
  const { emptiness, fault, free, lock, protocol, thp, zeroPage } = options;
  return {
    protocol,
    free,
    fault,
    lock,
    ...(emptiness !== 'scan' && { emptiness }),
    ...(thp !== 'never' && { thp }),
    ...(!zeroPage && { zeroPage }),
  };
}

/** Trouble that the run injected at random: choices here, once on each CPU. */
function choicesOf({ inject }: ResolvedOptions): Choices {
  return {
    ...(inject.table > 0 && { table: 1 }),
    ...(inject.batch > 0 && { batch: 1 }),
    ...(inject.frame > 0 && { frame: 1 }),
    ...(inject.resched > 0 && { resched: 1 }),
    ...(inject.storm > 0 && { interrupt: 1 }),
  };
}

/** Pages that operations name alone, best first, then the first page of each table; POPULATED_MAX at most. */
function pagesOf(operations: readonly RecordedOperation[], folding: Folding): number[] {
  const named = operations
    .filter(({ name }) => ['access', 'fault', 'walk', 'gup'].includes(name))
    .map(({ page }) => folding.page(page));
  return [...new Set([...named, ...folding.firstPages])].slice(0, POPULATED_MAX);
}

/** Writes a scenario of the operations, which are in the order of their beginnings. */
export function writeScenario(
  violation: Violation,
  operations: readonly RecordedOperation[],
  folding: Folding,
  options: ResolvedOptions,
): WrittenScenario {
  const cpus = [...new Set(operations.map(({ cpu }) => cpu))].toSorted((one, other) => one - other);
  const pages = pagesOf(operations, folding);
  const looks = operations.filter(({ name }) => name === 'walk' || name === 'gup');
  const seen = new Set(looks.map(({ page }) => folding.page(page)));
  const populated = pages.reduce((mask, page, bit) => mask | (seen.has(page) ? 1 << bit : 0), 0);
  const functions = cpus.map((cpu, at) => {
    const lines = operations
      .filter((operation) => operation.cpu === cpu)
      .map((operation) => linesOf(operation, folding).join('\n  '));
    return `/** CPU ${cpu} of the run. */\nfunction cpu${at}(): void {\n  ${lines.join('\n  rcuQuiescentState();\n  ')}\n}\n`;
  });
  const tables = folding.firstPages.map(
    (first) =>
      `  expect(doMmap(mm, ${first}, ${folding.entries}, VM_READ | VM_WRITE, 0, 0, 0) === 0, 'mapped');`,
  );
  const populate = pages.map(
    (page, bit) =>
      `  if ((POPULATED & ${1 << bit}) !== 0) populateRange(mm, ${page}, ${page + 1}, 1);`,
  );
  const body = `
/** Pages that are there at the start, a bit each. */
const POPULATED: u32 = ${populated === 0 ? 1 : populated};

let mm: u32 = 0;

export function setUp(): void {
  mm = mmCreate();
${[...tables, ...populate].join('\n')}
}

${operations.some(({ name }) => name === 'gup') ? RELEASE : ''}${functions.join('\n')}
export const cpus = [${cpus.map((_, at) => `cpu${at}`).join(', ')}];
`;
  const names = [...Object.keys(config).filter((name) => /^[A-Z]/.test(name)), ...CALLS].filter(
    (name) => new RegExp(`\\b${name}\\b`).test(body),
  );
  const text = `/**
 * What the CPUs were doing when a stress run met this violation, folded onto a small machine:
 *
 *     ${violation.message}
 */

import {
${names.map((name) => `  ${name},\n`).join('')}} from 'ptlab/scenario';

export const about = {
  summary: 'operations before a violation of ${violation.oracle} in a stress run',
  source: 'ptlab stress --events',
  expected: 'violation',
  machine: ${JSON.stringify(axesOf(options))},
  choices: ${JSON.stringify(choicesOf(options))},
  constants: { TABLE_BITS: ${folding.tableBits}, TASK_END: ${4 * folding.entries ** 3 - 1} },
};
${body}`;
  return { text, cpus, pages, populated };
}

const RELEASE = `function release(frame: u32): void {
  if (frame !== 0) gupPut(frame);
}

`;

/** What a written scenario may call. */
const CALLS = [
  'access',
  'beginOperation',
  'doMadvise',
  'doMmap',
  'doMprotect',
  'doMremap',
  'doMunmap',
  'endOperation',
  'expect',
  'gupFast',
  'gupFastOnly',
  'gupPut',
  'mmCreate',
  'populateRange',
  'rcuQuiescentState',
  'stallReader',
  'walkLockless',
];
