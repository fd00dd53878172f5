/**
 * What runs in the threads of ptlab's CPUs: they time their own batches, so that no message between threads is in a
 * figure. Called by `Cpu.callModule`; the counterpart in the main thread is ptlab.ts.
 */
import { LC_PTE } from '../src/kernel/abi.ts';
import type { WorkloadCpu } from '../src/index.ts';
import { type Batch, medianOfBatches } from './batches.ts';

const PAGES_PER_SPAN = 512;
const DONTNEED = 4;
const WRITE = 1;
const READ_WRITE = 3;
/** What the order of walks goes on by, as in peers/walk.c. */
const WALK_STEP = 2_654_435_761;
/** Steps of a loop between two looks at the stop word. */
const LOOP_STEPS = 256;
const WAIT_MS = 1;

/**
 * Operations that a CPU times by itself, by name, with what they work on: addresses in bytes of the shared memory,
 * pages by number.
 */
export interface BatchArguments {
  /**
   * Lockless walks over `pages` (a power of two) from `first` on; `polling`: with looks at interrupts between the
   * steps.
   */
  walk: { mm: number; first: number; pages: number; polling: boolean };
  lock: { lock: number; locks: number };
  readSection: { word: number };
  quiescentState: object;
  gracePeriod: object;
  /** `heads` RCU heads from `address` on; a quiescent state after every `every` (a power of two). */
  callRcu: { address: number; heads: number; every: number };
  /** Faults of pages 1 to 511 of `spans` spans of 512 in turn; page 0 stays mapped and keeps the table. */
  fault: { mm: number; first: number; spans: number; write: boolean };
  /** MADV_DONTNEED of `zapped` pages of a span in which the first `present` are. */
  zap: { mm: number; first: number; spans: number; present: number; zapped: number };
  touchReclaim: { mm: number; first: number; spans: number };
  /**
   * Write faults in mappings that begin at the pages `firsts`: page 1 of each, then page 2 of each, up to page `pages`.
   */
  faultInTurn: { mm: number; firsts: number[]; pages: number };
  /** mmap of one page at `page`, and its munmap. */
  mapUnmap: { mm: number; page: number };
}

export type BatchName = keyof BatchArguments;

/** One of them, in a form that can be sent. */
export type BatchOrder = {
  [Name in BatchName]: { name: Name; given: BatchArguments[Name] };
}[BatchName];

/** What a CPU does over and over until the stop word is raised. */
export type LoopOrder =
  | { name: 'countUnderLock'; given: { lock: number; counter: number } }
  | { name: 'read'; given: { word: number } }
  | { name: 'walk'; given: { mm: number; first: number; pages: number } }
  | { name: 'touchReclaim'; given: { mm: number; first: number; spans: number } };

/** Two words of the shared memory, zero before a round: how many CPUs have arrived, and whether they are to stop. */
export interface Meeting {
  arrived: number;
  stop: number;
  parties: number;
}

const now = (): number => performance.now();

function timed(body: () => void): number {
  const start = now();
  body();
  return (now() - start) * 1e6;
}

function succeeded(what: string, errno: number): void {
  if (errno !== 0) throw new Error(`${what}: errno ${errno}`);
}

type BatchMaker<Name extends BatchName> = (cpu: WorkloadCpu, given: BatchArguments[Name]) => Batch;

