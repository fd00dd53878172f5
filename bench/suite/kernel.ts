import { type Setting, type Suite, openSuite, peer } from '../measurement.ts';
import { EXECUTIONS } from '../../src/index.ts';
import { type Bench, Benches, FIRST_PAGE, PAGE_BYTES, SPAN_PAGES, type Timed } from '../ptlab.ts';

/** Spans worked on in turn, as in peers/kernel.c. */
const SPANS = 16;

type Row =
  'fault' | 'fault-zero-page' | 'fault-file' | 'zap-512' | 'zap-511' | 'reclaim' | 'touch-reclaim';

function timed(row: Row, name: string, anonymous: number, file: number): Timed {
  const here = { mm: anonymous, first: FIRST_PAGE, spans: SPANS };
  if (row === 'fault') return { name, batch: 'fault', given: { ...here, write: true } };
  if (row === 'fault-zero-page') return { name, batch: 'fault', given: { ...here, write: false } };
  if (row === 'fault-file')
    return { name, batch: 'fault', given: { ...here, mm: file, write: true } };
  if (row === 'touch-reclaim') return { name, batch: 'touchReclaim', given: here };
  const present = row === 'zap-512' ? 512 : row === 'zap-511' ? 511 : 1;
  const zapped = row === 'reclaim' ? SPAN_PAGES : present;
  return { name, batch: 'zap', given: { ...here, present, zapped } };
}

const rows: Row[] = [
  'fault',
  'fault-zero-page',
  'fault-file',
  'zap-512',
  'zap-511',
  'reclaim',
  'touch-reclaim',
];

/** A shared mapping of a file whose pages are all in the page cache. */
async function fileSpace(bench: Bench): Promise<number> {
  const pages = SPANS * SPAN_PAGES;
  const space = await bench.space();
  const file = await bench.machine.createFile(pages);
  const options = { shared: true, file };
  const cpu = bench.machine.cpu(0);
  const errno = await cpu.mmap(space, FIRST_PAGE * PAGE_BYTES, pages * PAGE_BYTES, options);
  if (errno !== null) throw new Error(`mmap of a file: ${errno}`);
  await bench.touch(space, FIRST_PAGE, pages, 'w');
  return space.handle;
}

export const kernel: Suite = {
  name: 'kernel',
  title: 'fault, zap and reclaim; `linux` is the kernel under this machine, for scale',
  async open(setting: Setting) {
    const benches = new Benches(setting);
    return benches.closeOnError(async () => {
      const machines: [Bench, number, number][] = [];
      for (const execution of EXECUTIONS) {
        const bench = await benches.open({ cpus: 1, execution, tables: 4096, frames: 65_536 });
        const anonymous = await bench.space(SPANS * SPAN_PAGES);
        machines.push([bench, anonymous.handle, await fileSpace(bench)]);
      }
      return openSuite(
        rows.flatMap((row) => [
          ...peer(setting, `kernel/${row}`, `${row}/linux`, row),
          ...machines.map(([bench, anonymous, file]) => {
            const name = `${row}/${bench.machine.options.execution}`;
            return bench.batches(timed(row, name, anonymous, file));
          }),
        ]),
        benches.close,
      );
    });
  },
};
