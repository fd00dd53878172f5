mmap 0 4M shared
touch 0 4M w 256K
mprotect 1M 1M r
madvise 0 2M dontneed
mprotect 1M 1M rw
madvise 0 2M dontneed
mremap 2M 2M 8M
mmap 2M 2M shared
touch 0 4M w 256K
madvise 1M 2M dontneed
mremap 8M 2M 2M
touch 0 4M w 256K
madvise 0 4M dontneed
mremap 0 0 4M 4M
mremap 2M 0 16M 2M
mremap 0 4M 20M 5M
touch 20M 5M
madvise 23M 2M populate_write
mremap 24M 1M 32M
touch 32M 4K
mremap 20M 4M 64M 1M
mmap 80M 1M r shared
touch 80M 1M r
touch 80M 1M w
mprotect 80M 1M none
touch 80M 1M r
madvise 80M 1M populate_read
