# what a child moved keeps its deposited tables; a write to the huge zero page there brings a huge page
mmap 2044M 4M
madvise 2044M 4M hugepage
touch 2095100K 2052K r 64K
fork
@1 mremap 2046M 2M 2052M
@1 touch 2052M 2M w 2M
@1 fork
@2 mremap 2052M 2M 1022M
@1 touch 2052M 4K
@2 munmap 1023M 4K
@1 munmap 0 16T
