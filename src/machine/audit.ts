/**
 * The audit of an idle machine: walks every address space from its PGD, every VMA list, page cache and free list, and
 * checks that all of it balances. Written against the layout alone, apart from the kernel's own walking code, so that a
 * mistake there does not hide itself here.
 *
 * Preconditions: no CPU is in an operation; callbacks have been invoked (rcuBarrier). Lists of single CPUs may hold free
 * tables and frames.
 */
import {
  FRAME_ORDER_MAX,
  LOCK_ADAPTIVE,
  LOCK_MCS,
  LOCK_TICKET,
  PGD_ENTRIES,
  PGD_SHIFT,
  PMD_SHIFT,
  POISON_TABLE,
  PUD_SHIFT,
  TABLE_BYTES,
  TABLE_ENTRIES,
  TASK_END,
  VMA_LEVELS,
  VM_READ,
  VM_WRITE,
} from '../kernel/config.ts';
import * as entry from '../kernel/entry.ts';
import * as frame from '../kernel/frame.ts';
import * as layout from '../kernel/layout.ts';
import { RSS_ANON, RSS_FILE, RSS_SHMEM, RSS_SWAP } from '../kernel/rss.ts';
import * as table from '../kernel/table.ts';
import { RSS_NAMES } from './codes.ts';
import type { OracleName } from './oracles.ts';

/** One thing that does not balance. */
export interface AuditFinding {
  oracle: OracleName;
  /** What is wrong, with addresses, numbers, and what was expected. */
  message: string;
  /** Address in the shared memory of the word or structure concerned. */
  address: number;
}

/** What an audit found. */
export interface AuditReport {
  ok: boolean;
  /** At most 100; `findingsTotal` counts all. */
  findings: AuditFinding[];
  findingsTotal: number;
  addressSpaces: number;
  vmas: number;
  /** Tables that live address spaces reach, PGDs included. */
  tables: number;
  /** Present entries of PTE tables. */
  mappedPages: number;
  durationMs: number;
}

const FINDINGS_MAX = 100;
const LEVEL_NAMES = ['?', 'PTE', 'PMD', 'PUD', 'PGD', 'batch'];
const SHIFTS = [0, 0, PMD_SHIFT, PUD_SHIFT, PGD_SHIFT];
const hex = (value: number): string => `0x${(value >>> 0).toString(16)}`;

/** Pages found, by RSS_ kind. */
type Rss = Map<number, number>;

interface Vma {
  address: number;
  start: number;
  end: number;
  flags: number;
  pgoff: number;
  inode: number;
}

class Audit {
  readonly #words: Uint32Array;
  readonly findings: AuditFinding[] = [];
  findingsTotal = 0;
  addressSpaces = 0;
  vmaCount = 0;
  mappedPages = 0;
  readonly #tables = new Map<number, string>();
  readonly #vmas = new Set<number>();
  readonly #mapCounts: Uint32Array;
  readonly #swapRefs: Uint32Array;
  readonly #inodeRefs = new Map<number, number>();
  readonly #cached = new Set<number>();
  readonly #check: number;
  readonly #tableLockKind: number;

  constructor(words: Uint32Array, check: number) {
    this.#words = words;
    this.#check = check;
    this.#tableLockKind = words[layout.H_LOCK_KIND >>> 2]!;
    this.#mapCounts = new Uint32Array(this.#at(layout.H_FRAMES));
    this.#swapRefs = new Uint32Array(this.#at(layout.H_SWAP_SLOTS) + 1);
  }

  get tables(): number {
    return this.#tables.size;
  }

  run(): void {
    const mms = this.#at(layout.H_MMS);
    for (let i = 0; i < mms; i++) {
      const mm = this.#at(layout.H_MM_BASE) + i * layout.MM_BYTES;
      if (this.#at(mm + layout.MM_STATE) === 1) this.#auditSpace(mm);
    }
    this.#auditCache();
    this.#auditFreeTables();
    this.#auditFrames();
    this.#auditSwap();
    this.#auditFreeVmas();
    this.#auditInodes();
    this.#auditIdle();
  }

  #at(address: number): number {
    return this.#words[address >>> 2]!;
  }