/** Every batch is continued by the next one of its round where that matters: the order of walks, the pages to fault. */
const batches: { [Name in BatchName]: BatchMaker<Name> } = {
  walk(cpu, { mm, first, pages, polling }) {
    const { kernel } = cpu.calls;
    const name = polling ? 'measureWalkLockless' : 'measureWalk';
    let from = 0;
    return (operations) => {
      const elapsed = timed(() => kernel[name](mm, first, pages - 1, from, operations));
      from = (from + Math.imul(operations, WALK_STEP)) >>> 0;
      return elapsed;
    };
  },

  lock(cpu, { lock, locks }) {
    const { kernel } = cpu.calls;
    return (operations) => timed(() => kernel.measureLock(lock, locks, LC_PTE, operations));
  },

  readSection(cpu, { word }) {
    const { kernel } = cpu.calls;
    return (operations) => timed(() => kernel.measureReadSection(word, operations));
  },

  quiescentState(cpu) {
    const { kernel } = cpu.calls;
    return (operations) => timed(() => kernel.measureQuiescentState(operations));
  },

  gracePeriod(cpu) {
    const { kernel } = cpu.calls;
    return (operations) => timed(() => kernel.measureSynchronizeRcu(operations));
  },

  callRcu(cpu, { address, heads, every }) {
    const { kernel } = cpu.calls;
    return (operations) => timed(() => kernel.measureCallRcu(address, heads, every, operations));
  },

  fault(cpu, { mm, first, spans, write }) {
    const { pages } = cpu.calls;
    let span = 0;
    return (operations) => {
      let elapsed = 0;
      for (let done = 0; done < operations;) {
        const at = first + span * PAGES_PER_SPAN;
        const count = Math.min(operations - done, PAGES_PER_SPAN - 1);
        succeeded('touch', pages.touch(mm, at, 1, 1, WRITE));
        succeeded('madvise', pages.madvise(mm, at + 1, PAGES_PER_SPAN - 1, DONTNEED));
        let errno = 0;
        elapsed += timed(() => {
          errno = pages.touch(mm, at + 1, count, 1, write ? WRITE : 0);
        });
        succeeded('touch', errno);
        span = (span + 1) % spans;
        done += count;
      }
      return elapsed;
    };
  },

  zap(cpu, { mm, first, spans, present, zapped }) {
    const { pages } = cpu.calls;
    return (operations) => {
      let elapsed = 0;
      for (let done = 0; done < operations;) {
        const count = Math.min(operations - done, spans);
        for (let span = 0; span < count; span++)
          succeeded('touch', pages.touch(mm, first + span * PAGES_PER_SPAN, present, 1, WRITE));
        let errno = 0;
        elapsed += timed(() => {
          for (let span = 0; span < count; span++)
            errno |= pages.madvise(mm, first + span * PAGES_PER_SPAN, zapped, DONTNEED);
        });
        succeeded('madvise', errno);
        cpu.calls.kernel.condResched();
        done += count;
      }
      return elapsed;
    };
  },

  touchReclaim(cpu, { mm, first, spans }) {
    const { pages, kernel } = cpu.calls;
    return (operations) => {
      let errno = 0;
      const elapsed = timed(() => {
        for (let i = 0; i < operations; i++) {
          const at = first + (i % spans) * PAGES_PER_SPAN;
          errno |= pages.touch(mm, at, 1, 1, WRITE);
          errno |= pages.madvise(mm, at, PAGES_PER_SPAN, DONTNEED);
          kernel.condResched();
        }
      });
      succeeded('touch and madvise', errno);
      return elapsed;
    };
  },

  faultInTurn(cpu, { mm, firsts, pages }) {
    const { kernel, pages: calls } = cpu.calls;
    const all = firsts.length * pages;
    let next = 0;
    return (operations) => {
      let elapsed = 0;
      for (let done = 0; done < operations;) {
        if (next === 0)
          for (const first of firsts)
            succeeded('madvise', calls.madvise(mm, first + 1, pages, DONTNEED));
        const end = Math.min(next + operations - done, all);
        done += end - next;
        let errno = 0;
        elapsed += timed(() => {
          let mapping = next % firsts.length;
          let page = 1 + (next - mapping) / firsts.length;
          for (let i = next; i < end; i++) {
            errno |= kernel.access(mm, firsts[mapping]! + page, WRITE);
            mapping++;
            if (mapping === firsts.length) {
              mapping = 0;
              page++;
            }
          }
        });
        succeeded('access', errno);
        kernel.condResched();
        next = end % all;
      }
      return elapsed;
    };
  },

  mapUnmap(cpu, { mm, page }) {
    const { pages, kernel } = cpu.calls;
    return (operations) => {
      let errno = 0;
      const elapsed = timed(() => {
        for (let i = 0; i < operations; i++) {
          errno |= pages.mmap(mm, page, 1, READ_WRITE, 0, 0, 0);
          errno |= pages.munmap(mm, page, 1);
          kernel.condResched();
        }
      });
      succeeded('mmap and munmap', errno);
      return elapsed;
    };
  },
};

function loopSteps(cpu: WorkloadCpu, { name, given }: LoopOrder): () => number {
  const { kernel } = cpu.calls;
  if (name === 'countUnderLock')
    return () => {
      kernel.measureCountUnderLock(given.lock, given.counter, LC_PTE, LOOP_STEPS);
      return LOOP_STEPS;
    };
  if (name === 'read')
    return () => {
      kernel.measureReader(given.word, LOOP_STEPS);
      return LOOP_STEPS;
    };
  if (name === 'walk') {
    let from = 0;
    // The CPU has used a translation of this address space, so that flushes interrupt it.
    succeeded('access', kernel.access(given.mm, given.first, 0));
    return () => {
      kernel.measureWalkLockless(given.mm, given.first, given.pages - 1, from, LOOP_STEPS);
      from = (from + Math.imul(LOOP_STEPS, WALK_STEP)) >>> 0;
      kernel.condResched();
      return LOOP_STEPS;
    };
  }
  const batch = batches.touchReclaim(cpu, given);
  return () => {
    batch(given.spans);
    return given.spans;
  };
}

