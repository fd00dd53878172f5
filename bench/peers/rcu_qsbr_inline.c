/* liburcu-qsbr with its read side and quiescent states compiled in, as LGPL-compatible programs may: its best case. */
#define _LGPL_SOURCE
#include <urcu-qsbr.h>

#define RCU_NAME "qsbr-inline"
#define RCU_HAS_QUIESCENT_STATES
#include "rcu.h"

static const struct measurement measurements[] = {
	{ .name = "rcu/read/qsbr-inline", .setup = register_self, .batch = reads },
	{ .name = "rcu/quiescent/qsbr-inline", .setup = register_self, .batch = quiescent_states },
	{ .name = "rcu/grace-period/qsbr-inline", .setup = start_reader, .batch = grace_periods },
	{ .name = NULL },
};

int main(int argc, char **argv)
{
	return harness_main(argc, argv, measurements);
}
