/** Names of the mixes, and what each is for. */
export const MIXES = {
  'fault-heavy': 'mostly page faults, of every kind; tables are zapped under them now and then',
  'zap-heavy': 'mostly madvise(MADV_DONTNEED) of whole and partial tables, refilled by touches',
  'map-heavy':
    'mmap, munmap, mremap and mprotect of the same ranges by all CPUs; tables of every level come and go',
  walkers: 'lockless walks, GUP-fast and TLB accesses beside a few zaps and faults',
  'gup-only': 'CPU 0 faults and zaps; the only lockless walkers on the others are GUP-fast',
  uffd: 'userfaultfd: missing faults resolved by other CPUs, UFFDIO_MOVE, write protection and markers, beside zaps and moves of the same ranges',
  folio: 'parts of large folios zapped, moved, protected, unmapped and pinned; wants --mthp',
  huge: 'collapse, huge faults (with --thp), zaps and moves of whole and partial huge pages, under walkers and pins',
  fork: 'fork and exit, copy-on-write, migration and paging out of pages that several address spaces map, truncation, beside faults, zaps and moves',
  all: 'faults, zaps, walks, pins, maps and moves of every kind of memory',
  everything: 'what all the other mixes do, at once; wants --thp always, --mthp and --zap folio',
} as const;

export type MixName = keyof typeof MIXES;
export const MIX_NAMES = Object.keys(MIXES) as MixName[];
