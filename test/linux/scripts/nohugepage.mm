# nohugepage sets mappings apart and brings them together again, as rights do
mmap 0 4M
touch 0 4M w 64K
madvise 1M 2M nohugepage
madvise 0 2M dontneed
madvise 2M 2M dontneed
madvise 0 1M nohugepage
madvise 0 2M dontneed
touch 0 4M w 64K
madvise 3M 1M nohugepage
madvise 2M 2M dontneed
mmap 4M 2M
touch 4M 2M w 64K
munmap 3M 2M
mremap 2M 1M 5M
mmap 3M 1M
touch 2M 2M r
madvise 0 8M nohugepage
madvise 2M 2M dontneed
madvise 100 4K nohugepage
madvise 16M 4K nohugepage
madvise 6M 16T nohugepage
madvise 0 0 nohugepage
mmap 32M 2M shared
touch 32M 2M w 64K
madvise 33M 1M nohugepage
madvise 32M 2M dontneed
mremap 32M 2M 40M
mprotect 40M 1M r
madvise 40M 1M nohugepage
mprotect 40M 2M rw
touch 40M 2M r
madvise 40M 2M dontneed
mmap 64M 4M none
madvise 65M 1M nohugepage
mprotect 64M 4M rw
touch 64M 4M w 512K
mremap 64M 4M 1G
mprotect 1G 4M rw
madvise 1G 2M dontneed
madvise 1G 4M nohugepage
madvise 1G 4M dontneed
munmap 0 16T
