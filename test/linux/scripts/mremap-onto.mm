mmap 0 2M
touch 0 2M w 64K
mmap 4M 4M
touch 4M 4M w 64K
mremap 0 2M 5M
touch 4M 4M r 64K
mmap 0 2M r
touch 0 2M r 64K
mremap 0 2M 4M
touch 4M 2M w
mremap 7M 1M 3M
mmap 16M 1M
mmap 17M 1M r
mmap 18M 1M
mremap 16M 3M 4M
touch 4M 4M r
