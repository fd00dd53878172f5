/*
 * mmrun: runs mm scripts on the kernel it is started on and prints, for each
 * operation, the line that `ptlab replay --each` prints.
 *
 *     mmrun [--base ADDR] [--reserve] [--state] FILE...
 *
 * Each script runs in a process of its own, pinned to one CPU. With more than
 * one FILE a line {"script":"FILE"} precedes the lines of each script.
 *
 *     --base     where address 0 of a script lies (16T unless told)
 *     --reserve  leave out MAP_NORESERVE, so that the kernel accounts memory
 *     --state    add the script's VMAs to each line, for studying a difference
 *
 * The script's address space ends one page below 16T, as the kernel's own ends one
 * page below a power of two; munmap may name that page. What reaches beyond is
 * answered as the kernel answers beyond its own end, and never touches this process'
 * memory.
 *
 * `vmpteKb` and `anonPages` are counted from the state before the first
 * operation. Nothing between two readings may touch new memory of our own:
 * buffers are static, and a script that uses every operation runs first, far
 * away from the range that is measured, so that all pages are there.
 *
 * Exit: 0, 2 for a bad script (FILE:LINE: what is wrong), 3 if a child died.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif
#ifndef PR_THP_DISABLE_EXCEPT_ADVISED
#define PR_THP_DISABLE_EXCEPT_ADVISED 2
#endif

enum call { MMAP, MUNMAP, TOUCH, MADVISE, MREMAP, MPROTECT };

static const char *const call_names[] = {"mmap",    "munmap", "touch",
                                         "madvise", "mremap", "mprotect"};

static const struct {
    const char *name;
    int value;
} advices[] = {
    {"dontneed", 4},       {"free", 8},           {"hugepage", 14}, {"nohugepage", 15}, {"cold", 20},
    {"pageout", 21},       {"populate_read", 22}, {"populate_write", 23}, {"collapse", 25},
};

struct operation {
    enum call call;
    uint64_t address, length, new_address, new_length, stride;
    int prot, flags, advice, write;
};

#define PAGE 4096ULL
#define SPACE (16ULL << 40)
#define TOP (SPACE - PAGE)
#define MAX_LENGTH (1ULL << 52)
/* Longer than any user address space, and short enough that no sum wraps. */
#define BEYOND (1ULL << 62)

#define MAX_OPERATIONS 65536
#define TEXT_BYTES (8 << 20)
#define OUT_BYTES (64 << 20)

static struct operation operations[MAX_OPERATIONS];
static char text[TEXT_BYTES];
static char out[OUT_BYTES];
static size_t out_used;
static char proc_text[1 << 20];
static int status_fd = -1, rollup_fd = -1, maps_fd = -1;
static int status_is_exact;

static uint64_t base = 16ULL << 40;
static int reserve_flag = MAP_NORESERVE;
static int show_state;

static sigjmp_buf fault_escape;
static char fault_stack[64 << 10];

static void on_fault(int signal_number)
{
    siglongjmp(fault_escape, signal_number);
}

static const char *errno_name(int number)
{
    switch (number) {
    case EPERM: return "EPERM";
    case ENOENT: return "ENOENT";
    case EINTR: return "EINTR";
    case EIO: return "EIO";
    case EBADF: return "EBADF";
    case EAGAIN: return "EAGAIN";
    case ENOMEM: return "ENOMEM";
    case EACCES: return "EACCES";
    case EFAULT: return "EFAULT";
    case EBUSY: return "EBUSY";
    case EEXIST: return "EEXIST";
    case EINVAL: return "EINVAL";
    case EOVERFLOW: return "EOVERFLOW";
    default: return "E?";
    }
}

/* Output goes to a static buffer, pre-touched, and out in one write at the end. */

static void put(const char *string)
{
    size_t length = strlen(string);
    if (out_used + length < OUT_BYTES) {
        memcpy(out + out_used, string, length);
        out_used += length;
    }
}

static void put_number(int64_t value)
{
    char digits[24];
    char *p = digits + sizeof digits;
    uint64_t rest = value < 0 ? -(uint64_t)value : (uint64_t)value;
    *--p = 0;
    do
        *--p = (char)('0' + rest % 10);
    while (rest /= 10);
    if (value < 0)
        *--p = '-';
    put(p);
}

static void put_hex(uint64_t value)
{
    char digits[24];
    char *p = digits + sizeof digits;
    *--p = 0;
    do
        *--p = "0123456789abcdef"[value % 16];
    while (value /= 16);
    put(p);
}

/* Reading the counters. */

static void read_proc(int fd)
{
    size_t used = 0;
    ssize_t got;
    while (used < sizeof proc_text - 1 &&
           (got = pread(fd, proc_text + used, sizeof proc_text - 1 - used, (off_t)used)) > 0)
        used += (size_t)got;
    proc_text[used] = 0;
}

