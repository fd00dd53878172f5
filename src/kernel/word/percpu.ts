/**
 * Which CPU runs here. The base address of its area is the only module-level state of the kernel: a worker thread is
 * one CPU for life; the explorer, which runs all CPUs on one thread, switches by `setThisCpu`.
 */

import { CPU_SHIFT, cpuArea, PERCPU } from './layout.ts';

let current: CpuArea = PERCPU;

/** Address of this CPU's area. */
export function thisCpu(): CpuArea {
  return current;
}

/** Makes the caller CPU number `cpu`. */
export function setThisCpu(cpu: Cpu): void {
  current = cpuArea(cpu);
}

/** This CPU's number. */
export function cpuId(): Cpu {
  return (current - PERCPU) >>> CPU_SHIFT;
}

/** Number of the CPU whose area the address lies in; the caller knows that it lies in one. */
export function cpuOfAddress(address: u32): Cpu {
  return (address - PERCPU) >>> CPU_SHIFT;
}
