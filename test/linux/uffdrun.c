/*
 * uffdrun: runs scripts of userfaultfd operations on the kernel it is started on. Pages are counted from 16T; each line of the script is
 * an operation and its numbers, all in pages:
 *
 *     map AT PAGES PROT SHARED    touch AT PAGES WRITE    dontneed AT PAGES    unmap AT PAGES    protect AT PAGES PROT    move AT PAGES TO
 *     register AT PAGES MODE      unregister AT PAGES     copy AT PAGES MODE   zero AT PAGES MODE   wp AT PAGES MODE      umove TO FROM PAGES MODE
 *
 * "script FEATURES" begins the next one, in a process of its own. For each operation a line: errno (7: SIGBUS, 14 for SIGSEGV), table memory in KiB
 * and anonymous pages since the beginning, pages done by an ioctl. Faults are answered by SIGBUS (UFFD_FEATURE_SIGBUS), so that nobody waits.
 *
 * With --no-zero-page as on a kernel that has none: reads bring pages (noZeroPage.h), and "zero" does what UFFDIO_ZEROPAGE does where a process may
 * not have the zero page (mm_forbids_zeropage), which is a copy of zeroes.
 *
 * Exit: 0; 2 for a bad script; 4 when there is no userfaultfd here, or one without what is needed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "noZeroPage.h"

#define PAGE 4096ULL
#define BASE (16ULL << 40)
#define LINES_MAX 65536

/* Newer than some headers. */
struct move_arguments {
    uint64_t dst, src, len, mode;
    int64_t move;
};
#define MOVE_IOCTL _IOWR(0xAA, 0x05, struct move_arguments)

static char line[256], status_text[8192];
static char source[512 * PAGE] __attribute__((aligned(4096)));
static char zeroes[512 * PAGE] __attribute__((aligned(4096)));
static char output[1 << 20];
static size_t written;
static sigjmp_buf after_fault;
static int status_fd, fd, no_zero_page;

static void on_fault(int signal, siginfo_t *info, void *context) {
    (void)info;
    (void)context;
    siglongjmp(after_fault, signal == SIGBUS ? 7 : EFAULT);
}

static long status_kb(const char *key) {
    ssize_t length = pread(status_fd, status_text, sizeof status_text - 1, 0);
    status_text[length > 0 ? length : 0] = 0;
    const char *at = strstr(status_text, key);
    return at ? strtol(at + strlen(key), NULL, 10) : -1;
}

static int touch(uint64_t at, uint64_t pages, int write) {
    static volatile uint64_t page;
    int fault = sigsetjmp(after_fault, 1);
    if (fault)
        return fault;
    for (page = 0; page < pages; page++) {
        volatile char *p = (volatile char *)(at + page * PAGE);
        if (!write && no_zero_page)
            own_page((uint64_t)p, 0);
        if (write)
            *p = 1;
        else
            (void)*p;
    }
    return 0;
}

static uint64_t address(uint64_t pages) { return BASE + pages * PAGE; }

/* Does one operation; returns its errno and sets *done. */
static int operate(const char *name, const uint64_t *n, long *done) {
    static const int prots[] = {PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE, PROT_READ | PROT_WRITE};
    void *at = (void *)address(n[0]);
    uint64_t length = n[1] * PAGE;
    long result = 0;
    *done = 0;
    if (!strcmp(name, "map")) {
        int flags = MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | MAP_NORESERVE | (n[3] ? MAP_SHARED : MAP_PRIVATE);
        result = mmap(at, length, prots[n[2] & 3], flags, -1, 0) == MAP_FAILED ? -1 : 0;
    } else if (!strcmp(name, "touch")) {
        return touch(address(n[0]), n[1], (int)n[2]);
    } else if (!strcmp(name, "dontneed")) {
        result = madvise(at, length, MADV_DONTNEED);
    } else if (!strcmp(name, "unmap")) {
        result = munmap(at, length);
    } else if (!strcmp(name, "protect")) {
        result = mprotect(at, length, prots[n[2] & 3]);
    } else if (!strcmp(name, "move")) {
        void *to = (void *)address(n[2]);
        result = mremap(at, length, length, MREMAP_MAYMOVE | MREMAP_FIXED, to) == MAP_FAILED ? -1 : 0;
    } else if (!strcmp(name, "register")) {
        struct uffdio_register call = {.range = {address(n[0]), length}, .mode = n[2]};
        result = ioctl(fd, UFFDIO_REGISTER, &call);
    } else if (!strcmp(name, "unregister")) {
        struct uffdio_range call = {address(n[0]), length};
        result = ioctl(fd, UFFDIO_UNREGISTER, &call);
    } else if (!strcmp(name, "copy")) {
        struct uffdio_copy call = {.dst = address(n[0]), .src = (uint64_t)source, .len = length, .mode = n[2]};
        result = ioctl(fd, UFFDIO_COPY, &call);
        *done = call.copy > 0 ? call.copy / (long)PAGE : 0;
    } else if (!strcmp(name, "zero") && no_zero_page && !(n[2] & ~1UL)) {
        struct uffdio_copy call = {.dst = address(n[0]), .src = (uint64_t)zeroes, .len = length, .mode = n[2]};
        result = ioctl(fd, UFFDIO_COPY, &call);
        *done = call.copy > 0 ? call.copy / (long)PAGE : 0;
    } else if (!strcmp(name, "zero")) {
        struct uffdio_zeropage call = {.range = {address(n[0]), length}, .mode = n[2]};
        result = ioctl(fd, UFFDIO_ZEROPAGE, &call);
        *done = call.zeropage > 0 ? call.zeropage / (long)PAGE : 0;
    } else if (!strcmp(name, "wp")) {
        struct uffdio_writeprotect call = {.range = {address(n[0]), length}, .mode = n[2]};
        result = ioctl(fd, UFFDIO_WRITEPROTECT, &call);
    } else if (!strcmp(name, "umove")) {
        struct move_arguments call = {address(n[0]), address(n[1]), n[2] * PAGE, n[3], 0};
        result = ioctl(fd, MOVE_IOCTL, &call);
        *done = call.move > 0 ? call.move / (long)PAGE : 0;
    } else {
        fprintf(stderr, "uffdrun: no operation '%s'\n", name);
        exit(2);
    }
    return result < 0 ? errno : 0;
}