static int64_t proc_kb(const char *key)
{
    const char *p = strstr(proc_text, key);
    int64_t value = 0;
    if (!p)
        return -1;
    for (p += strlen(key); *p == ' ' || *p == '\t'; p++)
        ;
    for (; *p >= '0' && *p <= '9'; p++)
        value = value * 10 + (*p - '0');
    return value;
}

struct counters {
    int64_t vmpte_kb, anon_pages;
};

static struct counters read_counters(void)
{
    struct counters now;
    read_proc(status_fd);
    now.vmpte_kb = proc_kb("VmPTE:");
    if (status_is_exact) {
        now.anon_pages = proc_kb("RssAnon:") / 4;
    } else {
        read_proc(rollup_fd);
        now.anon_pages = proc_kb("\nAnonymous:") / 4;
    }
    return now;
}

static void put_state(void)
{
    char *line, *end;
    int first = 1;
    read_proc(maps_fd);
    put(",\"vmas\":[");
    for (line = proc_text; *line; line = end + 1) {
        char *p;
        uint64_t from = strtoull(line, &p, 16), to;
        if (!(end = strchr(line, '\n')))
            break;
        to = strtoull(p + 1, &p, 16);
        if (from < base || to > base + SPACE)
            continue;
        *end = 0;
        p[5] = 0;
        put(first ? "\"" : ",\"");
        first = 0;
        put_hex(from - base);
        put("-");
        put_hex(to - base);
        put(p);
        put("\"");
    }
    put("]");
}

/* Reading a script. */

static const char *file_name;
static int line_number;

static void bad(const char *what, const char *word)
{
    fprintf(stderr, "%s:%d: %s '%s'\n", file_name, line_number, what, word ? word : "");
    exit(2);
}

static uint64_t number(const char *word, uint64_t limit)
{
    char *end;
    unsigned long long value;
    if (!word || *word < '0' || *word > '9')
        bad("not a number:", word);
    errno = 0;
    value = strtoull(word, &end, 0);
    if (*end == 'K')
        value <<= 10, end++;
    else if (*end == 'M')
        value <<= 20, end++;
    else if (*end == 'G')
        value <<= 30, end++;
    else if (*end == 'T')
        value <<= 40, end++;
    if (*end || errno)
        bad("not a number:", word);
    if (value > limit)
        bad("out of range:", word);
    return value;
}

static int protection(const char *word)
{
    if (!strcmp(word, "none"))
        return PROT_NONE;
    if (!strcmp(word, "r"))
        return PROT_READ;
    if (!strcmp(word, "rw"))
        return PROT_READ | PROT_WRITE;
    return -1;
}

static int is_beyond(uint64_t address, uint64_t length)
{
    return address > TOP || length > TOP - address;
}

/*
 * Makes the kernel see the end at TOP: what must stay below the end gets a length
 * that no address space has; what may run over holes ends one page behind, which
 * is such a hole.
 */
static void heed_top(struct operation *op)
{
    uint64_t length = (op->length + PAGE - 1) & -PAGE;
    uint64_t new_length = (op->new_length + PAGE - 1) & -PAGE;
    uint64_t clipped = (op->address < TOP ? TOP - op->address : 0) + PAGE;
    int over = length && is_beyond(op->address, length);
    switch (op->call) {
    case MMAP:
        if (over)
            op->length = BEYOND;
        break;
    case MUNMAP:
        if (length > SPACE - op->address)
            op->length = BEYOND;
        break;
    case MADVISE:
    case MPROTECT:
        if (over)
            op->length = clipped;
        break;
    case MREMAP:
        if (is_beyond(op->new_address, new_length))
            op->new_length = BEYOND;
        else if (over && length != new_length)
            op->length = BEYOND;
        else if (over && op->new_address + length <= op->address)
            op->length = op->new_length = clipped;
        break;
    case TOUCH:
        break;
    }
}

