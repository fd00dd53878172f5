/* liburcu's default flavour (sys_membarrier), which needs no quiescent states from its readers: for information. */
#include <urcu.h>

#define RCU_NAME "memb"
#include "rcu.h"

static const struct measurement measurements[] = {
	{ .name = "rcu/read/memb", .setup = register_self, .batch = reads },
	{ .name = "rcu/grace-period/memb", .setup = start_reader, .batch = grace_periods },
	{ .name = "rcu/call-rcu/memb", .setup = make_heads, .batch = callbacks, .batch_ops = CALLBACKS },
	{ .name = NULL },
};

int main(int argc, char **argv)
{
	return harness_main(argc, argv, measurements);
}
