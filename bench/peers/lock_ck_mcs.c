/* Concurrency Kit's MCS lock: a queue in which each thread waits on a word of its own. */
#include "harness.h"
#include <ck_spinlock.h>

#define LOCK_NAME "ck-mcs"

struct node {
	_Alignas(CACHE_LINE) ck_spinlock_mcs_context_t context;
};

static _Alignas(CACHE_LINE) ck_spinlock_mcs_t queue = CK_SPINLOCK_MCS_INITIALIZER;
static struct node nodes[MAX_THREADS];

static inline void lock_acquire(unsigned self)
{
	ck_spinlock_mcs_lock(&queue, &nodes[self].context);
}

static inline void lock_release(unsigned self)
{
	ck_spinlock_mcs_unlock(&queue, &nodes[self].context);
}

#include "contend.h"

static const struct measurement measurements[] = { CONTENDED(2), CONTENDED(4), { .name = NULL } };

int main(int argc, char **argv)
{
	return harness_main(argc, argv, measurements);
}
