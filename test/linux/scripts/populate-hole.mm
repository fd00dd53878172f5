mmap 0 1M
mmap 2M 1M
madvise 0 3M populate_write
madvise 1M 2M populate_write
madvise 2M 2M populate_write
madvise 0 1M dontneed
madvise 0 3M populate_read
madvise 512K 64K populate_read
touch 0 1M
madvise 4M 1M populate_read
