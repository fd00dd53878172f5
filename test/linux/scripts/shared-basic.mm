mmap 0 4M shared
touch 0 4M w 64K
madvise 0 4M dontneed
touch 0 4M r 64K
madvise 0 4M free
madvise 0 4M cold
madvise 0 4M pageout
madvise 0 4M populate_read
madvise 0 4M populate_write
madvise 0 2M dontneed
mprotect 0 4M r
touch 0 4K w
touch 0 4K r
munmap 0 4M
mmap 0 4M r shared populate
touch 0 4K w
mprotect 0 4M rw
touch 0 4K w
mmap 8M 4M none shared populate
touch 8M 4K r
mmap 4M 2M shared
touch 4M 2M
madvise 3M 2M dontneed
madvise 0 8M dontneed
