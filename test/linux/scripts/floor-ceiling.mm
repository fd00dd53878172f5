mmap 0 2M
mmap 2M 2M
mmap 4M 2M
touch 0 6M w 64K
munmap 2M 1M
munmap 3M 1M
mmap 2M 1M r
munmap 4M 2M
munmap 2M 1M
munmap 0 2M
mmap 1G 3M
touch 1G 3M
munmap 0x40100000 1M
munmap 0x40200000 1M
munmap 1G 1M
mmap 1022M 4M
touch 1022M 4M
munmap 1G 2M
mmap 1026M 1M
touch 1022M 4K
munmap 1022M 2M
touch 1026M 4K
munmap 1026M 1M
