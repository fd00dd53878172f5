import { ZERO_FRAME } from '../../src/kernel/abi.ts';
import { type Measurement, type Setting, type Suite, openSuite, peer } from '../measurement.ts';
import { type Bench, Benches, FIRST_PAGE } from '../ptlab.ts';

/** How many pages are walked over; the tables of the first stay in the nearest cache, those of the second do not. */
export const WALK_PAGES = [4096, 1_048_576] as const;

/** The cost of a walk in WebAssembly that should not be exceeded, over C's, for each number of pages. */
const GOALS = { 4096: 1.6, 1_048_576: 1.3 };

/** All pages are the zero page, so the frame numbers that all walks find together are known. */
async function checkWalks(bench: Bench, mm: number): Promise<void> {
  for (const pages of WALK_PAGES) {
    const sums = (await bench.call(0, 'sumOfWalks', { mm, first: FIRST_PAGE, pages })) as number[];
    if (sums.some((sum) => sum !== pages * ZERO_FRAME))
      throw new Error(`walk: of ${pages} pages some were not found (${sums.join(', ')})`);
  }
}

/**
 * `wasm`: a section, four levels, the entry, as a lockless reader goes. `wasm-polling`: `walkLockless`, which users
 * call.
 */
function own(bench: Bench, mm: number, pages: (typeof WALK_PAGES)[number]): Measurement[] {
  const { execution } = bench.machine.options;
  return [
    bench.batches({
      name: `walk/${pages}/${execution}`,
      batch: 'walk',
      given: { mm, first: FIRST_PAGE, pages, polling: false },
      ...(execution === 'wasm' ? { atMost: GOALS[pages] } : {}),
    }),
    bench.batches({
      name: `walk/${pages}/${execution}-polling`,
      batch: 'walk',
      given: { mm, first: FIRST_PAGE, pages, polling: true },
    }),
  ];
}

export const walk: Suite = {
  name: 'walk',
  title: 'lockless walk of four levels, hot, per walk',
  guests: true,
  async open(setting: Setting) {
    const benches = new Benches(setting);
    return benches.closeOnError(async () => {
      const machines: [Bench, number][] = [];
      for (const execution of ['wasm', 'js'] as const) {
        const bench = await benches.open({ cpus: 1, execution, tables: 4096, frames: 4096 });
        const space = await bench.space(WALK_PAGES[1]);
        await bench.touch(space, FIRST_PAGE, WALK_PAGES[1], 'r');
        await checkWalks(bench, space.handle);
        machines.push([bench, space.handle]);
      }
      return openSuite(
        WALK_PAGES.flatMap((pages) => [
          ...peer(setting, `walk/${pages}`, `walk/${pages}/c`, `walk/${pages}`),
          ...peer(setting, `walk/${pages}/acquire`, `walk/${pages}/c-acquire`),
          ...machines.flatMap(([bench, mm]) => own(bench, mm, pages)),
        ]),
        benches.close,
      );
    });
  },
};
