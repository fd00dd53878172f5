mmap 0 4K shared
mremap 0 4K 1G 4M
touch 0x40200000 4K
touch 0x40200000 4K r
madvise 0x40200000 4K populate_read
madvise 0x40200000 4K populate_write
touch 1G 8K
mmap 8T 4K shared
mremap 8T 4K 9T 512G
touch 0x90100000000 4K r
