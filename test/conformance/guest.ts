/**
 * What CPUs do in interleavings.test.ts, run in their threads. A CPU comes to a place, says so in a shared word, and
 * stays there until another word lets it go on; it looks at both while it polls interrupts, as a CPU does that is busy
 * there.
 */
import type { WorkloadCpu } from '../../src/machine/workload.ts';

/** Words of the shared control block. */
export const INSIDE = 0;
export const LEAVE = 1;
/** Longest that a CPU stays, milliseconds: a test that goes wrong ends. */
const STAY_MS = 10_000;

export interface Stay {
  mm: number;
  vpn: number;
  control: SharedArrayBuffer;
  /** With interrupts disabled, as GUP-fast is. */
  interruptsOff?: boolean;
}

type Exports = Record<string, (...args: number[]) => number>;

const exportsOf = (cpu: WorkloadCpu): Exports => cpu.calls.kernel as unknown as Exports;

/** Says that this CPU is where it is to be, and stays until it may leave. */
function stay(kernel: Exports, shared: SharedArrayBuffer): void {
  const control = new Int32Array(shared);
  const endMs = performance.now() + STAY_MS;
  Atomics.store(control, INSIDE, 1);
  Atomics.notify(control, INSIDE);
  while (Atomics.load(control, LEAVE) === 0) {
    kernel['pollInterrupts']!();
    Atomics.wait(control, LEAVE, 0, 0.1);
    if (performance.now() > endMs) throw new Error(`not let go within ${STAY_MS} ms`);
  }
}

/** Maps the PTE table of a page, stays in it, and unmaps it. */
export function stayMapped(cpu: WorkloadCpu, { mm, vpn, control, interruptsOff }: Stay): void {
  const kernel = exportsOf(cpu);
  if (interruptsOff === true) kernel['irqDisable']!();
  const pte = kernel['pteOffsetMap']!(kernel['pmdFind']!(mm, vpn), vpn);
  stay(kernel, control);
  kernel['pteUnmap']!(pte);
  if (interruptsOff === true) kernel['irqEnable']!();
}

/**
 * Holds the PTE lock of a page's table, as a rule beside mmap_lock. With `reclaim`, detaches the table before it lets
 * the lock go.
 */
export function stayPteLocked(
  cpu: WorkloadCpu,
  {
    mm,
    vpn,
    control,
    reclaim,
    withoutMmapLock,
  }: Stay & { reclaim?: boolean; withoutMmapLock?: boolean },
): void {
  const kernel = exportsOf(cpu);
  if (withoutMmapLock !== true) kernel['mmapReadLock']!(mm);
  const pmd = kernel['pmdFind']!(mm, vpn);
  const gather = kernel['gatherStart']!(mm);
  const pte = kernel['pteOffsetMapLock']!(pmd, vpn);
  stay(kernel, control);
  const detached = reclaim === true && Boolean(kernel['reclaimLocked']!(pmd));
  kernel['pteUnmapUnlock']!(pte);
  if (detached) kernel['detachedTable']!(gather, mm, vpn);
  kernel['gatherFinish']!(gather);
  if (withoutMmapLock !== true) kernel['mmapReadUnlock']!(mm);
}

/** Holds the PMD lock of a page. */
export function stayPmdLocked(cpu: WorkloadCpu, { mm, vpn, control }: Stay): void {
  const kernel = exportsOf(cpu);
  const pmd = kernel['pmdFind']!(mm, vpn);
  kernel['pmdLock']!(pmd);
  stay(kernel, control);
  kernel['pmdUnlock']!(pmd);
}

/** Holds the lock of the VMA at a page for reading; gives whether it got it. */
export function stayVmaLocked(cpu: WorkloadCpu, { mm, vpn, control }: Stay): boolean {
  const kernel = exportsOf(cpu);
  const vma = kernel['lockVmaUnderRcu']!(mm, vpn);
  stay(kernel, control);
  if (vma !== 0) kernel['vmaReadUnlock']!(vma);
  return vma !== 0;
}

/** Holds mmap_lock for writing. */
export function stayMmapWriteLocked(cpu: WorkloadCpu, { mm, control }: Stay): void {
  const kernel = exportsOf(cpu);
  kernel['mmapWriteLock']!(mm);
  stay(kernel, control);
  kernel['mmapWriteUnlock']!(mm);
}

/** Writes a page, stays, and writes it again; gives both errors. */
export function stayBetweenWrites(
  cpu: WorkloadCpu,
  { mm, vpn, control, interruptsOff }: Stay,
): number[] {
  const kernel = exportsOf(cpu);
  const before = kernel['access']!(mm, vpn, 1);
  if (interruptsOff === true) kernel['irqDisable']!();
  stay(kernel, control);
  if (interruptsOff === true) kernel['irqEnable']!();
  return [before, kernel['access']!(mm, vpn, 1)];
}

/** Passes through many quiescent states. */
export function passQuiescentStates(cpu: WorkloadCpu): void {
  const kernel = exportsOf(cpu);
  for (let i = 0; i < 1000; i++) kernel['condResched']!();
}
