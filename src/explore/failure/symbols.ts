/**
 * Names of the words that a scenario's steps touch, such as `PMD entry 0 of table 3` or `C_RCU_QS of CPU 1`.
 *
 * The kernel's names are those of layout.ts; their offsets are taken from the scenario's own linked program, in which
 * tables are smaller and everything after them lies elsewhere. The memory after set-up says where each array of
 * descriptors begins. Programs of bare words have the names of their constants (bareNames.ts).
 */

import * as layoutNames from '../../kernel/abi.ts';
import { LEVEL_NAMES } from '../../machine/codes.ts';
import { compileCoroutines, type CoroutineHost } from '../link/coroutine.ts';
import { Execution } from '../execution.ts';
import type { Scenario } from '../scenario.ts';
import { bareNames } from './bareNames.ts';

/** What a word is, as far as its value can be told (values.ts). */
type WordKind = 'entry' | 'lock' | 'page-table-lock' | 'mmap-lock' | 'table-state' | 'number';

export interface Word {
  name: string;
  kind: WordKind;
  /** CPU whose area the word is in; null: nobody's. */
  cpu: number | null;
}

/** Names of offsets in one structure, ascending. */
type Fields = readonly (readonly [offset: number, name: string])[];

/** Constants of the layout that look like offsets and are sizes. */
const SIZES = /_(SHIFT|BYTES|MAX|WORDS|NODES|AREA_END)$/;

interface Region {
  begin: number;
  end: number;
  bytes: number;
  word: (number: number, offset: number) => Omit<Word, 'cpu'>;
}

const hex = (value: number): string => `0x${value.toString(16)}`;

/** The constants of layout.ts as a linked program has them, and its TABLE_BYTES. */
export type LinkedLayout = typeof layoutNames & { TABLE_BYTES: number };

function linkedLayout(source: string): LinkedLayout {
  const host = { slots: new Uint32Array(8) } as unknown as CoroutineHost;
  const exports = compileCoroutines({ source, sites: [], statements: [] })(host);
  const layout = Object.fromEntries(
    Object.keys(layoutNames).map((name) => [name, exports[name]]),
  ) as unknown as typeof layoutNames;
  return { ...layout, TABLE_BYTES: layout.tableAddress(2) - layout.tableAddress(1) };
}

function fieldsOf(layout: LinkedLayout, prefix: string): Fields {
  return Object.entries(layout)
    .filter(([name]) => name.startsWith(prefix) && !SIZES.test(name))
    .filter((entry): entry is [string, number] => typeof entry[1] === 'number')
    .map(([name, offset]) => [offset, name] as const)
    .toSorted(([a], [b]) => a - b);
}

/** The field that an offset belongs to, and how far into it. */
function fieldAt(fields: Fields, offset: number): [name: string, into: number] {
  let found: readonly [number, string] = [0, 'word'];
  for (const field of fields) if (field[0] <= offset) found = field;
  return [found[1], offset - found[0]];
}

const plain = (name: string): Omit<Word, 'cpu'> => ({ name, kind: 'number' });

const element = ([name, into]: [string, number]): string =>
  into === 0 ? name : `${name}[${into >>> 2}]`;

export class Symbols {
  /** Of a machine; null: bare words. */
  readonly layout: LinkedLayout | null;
  readonly #regions: Region[] = [];
  readonly #bare: readonly (readonly [number, string])[];
  /** Level of each table seen with one. */
  readonly #levels = new Map<number, string>();
  /** Locks that lie in tables: scenarios put some there. */
  readonly #locks = new Set<number>();
  readonly #config: Uint32Array;

  constructor(scenario: Scenario) {
    const bare = scenario.about.memoryBytes !== undefined;
    this.layout = bare ? null : linkedLayout(scenario.source);
    this.#bare = bare ? bareNames(scenario) : [];
    this.#config = bare ? new Uint32Array(0) : new Execution(scenario.make).initial;
    if (this.layout !== null) this.#describeRegions(this.layout);
  }

  /** A word of the memory's configuration. */
  config(address: number): number {
    return this.#config[address >>> 2]!;
  }

