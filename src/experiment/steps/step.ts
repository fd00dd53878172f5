/**
 * A step of a stress mix: one operation, and what a CPU knows between operations: the pages that it keeps pinned, and
 * those that are its own.
 */
import type { WorkloadCpu } from '../../machine/workload.ts';

/** One operation. */
export type Step = (cpu: WorkloadCpu, state: CpuState) => void;

/** A frame pinned by GUP-fast, and its generation then. */
interface Pinned {
  frame: number;
  generation: number;
}

/** What a CPU knows. */
export interface CpuState {
  pinned: Pinned[];
  /** Own pages by page number: the frame that must be there. */
  owned: Map<number, number>;
}

const states = new WeakMap<WorkloadCpu, CpuState>();

/** What `cpu` knows; made at its first step. */
export function stateOf(cpu: WorkloadCpu): CpuState {
  let state = states.get(cpu);
  if (state === undefined) {
    state = { pinned: [], owned: new Map() };
    // Nobody waits for a monitor that waits itself.
    cpu.calls.kernel.uffdMonitor(1);
    states.set(cpu, state);
  }
  return state;
}

/** Looks at a table that a slow walker takes at most: some tens of microseconds. */
export const SLOW_POLLS = 4000;
/** Pages that a CPU keeps pinned. */
const PINNED_MAX = 4;

export function keepPinned(cpu: WorkloadCpu, state: CpuState, frame: number): void {
  const generation = cpu.calls.kernel.frameGeneration(frame);
  if (frame !== 0) state.pinned.push({ frame, generation });
  if (state.pinned.length > PINNED_MAX) {
    const [oldest] = state.pinned.splice(cpu.random(state.pinned.length), 1);
    unpin(cpu, oldest!);
  }
}

/** Checks a pinned frame and lets it go. */
function unpin(cpu: WorkloadCpu, pinned: Pinned): void {
  cpu.calls.kernel.gupCheck(pinned.frame, pinned.generation);
  cpu.calls.pages.gupPut(pinned.frame);
}

/** Forgets what `cpu` knows and lets its pinned frames go. */
export function forget(cpu: WorkloadCpu): void {
  for (const pinned of stateOf(cpu).pinned) unpin(cpu, pinned);
  cpu.calls.kernel.uffdMonitor(0);
  states.delete(cpu);
}
