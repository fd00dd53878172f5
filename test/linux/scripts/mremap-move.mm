mmap 2M 4M
touch 2M 4M
mremap 2M 4M 1G
mremap 1G 1M 2G
mremap 0x40100000 3M 2G
touch 1G 4K
mmap 1T 1G
touch 1T 1G w 256M
mremap 1T 1G 2T
mremap 2T 1G 0x20080000000
mremap 0x20080000000 1G 0x30000100000
munmap 0x30000100000 512M
mremap 0x30020100000 512M 4T
munmap 4T 512M
munmap 0 16G