  #describeRegions(layout: LinkedLayout): void {
    const add = (begin: number, count: number, bytes: number, word: Region['word']): void => {
      this.#regions.push({ begin, end: begin + count * bytes, bytes, word });
    };
    const array = (
      base: number,
      count: number,
      bytes: number,
      prefix: string,
      word: (number: number, field: string, into: number) => Omit<Word, 'cpu'>,
    ): void => {
      const fields = fieldsOf(layout, prefix);
      add(base, count, bytes, (number, offset) => word(number, ...fieldAt(fields, offset)));
    };
    const config = (at: number): number => this.config(at);
    const tables = config(layout.H_TABLES);
    add(layout.TABLES, tables, layout.TABLE_BYTES, (table, offset) => {
      const level = this.#levels.get(table);
      const entry = level === undefined ? 'entry' : `${level} entry`;
      return { name: `${entry} ${offset >>> 2} of table ${table}`, kind: 'entry' };
    });
    array(
      config(layout.H_PTDESCS),
      tables,
      1 << layout.PTDESC_SHIFT,
      'PT_',
      (table, field, into) => {
        if (field === 'PT_LOCK') {
          const name = `${this.#levels.get(table) ?? 'page-table'} lock of table ${table}`;
          return into === 0 ? { name, kind: 'page-table-lock' } : plain(`${name} + ${into}`);
        }
        const name = `${element([field, into])} of table ${table}`;
        return { name, kind: field === 'PT_STATE' ? 'table-state' : 'number' };
      },
    );
    const folioNames: Record<string, string> = { F_REF: 'refcount', F_MAP: 'mapcount' };
    array(
      config(layout.H_FOLIOS),
      config(layout.H_FRAMES),
      1 << layout.FOLIO_SHIFT,
      'F_',
      (folio, field) => plain(`folio ${folio} ${folioNames[field] ?? field}`),
    );
    array(
      config(layout.H_VMA_BASE),
      config(layout.H_VMAS),
      1 << layout.VMA_SHIFT,
      'VMA_',
      (vma, field, into) => plain(`VMA ${vma} ${element([field, into])}`),
    );
    array(
      config(layout.H_MM_BASE),
      config(layout.H_MMS),
      layout.MM_BYTES,
      'MM_',
      (mm, field, into) => {
        if (field === 'MM_LOCK' && into === 0)
          return { name: `mmap_lock of mm ${mm}`, kind: 'mmap-lock' };
        if (field === 'MM_LOCK' && into === layout.RWSEM_QUEUE)
          return { name: `queue lock of mmap_lock of mm ${mm}`, kind: 'lock' };
        if (field === 'MM_PAGE_TABLE_LOCK' && into === 0)
          return { name: `page_table_lock of mm ${mm}`, kind: 'page-table-lock' };
        return plain(`${element([field, into])} of mm ${mm}`);
      },
    );
    array(
      config(layout.H_INODE_BASE),
      config(layout.H_INODES),
      1 << layout.INODE_SHIFT,
      'INODE_',
      (inode, field, into) => plain(`${element([field, into])} of inode ${inode}`),
    );
    add(
      config(layout.H_CACHE_BASE),
      config(layout.H_CACHE_MASK) + 1,
      1 << layout.BUCKET_SHIFT,
      (bucket, offset) =>
        offset < layout.LOCK_BYTES
          ? { name: `lock of page-cache bucket ${bucket}`, kind: offset === 0 ? 'lock' : 'number' }
          : plain(`first frame of page-cache bucket ${bucket}`),
    );
    array(
      config(layout.H_SWAP_BASE),
      config(layout.H_SWAP_SLOTS),
      1 << layout.SWAP_SHIFT,
      'SWAP_',
      (slot, field) => plain(`${field} of swap slot ${slot}`),
    );
    const cpuFields = fieldsOf(layout, 'C_');
    add(layout.PERCPU, config(layout.H_CPUS), layout.CPU_BYTES, (cpu, offset) => {
      const [field, into] = fieldAt(cpuFields, offset);
      const isLock = field.endsWith('_LOCK') && into === 0;
      return { name: `${element([field, into])} of CPU ${cpu}`, kind: isLock ? 'lock' : 'number' };
    });
    const globals = fieldsOf(layout, 'G_');
    add(layout.G_RCU_GP_SEQ, 1, layout.PERCPU - layout.G_RCU_GP_SEQ, (_, offset) => {
      const [field, into] = fieldAt(globals, layout.G_RCU_GP_SEQ + offset);
      const isLock = field.endsWith('_LOCK') && into === 0;
      return { name: element([field, into]), kind: isLock ? 'lock' : 'number' };
    });
    const header = fieldsOf(layout, 'H_');
    add(0, 1, layout.G_RCU_GP_SEQ, (_, offset) => plain(element(fieldAt(header, offset))));
  }

  /** Learns the levels of the tables in use from a memory, so that their entries and locks are called by them. */
  learn(words: Uint32Array): void {
    const { layout } = this;
    if (layout === null) return;
    const tables = this.config(layout.H_TABLES);
    const base = this.config(layout.H_PTDESCS) + layout.PT_STATE;
    for (let table = 1; table < tables; table++) {
      const level = words[(base + (table << layout.PTDESC_SHIFT)) >>> 2]! >>> 8;
      if (level !== 0) this.#levels.set(table, LEVEL_NAMES.get(level) ?? 'table');
    }
  }

  /**
   * Learns that a function of a lock has touched the word: when it is a table's entry, somebody has put a lock there.
   */
  learnLock(address: number): void {
    if (this.word(address).kind === 'entry') this.#locks.add(address);
  }

  /** What stands at an address, in bytes. */
  word(address: number): Word {
    const word = this.#unlearnt(address);
    if (!this.#locks.has(address)) return word;
    return { ...word, name: `lock in ${word.name}`, kind: 'page-table-lock' };
  }

  #unlearnt(address: number): Word {
    const { layout } = this;
    if (layout === null) return { name: this.#bareName(address), kind: 'number', cpu: null };
    for (const { begin, end, bytes, word } of this.#regions) {
      if (address < begin || address >= end) continue;
      const number = Math.floor((address - begin) / bytes);
      const cpu = begin === layout.PERCPU ? number : null;
      return { ...word(number, (address - begin) % bytes), cpu };
    }
    return { name: `word ${hex(address)}`, kind: 'number', cpu: null };
  }

  name(address: number): string {
    return this.word(address).name;
  }

  /** A value that is the address of something, such as `&VMA 1`; null: it is no address, or a small number. */
  pointer(value: number): string | null {
    const { layout } = this;
    if (layout === null || value % 4 !== 0 || value < layout.PERCPU) return null;
    if (value >= this.config(layout.H_END)) return null;
    const name = this.name(value);
    if (name.startsWith('word ')) return null;
    return `&${name.replace(/ (VMA_START|refcount)$/, '').replace(/^(MM_STATE|INODE_STATE|C_ID) of /, '')}`;
  }

  #bareName(address: number): string {
    let found: readonly [number, string] | null = null;
    for (const named of this.#bare) if (named[0] <= address) found = named;
    return found === null ? `word ${hex(address)}` : element([found[1], address - found[0]]);
  }
}
