/**
 * Scenarios: modules written like the kernel's that say what each CPU does, what must hold at the end, and what is
 * expected. They are read (about.ts), linked with a kernel of their own and made into programs for the searches.
 *
 * A scenario exports
 *
 *     about    a literal (ScenarioAbout), read without running the module
 *     setUp    optional: before the CPUs start, alone, on CPU 0
 *     cpus     a function for each CPU, called with its number; a function that occurs twice makes CPUs that are alike
 *     finish   optional: when all have ended, alone, on CPU 0: what must hold (by `expect`)
 *
 * and imports from scenarioApi.ts (`ptlab/scenario`).
 */

import { basename } from 'node:path';
import { constantsOf, readAbout, ScenarioError, scenarioPath } from './about.ts';
import {
  compileCoroutines,
  linkCoroutines,
  type CoroutineHost,
  type LinkedProgram,
  type LinkOptions,
  type Patch,
  type Statement,
} from './link/coroutine.ts';
import type { Coroutine, Program, ProgramMaker } from './program.ts';
import { KERNEL_MODULES, kernelProgram } from './kernelScenario.ts';
import { findMutant, MUTANT_NAMES, type Mutant } from './mutants/index.ts';
import type { Site } from './operation.ts';
import type { Choices, ScenarioAbout, ScenarioRequest } from './scenarioTypes.ts';

export { readAbout, ScenarioError, scenarioNames } from './about.ts';
export type { Choices, ScenarioAbout, ScenarioMachine, ScenarioRequest } from './scenarioTypes.ts';

/** A scenario that is ready to be explored. */
export interface Scenario {
  name: string;
  request: ScenarioRequest;
  about: ScenarioAbout;
  make: ProgramMaker;
  /** Name of each CPU's function. */
  columns: readonly string[];
  /** For each CPU the first one that has the same function. */
  alike: readonly number[];
  sites: readonly Site[];
  statements: readonly Statement[];
  /** The linked JavaScript: what was explored, to tell whether it has changed. */
  source: string;
}

/** Kinds of choices, one line each. */
export const SCENARIO_CHOICES: Readonly<Record<keyof Choices, string>> = {
  table: 'an allocation of a table fails',
  batch: 'an allocation of a batch page fails: the gather must free a table singly',
  frame: 'an allocation of a frame fails',
  allocation: 'an allocation of any kind fails',
  resched: 'a look at need_resched finds it set',
  death: 'the CPU dies, holding the lock it has just taken',
  interrupt: 'an interrupt to the next CPU, at a synchronisation point',
  speculation: 'the hardware walks to page `vpn` on its own account',
  vpn: 'that page (default 1)',
};

const CHOICE_CONSTANTS: Readonly<Record<keyof Choices, string>> = {
  table: 'CHOICES_TABLE',
  batch: 'CHOICES_BATCH',
  frame: 'CHOICES_FRAME',
  allocation: 'CHOICES_ALLOCATION',
  resched: 'CHOICES_RESCHED',
  death: 'CHOICES_DEATH',
  interrupt: 'CHOICES_INTERRUPT',
  speculation: 'CHOICES_SPECULATION',
  vpn: 'CHOICES_VPN',
};

function choiceConstants(choices: Choices): Record<string, number> {
  return Object.fromEntries(
    Object.entries(choices).map(([kind, most]) => {
      if (!Object.hasOwn(CHOICE_CONSTANTS, kind))
        throw new ScenarioError(
          `choice "${kind}"; allowed: ${Object.keys(CHOICE_CONSTANTS).join(', ')}`,
        );
      if (!Number.isInteger(most) || most < 0 || (kind !== 'vpn' && most > 15))
        throw new ScenarioError(`choice ${kind}: ${most}; allowed: 0 to 15`);
      return [CHOICE_CONSTANTS[kind as keyof Choices], most];
    }),
  );
}

/** What a scenario's module exports once it is linked. */
interface ScenarioExports {
  cpus: ((cpu: number) => Coroutine | void)[];
  setUp?: () => Coroutine | void;
  finish?: () => Coroutine | void;
}

function bareProgram(exports: ScenarioExports, memoryBytes: number): Omit<Program, 'sites'> {
  const { cpus, setUp, finish } = exports;
  return {
    cpus: cpus.length,
    words: memoryBytes >>> 2,
    *run(cpu): Coroutine {
      const running = cpus[cpu]!(cpu);
      return typeof running === 'object' ? yield* running : undefined;
    },
    ...(setUp && { setUp }),
    ...(finish && { finish }),
  };
}

/** A host that leaves out what a request drops; `current` is the CPU that runs. */
function droppingHost(
  host: CoroutineHost,
  request: ScenarioRequest,
  current: { cpu: number },
): CoroutineHost {
  if (request.drop === undefined) return host;
  const dropped = new Set(request.drop.map(([cpu, statement]) => `${cpu} ${statement}`));
  return { ...host, keeps: (statement) => !dropped.has(`${current.cpu} ${statement}`) };
}

