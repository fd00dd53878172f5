import { PAGE_BYTES } from '../kernel/abi.ts';
import {
  CALL_BRK,
  CALL_EXIT,
  CALL_FAULT,
  CALL_FORK,
  CALL_MMAP,
  CALL_MREMAP,
  FILE_RADIX,
  MAP_POPULATE,
  OP_FIELDS,
  OperationWriter,
} from './operation.ts';

/*
 * Folds 47-bit addresses onto the 44 bits of a ptlab address space, in whole slots of 512 GiB (what one
 * PUD table spans), so that the shape of the tree below the top level stays. Slots in use are numbered
 * in the order of their addresses: neighbours stay neighbours and a range over several slots stays one.
 *
 * Where more than 32 slots are in use, those without a fault (parts of a large reservation) are left
 * out, and ranges lose the pieces that lie in them.
 */

const SLOT_BYTES = 2 ** 39;
const SOURCE_SLOTS = 256;
/** Slots of 512 GiB in a ptlab address space. */
const TARGET_SLOTS = 32;

interface Folded {
  writer: OperationWriter;
  /** Slots in use, as slot numbers of the original addresses, in the order of their new numbers. */
  slots: number[];
  /** mremap calls left out because a side of them was not one piece any more. */
  droppedMoves: number;
}

/** Whether a call is about no address. */
function placeless(call: number): boolean {
  return call === CALL_FORK || call === CALL_EXIT;
}

function slotOf(address: number): number {
  return Math.floor(address / SLOT_BYTES);
}

function lastSlot(address: number, length: number): number {
  return Math.min(SOURCE_SLOTS - 1, slotOf(address + Math.max(1, length) - 1));
}

/** Folds the records of `writer`, which is used up. Throws a RangeError if faults need more than 32 slots. */
export function foldAddresses(writer: OperationWriter): Folded {
  const { records, count } = writer;
  const target = numberSlots(records, count);
  const slots = [...target.keys()].filter((slot) => target[slot]! >= 0);
  let inPlace = true;
  for (let at = 0; at < count * OP_FIELDS && inPlace; at += OP_FIELDS) {
    const call = records[at]!;
    if (placeless(call)) continue;
    const slot = slotOf(records[at + 2]!);
    const length = call === CALL_FAULT || call === CALL_BRK ? 0 : records[at + 3]!;
    inPlace = (target[slot] ?? -1) >= 0 && call !== CALL_MREMAP;
    if (length > 0 && inPlace) inPlace = lastSlot(records[at + 2]!, length) === slot;
  }
  if (!inPlace) return foldPieces(writer, target, slots);
  for (let at = 0; at < count * OP_FIELDS; at += OP_FIELDS) {
    if (placeless(records[at]!)) continue;
    const address = records[at + 2]!;
    const slot = slotOf(address);
    records[at + 2] = address + (target[slot]! - slot) * SLOT_BYTES;
  }
  return { writer, slots, droppedMoves: 0 };
}

function numberSlots(records: Float64Array, count: number): Int16Array {
  const touched = new Uint8Array(SOURCE_SLOTS);
  const mapped = new Uint8Array(SOURCE_SLOTS);
  for (let at = 0; at < count * OP_FIELDS; at += OP_FIELDS) {
    const call = records[at]!;
    const address = records[at + 2]!;
    if (call === CALL_FAULT || call === CALL_BRK) touched[slotOf(address)] = 1;
    else if (call === CALL_MMAP) {
      const used = records[at + 5]! & MAP_POPULATE ? touched : mapped;
      used.fill(1, slotOf(address), lastSlot(address, records[at + 3]!) + 1);
    } else if (call === CALL_MREMAP) {
      const to = records[at + 4]!;
      mapped.fill(1, slotOf(to), lastSlot(to, records[at + 5]!) + 1);
    }
  }
  const all = touched.map((used, slot) => used | mapped[slot]!);
  const needed = sum(all) <= TARGET_SLOTS ? all : touched;
  if (sum(needed) > TARGET_SLOTS) {
    throw new RangeError(
      `the program uses ${sum(needed)} regions of 512 GiB; allowed: at most ${TARGET_SLOTS}`,
    );
  }
  let next = 0;
  return Int16Array.from(needed, (used) => (used ? next++ : -1));
}

function sum(values: Uint8Array): number {
  return values.reduce((total, value) => total + value, 0);
}

interface Piece {
  address: number;
  length: number;
  /** Bytes of the range before this piece. */
  skipped: number;
}

function piecesOf(address: number, length: number, target: Int16Array): Piece[] {
  const pieces: Piece[] = [];
  const last = lastSlot(address, length);
  for (let slot = slotOf(address); slot <= last; slot++) {
    const to = target[slot]!;
    if (to < 0) continue;
    const from = Math.max(address, slot * SLOT_BYTES);
    const until = Math.min(address + length, (slot + 1) * SLOT_BYTES);
    const folded = from + (to - slot) * SLOT_BYTES;
    const before = pieces.at(-1);
    if (before !== undefined && before.skipped + before.length === from - address) {
      before.length += until - from;
    } else pieces.push({ address: folded, length: until - from, skipped: from - address });
  }
  return pieces;
}

function foldPieces(writer: OperationWriter, target: Int16Array, slots: number[]): Folded {
  const { records, count } = writer;
  const out = new OperationWriter(count);
  let droppedMoves = 0;
  for (let at = 0; at < count * OP_FIELDS; at += OP_FIELDS) {
    const [call, cpu, address, length, arg2, arg3, arg4, timeS, process] = records.subarray(
      at,
      at + OP_FIELDS,
    ) as unknown as [number, number, number, number, number, number, number, number, number];
    if (placeless(call)) {
      out.push(call, cpu, address, length, arg2, arg3, arg4, timeS, process);
      continue;
    }
    const pieces = piecesOf(address, length, target);
    if (call === CALL_MREMAP) {
      const to = piecesOf(arg2, arg3, target);
      const whole = to[0]?.length === arg3 && pieces[0]?.length === length;
      if (whole) {
        const [from, into] = [pieces[0]!.address, to[0]!.address];
        out.push(call, cpu, from, length, into, arg3, arg4, timeS, process);
      } else droppedMoves++;
      continue;
    }
    for (const piece of pieces) {
      const skippedPages = call === CALL_MMAP && arg4 > 0 ? piece.skipped / PAGE_BYTES : 0;
      const file = arg4 + skippedPages * FILE_RADIX;
      out.push(call, cpu, piece.address, piece.length, arg2, arg3, file, timeS, process);
    }
  }
  return { writer: out, slots, droppedMoves };
}
