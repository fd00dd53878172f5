mmap 0 2M
touch 0 64K r
touch 0 64K w
mmap 4M 2M
madvise 4M 2M populate_read
touch 4M 1M
madvise 4M 2M populate_write
madvise 4M 2M dontneed
mmap 8M 2M r populate
mmap 16M 2M rw populate
mmap 24M 2M none populate
mprotect 8M 2M rw
touch 8M 2M
mmap 1G 2M r populate
madvise 1G 2M dontneed
madvise 1G 2M populate_read
mprotect 1G 2M none
madvise 1G 2M dontneed
