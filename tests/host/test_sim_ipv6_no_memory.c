/* SPDX-License-Identifier: MIT */
/* test_sim_ipv6_no_memory.c - allocations fail while the module `ipv6` comes up and its addresses
 * are made: it is there whole or not at all, and leaves nothing behind. */
#include "stack6.h"

static void while_it_comes_up(void **state)
{
	u32 loaded = 0;
	u64 seed;

	for (seed = 1; seed <= 150; seed++) {
		sim_seed(seed);
		assert_int_equal(stack_up(), 0);
		sim_fail_every(3 + seed);
		if (!sim_insmod("ipv6", NULL)) {
			loaded++;
			sim_run_s(3);
		}
		sim_fail_every(0);
		stack_down();
	}
	assert_in_range(loaded, 1, 149);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(while_it_comes_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
