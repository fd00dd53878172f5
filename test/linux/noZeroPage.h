/*
 * Emulates a kernel without a zero page in the calling process: where a read fault of private anonymous memory would map the zero page, own_page
 * has a write fault bring a page (or a larger folio) before the read. What the fault maps is what such a kernel's read fault maps, writable or not,
 * as the mapping is; one thing differs: where the mapping may not be written to, the kernel's folio counts as dirty.
 *
 * PROCMAP_QUERY came with Linux 6.11.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* struct procmap_query, newer than some headers. */
struct vma_query {
    uint64_t size, query_flags, address, start, end, flags, page_size, offset, inode;
    uint32_t major, minor, name_size, build_id_size;
    uint64_t name, build_id;
};
#define VMA_QUERY _IOWR('f', 17, struct vma_query)
#define VMA_READABLE 1
#define VMA_WRITABLE 2
#define VMA_SHARED 8

static int own_maps = -1, own_pagemap = -1, own_mem = -1;

static int reopen(int old, const char *path, int flags)
{
    int fd;
    if (old >= 0)
        close(old);
    fd = open(path, flags | O_CLOEXEC);
    if (fd < 0) {
        perror(path);
        _exit(3);
    }
    return fd;
}

/* To be called by each process, since what is open belongs to the address space that opened it. */
static void own_pages_begin(void)
{
    own_maps = reopen(own_maps, "/proc/self/maps", O_RDONLY);
    own_pagemap = reopen(own_pagemap, "/proc/self/pagemap", O_RDONLY);
    own_mem = reopen(own_mem, "/proc/self/mem", O_RDWR);
}

/*
 * To be called before a read of `address`. `storing`: memory that may be written to is written by a store, which must not fault in vain there;
 * otherwise through /proc/self/mem, which a userfaultfd may refuse. Returns 0 where no read is possible.
 */
static int own_page(uint64_t address, int storing)
{
    struct vma_query query = {.size = sizeof query, .address = address};
    uint64_t entry;
    int present, swapped, watched;
    if (ioctl(own_maps, VMA_QUERY, &query) || !(query.flags & VMA_READABLE))
        return 0;
    if (query.flags & VMA_SHARED)
        return 1;
    if (pread(own_pagemap, &entry, sizeof entry, (off_t)(address / 4096 * sizeof entry)) != sizeof entry) {
        perror("/proc/self/pagemap");
        _exit(3);
    }
    present = (int)(entry >> 63);
    swapped = (int)(entry >> 62 & 1);
    watched = (int)(entry >> 57 & 1);
    /* Neither, or a marker of a userfaultfd: a read finds nothing. */
    if (!present && (!swapped || watched)) {
        if (storing && (query.flags & VMA_WRITABLE))
            *(volatile char *)address = 0;
        else if (pwrite(own_mem, "", 1, (off_t)address) != 1)
            return 1;
    }
    return 1;
}
