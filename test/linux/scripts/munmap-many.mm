mmap 0 1M
mmap 2M 1M r
mmap 4M 1M
mmap 1G 1M
touch 0 1M w 64K
touch 2M 1M r 64K
touch 4M 1M w 64K
touch 1G 1M w 64K
munmap 512K 5M
munmap 0 2G
