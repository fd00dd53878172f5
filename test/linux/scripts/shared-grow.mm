mmap 0 2M shared
touch 0 2M
mremap 0 2M 8M 4M
touch 8M 4M
touch 8M 2M
touch 10M 2M r
madvise 8M 4M populate_read
madvise 8M 4M populate_write
madvise 10M 2M populate_read
madvise 10M 2M populate_write
madvise 8M 4M dontneed
madvise 8M 4M populate_write
mremap 8M 0 32M 2M
touch 32M 2M
mremap 8M 0 64M 8M
touch 64M 8M
mremap 9M 0 128M 4M
touch 128M 4M
mremap 8M 0 8M 4M
mremap 8M 0 10M 1M
