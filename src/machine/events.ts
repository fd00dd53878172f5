/**
 * The events that CPUs remember (option `eventsPerCpu`): each CPU's ring, written by `event` in
 * src/kernel/observe/report.ts, read and merged by the clock. The clocks of two CPUs agree to some microseconds, so the
 * order of events of different CPUs that are closer than that is not certain; the order of one CPU's events is.
 */
import * as layout from '../kernel/abi.ts';
import * as report from '../kernel/abi.ts';
import { LEVEL_BATCH } from '../kernel/abi.ts';
import { describeAddress } from './addresses.ts';
import { EVENT_NAMES, INTERRUPT_NAMES, LEVEL_NAMES, OPERATION_NAMES } from './codes.ts';
import { oracleName } from './oracles.ts';

/** Something that a CPU did. */
export interface MachineEvent {
  cpu: number;
  /** Microseconds since the event or violation that times are told from; negative before it. */
  timeUs: number;
  /** Kind, such as `table-detach`. */
  event: string;
  /** The two words recorded, whose meaning is the kind's. */
  values: [number, number];
  /** The same for people. */
  text: string;
}

/** What times are told from: the machine's clock (nanoseconds modulo 2^32), or the last event of a CPU. */
type EventOrigin = { clockNs: number } | { lastOfCpu: number } | 'newest';

/** Newest events that are read of each ring, and of all together. */
const EVENTS_MAX = 10_000;
const OPERATION_BITS = 0xfff;
const TABLE_BITS = 24;

interface RingEvent {
  cpu: number;
  clockNs: number;
  kind: number;
  values: [number, number];
}

const operation = (code: number): string => OPERATION_NAMES.get(code) ?? `operation ${code}`;
const hex = (value: number): string => `0x${(value >>> 0).toString(16)}`;
/** How much later `clockNs` is than `thanNs`; clocks that are more than 2.1 s apart are mistaken for earlier ones. */
const later = (clockNs: number, thanNs: number): number => (clockNs - thanNs) | 0;

/**
 * One CPU's ring, oldest event first. Events that the CPU, still running, may have overwritten meanwhile are left out.
 */
function readRing(words: Uint32Array, cpu: number): RingEvent[] {
  const load = (address: number): number => Atomics.load(words, address >>> 2);
  const size = load(layout.H_RING_EVENTS);
  const next = layout.cpuArea(cpu) + layout.C_RING_NEXT;
  const end = load(next);
  const first = Math.max(0, end - Math.min(size, EVENTS_MAX));
  const events: RingEvent[] = [];
  for (let number = first; number < end; number++) {
    const at = load(layout.H_RING_BASE) + (cpu * size + (number % size)) * 2 ** layout.EVENT_SHIFT;
    events.push({
      cpu,
      clockNs: load(at),
      kind: load(at + 4),
      values: [load(at + 8), load(at + 12)],
    });
  }
  const written = load(next);
  return written === end ? events : events.slice(Math.max(0, written + 1 - size - first));
}

/** The last events of all CPUs, oldest first; empty for a machine without rings. */
export function readEvents(words: Uint32Array, origin: EventOrigin = 'newest'): MachineEvent[] {
  const rings = Array.from({ length: words[layout.H_CPUS >>> 2]! }, (_, cpu) =>
    words[layout.H_RING_EVENTS >>> 2] === 0 ? [] : readRing(words, cpu),
  );
  const lasts = rings.flatMap((ring) => ring.slice(-1));
  const newest = lasts.reduce<RingEvent | undefined>(
    (best, last) => (best === undefined || later(last.clockNs, best.clockNs) > 0 ? last : best),
    undefined,
  );
  if (newest === undefined) return [];
  let originNs = newest.clockNs;
  if (typeof origin === 'object')
    originNs =
      'clockNs' in origin ? origin.clockNs : (rings[origin.lastOfCpu]?.at(-1)?.clockNs ?? originNs);
  const timed: { timeNs: number; event: RingEvent }[] = [];
  for (const ring of rings) {
    let timeNs = 0;
    for (const [at, event] of [...ring.entries()].toReversed()) {
      const after = ring[at + 1];
      timeNs =
        after === undefined
          ? later(event.clockNs, originNs)
          : timeNs - ((after.clockNs - event.clockNs) >>> 0);
      timed.push({ timeNs, event });
    }
  }
  // Of one CPU's events at the same time the later stands first here; the stable sort is undone by the reversal.
  timed.sort((one, other) => other.timeNs - one.timeNs);
  return timed
    .slice(0, EVENTS_MAX)
    .toReversed()
    .map(({ timeNs, event: { cpu, kind, values } }) => ({
      cpu,
      timeUs: timeNs / 1000,
      event: EVENT_NAMES.get(kind) ?? 'unknown',
      values,
      text: describe(words, kind, values),
    }));
}

function describe(words: Uint32Array, kind: number, [a, b]: [number, number]): string {
  const table = (): string => {
    const level = a >>> TABLE_BITS;
    const number = a % 2 ** TABLE_BITS;
    if (level === LEVEL_BATCH) return `batch page ${number}`;
    return `${LEVEL_NAMES.get(level) ?? '?'} table ${number} at page ${hex(b)}`;
  };
  switch (kind) {
    case report.EVENT_BEGIN: {
      const mm = (a & ~OPERATION_BITS) >>> 0;
      const where = mm === 0 ? '' : `${describeAddress(words, mm) ?? hex(mm)}, `;
      return `begins ${operation(a & OPERATION_BITS)}(${where}page ${hex(b)})`;
    }
    case report.EVENT_ARGUMENTS:
      return `with ${hex(a)}, ${hex(b)}`;
    case report.EVENT_END:
      return `ends ${operation(a)}`;
    case report.EVENT_LOCK_WAITED:
      return `gets ${describeAddress(words, a) ?? hex(a)} after ${(b / 1000).toFixed(1)} us`;
    case report.EVENT_TABLE_ALLOC:
      return `allocates ${table()}`;
    case report.EVENT_TABLE_DETACH:
      return `detaches ${table()}`;
    case report.EVENT_TABLE_FREE:
      return `frees ${table()}`;
    case report.EVENT_GP_START:
      return `starts grace period ${a}`;
    case report.EVENT_GP_END:
      return `ends grace period ${a}`;
    case report.EVENT_CALLBACKS:
      return `has invoked ${a} callback${a === 1 ? '' : 's'}`;
    case report.EVENT_INTERRUPT:
      return `handles interrupts: ${interrupts(a)}${b === 0 ? '' : ` for CPU ${cpus(b)}`}`;
    case report.EVENT_FLUSH:
      return `flushes TLBs of pages ${hex(a)} to ${hex(b)}`;
    case report.EVENT_VIOLATION:
      return `VIOLATION ${oracleName(a)}: ${hex(b)}`;
    default:
      return `event ${kind}: ${hex(a)}, ${hex(b)}`;
  }
}

function interrupts(kinds: number): string {
  const names = [...INTERRUPT_NAMES].filter(([bit]) => (kinds & bit) !== 0);
  return names.length === 0 ? 'none left' : names.map(([, name]) => name).join(', ');
}

function cpus(mask: number): string {
  const list: number[] = [];
  for (let cpu = 0; cpu < 32; cpu++) if (((mask >>> cpu) & 1) !== 0) list.push(cpu);
  return list.join(', ');
}
