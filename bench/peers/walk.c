/*
 * A lockless walk over four levels of tables, hot.
 *
 * The tables have ptlab's shape: one atomic 32-bit word an entry, flags in bits 0-7, table or frame number in
 * bits 8-31; 512 entries a table, 32 in the top one; all tables in one array of 2 KiB each. The pages lie
 * side by side from page number BASE on, every one present.
 *
 * Walk i looks up page BASE + ((i * 2654435761) & (pages - 1)): the multiplier is odd and `pages` a
 * power of two, so each run of `pages` walks visits every page once, far from the one before.
 *
 * Loads are sequentially consistent, as every atomic of WebAssembly and JavaScript is; `acquire` shows what the
 * weaker order would save (nothing on x86).
 */
#include "harness.h"

#define ENTRIES 512u
#define BASE 0x10000000u
#define STEP 2654435761u
#define PRESENT 1u
#define HUGE_PAGE 16u
#define LEVELS 4

static _Atomic uint32_t *tables;
static uint32_t tables_used;
static const uint32_t root = 1;
static const unsigned shifts[LEVELS] = { 27, 18, 9, 0 };

static uint32_t slot(uint32_t table, uint32_t page, int level)
{
	return table * ENTRIES + ((page >> shifts[level]) & (ENTRIES - 1));
}

/* The entry that maps `page`, 0 when a level is missing. The loop goes on where the batch before stopped. */
#define DEFINE_WALK(suffix, order)                                                                   \
	static inline uint32_t walk_##suffix(_Atomic uint32_t *entries, uint32_t page)               \
	{                                                                                            \
		uint32_t entry;                                                                      \
                                                                                                     \
		entry = atomic_load_explicit(&entries[slot(root, page, 0)], order);                  \
		if ((entry & PRESENT) == 0)                                                          \
			return 0;                                                                    \
		entry = atomic_load_explicit(&entries[slot(entry >> 8, page, 1)], order);            \
		if ((entry & (PRESENT | HUGE_PAGE)) != PRESENT)                                      \
			return 0;                                                                    \
		entry = atomic_load_explicit(&entries[slot(entry >> 8, page, 2)], order);            \
		if ((entry & (PRESENT | HUGE_PAGE)) != PRESENT)                                      \
			return 0;                                                                    \
		return atomic_load_explicit(&entries[slot(entry >> 8, page, 3)], order);             \
	}                                                                                            \
                                                                                                     \
	static uint64_t walks_##suffix(const struct measurement *m, uint64_t ops)                    \
	{                                                                                            \
		static uint32_t next;                                                                \
		_Atomic uint32_t *entries = tables;                                                  \
		uint32_t mask = (uint32_t)m->size - 1, end = next + (uint32_t)ops, sum = 0;          \
		uint64_t start = now_ns(), elapsed;                                                  \
                                                                                                     \
		for (uint32_t i = next; i != end; i++)                                               \
			sum += walk_##suffix(entries, BASE + (i * STEP & mask)) >> 8;                \
		elapsed = now_ns() - start;                                                          \
		next = end;                                                                          \
		harness_sink += sum;                                                                 \
		return elapsed;                                                                      \
	}

DEFINE_WALK(seq_cst, memory_order_seq_cst)
DEFINE_WALK(acquire, memory_order_acquire)

/* Table 0 stays unused, so that no entry with a number is zero. */
static void map_pages(const struct measurement *m)
{
	uint32_t pages = (uint32_t)m->size;
	uint32_t capacity = pages / ENTRIES + pages / (ENTRIES * ENTRIES) + 8;

	tables = harness_alloc((size_t)capacity * ENTRIES * sizeof(uint32_t));
	tables_used = root + 1;
	for (uint32_t i = 0; i < pages; i++) {
		uint32_t table = root;

		for (int level = 0; level < LEVELS - 1; level++) {
			uint32_t at = slot(table, BASE + i, level);

			if (tables[at] == 0)
				tables[at] = tables_used++ << 8 | PRESENT;
			table = tables[at] >> 8;
		}
		tables[slot(table, BASE + i, LEVELS - 1)] = (i + 1) << 8 | PRESENT;
	}
	for (uint32_t i = 0; i < pages; i++)
		if (walk_seq_cst(tables, BASE + i) != ((i + 1) << 8 | PRESENT))
			harness_die("walk: a page was not found");
}

static const struct measurement measurements[] = {
	{ .name = "walk/4096", .setup = map_pages, .batch = walks_seq_cst, .size = 4096 },
	{ .name = "walk/1048576", .setup = map_pages, .batch = walks_seq_cst, .size = 1048576 },
	{ .name = "walk/4096/acquire", .setup = map_pages, .batch = walks_acquire, .size = 4096 },
	{ .name = "walk/1048576/acquire", .setup = map_pages, .batch = walks_acquire, .size = 1048576 },
	{ .name = NULL },
};

int main(int argc, char **argv)
{
	return harness_main(argc, argv, measurements);
}
