/*
 * Threads that want one lock at the same time, for as long as they are told, each time to add one to a shared word.
 *
 * A file that includes this defines LOCK_NAME and, before the include, `lock_acquire(self)` and
 * `lock_release(self)`, where `self` is the thread's number from 0 to MAX_THREADS - 1. The word is an
 * ordinary one: if the lock lets two threads in, additions are lost, and the peer exits with 3.
 */
#ifndef PTLAB_PEERS_CONTEND_H
#define PTLAB_PEERS_CONTEND_H

#include "harness.h"
#include <pthread.h>

struct contender {
	_Alignas(CACHE_LINE) pthread_t thread;
	unsigned self;
	uint64_t ops;
};

static _Alignas(CACHE_LINE) _Atomic int contend_stop;
static _Alignas(CACHE_LINE) uint64_t contend_word;
static pthread_barrier_t contend_barrier;

static void *contend_run(void *arg)
{
	struct contender *c = arg;
	uint64_t ops = 0;

	pthread_barrier_wait(&contend_barrier);
	while (!atomic_load_explicit(&contend_stop, memory_order_relaxed)) {
		lock_acquire(c->self);
		contend_word++;
		lock_release(c->self);
		ops++;
	}
	c->ops = ops;
	return NULL;
}

static uint64_t contend(const struct measurement *m, uint64_t duration_ns, struct tally *tally)
{
	static struct contender contenders[MAX_THREADS];
	struct timespec pause = { (time_t)(duration_ns / 1000000000u), (long)(duration_ns % 1000000000u) };
	unsigned threads = (unsigned)m->size;
	uint64_t start, elapsed, least = UINT64_MAX;

	contend_word = 0;
	atomic_store(&contend_stop, 0);
	pthread_barrier_init(&contend_barrier, NULL, threads + 1);
	for (unsigned i = 0; i < threads; i++) {
		contenders[i].self = i;
		if (pthread_create(&contenders[i].thread, NULL, contend_run, &contenders[i]) != 0)
			harness_die("cannot start a thread");
	}
	pthread_barrier_wait(&contend_barrier);
	start = now_ns();
	nanosleep(&pause, NULL);
	atomic_store(&contend_stop, 1);
	elapsed = now_ns() - start;

	tally->ops = 0;
	for (unsigned i = 0; i < threads; i++) {
		pthread_join(contenders[i].thread, NULL);
		tally->ops += contenders[i].ops;
		least = contenders[i].ops < least ? contenders[i].ops : least;
	}
	pthread_barrier_destroy(&contend_barrier);
	tally->share = tally->ops ? (double)least * threads / (double)tally->ops : 0;
	if (contend_word != tally->ops)
		harness_die(LOCK_NAME ": the lock let two threads in");
	return elapsed;
}

/* An entry of a list of measurements: so many threads on LOCK_NAME. */
#define CONTENDED(threads) { .name = "lock/contended-" #threads "/" LOCK_NAME, .timed = contend, .size = threads }

#endif