static void begin(uint64_t features) {
    struct uffdio_api api = {.api = UFFD_API, .features = features};
    fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | 1);
    if (fd < 0 || ioctl(fd, UFFDIO_API, &api) < 0) {
        fprintf(stderr, "uffdrun: userfaultfd with features 0x%llx: %s\n", (unsigned long long)features, strerror(errno));
        exit(4);
    }
    prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    sigaction(SIGBUS, &action, NULL);
    sigaction(SIGSEGV, &action, NULL);
    memset(source, 1, sizeof source);
    explicit_bzero(zeroes, sizeof zeroes);
    if (no_zero_page)
        own_pages_begin();
    memset(output, 1, sizeof output);
    status_fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    /* Whatever the first call of each kind touches of ours is there before anything is counted. */
    static const char *const names[] = {"map", "register", "touch", "copy", "zero", "wp", "umove", "unregister", "move", "protect", "dontneed", "unmap"};
    static const uint64_t far[][4] = {{1 << 20, 8, 2, 0}, {1 << 20, 8, 3}, {1 << 20, 1, 1}, {1 << 20, 1, 0}, {(1 << 20) + 1, 1, 0}, {1 << 20, 1, 1},
        {(1 << 20) + 2, 1 << 20, 1, 0}, {1 << 20, 8}, {1 << 20, 8, (1 << 20) + 64}, {(1 << 20) + 64, 8, 1}, {(1 << 20) + 64, 8}, {(1 << 20) + 64, 8}};
    long done;
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
        operate(names[i], far[i], &done);
    written = (size_t)snprintf(output, sizeof output, "%d %ld %ld %ld\n", 0, status_kb("VmPTE:"), status_kb("RssAnon:"), done);
}

/* Runs the lines up to the next "script" or the end in this process. */
static void run(char **lines, long count, uint64_t features) {
    begin(features);
    long tables = status_kb("VmPTE:"), anon = status_kb("RssAnon:");
    written = 0;
    for (long i = 0; i < count; i++) {
        char name[32] = "";
        uint64_t n[4] = {0};
        sscanf(lines[i], "%31s %lu %lu %lu %lu", name, &n[0], &n[1], &n[2], &n[3]);
        long done;
        int error = operate(name, n, &done);
        written += (size_t)snprintf(output + written, sizeof output - written, "%d %ld %ld %ld\n", error, status_kb("VmPTE:") - tables,
                                    (status_kb("RssAnon:") - anon) / 4, done);
    }
    fwrite(output, 1, written, stdout);
    fflush(stdout);
    _exit(0);
}

int main(int argc, char **argv) {
    no_zero_page = argc > 1 && !strcmp(argv[1], "--no-zero-page");
    static char *lines[LINES_MAX];
    long count = 0;
    while (count < LINES_MAX && fgets(line, sizeof line, stdin))
        lines[count++] = strdup(line);
    for (long first = 0; first < count;) {
        uint64_t features = 0;
        if (sscanf(lines[first], "script %lu", &features) != 1) {
            fprintf(stderr, "uffdrun: expected 'script FEATURES': %s", lines[first]);
            return 2;
        }
        long end = first + 1;
        while (end < count && strncmp(lines[end], "script ", 7))
            end++;
        printf("script\n");
        fflush(stdout);
        pid_t child = fork();
        if (child == 0)
            run(lines + first + 1, end - first - 1, features);
        int status;
        if (child < 0 || waitpid(child, &status, 0) < 0)
            return 3;
        if (!WIFEXITED(status) || WEXITSTATUS(status))
            return WIFEXITED(status) ? WEXITSTATUS(status) : 3;
        first = end;
    }
    return 0;
}
