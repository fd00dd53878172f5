mmap 0 1M
mmap 1M 1M
touch 0 2M
madvise 0 2M dontneed
mmap 4M 1M
touch 4M 1M
mmap 5M 1M
touch 5M 1M
madvise 4M 2M dontneed
mmap 8M 1M
touch 8M 4K
mmap 10M 1M
touch 10M 4K
mmap 9M 1M
touch 9M 4K
madvise 8M 2M dontneed
madvise 8M 4M dontneed
munmap 12M 1M
mmap 11M 1M
madvise 10M 2M dontneed
