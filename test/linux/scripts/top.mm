mmap 16T 4K
mmap 0xffffffff000 4K
touch 0xffffffff000 4K
mmap 0xfffffffe000 8K
mmap 0xfffffffe800 8K
mmap 0xffffffff800 4K
mmap 0xfffffffe000 4097
mmap 15T 2T
touch 0xffffffff000 8K
touch 0xffffffff000 1T w 256G
madvise 0xffffffff000 8K dontneed
touch 0xffffffff000 4K
madvise 0xffffffff000 8K populate_write
mprotect 0xffffffff000 8K r
touch 0xffffffff000 4K w
mprotect 0xffffffff000 4K rw
touch 0xffffffff000 4K w
mprotect 16T 4K r
madvise 16T 4K free
munmap 0xffffffff000 8K
munmap 0xffffffff000 4097
munmap 16T 4K
munmap 16T 0
munmap 15T 2T
mremap 0xffffffff000 4K 16T
mremap 0xffffffff000 4K 1G 2T
mmap 0 4K
mremap 0 4K 0xffffffff000 8K
mremap 0 4K 16T
mremap 0xffffffff000 8K 15T
mremap 15T 8K 14T 12K
mremap 15T 1T 14T
mremap 15T 2T 14T 4K
mremap 15T 2T 1T 4K
mremap 1T 4096T 0
mremap 15T 2T 1T
mmap 14T 2T
touch 14T 2T w 512G
munmap 14T 2T
munmap 0 16T
mmap 0xffffff00000 1020K
munmap 0xffffffff000 4K
touch 0xffffff00000 1020K
madvise 0xfffffe00000 2M dontneed
touch 0xffffff00000 1020K
mremap 0xffffff00000 1M 1T
mremap 1T 1020K 0xffffff00000
mremap 0xffffff00000 2T 1T
mremap 1T 1020K 0xffffff00000
mremap 0xffffff00000 2T 1T 4K
mremap 0xffffff00000 2M 1T 64K
mremap 0xffffff00000 4096T 1T 8K
mremap 0xffffff00000 2M 1T 3M
munmap 0 16T
