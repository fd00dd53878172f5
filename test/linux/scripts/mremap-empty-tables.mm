mmap 0 2M
touch 0 2M w 64K
madvise 0 1M dontneed
madvise 1M 1M dontneed
mremap 0 1M 1G
mremap 1M 1M 0x40100000
munmap 0 2M
munmap 1G 2M
mmap 8M 4M
touch 8M 4K
mremap 10M 2M 1T
mremap 8M 1M 1T
mremap 9M 1M 512G
munmap 0 4T
