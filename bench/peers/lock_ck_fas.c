/* Concurrency Kit's fetch-and-store lock: the simplest of its spinlocks. */
#include "harness.h"
#include <ck_spinlock.h>

#define LOCK_NAME "ck-fas"

static _Alignas(CACHE_LINE) ck_spinlock_fas_t lock = CK_SPINLOCK_FAS_INITIALIZER;

static inline void lock_acquire(unsigned self)
{
	(void)self;
	ck_spinlock_fas_lock(&lock);
}

static inline void lock_release(unsigned self)
{
	(void)self;
	ck_spinlock_fas_unlock(&lock);
}

#include "contend.h"

static const struct measurement measurements[] = { CONTENDED(2), CONTENDED(4), { .name = NULL } };

int main(int argc, char **argv)
{
	return harness_main(argc, argv, measurements);
}
