/* SPDX-License-Identifier: MIT */
/* test_sim_sock_filter.c - which sockets ss(8) wants, as a program that the kernel runs: what it
 * chooses, and programs that lie. */
#include "diag_calls.h"

#include <modules/sock_diag/sock_diag.h>
#include <weft/alloc.h>

static void filters_choose(void **state)
{
	u32 loop_be = htonl(LOOP), other_be = htonl(IP4(127, 9, 9, 9));
	int a = udp_at(1000), b = udp_at(1001), c = udp_at(2000);
	struct program p = { 0 };

	/* sport = 1001 */
	op(&p, INET_DIAG_BC_S_EQ, 8, 12);
	op(&p, 0, 0, 1001);
	assert_int_equal(ask_filtered(IPPROTO_UDP, &p), 0);
	assert_int_equal(nr_told, 1);
	assert_non_null(by_port(1001, 0));
	/* sport >= 1001 and sport <= 1999 */
	p.len = 0;
	op(&p, INET_DIAG_BC_S_GE, 8, 20);
	op(&p, 0, 0, 1001);
	op(&p, INET_DIAG_BC_S_LE, 8, 12);
	op(&p, 0, 0, 1999);
	assert_int_equal(ask_filtered(IPPROTO_UDP, &p), 0);
	assert_int_equal(nr_told, 1);
	assert_non_null(by_port(1001, 0));
	/* not sport = 1000, as ss writes it: a jump over the refusing end */
	p.len = 0;
	op(&p, INET_DIAG_BC_S_EQ, 8, 12);
	op(&p, 0, 0, 1000);
	op(&p, INET_DIAG_BC_JMP, 4, 8);
	assert_int_equal(ask_filtered(IPPROTO_UDP, &p), 0);
	assert_int_equal(nr_told, 2);
	assert_null(by_port(1000, 0));
	/* src 127.0.0.0/8, then 127.9.9.9/16, with a port */
	p.len = 0;
	op(&p, INET_DIAG_BC_S_COND, 16, 20);
	host(&p, AF_INET, 8, -1, &other_be, 4);
	assert_int_equal(ask_filtered(IPPROTO_UDP, &p), 0);
	assert_int_equal(nr_told, 3);
	p.len = 0;
	op(&p, INET_DIAG_BC_S_COND, 16, 20);
	host(&p, AF_INET, 16, -1, &other_be, 4);
	assert_int_equal(ask_filtered(IPPROTO_UDP, &p), 0);
	assert_int_equal(nr_told, 0);
	p.len = 0;
	op(&p, INET_DIAG_BC_S_COND, 16, 20);
	host(&p, AF_INET, 32, 2000, &loop_be, 4);
	assert_int_equal(ask_filtered(IPPROTO_UDP, &p), 0);
	assert_int_equal(nr_told, 1);
	assert_non_null(by_port(2000, 0));
	/* chosen by bind(2), all of them */
	p.len = 0;
	op(&p, INET_DIAG_BC_AUTO, 4, 8);
	assert_int_equal(ask_filtered(IPPROTO_UDP, &p), 0);
	assert_int_equal(nr_told, 0);
	c_close(a);
	c_close(b);
	c_close(c);
}

static void filters_that_lie(void **state)
{
	struct program p = { 0 };
	u8 any[16] = { 0 };

#define REFUSED(what)                                                     \
	do {                                                              \
		p.len = 0;                                                \
		what;                                                     \
		assert_int_equal(ask_filtered(IPPROTO_UDP, &p), -EINVAL); \
	} while (0)
	REFUSED((void)0);
	REFUSED(op(&p, 99, 4, 8));
	REFUSED(op(&p, INET_DIAG_BC_JMP, 0, 8));      /* stands still */
	REFUSED(op(&p, INET_DIAG_BC_JMP, 4, 0));      /* and likewise */
	REFUSED(op(&p, INET_DIAG_BC_JMP, 4, 12));     /* behind both ends */
	REFUSED(op(&p, INET_DIAG_BC_JMP, 8, 4));      /* behind the end */
	REFUSED(op(&p, INET_DIAG_BC_JMP, 4, 6));      /* between */
	REFUSED(op(&p, INET_DIAG_BC_JMP, 4, 0xfffc)); /* around */
	REFUSED(op(&p, INET_DIAG_BC_S_GE, 4, 8));     /* no port */
	REFUSED(op(&p, INET_DIAG_BC_S_GE, 8, 8));     /* outside */
	REFUSED(op(&p, INET_DIAG_BC_DEV_COND, 8, 12));
	REFUSED(op(&p, INET_DIAG_BC_MARK_COND, 12, 16));
	REFUSED((op(&p, INET_DIAG_BC_S_COND, 12, 16), host(&p, 77, 0, -1, any, 0)));
	REFUSED((op(&p, INET_DIAG_BC_S_COND, 12, 16), host(&p, AF_INET, 8, -1, any, 0)));
	REFUSED((op(&p, INET_DIAG_BC_S_COND, 16, 20), host(&p, AF_INET, 33, -1, any, 4)));
	REFUSED((op(&p, INET_DIAG_BC_S_COND, 12, 16), host(&p, AF_UNSPEC, 1, -1, any, 0)));
	/* into the arguments of another operation */
	REFUSED((op(&p, INET_DIAG_BC_JMP, 4, 8), op(&p, INET_DIAG_BC_S_GE, 8, 12),
		 op(&p, 0, 0, 9)));
#undef REFUSED
	/* control groups there are none */
	p.len = 0;
	op(&p, 13, 12, 16);
	p.len += 8;
	assert_int_equal(ask_filtered(IPPROTO_UDP, &p), -EINVAL);
	/* marks are for root */
	p.len = 0;
	op(&p, INET_DIAG_BC_MARK_COND, 12, 16);
	memset(p.b + p.len, 0, 8);
	p.len += 8;
	assert_int_equal(ask_filtered(IPPROTO_UDP, &p), 0);
	sim_root = false;
	assert_int_equal(ask_filtered(IPPROTO_UDP, &p), -EPERM);
	sim_root = true;
}

/* Whatever the bytes: what passes ends, and reads nothing outside (ASan looks). */
static void filters_at_random(void **state)
{
	struct diag_sock d = { .family = AF_INET, .lport = 7, .rport = 9 };
	u32 passed = 0;

	for (u32 i = 0; i < 200000; i++) {
		u32 len = 4 * (1 + sim_random() % 8);
		u8 *code = kmalloc(len);

		for (u32 j = 0; j < len; j += 4) {
			struct inet_diag_bc_op o = { sim_random() % 14, 4 * (sim_random() % 6),
						     4 * (sim_random() % 9) };

			if (sim_random() % 4 == 0)
				o.no = sim_random();
			memcpy(code + j, &o, sizeof(o));
		}
		if (!filter_verify(code, len, true)) {
			passed++;
			filter_match(code, len, &d);
		}
		kfree(code);
	}
	assert_true(passed > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(filters_choose),
		TEST(filters_that_lie),
		TEST(filters_at_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
