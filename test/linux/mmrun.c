/*
 * mmrun: runs mm scripts on the kernel it is started on and prints, for each
 * operation, the line that `ptlab replay --each` prints.
 *
 *     mmrun [--base ADDR] [--reserve] [--thp] [--state] [--no-zero-page] FILE...
 *
 * Each process of a script is one of its own; all are pinned to one CPU. With more
 * than one FILE a line {"script":"FILE"} precedes the lines of each script.
 *
 *     --base     where address 0 of a script lies (16T unless told)
 *     --reserve  leave out MAP_NORESERVE, so that the kernel accounts memory
 *     --thp      huge pages as the system has them enabled; otherwise only where a script advises them
 *     --state    add the VMAs of the process that did it to each line, for studying a difference
 *     --no-zero-page  as on a kernel that has none (noZeroPage.h)
 *
 * A controller per script reads it, sends each operation through a pipe to the process
 * that it is for, waits for the answer, and reads what /proc has of every live process:
 * nothing that is measured keeps results. `fork` is a fork of that process; the child
 * answers when it is ready. After `exit` the controller waits until the address space
 * has gone.
 *
 * The script's address space ends one page below 16T, as the kernel's own ends one
 * page below a power of two; munmap may name that page. What reaches beyond is
 * answered as the kernel answers beyond its own end, and never touches this process'
 * memory.
 *
 * `vmpteKb` and `anonPages` are counted from the state of a process that has done nothing
 * yet: process 0 before the first operation; a forked one as a fork of that state has it.
 * Nothing between two readings may touch new memory of the image: a script that uses every
 * operation runs first in each process, behind the range that is measured, so that all
 * pages are there. Two forks, one of the other, are measured before the first operation;
 * they must not differ.
 *
 * Exit: 0, 2 for a bad script (FILE:LINE: what is wrong), 3 if a process died.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>
#include "noZeroPage.h"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif
#ifndef PR_THP_DISABLE_EXCEPT_ADVISED
#define PR_THP_DISABLE_EXCEPT_ADVISED 2
#endif

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

enum call { MMAP, MUNMAP, TOUCH, MADVISE, MREMAP, MPROTECT, FORK, EXIT };

static const char *const call_names[] = {"mmap",   "munmap",   "touch", "madvise",
                                         "mremap", "mprotect", "fork",  "exit"};

static const struct {
    const char *name;
    int value;
} advices[] = {
    {"dontneed", 4},       {"free", 8},           {"hugepage", 14}, {"nohugepage", 15}, {"cold", 20},
    {"pageout", 21},       {"populate_read", 22}, {"populate_write", 23}, {"collapse", 25},
};

struct operation {
    enum call call;
    /* Who does it; for fork, whom it makes. */
    int process, child;
    uint64_t address, length, new_address, new_length, stride;
    int prot, flags, advice, write;
};

#define PAGE 4096ULL
#define SPACE (16ULL << 40)
#define TOP (SPACE - PAGE)
#define MAX_LENGTH (1ULL << 52)
/* Longer than any user address space, and short enough that no sum wraps. */
#define BEYOND (1ULL << 62)
/* Where processes warm up, from `base`: in tables that the script shares with nothing. */
#define WARM (SPACE + (512ULL << 30))

#define MAX_OPERATIONS 65536
#define MAX_PROCESSES 64
/* A fork and its fork, which are measured before the first operation. */
#define SAMPLE MAX_PROCESSES
#define SAMPLES 2
#define TEXT_BYTES (8 << 20)
#define ANSWER_MS 60000

static struct operation operations[MAX_OPERATIONS];
static struct operation warm_operations[16];
static int warm_count;
static char text[TEXT_BYTES];
static char proc_text[1 << 20];
static int status_is_exact;

struct counters {
    int64_t vmpte_kb, anon_pages;
};

/* What the controller knows of each process. */
static struct process {
    int alive;
    int pid_fd, status_fd, rollup_fd, maps_fd;
    struct counters before;
} processes[MAX_PROCESSES + SAMPLES];
/* Processes that the script names. */
static int process_count;

/* A pipe to each process, and one back from all. */
static int requests[MAX_PROCESSES + SAMPLES][2], answers[2];

struct answer {
    int process, error;
    pid_t pid;
};

static uint64_t base = 16ULL << 40;
static int reserve_flag = MAP_NORESERVE;
static int show_state, system_thp, no_zero_page;

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

static struct counters read_counters(const struct process *of)
{
    struct counters now;
    read_proc(of->status_fd);
    now.vmpte_kb = proc_kb("VmPTE:");
    if (status_is_exact) {
        now.anon_pages = proc_kb("RssAnon:") / 4;
    } else {
        read_proc(of->rollup_fd);
        now.anon_pages = proc_kb("\nAnonymous:") / 4;
    }
    return now;
}

