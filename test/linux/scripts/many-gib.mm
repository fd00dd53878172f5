mmap 0 50G
touch 0 50G w 2G
madvise 0 50G dontneed
touch 0 50G r 2G
mprotect 10G 10G none
madvise 5G 10G dontneed
mremap 20G 10G 1T
mremap 1T 10G 0x20000200000
munmap 0 8T
