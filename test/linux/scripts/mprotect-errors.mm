mmap 0 4M
touch 0 4M
mprotect 100 4K r
mprotect 100 0 r
mprotect 0 0 r
mprotect 1T 0 r
touch 0 4K
mprotect 2M 4M r
touch 1M 4K
touch 2M 4K
touch 3M 4K
mprotect 8M 4K r
mmap 6M 2M
mprotect 3M 4M none
touch 3M 4K r
touch 6M 4K r
munmap 1M 4K
mprotect 0 2M none
touch 0 4K r
touch 0x101000 4K r
mprotect 1M 8K none
mprotect 0 1 rw
touch 0 4K r
touch 4K 4K r
mprotect 0 0x7fffffffffff r
