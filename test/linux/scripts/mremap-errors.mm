mmap 0 4M
touch 0 4M w 64K
mremap 100 4K 8M
mremap 0 4K 8000001
mremap 0 4K 8M 0
mremap 0 0 8M
mremap 0 0 8M 4K
mremap 0 4M 2M
mremap 2M 2M 1M
mremap 0 4K 0
mremap 0 4K 8M 0x7fffffffffff
mremap 8M 4K 16M
mremap 8M 4K 16M 8K
mremap 2M 4M 16M 8M
mremap 4M 4K 0 4K
mmap 16M 2M
touch 16M 2M w 64K
mremap 2M 4M 16M 8M
mremap 8M 2M 16M
touch 16M 4K r
mremap 4M 2M 16M 1M
touch 16M 4K r
mremap 1 0 8M 0
