/**
 * Lockless readers beside a writer: two threads lock VMAs under RCU while this one maps, unmaps, protects and moves.
 * Whatever they lock must contain the page, be in one piece, and stay as it is until they let go.
 */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { afterAll, expect, test } from 'vitest';
import { MMAP_REPLACE, MREMAP_FIXED, MREMAP_MAYMOVE } from '../../src/kernel/word/config.ts';
import { H_STOP } from '../../src/kernel/word/layout.ts';
import { mmCreate } from '../../src/kernel/space/mm.ts';
import { mmDestroy } from '../../src/kernel/vma/exitMm.ts';
import { doMmap } from '../../src/kernel/calls/mmap.ts';
import { doMprotect } from '../../src/kernel/vma/mprotect.ts';
import { doMremap } from '../../src/kernel/calls/mremap.ts';
import { doMunmap } from '../../src/kernel/vma/munmap.ts';
import { rcuBarrier, rcuQuiescentState } from '../../src/kernel/rcu/rcu.ts';
import { vmaAudit } from '../../src/kernel/space/vma.ts';
import { bootHere, violations } from './vmaHarness.ts';

const PAGES = 256;
const READERS = 2;
const OPERATIONS = 8_000;
const STOP_WORD = (H_STOP >>> 2) + 1;

interface Report {
  hits: number;
  misses: number;
  faults: string[];
}

const workers: Worker[] = [];
afterAll(async () => {
  await Promise.all(workers.map((worker) => worker.terminate()));
});

test('a locked VMA contains the page and does not change', async () => {
  const words = bootHere({ cpus: READERS + 1 });
  const mm = mmCreate();
  for (let cpu = 1; cpu <= READERS; cpu++) {
    const worker = new Worker(new URL('vmaReader.mjs', import.meta.url), {
      workerData: {
        buffer: words.buffer,
        cpu,
        mm,
        stopWord: STOP_WORD,
        pages: PAGES,
        kernelUrl: new URL('../../dist/src/kernel/', import.meta.url).href,
      },
    });
    workers.push(worker);
  }
  await Promise.all(workers.map((worker) => once(worker, 'message')));
  const reports = workers.map((worker) => once(worker, 'message') as Promise<[Report]>);
  let random = 1;
  const draw = (below: number): number => {
    random = (Math.imul(random, 1_103_515_245) + 12_345) >>> 0;
    return (random >>> 8) % below;
  };
  for (let i = 0; i < OPERATIONS; i++) {
    const at = draw(PAGES - 16);
    const pages = 1 + draw(16);
    const kind = draw(8);
    if (kind < 4) doMmap(mm, at, pages, 1 + 2 * draw(2), MMAP_REPLACE, 0, 0);
    else if (kind < 5) doMunmap(mm, at, pages);
    else if (kind < 7) doMprotect(mm, at, pages, 1 + 2 * draw(2));
    else doMremap(mm, at, pages, draw(PAGES - 16), pages, MREMAP_MAYMOVE | MREMAP_FIXED);
    rcuQuiescentState();
  }
  Atomics.store(words, STOP_WORD, 1);
  for (const [report] of await Promise.all(reports)) {
    expect(report.faults).toEqual([]);
    expect(report.hits).toBeGreaterThan(1000);
    expect(report.misses).toBeGreaterThan(0);
  }
  expect(vmaAudit(mm)).toBe(0);
  mmDestroy(mm);
  rcuBarrier();
  expect(violations(words, READERS + 1)).toEqual([]);
});
