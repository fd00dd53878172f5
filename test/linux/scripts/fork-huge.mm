# a huge page and the huge zero page are shared as they are; the first who writes keeps 512 pages, the last one a huge page
mmap 6140M 4M
madvise 6140M 4M hugepage
touch 6141M 1K r
touch 6142M 4K w
fork
@1 touch 6140M 1612K w
@1 touch 6142M 4K w
@1 madvise 6142M 1M dontneed
touch 6142M 4K w
@1 fork
@1 munmap 6142M 1M
@2 mprotect 6142M 2M r
@2 exit
@1 exit
touch 6142M 2M w 64K
madvise 6142M 2M dontneed
fork
@3 madvise 6140M 4M collapse
@3 touch 6140M 4M
@3 fork
@3 madvise 6140M 4M collapse
@4 madvise 6140M 4M collapse
@4 mremap 6140M 4M 8G
@4 munmap 0 16T
