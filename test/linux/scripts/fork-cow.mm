# pages are copied by whoever writes first, and the last one that has them writes in place; shared memory and untouched memory is not copied at all
mmap 1G 4M
touch 1G 4M w 64K
mmap 2G 4M shared
touch 2G 4M w 64K
mmap 3G 4M
fork
@1 touch 2G 4M r 1M
@1 touch 1G 2M w 64K
touch 1G 2M w 64K
@1 fork
@2 madvise 1G 3M dontneed
@1 madvise 1G 3M dontneed
touch 1G 4M r 64K
@2 touch 1G 4M
@1 exit
@2 mremap 1G 2M 5G
@2 fork
@3 mprotect 5G 1M r
@3 touch 5G 4K w
@3 mprotect 5G 1M rw
@3 touch 5G 1M w
exit
@2 exit
@3 touch 5G 2M
@3 munmap 0 16T
