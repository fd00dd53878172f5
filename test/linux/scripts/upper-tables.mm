mmap 0 2G
touch 0 4K r
touch 1G 4K r
madvise 0 2G dontneed
touch 0 4K
munmap 1G 1G
munmap 0 2M
munmap 2M 1022M
mmap 511G 2G
touch 511G 4K
touch 512G 4K
munmap 511G 1G
touch 512G 4K
munmap 512G 1G
mmap 1T 1T
touch 1T 512G w 128G
munmap 1T 4K
munmap 0x10000001000 0xfffffff000
munmap 1T 1T
