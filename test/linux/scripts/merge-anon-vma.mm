mmap 0 1M
touch 0 4K
mmap 2M 1M
touch 2M 4K
mmap 1M 1M
madvise 0 2M dontneed
madvise 0 3M dontneed
munmap 0 8M
mmap 0 1M
mmap 1M 1M r
mmap 2M 1M
touch 0 4K
touch 2M 4K
mprotect 1M 1M rw
madvise 0 2M dontneed
madvise 2M 2M dontneed
munmap 0 8M
mmap 0 1M
mmap 1M 1M r
touch 0 4K
mprotect 1M 1M rw
touch 1M 4K
madvise 0 2M dontneed
munmap 0 8M
mmap 0 1M r
mmap 1M 1M
touch 1M 4K
mprotect 0 1M rw
touch 0 4K
madvise 0 2M dontneed
