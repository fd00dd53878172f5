import {
  MMAP_POPULATE,
  MMAP_REPLACE,
  MMAP_SHARED,
  VM_EXEC,
  VM_READ,
  VM_WRITE,
} from '../kernel/abi.ts';
import { ADVICE } from '../machine/cpu.ts';

/** Doubles per operation record: call, cpu, address, length, arg2, arg3, arg4, timeS, process. */
export const OP_FIELDS = 9;

export const FIELD_CALL = 0;
export const FIELD_CPU = 1;
export const FIELD_ADDRESS = 2;
export const FIELD_LENGTH = 3;
export const FIELD_ARG2 = 4;
export const FIELD_ARG3 = 5;
export const FIELD_ARG4 = 6;
export const FIELD_TIME_S = 7;
export const FIELD_PROCESS = 8;

export const CALL_BARRIER = 0;
export const CALL_MMAP = 1;
export const CALL_MUNMAP = 2;
export const CALL_TOUCH = 3;
export const CALL_MADVISE = 4;
export const CALL_MREMAP = 5;
export const CALL_MPROTECT = 6;
export const CALL_BRK = 7;
export const CALL_FAULT = 8;
/** arg2: the process that it makes. */
export const CALL_FORK = 9;
export const CALL_EXIT = 10;

/** Names of the calls, indexed by call code. */
export const CALL_NAMES = [
  'barrier',
  'mmap',
  'munmap',
  'touch',
  'madvise',
  'mremap',
  'mprotect',
  'brk',
  'fault',
  'fork',
  'exit',
] as const;

export type CallName = (typeof CALL_NAMES)[number];

export { VM_READ as PROT_READ, VM_WRITE as PROT_WRITE, VM_EXEC as PROT_EXEC };

/**
 * mmap arg3: shared with others rather than private; every page mapped before the call returns; whatever the range held
 * before unmapped first, where an overlap is EEXIST otherwise.
 */
export { MMAP_SHARED as MAP_SHARED, MMAP_POPULATE as MAP_POPULATE, MMAP_REPLACE as MAP_REPLACE };

/** mmap arg4 is `file + FILE_RADIX * page offset`; file 0 is anonymous memory. */
export const FILE_RADIX = 65536;

/** Linux advice numbers by the names that mm scripts use. */
export const ADVICE_NUMBERS: Readonly<Record<string, number>> = ADVICE;

/** mremap arg4: not MREMAP_FIXED, that is, in place or to the recorded address. */
export const MREMAP_NOT_FIXED = 1;

/** Bytes in an address space: 44-bit addresses. */
export const ADDRESS_SPACE_BYTES = 2 ** 44;

/** One operation, as an object. Addresses and lengths in bytes, as given (not rounded to pages). */
export interface Operation {
  call: number;
  cpu: number;
  address: number;
  length: number;
  arg2: number;
  arg3: number;
  arg4: number;
  timeS: number;
  /** Process that does it: 0, or one that a fork before it made. */
  process: number;
}

/** A list of operations: `count` records of `OP_FIELDS` doubles in shared memory. */
export interface OperationList {
  operations: Float64Array<SharedArrayBuffer>;
  count: number;
  /** CPUs that the list names: every record's cpu is below it. */
  cpus: number;
  /** Processes that the list names, each but 0 made by a fork in it. Default 1. */
  processes?: number;
}

/** Record `index` of a list as an object. */
export function readOperation(operations: Float64Array, index: number): Operation {
  const at = index * OP_FIELDS;
  return {
    call: operations[at + FIELD_CALL]!,
    cpu: operations[at + FIELD_CPU]!,
    address: operations[at + FIELD_ADDRESS]!,
    length: operations[at + FIELD_LENGTH]!,
    arg2: operations[at + FIELD_ARG2]!,
    arg3: operations[at + FIELD_ARG3]!,
    arg4: operations[at + FIELD_ARG4]!,
    timeS: operations[at + FIELD_TIME_S]!,
    process: operations[at + FIELD_PROCESS]!,
  };
}

/** A list of operations that grows; `finish` copies it to shared memory. */
export class OperationWriter {
  count = 0;
  records: Float64Array;

  constructor(capacity = 64) {
    this.records = new Float64Array(Math.max(1, capacity) * OP_FIELDS);
  }

  /** Appends a record and returns its index. */
  push(
    call: number,
    cpu: number,
    address: number,
    length: number,
    arg2: number,
    arg3: number,
    arg4: number,
    timeS: number,
    process = 0,
  ): number {
    const index = this.count++;
    const at = index * OP_FIELDS;
    if (at + OP_FIELDS > this.records.length) {
      const grown = new Float64Array(this.records.length * 2);
      grown.set(this.records);
      this.records = grown;
    }
    const records = this.records;
    records[at] = call;
    records[at + 1] = cpu;
    records[at + 2] = address;
    records[at + 3] = length;
    records[at + 4] = arg2;
    records[at + 5] = arg3;
    records[at + 6] = arg4;
    records[at + FIELD_TIME_S] = timeS;
    records[at + FIELD_PROCESS] = process;
    return index;
  }

  finish(): Float64Array<SharedArrayBuffer> {
    const length = this.count * OP_FIELDS;
    const shared = new Float64Array(new SharedArrayBuffer(length * 8));
    shared.set(this.records.subarray(0, length));
    return shared;
  }
}

/** A list from objects; fields left out are 0. */
export function operationList(
  items: readonly (Partial<Operation> & { call: number })[],
): OperationList {
  const writer = new OperationWriter(items.length);
  let cpus = 1;
  let processes = 1;
  for (const item of items) {
    const { cpu = 0, address = 0, length = 0, arg2 = 0, arg3 = 0, arg4 = 0, timeS = 0 } = item;
    writer.push(item.call, cpu, address, length, arg2, arg3, arg4, timeS, item.process ?? 0);
    cpus = Math.max(cpus, cpu + 1);
    if (item.call === CALL_FORK) processes = Math.max(processes, arg2 + 1);
  }
  return { operations: writer.finish(), count: writer.count, cpus, processes };
}
