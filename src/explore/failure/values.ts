/**
 * Values of words in words: entries decoded as entry.ts defines them, locks by their holder, the condition of a wait.
 * Numbers that mean nothing else are decimal when they are small and hexadecimal when not.
 */

import {
  AWAIT_DIFFERS,
  AWAIT_EQUALS,
  AWAIT_REACHES,
  ENTRY_KIND,
  ENTRY_MARKER,
  ENTRY_MIGRATION,
  ENTRY_SWAP,
  entryNumber,
  POISON_TABLE,
  PT_DETACHED,
  PT_FREE,
  PT_LIVE,
  PTE_ACCESSED,
  PTE_DIRTY,
  PTE_HUGE,
  PTE_PRESENT,
  PTE_SPECIAL,
  PTE_USER,
  PTE_WRITE,
} from '../../kernel/abi.ts';
import { LEVEL_NAMES } from '../../machine/codes.ts';
import { lockOfCode } from '../../machine/lockKinds.ts';
import type { Symbols, Word } from './symbols.ts';

const SMALL_NUMBER = 9999;

/** A number that means nothing in particular. */
export function number(value: number): string {
  if (value <= SMALL_NUMBER) return String(value);
  if (value > 0xffffffff - SMALL_NUMBER) return String(value - 2 ** 32);
  return `0x${value.toString(16)}`;
}

const FLAGS: readonly (readonly [number, string])[] = [
  [PTE_WRITE, 'w'],
  [PTE_ACCESSED, 'a'],
  [PTE_DIRTY, 'd'],
  [PTE_HUGE, 'huge'],
  [PTE_SPECIAL, 'special'],
];

function entry(value: number, upper: boolean): string {
  if (value === 0) return 'none';
  if (value === POISON_TABLE) return 'poison';
  const named = entryNumber(value);
  if ((value & PTE_PRESENT) === 0) {
    const kind = value & ENTRY_KIND;
    if (kind === ENTRY_SWAP) return `swap ${named}`;
    if (kind === ENTRY_MIGRATION) return `migration of frame ${named}`;
    return kind === ENTRY_MARKER ? 'marker' : number(value);
  }
  if (upper && (value & PTE_HUGE) === 0) return `table ${named}`;
  const flags = FLAGS.filter(([bit]) => (value & bit) !== 0).map(([, name]) => name);
  if ((value & PTE_USER) === 0) flags.push('none-prot');
  return `frame ${named}${flags.length === 0 ? '' : ` ${flags.join(' ')}`}`;
}

const WAITERS = 0x80000000;

function lock(value: number): string {
  const owner = value & ~WAITERS;
  if (owner > 32) return number(value);
  return `${owner === 0 ? 'free' : `CPU ${owner - 1}`}${value >= WAITERS ? ', waiters' : ''}`;
}

/** mmapLock.ts: readers in bits 0-23, the writer's number + 1 in 24-30, a queue in 31. */
function mmapLock(value: number): string {
  const readers = value & 0xffffff;
  const writer = (value >>> 24) & 0x7f;
  const parts = [
    ...(writer === 0 ? [] : [`CPU ${writer - 1} writes`]),
    ...(readers === 0 ? [] : [`${readers} reader${readers === 1 ? '' : 's'}`]),
  ];
  return `${parts.length === 0 ? 'free' : parts.join(', ')}${value >= WAITERS ? ', queue' : ''}`;
}

const STATES: ReadonlyMap<number, string> = new Map([
  [PT_FREE, 'free'],
  [PT_LIVE, 'live'],
  [PT_DETACHED, 'detached'],
]);

function tableState(value: number): string {
  const state = STATES.get(value & 0xff);
  if (state === undefined) return number(value);
  const level = LEVEL_NAMES.get(value >>> 8);
  return level === undefined ? state : `${level}, ${state}`;
}

/** Whether the lock of a word has its owner in it: see lock.ts for the kinds. */
export function ownerInWord({ kind }: Pick<Word, 'kind'>, symbols: Symbols): boolean {
  const { layout } = symbols;
  if (layout === null || kind !== 'page-table-lock') return kind === 'lock';
  const chosen = symbols.config(layout.H_LOCK_KIND);
  return lockOfCode(chosen).owner === 'word';
}

/** The value of a word for people. */
export function valueText(word: Word, value: number, symbols: Symbols): string {
  if (word.kind === 'entry') return entry(value, !/^(PTE )?entry/.test(word.name));
  const isLock = word.kind === 'lock' || word.kind === 'page-table-lock';
  if (isLock && ownerInWord(word, symbols)) return lock(value);
  if (word.kind === 'mmap-lock') return mmapLock(value);
  if (word.kind === 'table-state') return tableState(value);
  return symbols.pointer(value) ?? number(value);
}

/** The condition of an await (AWAIT_ codes), such as `free` or `other than 3`. */
export function conditionText(
  word: Word,
  condition: number,
  mask: number,
  operand: number,
  symbols: Symbols,
): string {
  const value = mask === 0xffffffff ? valueText(word, operand, symbols) : number(operand);
  const masked = mask === 0xffffffff ? '' : ` (in bits 0x${mask.toString(16)})`;
  if (condition === AWAIT_EQUALS) return `${value}${masked}`;
  if (condition === AWAIT_DIFFERS) return `other than ${value}${masked}`;
  if (condition === AWAIT_REACHES) return `${number(operand)} or later${masked}`;
  return `0, or ${number(operand)} or later${masked}`;
}
