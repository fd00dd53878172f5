import { H_MTHP, H_ZAP, ZAP_PAGE } from '../../src/kernel/abi.ts';
import { ZAP_MODES, type ZapMode } from '../../src/machine/options.ts';
import { type Measurement, type Setting, type Suite, openSuite } from '../measurement.ts';
import { type Bench, Benches, FIRST_PAGE, PAGE_BYTES } from '../ptlab.ts';

const MIB_PAGES = 2 ** 20 / PAGE_BYTES;
/** Sizes of the folios that are taken away: 4 KiB, 64 KiB, 2 MiB. */
const ORDERS = [0, 4, 9];
const MEMORY_MIB = 1024;
const QUICK_MEMORY_MIB = 64;
const LOCK_TAKEN = 'deferredLocks';

const sizeName = (order: number): string =>
  order === 9 ? '2-MiB' : `${(PAGE_BYTES / 1024) * 2 ** order}-KiB`;

/** How often the lock of the deferred-split queue was taken, on all CPUs. */
function locksTaken(bench: Bench): number {
  return bench.machine.statistics().counters[LOCK_TAKEN] ?? 0;
}

/**
 * Taking away 1 GiB of memory in folios of one size, by munmap or MADV_DONTNEED: page by page, and by runs of one
 * folio. Configuration changes between rounds, when no CPU is at work. `locks`: how often the deferred-split lock was
 * taken in the last round of each.
 */
function atOrder(
  bench: Bench,
  mm: number,
  pages: number,
  order: number,
  locks: Map<string, number>,
): Measurement[] {
  const every = 2 ** order;
  const configure = (zap: ZapMode): void => {
    bench.machine.words[H_ZAP >>> 2] = ZAP_PAGE + ZAP_MODES.indexOf(zap);
    bench.machine.words[H_MTHP >>> 2] = order === 0 ? 0 : every;
  };
  const given = { mm, first: FIRST_PAGE, pages, every };
  const timed = (how: 'munmap' | 'dontneed', zap: ZapMode): Measurement => ({
    name: `${how}/${sizeName(order)}/${zap}`,
    unit: 'ms',
    runRound: async () => {
      configure(zap);
      const before = locksTaken(bench);
      const elapsedNs = Number(await bench.call(0, 'timeUnmap', { ...given, how }));
      locks.set(`${sizeName(order)}, ${zap}`, locksTaken(bench) - before);
      return elapsedNs / 1e6;
    },
    ...(zap === 'page' && { peerOf: `${how}/${sizeName(order)}` }),
  });
  return (['munmap', 'dontneed'] as const).flatMap((how) =>
    ZAP_MODES.map((zap) => timed(how, zap)),
  );
}

export const folio: Suite = {
  name: 'folio',
  title: 'taking memory away that is in large folios, page by page and by runs',
  async open(setting: Setting) {
    const benches = new Benches(setting);
    return benches.closeOnError(async () => {
      const pages = (setting.quick ? QUICK_MEMORY_MIB : MEMORY_MIB) * MIB_PAGES;
      const bench = await benches.open({ cpus: 1, tables: 4096, frames: pages + 16_384 });
      const { handle } = await bench.space();
      const locks = new Map<string, number>();
      const measurements = ORDERS.flatMap((order) => atOrder(bench, handle, pages, order, locks));
      const notes = (): string[] =>
        [...locks].map(([what, times]) => `deferred-split lock taken ${times} times: ${what}`);
      return { ...openSuite(measurements, benches.close), notes };
    });
  },
};
