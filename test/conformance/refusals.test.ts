/** Combinations that are not meant to work do not boot, and say why. */
import { describe, expect, it } from 'vitest';
import { boot, OptionError } from '../../src/index.ts';
import { REFUSALS } from '../../src/machine/refusals.ts';
import { REFUSED, variantName } from './variants.ts';

describe('combinations that are refused', () => {
  it.each(REFUSED.map((variant) => [variantName(variant), variant] as const))(
    '%s',
    async (_, variant) => {
      const error = await boot(variant).then(
        async (machine) => {
          await machine.shutdown();
          return null;
        },
        (reason: unknown) => reason,
      );
      expect(error).toBeInstanceOf(OptionError);
      expect(REFUSALS.map(({ reason }) => reason)).toContain((error as OptionError).allowed);
    },
  );

  it('every refusal has a reason and names an option', () => {
    for (const { option, reason } of REFUSALS) {
      expect(option).toMatch(/^[a-z]+$/i);
      expect(reason.length).toBeGreaterThan(30);
    }
  });
});
