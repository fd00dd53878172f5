/** Where a machine is joined with what it can run: the workloads that have names, and the kernels of mutants. */
import { CATALOGUE } from '../experiment/catalogue.ts';
import { Machine } from '../machine/machine.ts';
import { resolveOptions, type MachineOptions } from '../machine/options.ts';
import { makeMutantKernel } from './mutantKernel.ts';

/** Boots a machine. Throws OptionError for an option that cannot be used, CpuDiedError when a CPU does not come up. */
export async function boot(options: MachineOptions = {}): Promise<Machine> {
  const resolved = resolveOptions(options);
  const { check, mutant } = resolved;
  using kernel = mutant === null ? null : await makeMutantKernel(check, mutant);
  const machine = new Machine(resolved, CATALOGUE, kernel?.folder ?? null);
  try {
    await machine.ready();
    return machine;
  } catch (error) {
    await machine.shutdown();
    throw error;
  }
}
