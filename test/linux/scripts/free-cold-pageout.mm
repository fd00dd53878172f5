mmap 0 2M
touch 0 1M
madvise 0 1M cold
madvise 0 1M pageout
madvise 0 512K free
touch 0 128K r
touch 128K 128K w
madvise 0 1M pageout
touch 0 512K r
touch 0 1M w
madvise 0 1M free
madvise 0 1M free
madvise 0 2M dontneed
touch 0 64K r
madvise 0 64K free
madvise 0 64K pageout
touch 0 64K w
madvise 0 64K free
mprotect 0 2M r
madvise 0 64K pageout
mprotect 0 2M none
madvise 0 2M free
madvise 0 2M pageout
