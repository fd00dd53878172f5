/*
 * liburcu-qsbr, whose readers report quiescent states as ptlab's CPUs do: the yardstick. Calls go to the shared
 * library, as those of a program that links it do.
 */
#include <urcu-qsbr.h>

#define RCU_NAME "qsbr"
#define RCU_HAS_QUIESCENT_STATES
#include "rcu.h"

static const struct measurement measurements[] = {
	{ .name = "rcu/read/qsbr", .setup = register_self, .batch = reads },
	{ .name = "rcu/read-empty/qsbr", .setup = register_self, .batch = empty_reads },
	{ .name = "rcu/quiescent/qsbr", .setup = register_self, .batch = quiescent_states },
	{ .name = "rcu/grace-period/qsbr", .setup = start_reader, .batch = grace_periods },
	{ .name = "rcu/call-rcu/qsbr", .setup = make_heads, .batch = callbacks, .batch_ops = CALLBACKS },
	{ .name = "rcu/call-rcu-many/qsbr", .setup = make_heads, .batch = callbacks, .batch_ops = MANY_CALLBACKS },
	{ .name = "rcu/call-rcu-cpu/qsbr", .setup = make_heads, .batch = callbacks_processor, .batch_ops = CALLBACKS },
	{ .name = NULL },
};

int main(int argc, char **argv)
{
	return harness_main(argc, argv, measurements);
}
