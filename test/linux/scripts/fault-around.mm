# a read maps what is cached around it, also when it is itself beyond the object
mmap 101711896K 512K shared populate
mremap 101711896K 0 101709848K 1M
touch 101710360K 512K r 1G
madvise 101709824K 2M dontneed
touch 101710360K 4K w
touch 101710380K 4K r
touch 101710400K 4K r
mmap 11811156228K 2M rw shared populate
mremap 11811156228K 0 11811164420K 2M
mremap 11811164420K 2M 11811160324K 4M
touch 11811160324K 4M r 2M
mmap 1020K 1028K shared
mremap 1020K 1028K 1020K 1M
mremap 1020K 1028K 1046524K 3M
touch 1046524K 4K
touch 1M 4K r
touch 1046524K 3M r 1028K
touch 1048576K 2052K r
madvise 1046524K 3M populate_read
mmap 2042K 64K shared
mmap 2044K 64K shared r
mremap 2044K 64K 1048572K 128K
touch 1048572K 128K r 64K
touch 1048636K 4K r
touch 1048572K 4K r
touch 1048640K 4K r
munmap 0 16T
mmap 1G 60K shared populate
mremap 1G 60K 0x8003c0000 128K
touch 0x8003cf000 4K r
madvise 0x8003cf000 4K populate_read
mprotect 0x8003c0000 128K r
touch 0x8003cf000 4K r
munmap 0x8003c0000 128K
mmap 1G 60K shared
mremap 1G 60K 0x800200000 128K
touch 0x80020f000 4K r
touch 0x800200000 4K
mremap 0x800200000 128K 0x800400000 128K
mremap 0x800400000 128K 0x800401000 256K
munmap 0 16T
