mmap 0 8M
touch 0 2M r
madvise 0 2M dontneed
touch 0 2M r 64K
touch 4K 4K
madvise 0 2M dontneed
madvise 0 2M populate_read
madvise 0 2M dontneed
madvise 0 2M populate_write
madvise 0 2M dontneed
touch 0 4K r
munmap 0 2M
