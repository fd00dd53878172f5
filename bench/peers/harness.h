/*
 * The harness that every peer is built over.
 *
 *     PEER                          lists its measurements, one a line
 *     PEER NAME DURATION_MS         runs one and prints one JSON line:
 *     {"name":"walk/4096","nsPerOp":2.31,"minNsPerOp":2.28,"meanNsPerOp":2.40,"ops":86507520,"batches":200}
 *
 * A measurement is one of two kinds.
 *
 * batch: times `ops` operations by itself and returns the nanoseconds. The harness doubles `ops` until a batch
 *   takes a millisecond, keeps that size, warms up for a quarter of the duration, then runs batches until
 *   the duration is over. nsPerOp is the median of the batches: a batch that lost its CPU for a while
 *   moves the mean, not the median.
 *
 * timed: runs several threads for the time it is given and counts what they did. nsPerOp is elapsed time over
 *   the operations of all threads; share is the part that the slowest thread got, over an equal part
 *   (1: fair, 0: starved).
 *
 * Exit codes: 0; 2 for a bad command line; 3 when the measurement found its own result wrong.
 */
#ifndef PTLAB_PEERS_HARNESS_H
#define PTLAB_PEERS_HARNESS_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <inttypes.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CACHE_LINE 64
#define BATCH_NS 1000000u
#define MAX_BATCHES 65536u
#define MAX_THREADS 8

struct tally {
	uint64_t ops;
	double share;
};

struct measurement {
	const char *name;
	void (*setup)(const struct measurement *m);
	uint64_t (*batch)(const struct measurement *m, uint64_t ops);
	uint64_t (*timed)(const struct measurement *m, uint64_t duration_ns, struct tally *tally);
	uint64_t size;      /* pages, locks or threads; each file says which */
	uint64_t batch_ops; /* operations in every batch, 0: as many as take a millisecond */
};

/* Results are added here so that no loop is optimized away. */
static volatile uint64_t harness_sink;

static inline uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static inline void cpu_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield" ::: "memory");
#endif
}

__attribute__((noreturn, unused)) static void harness_die(const char *what)
{
	fprintf(stderr, "%s\n", what);
	exit(3);
}

/* Zeroed memory that starts on a cache line; exits when there is none. */
__attribute__((unused)) static void *harness_alloc(size_t bytes)
{
	void *p = aligned_alloc(CACHE_LINE, (bytes + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE);

	if (p == NULL)
		harness_die("out of memory");
	memset(p, 0, bytes);
	return p;
}

static int harness_compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void harness_run_timed(const struct measurement *m, uint64_t duration_ns)
{
	struct tally tally = { 0, 0 };
	uint64_t elapsed;

	m->timed(m, duration_ns / 4, &tally);
	elapsed = m->timed(m, duration_ns, &tally);
	printf("{\"name\":\"%s\",\"nsPerOp\":%.4f,\"ops\":%" PRIu64 ",\"share\":%.3f}\n", m->name,
	       tally.ops ? (double)elapsed / (double)tally.ops : 0.0, tally.ops, tally.share);
}

static void harness_run_batches(const struct measurement *m, uint64_t duration_ns)
{
	double *samples = harness_alloc(MAX_BATCHES * sizeof(double));
	uint64_t ops = m->batch_ops ? m->batch_ops : 1, count = 0, total_ns = 0, begin = now_ns();

	while (m->batch(m, ops) < BATCH_NS && m->batch_ops == 0)
		ops *= 2;
	while (now_ns() - begin < duration_ns / 4)
		m->batch(m, ops);

	begin = now_ns();
	do {
		uint64_t ns = m->batch(m, ops);

		total_ns += ns;
		samples[count++] = (double)ns / (double)ops;
	} while (now_ns() - begin < duration_ns && count < MAX_BATCHES);

	qsort(samples, count, sizeof(double), harness_compare);
	printf("{\"name\":\"%s\",\"nsPerOp\":%.4f,\"minNsPerOp\":%.4f,\"meanNsPerOp\":%.4f,\"ops\":%" PRIu64
	       ",\"batches\":%" PRIu64 "}\n",
	       m->name, (samples[(count - 1) / 2] + samples[count / 2]) / 2, samples[0],
	       (double)total_ns / (double)(count * ops), count * ops, count);
	free(samples);
}

/* Runs what the command line names from a list that a NULL name ends; returns the exit code. */
static int harness_main(int argc, char **argv, const struct measurement *list)
{
	const struct measurement *m;
	char *end;
	long duration_ms;

	if (argc == 1) {
		for (m = list; m->name != NULL; m++)
			puts(m->name);
		return 0;
	}
	if (argc != 3) {
		fprintf(stderr, "usage: %s [NAME DURATION_MS]\n", argv[0]);
		return 2;
	}
	duration_ms = strtol(argv[2], &end, 10);
	if (end == argv[2] || *end != '\0' || duration_ms < 1 || duration_ms > 60000) {
		fprintf(stderr, "duration '%s' is not a number of milliseconds from 1 to 60000\n", argv[2]);
		return 2;
	}
	for (m = list; m->name != NULL; m++) {
		if (strcmp(m->name, argv[1]) != 0)
			continue;
		if (m->setup)
			m->setup(m);
		if (m->timed)
			harness_run_timed(m, (uint64_t)duration_ms * 1000000u);
		else
			harness_run_batches(m, (uint64_t)duration_ms * 1000000u);
		return 0;
	}
	fprintf(stderr, "no measurement '%s' here; run %s alone for the list\n", argv[1], argv[0]);
	return 2;
}

#endif
