/** Says what stands at an address of the shared memory. */
import { TABLE_BYTES } from '../kernel/abi.ts';
import * as layout from '../kernel/abi.ts';

const GLOBAL_LOCKS: readonly [number, string][] = [
  [layout.G_TABLE_LOCK, 'lock of the free tables'],
  [layout.G_FRAME_LOCK, 'lock of the free frames'],
  [layout.G_VMA_LOCK, 'lock of the free VMAs'],
  [layout.G_ANON_LOCK, 'lock of the free anon_vmas'],
  [layout.G_SWAP_LOCK, 'lock of the free swap slots'],
  [layout.G_MM_LOCK, 'lock of the address spaces'],
];

const CPU_WORDS: readonly [number, string][] = [
  [layout.C_IPI_ACK, 'interrupts acknowledged'],
  [layout.C_IPI_REQ, 'interrupts sent'],
  [layout.C_RCU_QS, 'quiescent state'],
  [layout.C_RCU_LOCK, 'lock of the callbacks'],
];

/** Reader-writer locks of an address space. */
const MM_RWSEMS: readonly [number, string][] = [
  [layout.MM_LOCK, 'mmap_lock'],
  [layout.MM_PT_LOCK, 'page-table lock'],
];

/** The structure that the word at `address` belongs to, such as `PTE lock of table 12`; null for none of use. */
export function describeAddress(words: Uint32Array, address: number): string | null {
  const at = (word: number): number => words[word >>> 2]!;
  const global = GLOBAL_LOCKS.find(
    ([lock]) => address >= lock && address < lock + layout.LOCK_BYTES,
  );
  if (global !== undefined) return global[1];
  if (address >= layout.PERCPU && address < layout.cpuArea(at(layout.H_CPUS))) {
    const cpu = Math.floor((address - layout.PERCPU) / layout.CPU_BYTES);
    const word = CPU_WORDS.find(([offset]) => layout.cpuArea(cpu) + offset === address);
    return `CPU ${cpu}'s ${word?.[1] ?? 'area'}`;
  }
  if (address >= layout.TABLES && address < layout.TABLES + at(layout.H_TABLES) * TABLE_BYTES) {
    const table = Math.floor((address - layout.TABLES) / TABLE_BYTES);
    return `entry ${((address - layout.TABLES) % TABLE_BYTES) >>> 2} of table ${table}`;
  }
  const regions: [number, number, number, string][] = [
    [layout.H_PTDESCS, layout.PTDESC_SHIFT, at(layout.H_TABLES), 'descriptor of table'],
    [layout.H_FOLIOS, layout.FOLIO_SHIFT, at(layout.H_FRAMES), 'descriptor of frame'],
    [layout.H_VMA_BASE, layout.VMA_SHIFT, at(layout.H_VMAS), 'VMA'],
    [layout.H_ANON_VMA_BASE, layout.ANON_VMA_SHIFT, at(layout.H_ANON_VMAS), 'anon_vma'],
    [layout.H_CHAIN_BASE, layout.CHAIN_SHIFT, at(layout.H_CHAINS), 'anon_vma_chain'],
    [layout.H_MM_BASE, Math.log2(layout.MM_BYTES), at(layout.H_MMS), 'address space'],
    [layout.H_INODE_BASE, layout.INODE_SHIFT, at(layout.H_INODES), 'inode'],
    [layout.H_CACHE_BASE, layout.BUCKET_SHIFT, at(layout.H_CACHE_MASK) + 1, 'page-cache bucket'],
    [layout.H_SWAP_BASE, layout.SWAP_SHIFT, at(layout.H_SWAP_SLOTS), 'swap slot'],
  ];
  for (const [word, shift, count, name] of regions) {
    const base = at(word);
    if (address < base || address >= base + count * 2 ** shift) continue;
    const number = Math.floor((address - base) / 2 ** shift);
    const offset = address - base - number * 2 ** shift;
    if (word === layout.H_PTDESCS && offset < layout.LOCK_BYTES) return `lock of table ${number}`;
    for (const [sem, lock] of MM_RWSEMS) {
      const inLock = offset - sem;
      if (word === layout.H_MM_BASE && inLock >= 0 && inLock < layout.RWSEM_BYTES)
        return `${inLock >= layout.RWSEM_QUEUE ? 'lock of the queue of ' : ''}${lock} of address space ${number}`;
    }
    if (word === layout.H_MM_BASE && offset === layout.MM_PAGE_TABLE_LOCK)
      return `page_table_lock of address space ${number}`;
    return `${name} ${number}`;
  }
  return null;
}
