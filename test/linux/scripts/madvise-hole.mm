mmap 0 1M
mmap 2M 1M
touch 0 1M
touch 2M 1M
madvise 0 3M dontneed
touch 0 1M
touch 2M 1M
madvise 1M 2M dontneed
touch 0 1M
touch 2M 1M
madvise 512K 1M dontneed
madvise 1M 1M dontneed
madvise 0 16M free
madvise 0 16M cold
madvise 0 16M pageout
