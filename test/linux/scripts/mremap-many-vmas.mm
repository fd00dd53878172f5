mmap 0 1M
mmap 2M 1M r
mmap 3M 1M
mmap 6M 2M
touch 0 1M
touch 2M 1M r
touch 3M 1M
mmap 64M 16M
touch 64M 16M w 512K
mremap 0 8M 64M
touch 64M 8M r 1M
touch 0 4K r
touch 65M 4K r
mremap 1M 4M 128M
mremap 512K 4M 128M
mremap 64M 32M 1G
mremap 64M 32M 1G 64M
mremap 1G 64M 96M 1M
mremap 70M 2M 256M 4M
mremap 1G 1M 256M 4M
