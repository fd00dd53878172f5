mmap 0 0x1ff000
mmap 2M 2M
touch 0 0x1ff000
touch 2M 2M
madvise 0 0x1ff000 dontneed
madvise 0 4M dontneed
munmap 2M 2M
touch 0 4K
munmap 0 4K
munmap 0 2M