static int parse(char *script)
{
    int count = 0;
    char *next_line;
    line_number = 0;
    for (char *line = script; line; line = next_line) {
        char *words[12];
        int used = 0, at = 0;
        struct operation op = {0};
        line_number++;
        if ((next_line = strchr(line, '\n')))
            *next_line++ = 0;
        line[strcspn(line, "#")] = 0;
        for (char *word = strtok(line, " \t\r"); word && used < 12; word = strtok(NULL, " \t\r"))
            words[used++] = word;
        if (used && words[0][strlen(words[0]) - 1] == ':')
            at++;
        if (at == used || !strcmp(words[at], "barrier"))
            continue;
        for (int i = used; i < 12; i++)
            words[i] = NULL;
        if (count == MAX_OPERATIONS)
            bad("too many operations at", words[at]);
        for (op.call = MMAP; op.call <= MPROTECT; op.call++)
            if (!strcmp(words[at], call_names[op.call]))
                break;
        if (op.call > MPROTECT)
            bad("unknown operation", words[at]);
        op.address = number(words[at + 1], SPACE);
        op.length = number(words[at + 2], MAX_LENGTH);
        at += 3;
        switch (op.call) {
        case MMAP:
            op.prot = PROT_READ | PROT_WRITE;
            op.flags = MAP_PRIVATE;
            for (; words[at]; at++) {
                if (!strcmp(words[at], "shared"))
                    op.flags = (op.flags & ~MAP_PRIVATE) | MAP_SHARED;
                else if (!strcmp(words[at], "populate"))
                    op.flags |= MAP_POPULATE;
                else if (protection(words[at]) >= 0)
                    op.prot = protection(words[at]);
                else
                    bad("unknown word", words[at]);
            }
            break;
        case MUNMAP:
            break;
        case TOUCH:
            op.write = 1;
            op.stride = 4096;
            if (words[at] && (!strcmp(words[at], "r") || !strcmp(words[at], "w")))
                op.write = *words[at++] == 'w';
            if (words[at])
                op.stride = number(words[at++], MAX_LENGTH);
            if (!op.stride)
                bad("stride is", "0");
            break;
        case MADVISE:
            op.advice = -1;
            for (size_t i = 0; words[at] && i < sizeof advices / sizeof *advices; i++)
                if (!strcmp(words[at], advices[i].name))
                    op.advice = advices[i].value;
            if (op.advice < 0)
                bad("unknown advice", words[at]);
            at++;
            break;
        case MREMAP:
            op.new_address = number(words[at++], SPACE);
            op.new_length = words[at] ? number(words[at++], MAX_LENGTH) : op.length;
            break;
        case MPROTECT:
            if (!words[at] || (op.prot = protection(words[at])) < 0)
                bad("unknown protection", words[at]);
            at++;
            break;
        }
        if (words[at])
            bad("unexpected word", words[at]);
        heed_top(&op);
        operations[count++] = op;
    }
    return count;
}

/* Running it. */

static int touch(const struct operation *op, uint64_t from)
{
    volatile unsigned char *address = (volatile unsigned char *)(from + op->address);
    if (sigsetjmp(fault_escape, 1))
        return EFAULT;
    for (uint64_t offset = 0; offset < op->length; offset += op->stride) {
        if (op->address + offset >= TOP)
            return EFAULT;
        if (op->write)
            address[offset] = 1;
        else
            (void)address[offset];
    }
    return 0;
}

static int perform(const struct operation *op, uint64_t from)
{
    void *address = (void *)(from + op->address);
    void *result;
    switch (op->call) {
    case MMAP:
        result = mmap(address, op->length, op->prot,
                      op->flags | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | reserve_flag, -1, 0);
        return result == MAP_FAILED ? errno : 0;
    case MUNMAP:
        return munmap(address, op->length) ? errno : 0;
    case TOUCH:
        return touch(op, from);
    case MADVISE:
        return madvise(address, op->length, op->advice) ? errno : 0;
    case MREMAP:
        result = mremap(address, op->length, op->new_length, MREMAP_MAYMOVE | MREMAP_FIXED,
                        (void *)(from + op->new_address));
        return result == MAP_FAILED ? errno : 0;
    case MPROTECT:
        return mprotect(address, op->length, op->prot) ? errno : 0;
    }
    return EINVAL;
}

static void run(int count, uint64_t from)
{
    struct counters before = read_counters();
    for (int i = 0; i < count; i++) {
        int error = perform(&operations[i], from);
        struct counters now = read_counters();
        put("{\"op\":");
        put_number(i);
        put(",\"call\":\"");
        put(call_names[operations[i].call]);
        put("\",\"errno\":");
        if (error) {
            put("\"");
            put(errno_name(error));
            put("\"");
        } else {
            put("null");
        }
        put(",\"vmpteKb\":");
        put_number(now.vmpte_kb - before.vmpte_kb);
        put(",\"anonPages\":");
        put_number(now.anon_pages - before.anon_pages);
        if (show_state)
            put_state();
        put("}\n");
    }
}

static char warm_script[] = "mmap 0 4M rw\n"
                            "touch 0 1M w 64K\n"
                            "mprotect 0 1M r\n"
                            "touch 0 4K w\n"
                            "touch 8M 4K r\n"
                            "madvise 0 4M populate_read\n"
                            "madvise 0 4M dontneed\n"
                            "mremap 0 2M 8M\n"
                            "mmap 0 1 shared\n"
                            "munmap 0 16M\n";