static void print_state(const struct process *of)
{
    char *line, *end;
    const char *between = "";
    read_proc(of->maps_fd);
    printf(",\"vmas\":[");
    for (line = proc_text; *line; line = end + 1) {
        char *p;
        uint64_t from = strtoull(line, &p, 16), to;
        if (!(end = strchr(line, '\n')))
            break;
        to = strtoull(p + 1, &p, 16);
        if (from < base || to > base + SPACE)
            continue;
        printf("%s\"%llx-%llx%.5s\"", between, (unsigned long long)(from - base),
               (unsigned long long)(to - base), p);
        between = ",";
    }
    printf("]");
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
    default:
        break;
    }
}

/* The operations of `script` into `into`, which has room for `limit`; counts the script's processes. */
static int parse(char *script, struct operation *into, int limit)
{
    int count = 0;
    char *next_line;
    line_number = 0;
    process_count = 1;
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
        if (at < used && *words[at] == '@')
            op.process = (int)number(words[at++] + 1, (uint64_t)process_count - 1);
        if (at == used || !strcmp(words[at], "barrier"))
            continue;
        for (int i = used; i < 12; i++)
            words[i] = NULL;
        if (count == limit)
            bad("too many operations at", words[at]);
        for (op.call = MMAP; op.call <= EXIT; op.call++)
            if (!strcmp(words[at], call_names[op.call]))
                break;
        if (op.call > EXIT)
            bad("unknown operation", words[at]);
        if (op.call >= FORK) {
            if (words[at + 1])
                bad("unexpected word", words[at + 1]);
            if (op.call == FORK && process_count == MAX_PROCESSES)
                bad("too many processes at", words[at]);
            if (op.call == FORK)
                op.child = process_count++;
            into[count++] = op;
            continue;
        }
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
        default:
            break;
        }
        if (words[at])
            bad("unexpected word", words[at]);
        heed_top(&op);
        into[count++] = op;
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
        if (op->write) {
            address[offset] = 1;
            continue;
        }
        if (no_zero_page)
            own_page(from + op->address + offset, 1);
        (void)address[offset];
    }
    return 0;
}

/* Populates by reading where there is no zero page, page by page, up to the first that cannot be read. */
static void own_pages(uint64_t address, uint64_t length)
{
    for (uint64_t at = address; at - address < length && own_page(at, 1); at += PAGE)
        if (madvise((void *)at, PAGE, MADV_POPULATE_READ))
            break;
}

static int perform(const struct operation *op, uint64_t from)
{
    void *address = (void *)(from + op->address);
    void *result;
    int reads;
    switch (op->call) {
    case MMAP:
        /* The kernel populates what can only be read by reading it. */
        reads = no_zero_page && op->flags == (MAP_PRIVATE | MAP_POPULATE) && op->prot == PROT_READ;
        result = mmap(address, op->length, op->prot,
                      (reads ? MAP_PRIVATE : op->flags) | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE |
                          reserve_flag,
                      -1, 0);
        if (result == MAP_FAILED)
            return errno;
        if (reads)
            own_pages((uint64_t)address, op->length);
        return 0;
    case MUNMAP:
        return munmap(address, op->length) ? errno : 0;
    case TOUCH:
        return touch(op, from);
    case MADVISE:
        if (no_zero_page && op->advice == MADV_POPULATE_READ && op->address % PAGE == 0)
            own_pages((uint64_t)address, op->length);
        return madvise(address, op->length, op->advice) ? errno : 0;
    case MREMAP:
        result = mremap(address, op->length, op->new_length, MREMAP_MAYMOVE | MREMAP_FIXED,
                        (void *)(from + op->new_address));
        return result == MAP_FAILED ? errno : 0;
    case MPROTECT:
        return mprotect(address, op->length, op->prot) ? errno : 0;
    default:
        return EINVAL;
    }
}

/* Brings in every page of the image that an operation needs. */
static void warm(void)
{
    for (int i = 0; i < warm_count; i++)
        perform(&warm_operations[i], base + WARM);
}

static void answer(int process, int error, pid_t pid)
{
    struct answer one = {process, error, pid};
    if (write(answers[1], &one, sizeof one) != sizeof one)
        _exit(3);
}

