import { type Setting, type Suite, openSuite, peer } from '../measurement.ts';

/** How many pages are walked over; the tables of the first stay in the nearest cache, those of the second do not. */
export const WALK_PAGES = [4096, 1_048_576] as const;

/** The order of the walks, the same in C and in ptlab: walk i looks up `base + ((i * WALK_STEP) & (pages - 1))`, in u32. */
export const WALK_STEP = 2_654_435_761;

export const walk: Suite = {
  name: 'walk',
  title: 'lockless walk of four levels, hot, per walk',
  guests: true,
  async open(setting: Setting) {
    return openSuite(
      WALK_PAGES.flatMap((pages) => [
        ...peer(setting, `walk/${pages}`, `walk/${pages}/c`, `walk/${pages}`),
        ...peer(setting, `walk/${pages}/acquire`, `walk/${pages}/c-acquire`),
      ]),
    );
  },
};
