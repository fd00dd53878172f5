mmap 0 4M
touch 0 4M w 64K
mremap 0 4M 1G 8M
touch 1G 8M w 64K
mremap 1G 8M 2G 2M
touch 2G 2M r
mmap 2050M 2M
touch 2050M 2M w 64K
mmap 2054M 2M
mremap 2G 8M 4M 1M
mremap 2G 2M 8M 4M
mmap 32M 1M
mremap 32M 8M 64M 512K
mremap 64M 512K 128M 1M
touch 128M 1M
mremap 128M 1M 128M 2M
mremap 128M 1M 129M 2M
