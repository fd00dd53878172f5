mmap 0 4M
madvise 100 4K dontneed
madvise 100 0 dontneed
madvise 0 0 dontneed
madvise 1T 0 dontneed
touch 0 64K
madvise 0 1 dontneed
madvise 0 4097 dontneed
madvise 4M 4K dontneed
madvise 2M 4M dontneed
madvise 8M 4K populate_read
madvise 8M 0 populate_read
madvise 100 0 populate_read
madvise 1 1 populate_write
madvise 8M 4K free
madvise 8M 4K cold
madvise 8M 4K pageout
madvise 0 0x7fffffffffff dontneed
