/**
 * Operations as a machine's rings remember them (machine/events.ts): what each CPU was doing, with its arguments, and
 * what happened in it. Operations whose beginning has been overwritten are not known.
 */

import { OPERATION_NAMES } from '../../machine/codes.ts';
import type { MachineEvent } from '../../machine/events.ts';

/** Pages [from, to). */
export type PageRange = readonly [from: number, to: number];

export interface RecordedOperation {
  cpu: number;
  /** Such as `madvise` (OP_ codes of kernel/observe/report.ts). */
  name: string;
  /** Address space, by the address of its mm; 0: none. */
  mm: number;
  page: number;
  /** Arguments after those two, as system calls tell them (machine/syscalls.ts). */
  arguments: number[];
  /** Index of the event that began it, and of the one that ended it; Infinity: it was under way. */
  begin: number;
  end: number;
  /** Indices of the other events of its CPU in between. */
  events: number[];
}

const OPERATION_BITS = 0xfff;

/** All operations that began within the events, in the order of their beginnings. */
export function operationsOf(events: readonly MachineEvent[]): RecordedOperation[] {
  const operations: RecordedOperation[] = [];
  const current = new Map<number, RecordedOperation>();
  for (const [index, { cpu, event, values }] of events.entries()) {
    const operation = current.get(cpu);
    if (event === 'begin') {
      const begun: RecordedOperation = {
        cpu,
        name: OPERATION_NAMES.get(values[0] & OPERATION_BITS) ?? 'unknown',
        mm: (values[0] & ~OPERATION_BITS) >>> 0,
        page: values[1],
        arguments: [],
        begin: index,
        end: Infinity,
        events: [],
      };
      operations.push(begun);
      current.set(cpu, begun);
    } else if (operation === undefined) continue;
    else if (event === 'arguments') operation.arguments.push(...values);
    else if (event === 'end') {
      operation.end = index;
      current.delete(cpu);
    } else operation.events.push(index);
  }
  return operations;
}

const pages = (from: number, count: number): PageRange[] =>
  count > 0 ? [[from, from + count]] : [];

/** Pages that an operation is about; none for one without an address, or whose arguments were not told. */
export function rangesOf(operation: RecordedOperation): PageRange[] {
  const { arguments: given, mm, name, page } = operation;
  const [first = 0, second = 0, third = 0] = given;
  if (mm === 0) return [];
  switch (name) {
    case 'access':
    case 'fault':
    case 'walk':
    case 'gup':
      return pages(page, 1);
    case 'mmap':
    case 'munmap':
    case 'mprotect':
    case 'madvise':
      return pages(page, first);
    case 'touch':
      return pages(page, second === 0 ? 0 : (second - 1) * third + 1);
    case 'mremap':
      return [...pages(page, first), ...pages(second, third)];
    default:
      return [];
  }
}
