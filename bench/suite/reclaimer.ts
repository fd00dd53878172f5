import type { LoopOrder } from '../onCpu.ts';
import { type Measurement, type Setting, type Suite, openSuite } from '../measurement.ts';
import { Benches, FIRST_PAGE, SPAN_PAGES } from '../ptlab.ts';

/** How many CPUs walk. */
const WALKERS = [1, 2, 4] as const;
/** Pages that are walked over. The tables of all but the last RECLAIMED_SPANS spans stay. */
const PAGES = 4096;
const RECLAIMED_SPANS = 1;

/**
 * CPUs that walk the same 4,096 pages by `walkLockless`, while one more touches a page in the last 2 MiB of them and
 * gives those 2 MiB back by MADV_DONTNEED, again and again: one walk in eight meets the table that comes and goes.
 * `walks`: elapsed time over the walks of all CPUs together. `cycle`: the same over the touches with their reclaim.
 */
export const reclaimer: Suite = {
  name: 'reclaimer',
  title: 'lockless walks beside a CPU that reclaims a table of theirs again and again',
  async open(setting: Setting) {
    const benches = new Benches(setting);
    return benches.closeOnError(async () => {
      const bench = await benches.open({
        cpus: Math.max(...WALKERS) + 1,
        tables: 16_384,
        frames: 65_536,
      });
      const space = await bench.space(PAGES);
      const mm = space.handle;
      const kept = PAGES - RECLAIMED_SPANS * SPAN_PAGES;
      const walk: LoopOrder = { name: 'walk', given: { mm, first: FIRST_PAGE, pages: PAGES } };
      const reclaim: LoopOrder = {
        name: 'touchReclaim',
        given: { mm, first: FIRST_PAGE + kept, spans: RECLAIMED_SPANS },
      };
      await bench.touch(space, FIRST_PAGE, kept, 'r');
      const measure = (name: string, loops: LoopOrder[], counted: number, peerOf?: string) => {
        const runRound = async () => {
          await bench.together(loops, setting.roundMs / 4, counted);
          return (await bench.together(loops, setting.roundMs, counted)).nsPerOperation;
        };
        return { name, unit: 'ns', runRound, ...(peerOf && { peerOf }) } satisfies Measurement;
      };
      return openSuite(
        [
          ...WALKERS.flatMap((count) => {
            const walkers = Array.from({ length: count }, () => walk);
            const name = `walks/${count}`;
            return [
              measure(`${name}/alone`, walkers, count, name),
              measure(`${name}/beside-reclaim`, [...walkers, reclaim], count),
            ];
          }),
          measure('cycle/alone', [reclaim], 1, 'cycle'),
          ...WALKERS.map((count) => {
            const walkers = Array.from({ length: count }, () => walk);
            return measure(`cycle/beside-${count}-walking`, [reclaim, ...walkers], 1);
          }),
        ],
        benches.close,
      );
    });
  },
};
