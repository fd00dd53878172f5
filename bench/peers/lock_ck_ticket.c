/* Concurrency Kit's ticket lock: first come, first served. */
#include "harness.h"
#include <ck_spinlock.h>

#define LOCK_NAME "ck-ticket"

static _Alignas(CACHE_LINE) ck_spinlock_ticket_t lock = CK_SPINLOCK_TICKET_INITIALIZER;

static inline void lock_acquire(unsigned self)
{
	(void)self;
	ck_spinlock_ticket_lock(&lock);
}

static inline void lock_release(unsigned self)
{
	(void)self;
	ck_spinlock_ticket_unlock(&lock);
}

#include "contend.h"

static const struct measurement measurements[] = { CONTENDED(2), CONTENDED(4), { .name = NULL } };

int main(int argc, char **argv)
{
	return harness_main(argc, argv, measurements);
}
