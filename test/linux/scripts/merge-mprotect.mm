mmap 0 6M
touch 0 6M w 64K
mprotect 2M 2M r
mprotect 3M 2M r
mprotect 1M 2M r
madvise 0 6M dontneed
mprotect 0 6M r
madvise 0 6M dontneed
touch 0 6M r 64K
mprotect 1M 1M rw
mprotect 3M 1M rw
mprotect 2M 1M rw
mprotect 5M 1M none
madvise 0 6M dontneed
munmap 3M 4K
mprotect 2M 2M r
madvise 2M 2M dontneed
