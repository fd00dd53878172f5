/* glibc's mutex, which parks: the yardstick for locks that do not only spin. */
#include "harness.h"
#include <pthread.h>

#define LOCK_NAME "pthread"

static _Alignas(CACHE_LINE) pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static inline void lock_acquire(unsigned self)
{
	(void)self;
	pthread_mutex_lock(&mutex);
}

static inline void lock_release(unsigned self)
{
	(void)self;
	pthread_mutex_unlock(&mutex);
}

#include "contend.h"

static const struct measurement measurements[] = { CONTENDED(2), CONTENDED(4), { .name = NULL } };

int main(int argc, char **argv)
{
	return harness_main(argc, argv, measurements);
}
