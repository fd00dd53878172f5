import { FAULT_PATHS } from '../../src/index.ts';
import { type Measurement, type Setting, type Suite, openSuite } from '../measurement.ts';
import { type Bench, Benches, FIRST_PAGE, PAGE_BYTES, SPAN_PAGES } from '../ptlab.ts';

const GIB_PAGES = 2 ** 30 / PAGE_BYTES;
const SIZES_GIB = [1, 50, 1024];
const QUICK_SIZES_GIB = [1, 4, 16];
const MAPPINGS = [10, 100, 10_000];
const QUICK_MAPPINGS = [10, 100, 1000];

/** Spans worked on in turn, and pages walked over, wherever they lie. */
const SPANS = 16;
const WALKED_PAGES = 4096;
/** Mappings lie two spans apart and are one long: they do not merge. */
const MAPPING_EVERY = 2 * SPAN_PAGES;
/** Mappings that faults go round, spread evenly over all. */
const FAULTING = 10;
const ANYWHERE_PAGES = 32;

/** What one more measurement at another size may cost: no more, but for the noise of the machine. */
const SAME = 1.1;

const sizeName = (gib: number): string => (gib < 1024 ? `${gib}-GiB` : `${gib / 1024}-TiB`);

/** A page at `part` (0 to 1) of the mapped range, at the beginning of a span. */
const pageAt = (pages: number, part: number): number =>
  FIRST_PAGE + Math.floor((pages * part) / SPAN_PAGES) * SPAN_PAGES;

/** An address space of which one page in each 2 MiB is touched, and what the same work costs in it. */
async function atSize(bench: Bench, gib: number, smallest: boolean): Promise<Measurement[]> {
  const pages = gib * GIB_PAGES;
  const space = await bench.space(pages);
  await bench.touch(space, FIRST_PAGE, pages, 'w', SPAN_PAGES);
  const mm = space.handle;
  const rank = (what: string, atMost?: number) => ({
    name: `${what}/${sizeName(gib)}`,
    ...(smallest ? { peerOf: what } : atMost !== undefined && { atMost }),
  });
  return [
    bench.batches({
      ...rank('size-walk', SAME),
      batch: 'walk',
      given: { mm, first: pageAt(pages, 0.25), pages: WALKED_PAGES, polling: false },
    }),
    bench.batches({
      ...rank('size-walk-anywhere'),
      batch: 'walk',
      given: { mm, first: FIRST_PAGE, pages: 2 ** Math.floor(Math.log2(pages)), polling: false },
    }),
    bench.batches({
      ...rank('size-fault', SAME),
      batch: 'fault',
      given: { mm, first: pageAt(pages, 0.5), spans: SPANS, write: true },
    }),
    bench.batches({
      ...rank('size-dontneed', SAME),
      batch: 'touchReclaim',
      given: { mm, first: pageAt(pages, 0.75), spans: SPANS },
    }),
  ];
}

/** An address space of `count` mappings, and what faults, mmap and munmap cost in it. */
async function withMappings(bench: Bench, count: number, fewest: number): Promise<Measurement[]> {
  const { handle: mm } = await bench.space();
  const given = { mm, first: FIRST_PAGE, count, pages: SPAN_PAGES, every: MAPPING_EVERY };
  await bench.call(0, 'mapMany', given);
  const path = bench.machine.options.fault;
  const mapping = (index: number): number => FIRST_PAGE + index * MAPPING_EVERY;
  const some = Array.from({ length: FAULTING }, (_, i) =>
    mapping(Math.floor(((i + 0.5) * count) / FAULTING)),
  );
  const all = Array.from({ length: count }, (_, i) => mapping(i));
  const goal = Math.log2(count) / Math.log2(fewest);
  const rank = (what: string, atMost?: number) => ({
    name: `${what}/${path}/${count}`,
    ...(count === fewest ? { peerOf: `${what}/${path}` } : atMost !== undefined && { atMost }),
  });
  return [
    bench.batches({
      ...rank('vmas-fault', goal),
      batch: 'faultInTurn',
      given: { mm, firsts: some, pages: SPAN_PAGES - 1 },
    }),
    bench.batches({
      ...rank('vmas-fault-anywhere'),
      batch: 'faultInTurn',
      given: { mm, firsts: all, pages: ANYWHERE_PAGES },
    }),
    bench.batches({
      ...rank('vmas-mmap-munmap'),
      batch: 'mapUnmap',
      given: { mm, page: mapping(Math.floor(count / 2)) + SPAN_PAGES + SPAN_PAGES / 2 },
    }),
  ];
}

/** The rows in the order of what they measure, then of size. */
function byName(groups: Measurement[][]): Measurement[] {
  return (groups[0] ?? []).flatMap((_, row) => groups.map((group) => group[row]!));
}

export const growth: Suite = {
  name: 'growth',
  title: 'growth: the same operation with more memory mapped, with more mappings',
  async open(setting: Setting) {
    const sizes = setting.quick ? QUICK_SIZES_GIB : SIZES_GIB;
    const counts = setting.quick ? QUICK_MAPPINGS : MAPPINGS;
    const spansPerGib = GIB_PAGES / SPAN_PAGES;
    const touched = sizes.reduce((sum, gib) => sum + gib, 0) * spansPerGib;
    const benches = new Benches(setting);
    return benches.closeOnError(async () => {
      const large = await benches.open({
        cpus: 1,
        tables: touched + Math.ceil(touched / SPAN_PAGES) + 1024,
        frames: touched + 65_536,
      });
      const bySize: Measurement[][] = [];
      for (const gib of sizes) bySize.push(await atSize(large, gib, gib === sizes[0]));
      const byCount: Measurement[] = [];
      for (const fault of FAULT_PATHS) {
        const groups: Measurement[][] = [];
        const bench = await benches.open({ cpus: 1, fault, tables: 65_536 });
        for (const count of counts) groups.push(await withMappings(bench, count, counts[0]!));
        byCount.push(...byName(groups));
      }
      return openSuite([...byName(bySize), ...byCount], benches.close);
    });
  },
};