  #find(oracle: OracleName, address: number, message: string): void {
    this.findingsTotal++;
    if (this.findings.length < FINDINGS_MAX) this.findings.push({ oracle, message, address });
  }

  #equal(address: number, what: string, found: number, expected: number): void {
    if (found !== expected)
      this.#find('accounting', address, `${what} is ${found}, expected ${expected}`);
  }

  #ptdesc(number: number): number {
    return this.#at(layout.H_PTDESCS) + (number << layout.PTDESC_SHIFT);
  }

  #folio(number: number): number {
    return this.#at(layout.H_FOLIOS) + (number << layout.FOLIO_SHIFT);
  }

  /** Checks that a lock is free; `kind` is its LOCK_ kind. */
  #lockFree(lock: number, what: string, kind: number = LOCK_ADAPTIVE): void {
    const word = this.#at(lock + layout.LOCK_WORD);
    const aux = this.#at(lock + layout.LOCK_AUX);
    const owner = this.#at(lock + layout.LOCK_OWNER);
    const held = kind === LOCK_TICKET ? word !== aux : kind === LOCK_MCS ? aux !== 0 : word !== 0;
    if (held || owner !== 0)
      this.#find(
        'lock-order',
        lock,
        `lock of ${what} is held at quiescence: words ${hex(word)}, ${hex(aux)}, owner ${owner}`,
      );
  }

  #auditSpace(mm: number): void {
    this.addressSpaces++;
    const id = this.#at(mm + layout.MM_ID);
    const vmas = this.#auditVmas(mm, id);
    const byLevel = [0, 0, 0, 0, 0];
    const rss: Rss = new Map();
    const pgd = this.#at(mm + layout.MM_PGD);
    this.#auditTable(mm, id, pgd, table.LEVEL_PGD, 0, 0, vmas, byLevel, rss);
    const levels = [table.LEVEL_PTE, table.LEVEL_PMD, table.LEVEL_PUD];
    for (const level of levels) {
      const address = mm + layout.MM_TABLES_BY_LEVEL + (level - 1) * 4;
      const what = `address space ${id}: number of ${LEVEL_NAMES[level]} tables`;
      this.#equal(address, what, this.#at(address), byLevel[level]!);
    }
    const total = byLevel[1]! + byLevel[2]! + byLevel[3]!;
    this.#equal(
      mm + layout.MM_TABLES,
      `address space ${id}: tables`,
      this.#at(mm + layout.MM_TABLES),
      total,
    );
    this.#auditRss(mm, id, rss);
    this.#equal(
      mm + layout.MM_TLB_PENDING,
      `address space ${id}: gathers open`,
      this.#at(mm + layout.MM_TLB_PENDING),
      0,
    );
    this.#lockFree(
      mm + layout.MM_PAGE_TABLE_LOCK,
      `address space ${id} (page_table_lock)`,
      this.#tableLockKind,
    );
    this.#equal(
      mm + layout.MM_LOCK,
      `address space ${id}: mmap_lock`,
      this.#at(mm + layout.MM_LOCK),
      0,
    );
    this.#lockFree(mm + layout.MM_LOCK_QUEUE, `address space ${id} (queue of mmap_lock)`);
  }

  #auditRss(mm: number, id: number, rss: Rss): void {
    const cpus = this.#at(layout.H_CPUS);
    for (const [kind, name] of RSS_NAMES) {
      let sum = 0;
      for (let cpu = 0; cpu < cpus; cpu++)
        sum = (sum + this.#at(mm + layout.MM_RSS + cpu * 64 + kind)) | 0;
      this.#equal(
        mm + layout.MM_RSS + kind,
        `address space ${id}: ${name} pages`,
        sum,
        rss.get(kind) ?? 0,
      );
    }
  }

  #auditVmas(mm: number, id: number): Vma[] {
    const list: Vma[] = [];
    const base = this.#at(layout.H_VMA_BASE);
    const limit = base + (this.#at(layout.H_VMAS) << layout.VMA_SHIFT);
    let end = 0;
    for (let at = this.#at(mm + layout.MM_VMA_HEAD); at !== 0;) {
      const name = `address space ${id}: VMA ${hex(at)}`;
      if (
        at < base ||
        at >= limit ||
        (at - base) % (1 << layout.VMA_SHIFT) !== 0 ||
        this.#vmas.has(at)
      ) {
        this.#find(
          'accounting',
          at,
          `${name}: link to no VMA, or to one that is in a list already`,
        );
        break;
      }
      this.#vmas.add(at);
      const vma = {
        address: at,
        start: this.#at(at + layout.VMA_START),
        end: this.#at(at + layout.VMA_END),
        flags: this.#at(at + layout.VMA_FLAGS),
        pgoff: this.#at(at + layout.VMA_PGOFF),
        inode: this.#at(at + layout.VMA_INODE),
      };
      if (vma.start < end || vma.end <= vma.start || vma.end > TASK_END)
        this.#find(
          'accounting',
          at,
          `${name}: range ${hex(vma.start)}-${hex(vma.end)} is empty, or not behind ${hex(end)}`,
        );
      end = vma.end;
      this.#equal(
        at + layout.VMA_MM,
        `${name}: its address space`,
        this.#at(at + layout.VMA_MM),
        mm,
      );
      this.#equal(
        at + layout.VMA_GEN,
        `${name}: parity of its generation`,
        this.#at(at + layout.VMA_GEN) & 1,
        1,
      );
      this.#equal(
        at + layout.VMA_REF,
        `${name}: its readers and attachment`,
        this.#at(at + layout.VMA_REF),
        1,
      );
      if (vma.inode !== 0)
        this.#inodeRefs.set(vma.inode, (this.#inodeRefs.get(vma.inode) ?? 0) + 1);
      list.push(vma);
      at = this.#at(at + layout.VMA_NEXT);
    }
    this.vmaCount += list.length;
    const counted = this.#at(mm + layout.MM_MAP_COUNT);
    this.#equal(mm + layout.MM_MAP_COUNT, `address space ${id}: VMAs`, counted, list.length);
    this.#auditSkipList(mm, id, list);
    return list;
  }

  #auditSkipList(mm: number, id: number, list: Vma[]): void {
    const place = new Map(list.map((vma, index) => [vma.address, index]));
    for (let level = 1; level < VMA_LEVELS; level++) {
      let last = -1;
      for (let at = this.#at(mm + layout.MM_VMA_HEAD + level * 4); at !== 0;) {
        const index = place.get(at);
        if (index === undefined || index <= last) {
          this.#find(
            'accounting',
            at,
            `address space ${id}: VMA ${hex(at)} is out of place on level ${level}`,
          );
          break;
        }
        last = index;
        at = this.#at(at + layout.VMA_NEXT + level * 4);
      }
    }
  }

  /** Audits table `number`, named by the word at `upper`, that maps `first` and what follows, and all below it. */
  #auditTable(
    mm: number,
    id: number,
    number: number,
    level: number,
    first: number,
    upper: number,
    vmas: Vma[],
    byLevel: number[],
    rss: Rss,
  ): void {
    const name = `${LEVEL_NAMES[level]} table ${number} of address space ${id} at page ${hex(first)}`;
    const desc = this.#ptdesc(number);
    if (number === 0 || number >= this.#at(layout.G_TABLE_BUMP)) {
      this.#find('bad-upper-entry', upper, `${name}: no such table`);
      return;
    }
    const known = this.#tables.get(number);
    if (known !== undefined) {
      this.#find('bad-upper-entry', upper, `${name}: is reached a second time, first as ${known}`);
      return;
    }
    this.#tables.set(number, name);
    byLevel[level]!++;
    const state = this.#at(desc + layout.PT_STATE);
    if (state !== ((level << 8) | table.PT_LIVE) || (this.#at(desc + layout.PT_GEN) & 1) === 0)
      this.#find(
        'bad-upper-entry',
        upper,
        `${name}: is not live at that level: state ${hex(state)}, generation ${this.#at(desc + layout.PT_GEN)}`,
      );
    this.#equal(
      desc + layout.PT_MM,
      `${name}: its address space`,
      this.#at(desc + layout.PT_MM),
      mm,
    );
    if (level !== table.LEVEL_PGD) {
      this.#equal(
        desc + layout.PT_FIRST,
        `${name}: first page in its descriptor`,
        this.#at(desc + layout.PT_FIRST),
        first,
      );
      this.#equal(
        desc + layout.PT_UPPER,
        `${name}: upper entry in its descriptor`,
        this.#at(desc + layout.PT_UPPER),
        upper,
      );
    }
    this.#lockFree(desc + layout.PT_LOCK, name, this.#tableLockKind);
    const address = layout.TABLES + number * TABLE_BYTES;
    if (level === table.LEVEL_PTE) {
      this.#auditEntries(mm, name, address, first, vmas, rss);
      return;
    }
    const entries = level === table.LEVEL_PGD ? PGD_ENTRIES : TABLE_ENTRIES;
    for (let i = 0; i < entries; i++) {
      const word = this.#at(address + i * 4);
      if (word === 0) continue;
      if (!entry.entryNamesTable(word) || (word & 0xff) !== entry.UPPER_FLAGS) {
        this.#find('bad-upper-entry', address + i * 4, `${name}: entry ${i} is ${hex(word)}`);
        continue;
      }
      const below = (first + i * 2 ** SHIFTS[level]!) >>> 0;
      this.#auditTable(mm, id, word >>> 8, level - 1, below, address + i * 4, vmas, byLevel, rss);
    }
  }

  #auditEntries(
    mm: number,
    name: string,
    address: number,
    first: number,
    vmas: Vma[],
    rss: Rss,
  ): void {
    let next = lowerBound(vmas, first);
    for (let i = 0; i < TABLE_ENTRIES; i++) {
      const word = this.#at(address + i * 4);
      if (word === 0) continue;
      const vpn = first + i;
      while (next < vmas.length && vmas[next]!.end <= vpn) next++;
      const vma = next < vmas.length && vmas[next]!.start <= vpn ? vmas[next]! : null;
      if (vma === null) {
        this.#find(
          'accounting',
          address + i * 4,
          `${name}: page ${hex(vpn)} has entry ${hex(word)} and lies in no VMA`,
        );
        continue;
      }
      if (entry.entryPresent(word)) this.#auditPage(mm, name, address + i * 4, vpn, word, vma, rss);
      else this.#auditNonpresent(name, address + i * 4, vpn, word, rss);
    }
  }

  #auditPage(
    mm: number,
    name: string,
    at: number,
    vpn: number,
    word: number,
    vma: Vma,
    rss: Rss,
  ): void {
    this.mappedPages++;
    const page = `${name}: page ${hex(vpn)}`;
    if ((word & entry.PTE_WRITE) !== 0 && (vma.flags & VM_WRITE) === 0)
      this.#find(
        'stale-translation',
        at,
        `${page}: entry ${hex(word)} is writable, its VMA is not`,
      );
    if ((word & entry.PTE_USER) !== 0 && (vma.flags & (VM_READ | VM_WRITE)) === 0)
      this.#find(
        'stale-translation',
        at,
        `${page}: entry ${hex(word)} is accessible, its VMA is not`,
      );
    const number = word >>> 8;
    if ((word & entry.PTE_SPECIAL) !== 0) {
      if (number !== frame.ZERO_FRAME)
        this.#find('accounting', at, `${page}: special entry ${hex(word)} is not the zero page`);
      return;
    }
    if (number <= frame.ZERO_FRAME || number >= this.#mapCounts.length) {
      this.#find('frame-use-after-free', at, `${page}: entry ${hex(word)} names no frame`);
      return;
    }
    this.#mapCounts[number]!++;
    const folio = this.#folio(number);
    const flags = this.#at(folio + layout.F_FLAGS);
    if ((this.#at(folio + layout.F_GEN) & 1) === 0 || this.#at(folio + layout.F_REF) === 0) {
      this.#find('frame-use-after-free', at, `${page}: maps frame ${number}, which is free`);
      return;
    }
    const owner = this.#at(folio + layout.F_OWNER);
    if ((flags & frame.F_ANON) !== 0) {
      increment(rss, RSS_ANON);
      this.#equal(
        folio + layout.F_OWNER,
        `${page}: owner of its anonymous frame ${number}`,
        owner,
        mm,
      );
      return;
    }
    increment(rss, (flags & frame.F_SHMEM) !== 0 ? RSS_SHMEM : RSS_FILE);
    this.#equal(folio + layout.F_OWNER, `${page}: owner of its frame ${number}`, owner, vma.inode);
    const index = (vma.pgoff + (vpn - vma.start)) >>> 0;
    this.#equal(
      folio + layout.F_INDEX,
      `${page}: place in the file of frame ${number}`,
      this.#at(folio + layout.F_INDEX),
      index,
    );
  }

  #auditNonpresent(name: string, at: number, vpn: number, word: number, rss: Rss): void {
    const kind = word & entry.ENTRY_KIND;
    const number = word >>> 8;
    if (kind === entry.ENTRY_SWAP && number > 0 && number < this.#swapRefs.length) {
      this.#swapRefs[number]!++;
      increment(rss, RSS_SWAP);
    } else if (kind !== entry.ENTRY_MARKER) {
      this.#find(
        'accounting',
        at,
        `${name}: page ${hex(vpn)} has entry ${hex(word)}, which no idle machine has`,
      );
    }
  }

  #auditCache(): void {
    const buckets = this.#at(layout.H_CACHE_MASK) + 1;
    const frames = this.#at(layout.H_FRAMES);
    const perInode = new Map<number, number>();
    for (let i = 0; i < buckets; i++) {
      const bucket = this.#at(layout.H_CACHE_BASE) + (i << layout.BUCKET_SHIFT);
      this.#lockFree(bucket, `page-cache bucket ${i}`);
      for (let number = this.#at(bucket + layout.BUCKET_HEAD); number !== 0;) {
        if (number >= frames || this.#cached.has(number)) {
          this.#find(
            'accounting',
            bucket,
            `page-cache bucket ${i}: frame ${number} does not exist or is in a bucket already`,
          );
          break;
        }
        this.#cached.add(number);
        const folio = this.#folio(number);
        const inode = this.#at(folio + layout.F_OWNER);
        perInode.set(inode, (perInode.get(inode) ?? 0) + 1);
        if ((this.#at(folio + layout.F_FLAGS) & frame.F_CACHED) === 0)
          this.#find(
            'accounting',
            folio,
            `page-cache bucket ${i}: frame ${number} is not marked as cached`,
          );
        number = this.#at(folio + layout.F_NEXT);
      }
    }
    const inodes = this.#at(layout.H_INODES);
    for (let i = 0; i < inodes; i++) {
      const inode = this.#at(layout.H_INODE_BASE) + (i << layout.INODE_SHIFT);
      const counted = this.#at(inode + layout.INODE_NR_CACHED);
      this.#equal(
        inode + layout.INODE_NR_CACHED,
        `inode ${i}: cached pages`,
        counted,
        perInode.get(inode) ?? 0,
      );
      perInode.delete(inode);
    }
    for (const [inode, pages] of perInode)
      this.#find(
        'accounting',
        inode,
        `${pages} pages are cached for ${hex(inode)}, which is no inode`,
      );
  }

  /** Tables on free lists, those in use, and those never used are all there are. */
  #auditFreeTables(): void {
    const bump = this.#at(layout.G_TABLE_BUMP);
    const free = new Set<number>();
    const follow = (first: number, where: string): number => {
      let length = 0;
      for (let number = first; number !== 0; length++) {
        if (number >= bump || free.has(number)) {
          this.#find(
            'accounting',
            this.#ptdesc(number),
            `${where}: table ${number} was never handed out, or is free twice`,
          );
          break;
        }
        free.add(number);
        const used = this.#tables.get(number);
        if (used !== undefined)
          this.#find('bad-upper-entry', this.#ptdesc(number), `${where}: ${used} is in use`);
        else this.#auditFreeTable(number);
        number = this.#at(this.#ptdesc(number) + layout.PT_NEXT);
      }
      return length;
    };
    follow(this.#at(layout.G_TABLE_FREE), 'free tables');
    for (let cpu = 0; cpu < this.#at(layout.H_CPUS); cpu++) {
      const area = layout.cpuArea(cpu);
      const length = follow(this.#at(area + layout.C_TABLE_HEAD), `free tables of CPU ${cpu}`);
      this.#equal(
        area + layout.C_TABLE_COUNT,
        `CPU ${cpu}: free tables`,
        this.#at(area + layout.C_TABLE_COUNT),
        length,
      );
    }
    for (let number = 1; number < bump; number++) {
      if (free.has(number) || this.#tables.has(number)) continue;
      const desc = this.#ptdesc(number);
      const state = this.#at(desc + layout.PT_STATE);
      const last = this.#at(desc + layout.PT_OP);
      this.#find(
        'accounting',
        desc,
        `table ${number} is neither free nor reachable: state ${hex(state)}, ${LEVEL_NAMES[state >>> 8] ?? '?'}, last detached by CPU ${last >>> 8} in operation ${last & 0xff}`,
      );
    }
    this.#equal(layout.G_TABLES_HELD, 'tables held back', this.#at(layout.G_TABLES_HELD), 0);
  }

  #auditFreeTable(number: number): void {
    const desc = this.#ptdesc(number);
    const generation = this.#at(desc + layout.PT_GEN);
    if ((generation & 1) !== 0 || (this.#at(desc + layout.PT_STATE) & 0xff) !== table.PT_FREE)
      this.#find(
        'accounting',
        desc,
        `free table ${number}: generation ${generation}, state ${hex(this.#at(desc + layout.PT_STATE))}`,
      );
    if (this.#check === 0) return;
    const expected = generation === 0 ? 0 : POISON_TABLE;
    const address = layout.TABLES + number * TABLE_BYTES;
    for (let i = 0; i < TABLE_ENTRIES; i++) {
      const word = this.#at(address + i * 4);
      if (word === expected) continue;
      this.#find(
        'table-use-after-free',
        address + i * 4,
        `free table ${number}: entry ${i} is ${hex(word)}, expected ${hex(expected)}`,
      );
      return;
    }
  }

  #auditFrames(): void {
    const bump = this.#at(layout.G_FRAME_BUMP);
    const limit = this.#mapCounts.length;
    const free = new Uint8Array(limit);
    const claim = (number: number, order: number, where: string): boolean => {
      for (let at = number; at < number + 2 ** order; at++) {
        if (at <= frame.ZERO_FRAME || at >= bump || free[at] !== 0) {
          this.#find(
            'accounting',
            this.#folio(at),
            `${where}: frame ${at} was never handed out, or is free twice`,
          );
          return false;
        }
        free[at] = 1;
        if ((this.#at(this.#folio(at) + layout.F_GEN) & 1) !== 0)
          this.#find('frame-use-after-free', this.#folio(at), `${where}: frame ${at} is in use`);
      }
      return true;
    };
    for (let order = 0; order <= FRAME_ORDER_MAX; order++) {
      const area = layout.G_FRAME_AREAS + order * 8;
      let blocks = 0;
      let previous = 0;
      for (let number = this.#at(area); number !== 0; blocks++) {
        if (!claim(number, order, `free frames of order ${order}`)) break;
        const folio = this.#folio(number);
        this.#equal(
          folio + layout.F_FLAGS,
          `free block ${number}: its flags`,
          this.#at(folio + layout.F_FLAGS),
          frame.F_BUDDY | order,
        );
        this.#equal(
          folio + layout.F_PREV,
          `free block ${number}: the one before`,
          this.#at(folio + layout.F_PREV),
          previous,
        );
        previous = number;
        number = this.#at(folio + layout.F_NEXT);
      }
      this.#equal(area + 4, `free blocks of order ${order}`, this.#at(area + 4), blocks);
    }
    for (let cpu = 0; cpu < this.#at(layout.H_CPUS); cpu++) {
      const area = layout.cpuArea(cpu);
      let length = 0;
      for (
        let number = this.#at(area + layout.C_PCP_HEAD), left = this.#at(area + layout.C_PCP_COUNT);
        left > 0;
        left--
      ) {
        if (!claim(number, 0, `free frames of CPU ${cpu}`)) break;
        length++;
        number = this.#at(this.#folio(number) + layout.F_NEXT);
      }
      this.#equal(
        area + layout.C_PCP_COUNT,
        `CPU ${cpu}: free frames`,
        this.#at(area + layout.C_PCP_COUNT),
        length,
      );
    }
    this.#auditUsedFrames(free, Math.min(bump, limit));
  }

  #auditUsedFrames(free: Uint8Array, bump: number): void {
    const first = 2 ** FRAME_ORDER_MAX;
    for (let number = first; number < bump;) {
      const folio = this.#folio(number);
      const maps = this.#mapCounts[number]!;
      if (free[number] !== 0) {
        if (maps > 0)
          this.#find(
            'frame-use-after-free',
            folio,
            `frame ${number} is free and mapped ${maps} times`,
          );
        if (this.#at(folio + layout.F_REF) !== 0)
          this.#find(
            'accounting',
            folio,
            `frame ${number} is free and has ${this.#at(folio + layout.F_REF)} references`,
          );
        number++;
        continue;
      }
      const flags = this.#at(folio + layout.F_FLAGS);
      if ((this.#at(folio + layout.F_GEN) & 1) === 0) {
        this.#find('accounting', folio, `frame ${number} is neither free nor in use`);
        number++;
        continue;
      }
      const cached = this.#cached.has(number);
      if (((flags & frame.F_CACHED) !== 0) !== cached)
        this.#find(
          'accounting',
          folio,
          `frame ${number} is ${cached ? '' : 'not '}in the page cache, its flags are ${hex(flags)}`,
        );
      this.#equal(
        folio + layout.F_MAP,
        `frame ${number}: map count`,
        this.#at(folio + layout.F_MAP),
        maps,
      );
      this.#equal(
        folio + layout.F_REF,
        `frame ${number}: references`,
        this.#at(folio + layout.F_REF),
        maps + (cached ? 1 : 0),
      );
      number += 2 ** (flags & frame.F_ORDER);
    }
  }

  #auditSwap(): void {
    const bump = this.#at(layout.G_SWAP_BUMP);
    const slots = this.#at(layout.H_SWAP_SLOTS);
    const free = new Set<number>();
    for (let slot = this.#at(layout.G_SWAP_FREE); slot !== 0;) {
      if (slot >= bump || free.has(slot)) {
        this.#find(
          'accounting',
          layout.G_SWAP_FREE,
          `free swap slots: slot ${slot} was never handed out, or is free twice`,
        );
        break;
      }
      free.add(slot);
      slot = this.#at(
        this.#at(layout.H_SWAP_BASE) + (slot << layout.SWAP_SHIFT) + layout.SWAP_NEXT,
      );
    }
    for (let slot = 1; slot < Math.min(bump, slots); slot++) {
      const address = this.#at(layout.H_SWAP_BASE) + (slot << layout.SWAP_SHIFT);
      const refs = this.#at(address + layout.SWAP_REF);
      this.#equal(address, `swap slot ${slot}: references`, refs, this.#swapRefs[slot]!);
      if (refs === 0 && !free.has(slot))
        this.#find('accounting', address, `swap slot ${slot} is neither free nor in use`);
      if (refs !== 0 && free.has(slot))
        this.#find('accounting', address, `swap slot ${slot} is free and in use`);
    }
  }

  #auditFreeVmas(): void {
    const base = this.#at(layout.H_VMA_BASE);
    const bump = Math.max(1, this.#at(layout.G_VMA_BUMP));
    const free = new Set<number>();
    for (let vma = this.#at(layout.G_VMA_FREE); vma !== 0;) {
      if (free.has(vma) || this.#vmas.has(vma)) {
        this.#find('accounting', vma, `free VMAs: ${hex(vma)} is in use or free twice`);
        break;
      }
      free.add(vma);
      vma = this.#at(vma + layout.VMA_FREE);
    }
    for (let number = 1; number < bump; number++) {
      const vma = base + (number << layout.VMA_SHIFT);
      if (!free.has(vma) && !this.#vmas.has(vma))
        this.#find('accounting', vma, `VMA ${hex(vma)} is neither free nor in an address space`);
    }
  }

  /** An inode has one reference for each VMA, and at most one of whoever made it. */
  #auditInodes(): void {
    const inodes = this.#at(layout.H_INODES);
    for (let i = 0; i < inodes; i++) {
      const inode = this.#at(layout.H_INODE_BASE) + (i << layout.INODE_SHIFT);
      const mapped = this.#inodeRefs.get(inode) ?? 0;
      const refs = this.#at(inode + layout.INODE_REF);
      const live = this.#at(inode + layout.INODE_STATE) !== 0;
      if (live ? refs < mapped || refs > mapped + 1 || refs === 0 : mapped > 0)
        this.#find('accounting', inode, `inode ${i}: ${refs} references, ${mapped} VMAs map it`);
    }
  }

  /** What is only open in the middle of operations. */
  #auditIdle(): void {
    const globals: [number, string][] = [
      [layout.G_TABLE_LOCK, 'free tables'],
      [layout.G_FRAME_LOCK, 'free frames'],
      [layout.G_VMA_LOCK, 'free VMAs'],
      [layout.G_SWAP_LOCK, 'free swap slots'],
      [layout.G_MM_LOCK, 'address spaces'],
    ];
    for (const [lock, name] of globals) this.#lockFree(lock, name);
    for (let cpu = 0; cpu < this.#at(layout.H_CPUS); cpu++) {
      const area = layout.cpuArea(cpu);
      this.#lockFree(area + layout.C_RCU_LOCK, `CPU ${cpu}'s callbacks`);
      const closed: [number, string][] = [
        [layout.C_GATHER_DEPTH, 'gathers open'],
        [layout.C_HELD_DEPTH, 'locks held'],
        [layout.C_IRQ_DEPTH, 'interrupts disabled'],
        [layout.C_RCU_NESTING, 'RCU sections open'],
        [layout.C_MCS_USED, 'MCS nodes in use'],
        [layout.C_MAP_DEPTH, 'PTE tables mapped'],
      ];
      for (const [offset, what] of closed)
        this.#equal(area + offset, `CPU ${cpu}: ${what}`, this.#at(area + offset), 0);
    }
  }
}

function increment(rss: Rss, kind: number): void {
  rss.set(kind, (rss.get(kind) ?? 0) + 1);
}

function lowerBound(vmas: Vma[], vpn: number): number {
  let low = 0;
  let high = vmas.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (vmas[middle]!.end <= vpn) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Audits the memory of an idle machine whose kernel was built with CHECK at `check` (0 off, 1 fast, 2 full). */
export function audit(words: Uint32Array, check: number): AuditReport {
  const startMs = performance.now();
  const run = new Audit(words, check);
  run.run();
  return {
    ok: run.findingsTotal === 0,
    findings: run.findings,
    findingsTotal: run.findingsTotal,
    addressSpaces: run.addressSpaces,
    vmas: run.vmaCount,
    tables: run.tables,
    mappedPages: run.mappedPages,
    durationMs: performance.now() - startMs,
  };
}
