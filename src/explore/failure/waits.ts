/**
 * Who waits for whom when nobody can move: for each CPU that waits the word, what it would have to be, and the CPU that
 * could make it so. That is the holder when the word is a lock; the CPU whose area the word is in when it is another's
 * (a quiescent state, an acknowledgement); for a place in the queue of an mmap_lock the lock's holder; and otherwise
 * the CPU that wrote the word last.
 */

import type { Recorder, RecordedOperation } from './record.ts';
import type { LinkedLayout, Word } from './symbols.ts';
import { ownerInWord, valueText } from './values.ts';

/** One link of the chain. JSON. */
export interface Wait extends RecordedOperation {
  /** What the word would have to be, and what it is. */
  condition: string;
  value: string;
  /** The CPU that could end the wait; null: nobody is known. */
  on: number | null;
  /** Why that one. */
  because: 'holds it' | 'owns it' | 'wrote it last' | 'nobody wrote it';
  /** What has become of that CPU; null: there is none. */
  state: 'died' | 'ended' | 'waits' | 'could go on' | null;
}

type Blamed = Pick<Wait, 'on' | 'because'>;

const NOBODY: Blamed = { on: null, because: 'nobody wrote it' };

function lastWriter({ steps }: Recorder, address: number): Blamed {
  const last = steps.findLast((step) => step.address === address && step.before !== step.after);
  return last === undefined ? NOBODY : { on: last.cpu, because: 'wrote it last' };
}

/** The holder of the lock at `address`. */
function holder(recorder: Recorder, layout: LinkedLayout, address: number, word: Word): Blamed {
  const { words } = recorder.run.execution;
  const at = ownerInWord(word, recorder.symbols) ? layout.LOCK_WORD : layout.LOCK_OWNER;
  const owner = words[(address + at) >>> 2]! & 0x7fffffff;
  return owner === 0 ? lastWriter(recorder, address) : { on: owner - 1, because: 'holds it' };
}

/** The holder of the mmap_lock at `address`: its writer, or one of its readers. */
function mmapHolder(recorder: Recorder, layout: LinkedLayout, address: number): Blamed {
  const { cpus, words } = recorder.run.execution;
  const writer = (words[address >>> 2]! >>> 24) & 0x7f;
  if (writer !== 0) return { on: writer - 1, because: 'holds it' };
  for (let cpu = 0; cpu < cpus; cpu++)
    if (words[(layout.cpuArea(cpu) + layout.C_MMAP_READ) >>> 2] === address - layout.MM_LOCK)
      return { on: cpu, because: 'holds it' };
  return lastWriter(recorder, address);
}

function blame(recorder: Recorder, cpu: number, address: number): Blamed {
  const { symbols, steps } = recorder;
  const { layout } = symbols;
  if (layout === null) return lastWriter(recorder, address);
  const word = symbols.word(address);
  if (word.kind === 'lock' || word.kind === 'page-table-lock')
    return holder(recorder, layout, address, word);
  if (word.kind === 'mmap-lock') return mmapHolder(recorder, layout, address);
  if (address === layout.cpuArea(cpu) + layout.C_RWSEM_WAIT) {
    const queued = steps.findLast(
      (step) => step.cpu === cpu && symbols.word(step.address).kind === 'mmap-lock',
    );
    if (queued !== undefined) return mmapHolder(recorder, layout, queued.address);
  }
  if (word.cpu !== null && word.cpu !== cpu) return { on: word.cpu, because: 'owns it' };
  return lastWriter(recorder, address);
}

/** Every CPU that waits at the end of what is recorded. */
export function waitsOf(recorder: Recorder): Wait[] {
  const { execution } = recorder.run;
  const enabled = execution.enabled();
  const waits: Wait[] = [];
  for (let cpu = 0; cpu < execution.cpus; cpu++) {
    if (((execution.finished | enabled) & (1 << cpu)) !== 0) continue;
    const operation = recorder.next(cpu);
    const blamed = blame(recorder, cpu, operation.address);
    const { on } = blamed;
    const is = (mask: number): boolean => on !== null && (mask & (1 << on)) !== 0;
    const state =
      on === null
        ? null
        : is(execution.dead)
          ? 'died'
          : is(execution.finished)
            ? 'ended'
            : is(enabled)
              ? 'could go on'
              : 'waits';
    waits.push({
      ...operation,
      condition: recorder.condition(cpu) ?? '',
      value: valueText(
        recorder.symbols.word(operation.address),
        execution.words[operation.address >>> 2]!,
        recorder.symbols,
      ),
      ...blamed,
      state,
    });
  }
  return waits;
}
