/* SPDX-License-Identifier: MIT */
/* test_sim_tcp_lo.c - streams between two programs of one host: segments are nearly as large as the
 * windows there, which must not make either side wait for a timer. */
#include "tcp_pair.h"

#include <weft/sched.h>

#define LONGEST 131072

static u8 given[LONGEST], got[LONGEST];
static struct tcp_pair pair;
static u32 total, chunk;
static bool short_of_memory;

static int sender(void *arg)
{
	long err = 0;

	for (u32 at = 0; at < total && !err; at += chunk)
		err = c_send_all(pair.client, given, chunk, NULL);
	c_shutdown(pair.client, SHUT_WR);
	return err;
}

/* Moves t octets by writes of c, reads of r. Less than a millisecond of it may be waiting. */
static void stream(u32 t, u32 c, u32 r)
{
	struct thread *s;
	u64 began;
	u32 n = 0;
	long len;

	total = t;
	chunk = c;
	tcp_host_up();
	if (short_of_memory) {
		assert_int_equal(sim_write("/proc/sys/net/ipv4/tcp_mem", "1 1 16384"), 0);
		assert_int_equal(sim_write("/proc/sys/net/ipv4/tcp_rmem", "4096 4194304 4194304"),
				 0);
	}
	pair = tcp_pair_up();
	began = sim_now();
	s = kthread_run(sender, NULL, "sender");
	while ((len = c_recv(pair.server, got, r, 0)) > 0) {
		for (long i = 0; i < len; i += 997)
			assert_int_equal(got[i], given[(n + i) % chunk]);
		n += len;
	}
	assert_int_equal(len, 0);
	assert_int_equal(n, total);
	/* windows are small then, and an ACK may be late: but nothing is lost */
	assert_true(sim_now() - began < (short_of_memory ? 20 : 1) * NSEC_PER_MSEC);
	assert_int_equal(kthread_stop(s), 0);
	tcp_pair_down(&pair);
	sim_run_s(70);
	tcp_host_down();
}

static void large_writes(void **state)
{
	stream(50 * LONGEST, LONGEST, LONGEST);
}

static void small_writes(void **state)
{
	stream(200000, 100, LONGEST);
}

static void small_reads(void **state)
{
	stream(4 * LONGEST, LONGEST, 500);
}

/* All connections have more together than they should, but each no more than its part. */
static void memory_is_short(void **state)
{
	short_of_memory = true;
	stream(4 * LONGEST, LONGEST, 500);
	short_of_memory = false;
}

/* ---- what nobody reads ---- */

#define IDLE 25

static u64 transmit_pool(void)
{
	struct pkt_stats st;

	pkt_stats_get(&st);
	return st.used[PKT_POOL_TX];
}

/* Many connections with something unread each hold nothing that those need who send. */
static void unread(u32 each)
{
	static int client[IDLE], server[IDLE];
	int listener;
	u64 before;

	tcp_host_up();
	listener = tcp_listener(0, IDLE);
	for (u32 i = 0; i < IDLE; i++) {
		client[i] = c_socket(AF_INET, SOCK_STREAM, 0);
		assert_int_equal(c_connect(client[i], LOOP, c_port(listener)), 0);
		server[i] = c_accept(listener, 0);
	}
	before = transmit_pool();
	for (u32 i = 0; i < IDLE; i++)
		assert_int_equal(c_send(client[i], given, each, 0), each);
	sim_run_s(1);
	assert_true(transmit_pool() <= before);
	for (u32 i = 0; i < IDLE; i++) {
		assert_int_equal(c_recv(server[i], got, LONGEST, 0), each);
		assert_memory_equal(got, given, each);
		c_close(client[i]);
		c_close(server[i]);
	}
	c_close(listener);
	sim_run_s(70);
	tcp_host_down();
}

static void little_unread(void **state)
{
	unread(4);
	unread(300);
}

static void much_unread(void **state)
{
	unread(2000);
	unread(20000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(large_writes),	 cmocka_unit_test(small_writes),
		cmocka_unit_test(small_reads),	 cmocka_unit_test(memory_is_short),
		cmocka_unit_test(little_unread), cmocka_unit_test(much_unread),
	};

	for (u32 i = 0; i < LONGEST; i++)
		given[i] = i * 31 + (i >> 8);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
