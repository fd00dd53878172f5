# collapse in a child that has no tables for shared memory yet makes them; the parent's are retracted
mmap 1022M 6M shared
mremap 1022M 6M 1034M
touch 1034M 2M w 64K
fork
@1 madvise 1034M 4M collapse
touch 1034M 4K r
@1 touch 1036M 2M w 64K
@1 fork
@2 madvise 1036M 2M collapse
@1 touch 1036M 4K r
@2 munmap 1034M 3M
