/** Where a machine is joined with what it can run: the workloads that have names, and the kernels of mutants. */
import { CATALOGUE } from '../experiment/catalogue.ts';
import { prepareKernel } from '../machine/kernel.ts';
import { Machine } from '../machine/machine.ts';
import { createMemory } from '../machine/memory.ts';
import { resolveOptions, type MachineOptions } from '../machine/options.ts';
import { makeMutantKernel } from './mutantKernel.ts';

/** Boots a machine. Throws OptionError for an option that cannot be used, CpuDiedError when a CPU does not come up. */
export async function boot(options: MachineOptions = {}): Promise<Machine> {
  const resolved = resolveOptions(options);
  const { execution, check, mutant } = resolved;
  const memory = createMemory(resolved);
  using patched = mutant === null ? null : await makeMutantKernel(check, mutant);
  const kernel = await prepareKernel(execution, check, memory, patched?.folder ?? null);
  const machine = new Machine(resolved, memory, kernel, CATALOGUE);
  try {
    await machine.ready();
    return machine;
  } catch (error) {
    await machine.shutdown();
    throw error;
  }
}
