# without swap pageout drops shared pages that nobody has written to; the others stay, unmapped
mmap 330M 8M rw shared
touch 332M 6M r
madvise 336M 2M pageout
mremap 336M 2M 327908K 4M
madvise 318M 14M dontneed
touch 327908K 4000K r 2M
munmap 0 16T
mmap 330M 8M rw shared
touch 332M 6M w
madvise 336M 2M pageout
mremap 336M 2M 327908K 4M
madvise 318M 14M dontneed
touch 327908K 4000K r 2M
munmap 0 16T
mmap 1060K 2M shared populate
madvise 1060K 2M pageout
mremap 1060K 0 1025060K 4M
touch 1025060K 4M r 2M
madvise 1060K 2M populate_write
madvise 1060K 2M pageout
touch 1025060K 4M r 2M
munmap 0 16T
mmap 1060K 2M shared populate
mremap 1060K 0 2049060K 2M
madvise 1060K 2M pageout
mremap 1060K 0 1025060K 4M
touch 1025060K 4M r 2M
munmap 0 16T
mmap 1060K 2M shared populate
mprotect 1060K 2M r
touch 1060K 2M r
mprotect 1060K 2M rw
madvise 1060K 2M pageout
mremap 1060K 0 1025060K 4M
touch 1025060K 4M r 2M
touch 3104K 4K w
madvise 3104K 4K cold
mprotect 1060K 2M none
madvise 1060K 2M pageout
touch 1025060K 4M r 2M
munmap 0 16T
