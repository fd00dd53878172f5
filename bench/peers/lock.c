/*
 * The table lock: one word, 0 when free, else its owner; taken by compare-and-swap, given back by exchange,
 * both sequentially consistent, since WebAssembly and JavaScript have no weaker ones.
 *
 * Uncontended: lock and unlock one lock again and again, or 4,096 locks on cache lines of their own in turn.
 * Contended: a thread that fails waits with plain loads until the word is 0.
 */
#include "harness.h"

#define LOCK_NAME "c-tas"

struct lock {
	_Alignas(CACHE_LINE) _Atomic uint32_t owner;
};

static struct lock shared_lock;
static struct lock *locks;

static inline void acquire(struct lock *lock, uint32_t owner)
{
	uint32_t free = 0;

	while (!atomic_compare_exchange_strong(&lock->owner, &free, owner)) {
		while (atomic_load_explicit(&lock->owner, memory_order_relaxed) != 0)
			cpu_relax();
		free = 0;
	}
}

static inline void release(struct lock *lock)
{
	atomic_exchange(&lock->owner, 0);
}

static inline void lock_acquire(unsigned self)
{
	acquire(&shared_lock, self + 1);
}

static inline void lock_release(unsigned self)
{
	(void)self;
	release(&shared_lock);
}

#include "contend.h"

static void make_locks(const struct measurement *m)
{
	locks = harness_alloc(m->size * sizeof(struct lock));
}

static uint64_t uncontended(const struct measurement *m, uint64_t ops)
{
	uint64_t mask = m->size - 1, start = now_ns();

	for (uint64_t i = 0; i < ops; i++) {
		struct lock *lock = &locks[i & mask];

		acquire(lock, 1);
		release(lock);
	}
	return now_ns() - start;
}

static const struct measurement measurements[] = {
	{ .name = "lock/1", .setup = make_locks, .batch = uncontended, .size = 1 },
	{ .name = "lock/4096", .setup = make_locks, .batch = uncontended, .size = 4096 },
	CONTENDED(2),
	CONTENDED(4),
	{ .name = NULL },
};

int main(int argc, char **argv)
{
	return harness_main(argc, argv, measurements);
}
