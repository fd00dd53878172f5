mmap 0 4M
touch 0 4M
mprotect 0 4M rw
mprotect 1M 4M rw
mprotect 0 1M r
mprotect 0 1M rw
madvise 0 2M dontneed
mprotect 2M 1M none
mprotect 2M 1M rw
madvise 2M 2M dontneed