function columnsOf(linked: LinkedProgram, bare: boolean): { columns: string[]; alike: number[] } {
  const host = { slots: new Uint32Array(8) } as unknown as CoroutineHost;
  const exports = compileCoroutines(linked)(host) as unknown as ScenarioExports;
  const { cpus } = exports;
  if (!Array.isArray(cpus) || cpus.length === 0 || cpus.length > (bare ? 31 : 4))
    throw new ScenarioError(
      `cpus: must be a list of 1 to ${bare ? 31 : 4} functions, one for each CPU`,
    );
  return {
    columns: cpus.map((run) => run.name.replace(/\$.*$/, '')),
    alike: cpus.map((run) => cpus.indexOf(run)),
  };
}

/** The mutant of a request, null when it has none. Throws ScenarioError. */
function mutantOf({ mutant, patch }: ScenarioRequest): Mutant | null {
  if (mutant === undefined) return null;
  if (patch !== undefined) throw new ScenarioError('a mutant and a patch; allowed: one of them');
  const found = findMutant(mutant);
  if (found === null)
    throw new ScenarioError(`mutant "${mutant}"; allowed: ${MUTANT_NAMES.join(', ')}`);
  return found;
}

/** The patch of a request: its own, or its mutant's. Throws ScenarioError. */
export function patchOf(request: ScenarioRequest): Patch | undefined {
  return request.patch ?? mutantOf(request)?.patch;
}

/** The same request without its patch, or its mutant's, all else being equal; null: it has none. */
export function unpatched(request: ScenarioRequest): ScenarioRequest | null {
  if (patchOf(request) === undefined) return null;
  const mutant = mutantOf(request);
  const { patch: _, mutant: __, ...rest } = request;
  return {
    ...rest,
    machine: { ...mutant?.machine, ...request.machine },
    choices: { ...mutant?.choices, ...request.choices },
    constants: { ...mutant?.constants, ...request.constants },
  };
}

/**
 * Reads, links and makes a scenario ready, linked plain (`LinkOptions.plain`) for threads. Throws ScenarioError,
 * LinkError, OptionError.
 */
export function openScenario(
  request: ScenarioRequest,
  options: Pick<LinkOptions, 'plain'> = {},
): Scenario {
  const path = scenarioPath(request.scenario);
  const about = readAbout(request.scenario);
  const mutant = mutantOf(request);
  const patch = patchOf(request);
  const choices = { ...about.choices, ...mutant?.choices, ...request.choices };
  const chooses = Object.values(choices).some((most) => most > 0);
  const bare = about.memoryBytes !== undefined;
  if (bare && chooses)
    throw new ScenarioError(
      `${request.scenario}: choices need a machine; a program of bare words calls choose itself`,
    );
  const constants = {
    ...(chooses ? choiceConstants(choices) : {}),
    ...constantsOf(about),
    ...mutant?.constants,
    ...request.constants,
  };
  const linked = linkCoroutines(bare ? [path] : [...KERNEL_MODULES, path], {
    constants,
    choices: chooses,
    words: bare,
    told: { [path]: request.scenario },
    ...options,
    ...(patch && { patch }),
    ...(request.drop && { droppable: path }),
  });
  return readyScenario({
    name: basename(path).replace(/\.[jt]s$/, ''),
    request,
    about,
    sites: linked.sites,
    statements: linked.statements,
    source: linked.source,
  });
}

/** What a scenario is made of, which can be sent to another thread. */
export type LinkedScenario = Pick<
  Scenario,
  'name' | 'request' | 'about' | 'sites' | 'statements' | 'source'
>;

/** A scenario that has been linked before, made ready in this thread. */
export function readyScenario(parts: LinkedScenario): Scenario {
  const { name, request, about, sites, statements, source } = parts;
  const linked: LinkedProgram = { source, sites, statements };
  const machine = { ...about.machine, ...mutantOf(request)?.machine, ...request.machine };
  const bare = about.memoryBytes !== undefined;
  const { columns, alike } = columnsOf(linked, bare);
  for (const cpu of request.cpus ?? [])
    if (!(cpu in columns))
      throw new ScenarioError(`cpus: ${cpu}; allowed: 0 to ${columns.length - 1}`);
  const instantiate = compileCoroutines(linked);
  const make: ProgramMaker = (host) => {
    const current = { cpu: 0 };
    const exports = instantiate(droppingHost(host, request, current));
    const program = bare
      ? bareProgram(exports as unknown as ScenarioExports, about.memoryBytes!)
      : kernelProgram(exports, host, machine, request.cpus);
    const { select, run } = program;
    return {
      ...program,
      sites,
      select(cpu): void {
        current.cpu = cpu;
        select?.(cpu);
      },
      *run(cpu): Coroutine {
        if (request.cpus !== undefined && !request.cpus.includes(cpu)) return undefined;
        return yield* run(cpu);
      },
    };
  };
  return { name, request, about, make, columns, alike, sites, statements, source };
}
