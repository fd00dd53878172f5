/**
 * The locks that a CPU holds, read from the words of the locks themselves, so that they are known at every check level
 * and a lock that the CPU only waits for is not among them.
 */
import { LEVEL_PMD, LOCK_ADAPTIVE } from '../kernel/abi.ts';
import * as layout from '../kernel/abi.ts';
import * as lockOrder from '../kernel/abi.ts';
import { describeAddress } from './addresses.ts';
import { LOCK_CLASS_NAMES } from './codes.ts';
import { lockOfCode } from './lockKinds.ts';

/** A lock that a CPU holds. */
export interface HeldLock {
  address: number;
  /** Such as `PTE lock of table 12`. */
  name: string;
  /** Lock class, such as `pte`. */
  lockClass: string;
}

/** Locks as Linux calls them, by class; `place` is what stands at the lock's address. */
const TITLES: ReadonlyMap<number, (place: string) => string> = new Map([
  [lockOrder.LC_PTE, (place) => `PTE ${place}`],
  [lockOrder.LC_PMD, (place) => `PMD ${place}`],
  [lockOrder.LC_MMAP_READ, (place) => `${place} (read)`],
  [lockOrder.LC_MMAP_WRITE, (place) => `${place} (write)`],
  [lockOrder.LC_PT_READ, (place) => `${place} (read)`],
  [lockOrder.LC_PT_WRITE, (place) => `${place} (write)`],
  [lockOrder.LC_VMA_READ, (place) => `VMA lock (read) of ${place}`],
  [lockOrder.LC_VMA_WRITE, (place) => `VMA lock (write) of ${place}`],
  [lockOrder.LC_CACHE, (place) => `lock of ${place}`],
]);

type Found = [lock: number, lockClass: number];

/** The locks that CPU `cpu`, which does not run, holds, outermost first by the lock order. */
export function heldLocks(words: Uint32Array, cpu: number): HeldLock[] {
  const found = [...heldReaderWriterLocks(words, cpu), ...heldSpinlocks(words, cpu)];
  return found
    .toSorted((one, other) => lockOrder.lockRank(one[1]) - lockOrder.lockRank(other[1]))
    .map(([address, lockClass]) => {
      const place = describeAddress(words, address) ?? `0x${address.toString(16)}`;
      return {
        address,
        name: TITLES.get(lockClass)?.(place) ?? place,
        lockClass: LOCK_CLASS_NAMES.get(lockClass) ?? 'unknown',
      };
    });
}

/**
 * mmap_locks, page-table locks and VMA locks. A lock held for reading does not say by whom; the reader's own area does.
 * VMAs that are locked for writing are those whose sequence is that of their mm, whose mmap_lock the CPU has for
 * writing.
 */
function* heldReaderWriterLocks(words: Uint32Array, cpu: number): Generator<Found> {
  const at = (address: number): number => Atomics.load(words, address >>> 2);
  const area = layout.cpuArea(cpu);
  for (let i = 0; i < at(layout.H_MMS); i++) {
    const mm = at(layout.H_MM_BASE) + i * layout.MM_BYTES;
    if (((at(mm + layout.MM_LOCK) >>> 24) & 0x7f) === cpu + 1) {
      yield [mm + layout.MM_LOCK, lockOrder.LC_MMAP_WRITE];
      yield* writeLockedVmas(words, mm);
    }
    if (((at(mm + layout.MM_PT_LOCK) >>> 24) & 0x7f) === cpu + 1)
      yield [mm + layout.MM_PT_LOCK, lockOrder.LC_PT_WRITE];
  }
  const mm = at(area + layout.C_MMAP_READ);
  if (mm !== 0) yield [mm + layout.MM_LOCK, lockOrder.LC_MMAP_READ];
  const walked = at(area + layout.C_PT_WALK);
  if (walked !== 0) yield [walked + layout.MM_PT_LOCK, lockOrder.LC_PT_READ];
  const vma = at(area + layout.C_VMA_READ);
  if (vma !== 0) yield [vma + layout.VMA_REF, lockOrder.LC_VMA_READ];
}

function* writeLockedVmas(words: Uint32Array, mm: number): Generator<Found> {
  const at = (address: number): number => Atomics.load(words, address >>> 2);
  for (let i = 1; i < at(layout.G_VMA_BUMP); i++) {
    const vma = at(layout.H_VMA_BASE) + (i << layout.VMA_SHIFT);
    const live = (at(vma + layout.VMA_GEN) & 1) !== 0 && at(vma + layout.VMA_MM) === mm;
    if (live && at(vma + layout.VMA_LOCK_SEQ) === at(mm + layout.MM_LOCK_SEQ))
      yield [vma + layout.VMA_REF, lockOrder.LC_VMA_WRITE];
  }
}

function* heldSpinlocks(words: Uint32Array, cpu: number): Generator<Found> {
  const at = (address: number): number => Atomics.load(words, address >>> 2);
  for (const [lock, lockClass] of spinlocks(words)) {
    const kind = lockClass <= lockOrder.LC_PAGE_TABLE ? at(layout.H_LOCK_KIND) : LOCK_ADAPTIVE;
    const inWord = lockOfCode(kind).owner === 'word';
    const owner = inWord ? at(lock + layout.LOCK_WORD) & 0x7fff_ffff : at(lock + layout.LOCK_OWNER);
    if (owner === cpu + 1) yield [lock, lockClass];
  }
}

/** Address and class of every spinlock in use. */
function* spinlocks(words: Uint32Array): Generator<Found> {
  const at = (address: number): number => words[address >>> 2]!;
  yield [layout.G_TABLE_LOCK, lockOrder.LC_TABLES];
  yield [layout.G_FRAME_LOCK, lockOrder.LC_FRAMES];
  yield [layout.G_VMA_LOCK, lockOrder.LC_VMAS];
  yield [layout.G_SWAP_LOCK, lockOrder.LC_SWAP];
  yield [layout.G_MM_LOCK, lockOrder.LC_MMS];
  for (let cpu = 0; cpu < at(layout.H_CPUS); cpu++)
    yield [layout.cpuArea(cpu) + layout.C_RCU_LOCK, lockOrder.LC_RCU];
  for (let i = 0; i < at(layout.H_MMS); i++) {
    const mm = at(layout.H_MM_BASE) + i * layout.MM_BYTES;
    yield [mm + layout.MM_PAGE_TABLE_LOCK, lockOrder.LC_PAGE_TABLE];
    yield [mm + layout.MM_LOCK + layout.RWSEM_QUEUE, lockOrder.LC_RWSEM_QUEUE];
    yield [mm + layout.MM_PT_LOCK + layout.RWSEM_QUEUE, lockOrder.LC_RWSEM_QUEUE];
  }
  for (let i = 1; i < at(layout.G_TABLE_BUMP); i++) {
    const desc = at(layout.H_PTDESCS) + (i << layout.PTDESC_SHIFT);
    // Locks of upper tables are not used; one of a free table, which has no level, was taken as a PTE table's.
    const isPmd = at(desc + layout.PT_STATE) >>> 8 === LEVEL_PMD;
    yield [desc + layout.PT_LOCK, isPmd ? lockOrder.LC_PMD : lockOrder.LC_PTE];
  }
  for (let i = 0; i <= at(layout.H_CACHE_MASK); i++)
    yield [at(layout.H_CACHE_BASE) + (i << layout.BUCKET_SHIFT), lockOrder.LC_CACHE];
}
