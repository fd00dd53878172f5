import { ADDRESS_SPACE_BYTES } from './operation.ts';

/*
 * Who last used each 2 MiB of the address space: segments of buckets that share one history, that is,
 * one last exclusive operation and, for every CPU, its last shared operation since.
 *
 * Segment starts are bits of a four-level bitmap, so that the segment of a bucket is found in a few
 * steps however many there are; an exclusive operation merges all it covers into one segment, so that
 * looking at them is paid for by having made them.
 */

/** Two operations can only conflict within the same bucket. */
const BUCKET_BYTES = 2 ** 21;
/** The last bucket stands for everything beyond the address space. */
const BUCKETS = ADDRESS_SPACE_BYTES / BUCKET_BYTES + 1;

const LEVELS = 5;
const NODE_FIELDS = 2;

/** Is told of each operation that a new one must come after; the same one may be named repeatedly. */
type Visitor = (operation: number) => void;

export class BucketMap {
  readonly #levels: Uint32Array[] = [];
  /** By segment start: last exclusive operation + 1, 0 for none. */
  readonly #writer = new Int32Array(BUCKETS);
  /** By segment start: first node of the segment's list of readers, 0 for none. */
  readonly #readers = new Int32Array(BUCKETS);
  /** Reader lists: operation, next node. */
  #nodes = new Int32Array(1024 * NODE_FIELDS);
  #nodeCount = 1;
  #freeNode = 0;
  readonly #cpuOf: (operation: number) => number;

  constructor(cpuOf: (operation: number) => number) {
    this.#cpuOf = cpuOf;
    let words = BUCKETS;
    for (let level = 0; level < LEVELS; level++) {
      words = Math.ceil(words / 32);
      this.#levels.push(new Uint32Array(words));
    }
    this.#mark(0);
  }

  /** The bucket of an address in bytes. */
  static bucketOf(address: number): number {
    return Math.min(Math.floor(address / BUCKET_BYTES), BUCKETS - 1);
  }

  /** Records a shared operation on buckets `first` to `last` and names what it comes after. */
  share(first: number, last: number, operation: number, after: Visitor): void {
    this.#cut(first);
    if (last + 1 < BUCKETS) this.#cut(last + 1);
    for (let at = first; at >= 0 && at <= last; at = this.#next(at)) {
      const writer = this.#writer[at]!;
      if (writer > 0) after(writer - 1);
      this.#addReader(at, operation);
    }
  }

  /** Records an exclusive operation on buckets `first` to `last` and names what it comes after. */
  exclude(first: number, last: number, operation: number, after: Visitor): void {
    this.#cut(first);
    if (last + 1 < BUCKETS) this.#cut(last + 1);
    for (let at = first; at >= 0 && at <= last;) {
      const writer = this.#writer[at]!;
      if (writer > 0) after(writer - 1);
      this.#takeReaders(at, after);
      const next = this.#next(at);
      if (at !== first) this.#clear(at);
      at = next;
    }
    this.#writer[first] = operation + 1;
  }

  #takeReaders(at: number, after: Visitor): void {
    const nodes = this.#nodes;
    let node = this.#readers[at]!;
    while (node !== 0) {
      after(nodes[node * NODE_FIELDS]!);
      const next = nodes[node * NODE_FIELDS + 1]!;
      nodes[node * NODE_FIELDS + 1] = this.#freeNode;
      this.#freeNode = node;
      node = next;
    }
    this.#readers[at] = 0;
  }

  #addReader(at: number, operation: number): void {
    const nodes = this.#nodes;
    const cpu = this.#cpuOf(operation);
    const head = this.#readers[at]!;
    for (let node = head; node !== 0; node = nodes[node * NODE_FIELDS + 1]!) {
      if (this.#cpuOf(nodes[node * NODE_FIELDS]!) === cpu) {
        nodes[node * NODE_FIELDS] = operation;
        return;
      }
    }
    this.#readers[at] = this.#newNode(operation, head);
  }

  #newNode(operation: number, next: number): number {
    let node = this.#freeNode;
    if (node !== 0) this.#freeNode = this.#nodes[node * NODE_FIELDS + 1]!;
    else {
      node = this.#nodeCount++;
      if (node * NODE_FIELDS >= this.#nodes.length) {
        const grown = new Int32Array(this.#nodes.length * 2);
        grown.set(this.#nodes);
        this.#nodes = grown;
      }
    }
    this.#nodes[node * NODE_FIELDS] = operation;
    this.#nodes[node * NODE_FIELDS + 1] = next;
    return node;
  }

  /** Makes `bucket` the start of a segment with the history of the segment it lay in. */
  #cut(bucket: number): void {
    const from = this.#previous(bucket);
    if (from === bucket) return;
    this.#mark(bucket);
    this.#writer[bucket] = this.#writer[from]!;
    let copy = 0;
    for (let node = this.#readers[from]!; node !== 0;) {
      copy = this.#newNode(this.#nodes[node * NODE_FIELDS]!, copy);
      node = this.#nodes[node * NODE_FIELDS + 1]!;
    }
    this.#readers[bucket] = copy;
  }

  #mark(bucket: number): void {
    for (const words of this.#levels) {
      words[bucket >>> 5]! |= 1 << (bucket & 31);
      bucket >>>= 5;
    }
  }

  #clear(bucket: number): void {
    for (const words of this.#levels) {
      words[bucket >>> 5]! &= ~(1 << (bucket & 31));
      if (words[bucket >>> 5] !== 0) return;
      bucket >>>= 5;
    }
  }

  /** Start of the segment that holds `bucket`; bucket 0 always is a start. */
  #previous(bucket: number): number {
    const levels = this.#levels;
    let level = 0;
    let at = bucket;
    let bits = levels[0]![at >>> 5]! & (0xffffffff >>> (31 - (at & 31)));
    while (bits === 0) {
      at >>>= 5;
      level++;
      bits = levels[level]![at >>> 5]! & ((1 << (at & 31)) - 1);
    }
    at = (at & ~31) | (31 - Math.clz32(bits));
    while (level > 0) {
      level--;
      at = (at << 5) | (31 - Math.clz32(levels[level]![at]!));
    }
    return at;
  }

  /** The first segment start after `bucket`, or -1. */
  #next(bucket: number): number {
    const levels = this.#levels;
    let level = 0;
    let at = bucket;
    let bits = levels[0]![at >>> 5]! & (-2 << (at & 31));
    while (bits === 0) {
      at >>>= 5;
      level++;
      if (level === LEVELS) return -1;
      bits = levels[level]![at >>> 5]! & (-2 << (at & 31));
    }
    at = (at & ~31) | (31 - Math.clz32(bits & -bits));
    while (level > 0) {
      level--;
      const word = levels[level]![at]!;
      at = (at << 5) | (31 - Math.clz32(word & -word));
    }
    return at;
  }
}
