/* SPDX-License-Identifier: MIT */
/* test_sim_boot.c - the modules load and leave, and the simulated machine gets back all it gave. */
#include "stack.h"

static void modules_load_and_leave(void **state)
{
	u32 i;

	sim_boot();
	assert_int_equal(sim_insmod("ip", NULL), 0);
	assert_int_equal(sim_rmmod("ip", false), 0);
	sim_mark();
	for (i = 0; i < 3; i++) {
		assert_int_equal(sim_insmod("ip", NULL), 0);
		assert_int_equal(sim_insmod("ethernet", NULL), 0);
		assert_int_equal(sim_insmod("ipv4", NULL), 0);
		assert_int_equal(sim_insmod("icmp", NULL), 0);
		sim_run_ms(10);
		assert_int_equal(sim_rmmod("icmp", false), 0);
		assert_int_equal(sim_rmmod("ipv4", false), 0);
		assert_int_equal(sim_rmmod("ethernet", false), 0);
		assert_int_equal(sim_rmmod("ip", false), 0);
		sim_check();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(modules_load_and_leave) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