/* False when some mapping already lies in the 16 TiB from `base`. */
static int range_is_empty(void)
{
    read_proc(maps_fd);
    for (char *line = proc_text; *line;) {
        char *p, *end = strchr(line, '\n');
        uint64_t from = strtoull(line, &p, 16), to = strtoull(p + 1, &p, 16);
        if (to > base && from < base + SPACE + PAGE)
            return 0;
        if (!end)
            break;
        line = end + 1;
    }
    return 1;
}

static void child(char *script)
{
    struct sigaction action = {.sa_handler = on_fault, .sa_flags = SA_ONSTACK};
    stack_t stack = {.ss_sp = fault_stack, .ss_size = sizeof fault_stack};
    cpu_set_t cpus;
    struct utsname kernel;
    int count, cpu = sched_getcpu(), major = 0, minor = 0, state = show_state;
    volatile char deep[128 << 10];

    for (size_t i = 0; i < sizeof deep; i += 1024)
        deep[i] = 1;
    CPU_ZERO(&cpus);
    CPU_SET(cpu < 0 ? 0 : cpu, &cpus);
    sched_setaffinity(0, sizeof cpus, &cpus);
    if (prctl(PR_SET_THP_DISABLE, 1, PR_THP_DISABLE_EXCEPT_ADVISED, 0, 0))
        prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
    uname(&kernel);
    sscanf(kernel.release, "%d.%d", &major, &minor);
    status_is_exact = major > 6 || (major == 6 && minor >= 17);
    status_fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    rollup_fd = open("/proc/self/smaps_rollup", O_RDONLY | O_CLOEXEC);
    maps_fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    if (status_fd < 0 || rollup_fd < 0 || maps_fd < 0) {
        perror("/proc/self");
        _exit(3);
    }
    sigaltstack(&stack, NULL);
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
    if (!range_is_empty()) {
        fprintf(stderr, "mmrun: something is mapped in the 16 TiB from %#llx\n",
                (unsigned long long)base);
        _exit(3);
    }

    memset(fault_stack, 0, sizeof fault_stack);
    memset(proc_text, 0, sizeof proc_text);
    memset(operations, 0, sizeof operations);
    show_state = 1;
    count = parse(warm_script);
    run(count, base + (8ULL << 40));
    show_state = state;
    count = parse(script);
    memset(out, 0, (size_t)(count + 1) * (show_state ? 16384 : 128) < OUT_BYTES
                       ? (size_t)(count + 1) * (show_state ? 16384 : 128)
                       : OUT_BYTES);
    out_used = 0;
    run(count, base);
    for (size_t sent = 0; sent < out_used;) {
        ssize_t n = write(1, out + sent, out_used - sent);
        if (n <= 0)
            _exit(3);
        sent += (size_t)n;
    }
    _exit(0);
}

int main(int argc, char **argv)
{
    int first = 1;
    for (; first < argc && argv[first][0] == '-' && argv[first][1] == '-'; first++) {
        file_name = argv[first];
        if (!strcmp(argv[first], "--base") && first + 1 < argc)
            base = number(argv[++first], 1ULL << 47);
        else if (!strcmp(argv[first], "--reserve"))
            reserve_flag = 0;
        else if (!strcmp(argv[first], "--state"))
            show_state = 1;
        else
            break;
    }
    if (first >= argc || base % (512ULL << 30)) {
        fprintf(stderr, "usage: mmrun [--base ADDR] [--reserve] [--state] FILE...\n"
                        "ADDR must be a multiple of 512G\n");
        return 2;
    }
    for (int i = first; i < argc; i++) {
        int status;
        size_t length;
        FILE *file = fopen(argv[i], "r");
        pid_t pid;
        file_name = argv[i];
        if (!file) {
            fprintf(stderr, "%s: %s\n", argv[i], strerror(errno));
            return 2;
        }
        length = fread(text, 1, sizeof text - 1, file);
        text[length] = 0;
        if (strlen(text) != length || !feof(file)) {
            fprintf(stderr, "%s: not a text of less than %d bytes\n", argv[i], TEXT_BYTES);
            return 2;
        }
        fclose(file);
        if (argc - first > 1)
            printf("{\"script\":\"%s\"}\n", argv[i]);
        fflush(stdout);
        pid = fork();
        if (pid == 0)
            child(text);
        if (pid < 0 || waitpid(pid, &status, 0) < 0) {
            perror("mmrun");
            return 3;
        }
        if (WIFEXITED(status) && WEXITSTATUS(status))
            return WEXITSTATUS(status);
        if (WIFSIGNALED(status)) {
            fprintf(stderr, "%s: the process that ran it died of signal %d\n", argv[i],
                    WTERMSIG(status));
            return 3;
        }
    }
    return 0;
}
