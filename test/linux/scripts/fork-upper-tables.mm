# fork copies upper tables that are there, and nothing below them: a table that DONTNEED freed, a mapping that was moved away
mmap 714754M 2M rw populate
madvise 698G 4M dontneed
fork
@1 touch 714754M 2M w 64K
@1 munmap 714754M 2M
mmap 13824G 768M rw
touch 13825G 256M w 512G
mremap 13825G 512M 13826G 4K
fork
@2 touch 13824G 4K
munmap 13824G 4G
@2 fork
@2 exit
@3 munmap 0 16T
