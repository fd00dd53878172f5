/**
 * mapbench: three patterns of mapping, touching and unmapping in one address space, from RadixVM's evaluation, used
 * again in CortenMM's.
 *
 *   local     Each CPU maps, writes and unmaps memory of its own, over and over. Regions of neighbours are 1 MiB apart,
 *             so that two of them share a PTE table and all of them the upper ones. One page.
 *   pipeline  Each CPU maps a region, writes to it and hands it to the next CPU, which writes to it again and unmaps
 *             it. Regions are 256 MiB apart. One page; as in the original a channel holds one region.
 *   global    All CPUs map their parts of one region of 16 pages a CPU, over what was there before; when all have, each
 *             writes to random pages of the whole region, as many times as it has pages; when all have, they start
 *             over.
 *
 * An iteration is a region unmapped (local, pipeline) or mapped anew (global), counted per CPU. Waiting CPUs look for a
 * while, then park; in the original they spin, which with more CPUs than cores would measure the scheduler.
 *
 * Source: Clements, Kaashoek, Zeldovich, RadixVM (EuroSys 2013), 5.3; sv6 bin/mapbench.cc.
 */
import { PAGE_BYTES } from '../../kernel/abi.ts';
import type { WorkloadCpu } from '../../machine/workload.ts';
import {
  awaitSignal,
  BASE,
  makeSpaces,
  map,
  mapOver,
  type NamedWorkload,
  resetSignals,
  signal,
  signalWord,
  succeeded,
  unmap,
  write,
} from './named.ts';

const LOCAL_PAGES = 1;
const LOCAL_APART = 0x10_0000 / PAGE_BYTES;
const PIPELINE_PAGES = 1;
const PIPELINE_APART = 0x1000_0000 / PAGE_BYTES;
const GLOBAL_PAGES = 16;

/** Lines of signal words: a channel's, of the CPU that takes out of it, and the barrier's, of CPU 0. */
const PUT = 0;
const TAKEN = 1;
const ROUND = 2;
const ARRIVED = 3;

function prepare(cpu: WorkloadCpu): number[] {
  resetSignals(cpu);
  return makeSpaces(cpu, 1);
}

function cleanUp(cpu: WorkloadCpu): void {
  cpu.calls.pages.mmDestroy(cpu.shared[0]!);
}

function local(cpu: WorkloadCpu): void {
  const mm = cpu.shared[0]!;
  const first = BASE + cpu.id * LOCAL_PAGES * LOCAL_APART;
  map(cpu, mm, first, LOCAL_PAGES);
  write(cpu, mm, first, LOCAL_PAGES);
  unmap(cpu, mm, first, LOCAL_PAGES);
  cpu.iterated(1);
}

const regionOf = (channel: number): number => BASE + channel * PIPELINE_PAGES * PIPELINE_APART;

/**
 * One look at the outgoing and the incoming channel; waits for the incoming one when there was nothing to do at either.
 */
function pipeline(cpu: WorkloadCpu): void {
  const { words } = cpu;
  const mm = cpu.shared[0]!;
  const out = (cpu.id + 1) % cpu.cpus;
  let worked = false;
  if (
    Atomics.load(words, signalWord(out, PUT)) === Atomics.load(words, signalWord(out, TAKEN)) &&
    !cpu.stopped
  ) {
    map(cpu, mm, regionOf(out), PIPELINE_PAGES);
    write(cpu, mm, regionOf(out), PIPELINE_PAGES);
    signal(cpu, signalWord(out, PUT));
    worked = true;
  }
  const taken = Atomics.load(words, signalWord(cpu.id, TAKEN));
  if (Atomics.load(words, signalWord(cpu.id, PUT)) !== taken) {
    write(cpu, mm, regionOf(cpu.id), PIPELINE_PAGES);
    unmap(cpu, mm, regionOf(cpu.id), PIPELINE_PAGES);
    signal(cpu, signalWord(cpu.id, TAKEN));
    cpu.iterated(1);
    worked = true;
  }
  // The CPU before this one can fill an empty channel, unless it has done its operations and left.
  if (!worked) awaitSignal(cpu, signalWord(cpu.id, PUT), taken, 1);
}

/** Waits until all CPUs are here; false when the machine stops first. */
function meet(cpu: WorkloadCpu): boolean {
  const round = Atomics.load(cpu.words, signalWord(0, ROUND));
  if (signal(cpu, signalWord(0, ARRIVED)) % cpu.cpus !== 0)
    return awaitSignal(cpu, signalWord(0, ROUND), round);
  signal(cpu, signalWord(0, ROUND));
  return true;
}

function global(cpu: WorkloadCpu): void {
  const mm = cpu.shared[0]!;
  const pages = GLOBAL_PAGES * cpu.cpus;
  mapOver(cpu, mm, BASE + cpu.id * GLOBAL_PAGES, GLOBAL_PAGES);
  if (!meet(cpu)) return;
  const touched = new Uint8Array(pages);
  for (let i = 0; i < pages; i++) {
    const page = cpu.random(pages);
    if (touched[page] !== 0) continue;
    succeeded('write', cpu.calls.pages.access(mm, BASE + page, 1));
    touched[page] = 1;
  }
  if (meet(cpu)) cpu.iterated(1);
}

const sizes: NamedWorkload['sizes'] = (cpus) => ({
  tables: 65_536,
  frames: 65_536 + GLOBAL_PAGES * cpus,
  addressSpaces: 2,
  inodes: 1,
});
const unit = 'iterations';

/** The three patterns. */
export const mapbench: readonly NamedWorkload[] = [
  {
    name: 'mapbench-local',
    summary: 'each CPU maps, writes and unmaps a page of its own, 1 MiB from the next',
    workload: { unit, prepare, run: local, cleanUp },
    sizes,
  },
  {
    name: 'mapbench-pipeline',
    summary: 'each CPU maps and writes a page, the next one writes it again and unmaps it',
    workload: { unit, prepare, run: pipeline, cleanUp },
    sizes,
  },
  {
    name: 'mapbench-global',
    summary:
      'all CPUs map their parts of one region anew and write to random pages of the whole of it',
    workload: { unit, prepare, run: global, cleanUp },
    sizes,
  },
];
