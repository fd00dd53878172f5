mmap 0 4M
mremap 0 2M 4M
mremap 2M 2M 6M
touch 4M 4M r
mremap 4M 2M 8M
mremap 6M 2M 10M
touch 8M 64K
mremap 8M 1M 12M
mmap 13M 1M
mremap 12M 1M 8M
mprotect 8M 1M r
mremap 9M 1M 10M
mremap 8M 4M 16M 8M
madvise 8M 16M dontneed
munmap 0 64M
mmap 0 1M
touch 0 1M
mremap 0 1M 8M
mmap 9M 1M
madvise 8M 2M dontneed
mremap 8M 1M 16M
mmap 17M 1M
touch 17M 1M
mremap 17M 1M 33M
mremap 16M 1M 32M
madvise 32M 2M dontneed
