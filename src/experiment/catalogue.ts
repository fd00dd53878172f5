/** All workloads that have names: stress mixes and named workloads. */
import { OptionError } from '../machine/optionError.ts';
import type { Workload } from '../machine/workload.ts';
import {
  WORKLOAD_MODULE,
  workloadsAllowed,
  type WorkloadCatalogue,
  type WorkloadSpec,
} from '../machine/workloadSpec.ts';
import { MIX_NAMES } from './mixNames.ts';
import { checkMixSizes, mixWorkload } from './mixes.ts';
import { findWorkload, WORKLOAD_NAMES } from './workloads/index.ts';

export const CATALOGUE: WorkloadCatalogue = {
  names: [...MIX_NAMES, ...WORKLOAD_NAMES],
  checkMachine: (name, options) => {
    if (MIX_NAMES.some((mix) => mix === name)) checkMixSizes(options);
  },
};

/** The workload with a mix's name, or that of a module. Throws OptionError for a name that is neither. */
export async function loadWorkload(spec: WorkloadSpec): Promise<Workload> {
  const named = mixWorkload(spec.name) ?? findWorkload(spec.name)?.workload;
  if (named !== undefined) return named;
  if (!URL.canParse(spec.name))
    throw new OptionError('workload', spec.name, workloadsAllowed(CATALOGUE.names));
  const module = (await import(spec.name)) as Partial<Workload>;
  if (typeof module.run !== 'function')
    throw new OptionError('workload', spec.name, WORKLOAD_MODULE);
  return module as Workload;
}
