/**
 * Every case of cases.ts and uffdCases.ts on every variant that is meant to work; of the JavaScript execution with one
 * kind of lock, since it leaves the same memory as the other, word for word (image.test.ts).
 */
import { afterAll, beforeAll, describe, it } from 'vitest';
import { CASES } from './cases.ts';
import { MachineHere } from './machineHere.ts';
import { UFFD_CASES } from './uffdCases.ts';
import { VARIANTS, variantName } from './variants.ts';

const TOLD = VARIANTS.filter(({ execution, lock }) => execution === 'wasm' || lock === 'adaptive');

describe.each(TOLD.map((variant) => [variantName(variant), variant] as const))(
  '%s',
  (_, variant) => {
    let machine: MachineHere | null = null;
    beforeAll(async () => {
      machine = await MachineHere.make(variant);
    });
    // The machines of all variants together would not fit into memory.
    afterAll(() => {
      machine = null;
    });

    it.each(Object.entries({ ...CASES, ...UFFD_CASES }))('%s', (_name, run) => {
      machine!.reset();
      run(machine!);
      machine!.balanced();
    });
  },
);