/** Waits until all parties of the meeting are there. */
function meet(cpu: WorkloadCpu, { arrived, parties }: Meeting): void {
  const { words } = cpu;
  const at = arrived >>> 2;
  Atomics.add(words, at, 1);
  Atomics.notify(words, at);
  let seen = Atomics.load(words, at);
  while (seen < parties) {
    if (cpu.stopped) throw new Error('the machine ended before all CPUs were there');
    Atomics.wait(words, at, seen, WAIT_MS);
    seen = Atomics.load(words, at);
  }
}

/** One round of batches; gives nanoseconds per operation. With a meeting, begins when the others are there. */
export function runBatches(
  cpu: WorkloadCpu,
  {
    order,
    roundMs,
    operations,
    meeting,
  }: { order: BatchOrder; roundMs: number; operations?: number; meeting?: Meeting },
): number {
  const make = batches[order.name] as BatchMaker<BatchName>;
  const batch = make(cpu, order.given as never);
  if (meeting) meet(cpu, meeting);
  return medianOfBatches(batch, roundMs, now, operations);
}

/**
 * Loops until the stop word is raised; the leader, the CPU that is given `durationMs`, raises it. Gives what this CPU
 * did, and how long it took from the moment when all were there.
 */
export function runLoop(
  cpu: WorkloadCpu,
  { order, meeting, durationMs }: { order: LoopOrder; meeting: Meeting; durationMs?: number },
): { operations: number; elapsedNs: number } {
  const steps = loopSteps(cpu, order);
  const stop = meeting.stop >>> 2;
  meet(cpu, meeting);
  const start = now();
  let operations = 0;
  while (Atomics.load(cpu.words, stop) === 0 && !cpu.stopped) {
    operations += steps();
    if (durationMs !== undefined && now() - start >= durationMs) Atomics.store(cpu.words, stop, 1);
  }
  return { operations, elapsedNs: (now() - start) * 1e6 };
}

/** Maps `count` mappings of `pages` pages, `every` pages apart, and touches the first page of each. */
export function mapMany(
  cpu: WorkloadCpu,
  given: { mm: number; first: number; count: number; pages: number; every: number },
): void {
  const { pages } = cpu.calls;
  for (let i = 0; i < given.count; i++) {
    const at = given.first + i * given.every;
    succeeded('mmap', pages.mmap(given.mm, at, given.pages, READ_WRITE, 0, 0, 0));
    succeeded('touch', pages.touch(given.mm, at, 1, 1, WRITE));
  }
}

/** Sum of the frame numbers that walks to each of `pages` pages, from `first` on, find. */
export function sumOfWalks(
  cpu: WorkloadCpu,
  { mm, first, pages }: { mm: number; first: number; pages: number },
): number[] {
  const { kernel } = cpu.calls;
  const walks = [kernel.measureWalk, kernel.measureWalkLockless];
  return walks.map((walk) => walk(mm, first, pages - 1, 0, pages) >>> 0);
}

/**
 * Writes one page of each `every` of a new mapping of `pages` pages, so that each fault brings in one folio, and takes
 * the mapping away again by munmap, or gives its memory back by MADV_DONTNEED. Gives what the latter took, in
 * nanoseconds.
 */
export function timeUnmap(
  cpu: WorkloadCpu,
  given: { mm: number; first: number; pages: number; every: number; how: 'munmap' | 'dontneed' },
): number {
  const { mm, first, pages: length } = given;
  const { pages } = cpu.calls;
  succeeded('mmap', pages.mmap(mm, first, length, READ_WRITE, 0, 0, 0));
  succeeded('touch', pages.touch(mm, first, length / given.every, given.every, WRITE));
  const start = now();
  if (given.how === 'munmap') succeeded('munmap', pages.munmap(mm, first, length));
  else succeeded('madvise', pages.madvise(mm, first, length, DONTNEED));
  const elapsedNs = (now() - start) * 1e6;
  if (given.how === 'dontneed') succeeded('munmap', pages.munmap(mm, first, length));
  return elapsedNs;
}