/* A process of a script: does what it is sent, until it is told to exit or nobody can send any more. */
static void serve(int process)
{
    struct operation op;
    if (no_zero_page)
        own_pages_begin();
    warm();
    answer(process, 0, getpid());
    while (read(requests[process][0], &op, sizeof op) == sizeof op && op.call != EXIT) {
        if (op.call != FORK) {
            answer(process, perform(&op, base), 0);
            continue;
        }
        pid_t pid = fork();
        if (pid == 0) {
            process = op.child;
            if (no_zero_page)
                own_pages_begin();
            warm();
            answer(process, 0, getpid());
        } else if (pid < 0) {
            answer(op.child, errno, 0);
        }
    }
    _exit(0);
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

/* False when some mapping already lies in the script's range or in that of the warming up. */
static int range_is_empty(void)
{
    int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    read_proc(fd);
    close(fd);
    for (char *line = proc_text; *line;) {
        char *p, *end = strchr(line, '\n');
        uint64_t from = strtoull(line, &p, 16), to = strtoull(p + 1, &p, 16);
        if (to > base && from < base + WARM + (512ULL << 30))
            return 0;
        if (!end)
            break;
        line = end + 1;
    }
    return 1;
}

static void died(const char *what, int process)
{
    fflush(stdout);
    fprintf(stderr, "%s: process %d %s\n", file_name, process, what);
    _exit(3);
}

static int open_proc(pid_t pid, const char *name)
{
    char path[64];
    int fd;
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        perror(path);
        _exit(3);
    }
    return fd;
}

/* The answer of `process`, which `asked` was told to give or to have given. */
static struct answer await_answer(int process, int asked)
{
    struct answer one;
    struct pollfd polled[] = {{.fd = answers[0], .events = POLLIN},
                              {.fd = processes[asked].pid_fd, .events = POLLIN}};
    int ready = poll(polled, processes[asked].alive ? 2 : 1, ANSWER_MS);
    if (ready <= 0)
        died("does not answer", process);
    if (!(polled[0].revents & POLLIN))
        died("died", asked);
    if (read(answers[0], &one, sizeof one) != sizeof one || one.process != process)
        died("gave no answer", process);
    return one;
}

static void tell(int process, const struct operation *op)
{
    if (write(requests[process][1], op, sizeof *op) != sizeof *op)
        died("cannot be told anything", process);
}

/* Takes note of a process that has answered that it is ready. */
static void begin(int process, pid_t pid)
{
    struct process *of = &processes[process];
    of->pid_fd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (of->pid_fd < 0) {
        perror("pidfd_open");
        _exit(3);
    }
    of->status_fd = open_proc(pid, "status");
    of->rollup_fd = open_proc(pid, "smaps_rollup");
    of->maps_fd = open_proc(pid, "maps");
    of->alive = 1;
}

/* Has `process` make `child`. */
static int make_fork(int process, int child)
{
    struct operation op = {.call = FORK, .process = process, .child = child};
    struct answer ready;
    tell(process, &op);
    ready = await_answer(child, process);
    if (!ready.error)
        begin(child, ready.pid);
    return ready.error;
}

/* Ends `process`; when this returns, its address space has gone. */
static void make_exit(int process)
{
    struct operation op = {.call = EXIT, .process = process};
    struct process *of = &processes[process];
    struct pollfd polled = {.fd = of->pid_fd, .events = POLLIN};
    tell(process, &op);
    if (poll(&polled, 1, ANSWER_MS) != 1)
        died("does not exit", process);
    close(of->pid_fd);
    close(of->status_fd);
    close(of->rollup_fd);
    close(of->maps_fd);
    of->alive = 0;
}

/* What a fork has that was made while the script's range was empty. */
static struct counters measure_forks(void)
{
    struct counters seen[SAMPLES];
    for (int i = 0; i < SAMPLES; i++) {
        if (make_fork(i == 0 ? 0 : SAMPLE + i - 1, SAMPLE + i))
            died("cannot fork", 0);
        seen[i] = read_counters(&processes[SAMPLE + i]);
    }
    for (int i = 0; i < SAMPLES; i++)
        make_exit(SAMPLE + i);
    if (memcmp(&seen[0], &seen[1], sizeof seen[0]))
        died("and its fork differ in memory of their own", 0);
    return seen[0];
}

