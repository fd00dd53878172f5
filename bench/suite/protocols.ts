import { PROTOCOLS } from '../../src/index.ts';
import { type Measurement, type Setting, type Suite, openSuite } from '../measurement.ts';
import { Benches, FIRST_PAGE, SPAN_PAGES } from '../ptlab.ts';

/** What every protocol is compared with: it reclaims nothing, and hears of nothing. */
const YARDSTICK = 'none';
const PAGES = 4096;
const SPANS = PAGES / SPAN_PAGES;
/** Spans behind those that are walked: for faults, and for tables that come and go. */
const FAULT_SPANS = 16;
const CYCLE_SPANS = 16;

/**
 * The same work on one CPU under each reclaim protocol, side by side. `walk`: a lockless walk that maps a PTE table.
 * `fault`: a write fault in a table that is there. `cycle`: the first touch of 2 MiB and their MADV_DONTNEED, with
 * which the table goes wherever the protocol frees it.
 */
export const protocols: Suite = {
  name: 'protocols',
  title: 'walks, faults and zaps under each reclaim protocol',
  async open(setting: Setting) {
    const benches = new Benches(setting);
    return benches.closeOnError(async () => {
      const measurements: Measurement[] = [];
      for (const protocol of PROTOCOLS) {
        const bench = await benches.open({ cpus: 1, protocol, tables: 8192, frames: 65_536 });
        const space = await bench.space((SPANS + FAULT_SPANS + CYCLE_SPANS) * SPAN_PAGES);
        const mm = space.handle;
        const faults = FIRST_PAGE + PAGES;
        const cycles = faults + FAULT_SPANS * SPAN_PAGES;
        await bench.touch(space, FIRST_PAGE, PAGES, 'w');
        const rank = (what: string) => ({
          name: `${what}/${protocol}`,
          ...(protocol === YARDSTICK && { peerOf: what }),
        });
        measurements.push(
          bench.batches({
            ...rank('walk'),
            batch: 'walk',
            given: { mm, first: FIRST_PAGE, pages: PAGES, polling: true },
          }),
          bench.batches({
            ...rank('fault'),
            batch: 'fault',
            given: { mm, first: faults, spans: FAULT_SPANS, write: true },
          }),
          bench.batches({
            ...rank('cycle'),
            batch: 'touchReclaim',
            given: { mm, first: cycles, spans: CYCLE_SPANS },
          }),
        );
      }
      const kinds = ['walk', 'fault', 'cycle'];
      const kindOf = ({ name }: Measurement): number => kinds.indexOf(name.split('/')[0]!);
      return openSuite(
        measurements.toSorted((a, b) => kindOf(a) - kindOf(b)),
        benches.close,
      );
    });
  },
};
