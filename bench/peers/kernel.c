/*
 * What the running kernel itself takes, on anonymous memory without huge pages. Each operation includes the
 * processor's own part (trap, TLB miss, zeroing of a page) that ptlab has not, so these figures give the scale
 * and are no yardstick.
 *
 * fault            write fault of one page; the table is there. Includes clearing 4 KiB
 * fault-zero-page  read fault of one page; the table is there
 * fault-file       write fault of one page of a shared memory file that is in the page cache already
 * zap-512          MADV_DONTNEED of 2 MiB with all 512 pages present; frees the table where the kernel can (6.14 on)
 * zap-511          the same without the last page, so that the table stays
 * reclaim          MADV_DONTNEED of 2 MiB with one page present: little but the reclaim of the table
 * touch-reclaim    a touch of one page, which makes the table, and that MADV_DONTNEED: the loop of the series
 *
 * The system call around a MADV_DONTNEED is part of the figure.
 */
#include "harness.h"
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096u
#define SPAN (2u << 20)
#define PAGES_PER_SPAN (SPAN / PAGE)
#define SPANS 16u

static char *area;

static void advise(char *from, size_t bytes, int advice)
{
	if (madvise(from, bytes, advice) != 0)
		harness_die("kernel: madvise failed");
}

static char *map_aligned(int flags, int file)
{
	char *place = mmap(NULL, (SPANS + 1) * (size_t)SPAN, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (place == MAP_FAILED)
		harness_die("kernel: mmap failed");
	place = (char *)(((uintptr_t)place + SPAN - 1) & ~(uintptr_t)(SPAN - 1));
	place = mmap(place, SPANS * (size_t)SPAN, PROT_READ | PROT_WRITE, flags | MAP_FIXED, file, 0);
	if (place == MAP_FAILED)
		harness_die("kernel: mmap failed");
	return place;
}

static void map_anonymous(const struct measurement *m)
{
	(void)m;
	area = map_aligned(MAP_PRIVATE | MAP_ANONYMOUS, -1);
	(void)madvise(area, SPANS * (size_t)SPAN, MADV_NOHUGEPAGE);
}

static void map_file(const struct measurement *m)
{
	int file = memfd_create("ptlab-peer", 0);

	(void)m;
	if (file < 0 || ftruncate(file, SPANS * (off_t)SPAN) != 0)
		harness_die("kernel: memfd_create failed");
	area = map_aligned(MAP_SHARED, file);
	(void)madvise(area, SPANS * (size_t)SPAN, MADV_NOHUGEPAGE);
}

static inline void write_page(char *page)
{
	*(volatile char *)page = 1;
}

/* Faults pages 1 to 511 of as many spans as it takes; page 0 stays mapped and keeps the table. */
static uint64_t fault_pages(uint64_t ops, int for_write)
{
	uint64_t elapsed = 0;

	for (uint64_t done = 0; done < ops;) {
		char *span = area + done / (PAGES_PER_SPAN - 1) % SPANS * SPAN;
		uint64_t left = ops - done, pages = left < PAGES_PER_SPAN - 1 ? left : PAGES_PER_SPAN - 1, start;

		write_page(span);
		advise(span + PAGE, SPAN - PAGE, MADV_DONTNEED);
		start = now_ns();
		for (uint64_t i = 1; i <= pages; i++) {
			if (for_write)
				write_page(span + i * PAGE);
			else
				harness_sink += *(volatile char *)(span + i * PAGE);
		}
		elapsed += now_ns() - start;
		done += pages;
	}
	return elapsed;
}

static uint64_t write_faults(const struct measurement *m, uint64_t ops)
{
	(void)m;
	return fault_pages(ops, 1);
}

static uint64_t read_faults(const struct measurement *m, uint64_t ops)
{
	(void)m;
	return fault_pages(ops, 0);
}

/* `size` is how many pages of a span are present, and the zap covers; 1 stands for one page present, all covered. */
static uint64_t zaps(const struct measurement *m, uint64_t ops)
{
	size_t bytes = m->size == 1 ? SPAN : m->size * PAGE;
	uint64_t elapsed = 0;

	for (uint64_t done = 0; done < ops;) {
		uint64_t left = ops - done, spans = left < SPANS ? left : SPANS, start;

		for (uint64_t s = 0; s < spans; s++)
			for (uint64_t i = 0; i < m->size; i++)
				write_page(area + s * SPAN + i * PAGE);
		start = now_ns();
		for (uint64_t s = 0; s < spans; s++)
			advise(area + s * SPAN, bytes, MADV_DONTNEED);
		elapsed += now_ns() - start;
		done += spans;
	}
	return elapsed;
}

static uint64_t touch_and_reclaim(const struct measurement *m, uint64_t ops)
{
	uint64_t start = now_ns();

	(void)m;
	for (uint64_t i = 0; i < ops; i++) {
		char *span = area + i % SPANS * SPAN;

		write_page(span);
		advise(span, SPAN, MADV_DONTNEED);
	}
	return now_ns() - start;
}

static const struct measurement measurements[] = {
	{ .name = "kernel/fault", .setup = map_anonymous, .batch = write_faults },
	{ .name = "kernel/fault-zero-page", .setup = map_anonymous, .batch = read_faults },
	{ .name = "kernel/fault-file", .setup = map_file, .batch = write_faults },
	{ .name = "kernel/zap-512", .setup = map_anonymous, .batch = zaps, .size = PAGES_PER_SPAN },
	{ .name = "kernel/zap-511", .setup = map_anonymous, .batch = zaps, .size = PAGES_PER_SPAN - 1 },
	{ .name = "kernel/reclaim", .setup = map_anonymous, .batch = zaps, .size = 1 },
	{ .name = "kernel/touch-reclaim", .setup = map_anonymous, .batch = touch_and_reclaim },
	{ .name = NULL },
};

int main(int argc, char **argv)
{
	return harness_main(argc, argv, measurements);
}