static void print_line(int i, const struct operation *op, int error)
{
    struct counters now[MAX_PROCESSES], all = {0, 0};
    for (int p = 0; p < process_count; p++) {
        if (!processes[p].alive)
            continue;
        now[p] = read_counters(&processes[p]);
        now[p].vmpte_kb -= processes[p].before.vmpte_kb;
        now[p].anon_pages -= processes[p].before.anon_pages;
        all.vmpte_kb += now[p].vmpte_kb;
        all.anon_pages += now[p].anon_pages;
    }
    printf("{\"op\":%d,\"call\":\"%s\"", i, call_names[op->call]);
    if (process_count > 1)
        printf(",\"process\":%d", op->process);
    if (error)
        printf(",\"errno\":\"%s\"", errno_name(error));
    else
        printf(",\"errno\":null");
    printf(",\"vmpteKb\":%lld,\"anonPages\":%lld", (long long)all.vmpte_kb,
           (long long)all.anon_pages);
    for (int p = 0; process_count > 1 && p < process_count; p++) {
        printf(p == 0 ? ",\"processes\":[" : ",");
        if (processes[p].alive)
            printf("[%lld,%lld]", (long long)now[p].vmpte_kb, (long long)now[p].anon_pages);
        else
            printf("null");
        if (p == process_count - 1)
            printf("]");
    }
    if (show_state && processes[op->process].alive)
        print_state(&processes[op->process]);
    printf("}\n");
}

static void control(int count)
{
    struct counters forked = {0, 0};
    begin(0, await_answer(0, 0).pid);
    if (process_count > 1)
        forked = measure_forks();
    processes[0].before = read_counters(&processes[0]);
    for (int i = 0; i < count; i++) {
        const struct operation *op = &operations[i];
        int error = 0;
        if (!processes[op->process].alive) {
            error = ESRCH;
        } else if (op->call == FORK) {
            error = make_fork(op->process, op->child);
            processes[op->child].before = forked;
        } else if (op->call == EXIT) {
            make_exit(op->process);
        } else {
            tell(op->process, op);
            error = await_answer(op->process, op->process).error;
        }
        print_line(i, op, error);
    }
    for (int p = 0; p < process_count; p++)
        if (processes[p].alive)
            make_exit(p);
}

/* The controller of one script. */
static void run_script(char *script)
{
    struct sigaction action = {.sa_handler = on_fault, .sa_flags = SA_ONSTACK};
    stack_t stack = {.ss_sp = fault_stack, .ss_size = sizeof fault_stack};
    cpu_set_t cpus;
    struct utsname kernel;
    int count, cpu = sched_getcpu(), major = 0, minor = 0;
    pid_t pid;

    CPU_ZERO(&cpus);
    CPU_SET(cpu < 0 ? 0 : cpu, &cpus);
    sched_setaffinity(0, sizeof cpus, &cpus);
    if (!system_thp && prctl(PR_SET_THP_DISABLE, 1, PR_THP_DISABLE_EXCEPT_ADVISED, 0, 0))
        prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
    uname(&kernel);
    sscanf(kernel.release, "%d.%d", &major, &minor);
    status_is_exact = major > 6 || (major == 6 && minor >= 17);
    if (!range_is_empty()) {
        fprintf(stderr, "mmrun: something is mapped in the 17 TiB from %#llx\n",
                (unsigned long long)base);
        _exit(3);
    }
    warm_count = parse(warm_script, warm_operations, 16);
    count = parse(script, operations, MAX_OPERATIONS);
    /* Who has exited is not waited for. */
    signal(SIGCHLD, SIG_IGN);
    if (pipe2(answers, O_CLOEXEC)) {
        perror("pipe2");
        _exit(3);
    }
    for (int p = 0; p < MAX_PROCESSES + SAMPLES; p++) {
        if (pipe2(requests[p], O_CLOEXEC)) {
            perror("pipe2");
            _exit(3);
        }
    }
    pid = fork();
    if (pid == 0) {
        volatile char deep[128 << 10];
        for (size_t i = 0; i < sizeof deep; i += 1024)
            deep[i] = 1;
        /* So that the end of the controller ends what waits for it. */
        for (int p = 0; p < MAX_PROCESSES + SAMPLES; p++)
            close(requests[p][1]);
        close(answers[0]);
        sigaltstack(&stack, NULL);
        sigaction(SIGSEGV, &action, NULL);
        sigaction(SIGBUS, &action, NULL);
        memset(fault_stack, 0, sizeof fault_stack);
        serve(0);
    }
    if (pid < 0) {
        perror("fork");
        _exit(3);
    }
    control(count);
    fflush(stdout);
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
        else if (!strcmp(argv[first], "--thp"))
            system_thp = 1;
        else if (!strcmp(argv[first], "--state"))
            show_state = 1;
        else if (!strcmp(argv[first], "--no-zero-page"))
            no_zero_page = 1;
        else
            break;
    }
    if (first >= argc || base % (512ULL << 30)) {
        fprintf(stderr, "usage: mmrun [--base ADDR] [--reserve] [--thp] [--state] [--no-zero-page] FILE...\n"
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
            run_script(text);
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
