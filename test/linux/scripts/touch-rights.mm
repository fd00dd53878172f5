mmap 0 1M none
touch 0 4K r
touch 0 4K w
mmap 1G 1M r
touch 1G 4K w
touch 1G 4K r
touch 1G 4K w
mprotect 1G 1M rw
touch 1G 8K w
mprotect 1G 1M none
touch 1G 8K r
touch 1G 8K w
mprotect 1G 1M r
touch 1G 8K r
touch 1G 8K w
touch 8T 1 r
touch 0 0
touch 1T 0
mmap 2G 64K
touch 2G 128K w
touch 3G 128K w
mprotect 2G 64K r
touch 0x80000fff 3 w 1
touch 0x80000fff 3 r 1
