mmap 0 4M
touch 0 4M w 64K
madvise 0 2M free
mremap 0 2M 8M
touch 8M 512K w 64K
madvise 8M 2M pageout
madvise 2M 2M pageout
mprotect 2M 1M r
madvise 2M 2M free
madvise 2M 2M populate_read
madvise 2M 1M pageout
madvise 3M 1M populate_write
madvise 3M 1M pageout
mmap 5M 1M shared
madvise 3M 4M free
madvise 3M 4M pageout
touch 2M 4K w
touch 2M 4K r
