/*
 * What one flavour of liburcu costs. A file that includes this has included the flavour's header and defined
 * RCU_NAME; the calls are the flavour's own, through liburcu's mapping of the common names.
 *
 * read           rcu_read_lock and rcu_read_unlock around one load of a protected word
 * read-empty     the same loop without the two calls: what the load and the loop cost
 * quiescent      rcu_quiescent_state with no grace period under way
 * grace-period   synchronize_rcu beside one reader that is always busy: read section, quiescent state, and so on.
 *                Its latency as the caller sees it
 * call-rcu       call_rcu on 65,536 heads, then rcu_barrier, per callback; the callback adds one to a counter.
 *                liburcu's thread sleeps 10 ms between its batches, and that is most of this figure
 * call-rcu-many  the same with 1,048,576 heads, which share the sleep: what a steady stream costs
 * call-rcu-cpu   the processor time of both threads for 65,536, without the sleep
 */
#ifndef PTLAB_PEERS_RCU_H
#define PTLAB_PEERS_RCU_H

#include "harness.h"
#include <pthread.h>

#define CALLBACKS 65536u
#define MANY_CALLBACKS 1048576u

static _Alignas(CACHE_LINE) uint32_t protected_word = 1;
static _Alignas(CACHE_LINE) _Atomic int reader_stop;
static _Alignas(CACHE_LINE) _Atomic int reader_runs;
static _Alignas(CACHE_LINE) uint64_t callbacks_run;

static void register_self(const struct measurement *m)
{
	(void)m;
	rcu_register_thread();
}

static inline void report_quiescent(void)
{
#ifdef RCU_HAS_QUIESCENT_STATES
	rcu_quiescent_state();
#endif
}

__attribute__((unused)) static uint64_t reads(const struct measurement *m, uint64_t ops)
{
	uint64_t start = now_ns();
	uint32_t sum = 0;

	(void)m;
	for (uint64_t i = 0; i < ops; i++) {
		rcu_read_lock();
		sum += *(volatile uint32_t *)&protected_word;
		rcu_read_unlock();
	}
	harness_sink += sum;
	return now_ns() - start;
}

__attribute__((unused)) static uint64_t empty_reads(const struct measurement *m, uint64_t ops)
{
	uint64_t start = now_ns();
	uint32_t sum = 0;

	(void)m;
	for (uint64_t i = 0; i < ops; i++)
		sum += *(volatile uint32_t *)&protected_word;
	harness_sink += sum;
	return now_ns() - start;
}

__attribute__((unused)) static uint64_t quiescent_states(const struct measurement *m, uint64_t ops)
{
	uint64_t start = now_ns();

	(void)m;
	for (uint64_t i = 0; i < ops; i++)
		report_quiescent();
	return now_ns() - start;
}

static void *busy_reader(void *arg)
{
	(void)arg;
	rcu_register_thread();
	atomic_store(&reader_runs, 1);
	while (!atomic_load_explicit(&reader_stop, memory_order_relaxed)) {
		rcu_read_lock();
		harness_sink += *(volatile uint32_t *)&protected_word;
		rcu_read_unlock();
		report_quiescent();
	}
	rcu_unregister_thread();
	return NULL;
}

/* The reader lives as long as the peer. */
__attribute__((unused)) static void start_reader(const struct measurement *m)
{
	pthread_t reader;

	(void)m;
	if (pthread_create(&reader, NULL, busy_reader, NULL) != 0)
		harness_die("cannot start a thread");
	pthread_detach(reader);
	while (!atomic_load(&reader_runs))
		cpu_relax();
}

__attribute__((unused)) static uint64_t grace_periods(const struct measurement *m, uint64_t ops)
{
	uint64_t start = now_ns();

	(void)m;
	for (uint64_t i = 0; i < ops; i++)
		synchronize_rcu();
	return now_ns() - start;
}

static struct rcu_head *heads;

static void count_callback(struct rcu_head *head)
{
	(void)head;
	callbacks_run++;
}

__attribute__((unused)) static void make_heads(const struct measurement *m)
{
	register_self(m);
	heads = harness_alloc(m->batch_ops * sizeof(struct rcu_head));
}

static uint64_t processor_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void run_callbacks(uint64_t ops)
{
	uint64_t before = callbacks_run;

	for (uint64_t i = 0; i < ops; i++)
		call_rcu(&heads[i], count_callback);
	rcu_barrier();
	if (callbacks_run - before != ops)
		harness_die(RCU_NAME ": callbacks were lost");
}

__attribute__((unused)) static uint64_t callbacks(const struct measurement *m, uint64_t ops)
{
	uint64_t start = now_ns();

	(void)m;
	run_callbacks(ops);
	return now_ns() - start;
}

__attribute__((unused)) static uint64_t callbacks_processor(const struct measurement *m, uint64_t ops)
{
	uint64_t start = processor_ns();

	(void)m;
	run_callbacks(ops);
	return processor_ns() - start;
}

#endif
