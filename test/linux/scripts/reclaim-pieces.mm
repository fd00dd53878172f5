mmap 0 8M
touch 0 8M
madvise 0 1M dontneed
madvise 1M 1M dontneed
madvise 0 2M dontneed
madvise 0x1ff000 0x202000 dontneed
touch 0 8M
mprotect 5M 1M r
madvise 4M 4M dontneed
madvise 0 8M dontneed
mprotect 5M 1M rw
madvise 0 8M dontneed
touch 0 8M
madvise 4K 0x7ff000 dontneed
madvise 0 0x7ff000 dontneed
madvise 0 8M dontneed
