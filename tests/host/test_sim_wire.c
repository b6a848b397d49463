/* SPDX-License-Identifier: MIT */
/* test_sim_wire.c - a wire that loses, repeats, reorders and damages frames, from many seeds:
 * answers come for what arrives whole, nothing wrong is ever delivered, and the same seed does the
 * same. */
#include "stack.h"

static u8 pattern(u32 seq, u32 i)
{
	return seq * 11 + i * 3;
}

/* Sends requests of the host and looks at what comes back; returns how many did. */
static u32 ping_over(u32 seed, u64 *frames)
{
	static u8 out[3000], in[3000];
	struct socket *s;
	u32 seq, i, good = 0;
	long n;

	sim_seed(seed);
	assert_int_equal(stack_up(), 0);
	stack_know_peer();
	peer.answers_echo = true;
	s = sock_open(SOCK_DGRAM, IPPROTO_ICMP);
	sim_seed(seed);
	wire.loss = wire.duplicate = wire.reorder = wire.corrupt = 50;
	for (seq = 0; seq < 200; seq++) {
		u32 len = 8 + sim_random() % 1400;

		memset(out, 0, 8);
		out[0] = 8;
		put_be16(out + 6, seq);
		for (i = 8; i < len; i++)
			out[i] = pattern(seq, i);
		sock_send(s, PEER, out, len, MSG_DONTWAIT);
		sim_run(sim_random() % NSEC_PER_MSEC);
		while ((n = sock_recv(s, in, sizeof(in), MSG_DONTWAIT, NULL)) > 0) {
			assert_int_equal(in[0], 0);
			for (i = 8; i < n; i++)
				assert_int_equal(in[i], pattern(get_be16(in + 6), i));
			good++;
		}
	}
	*frames = peer.end.frames;
	wire.loss = wire.duplicate = wire.reorder = wire.corrupt = 0;
	sock_close(s);
	sim_run_s(40);
	stack_down();
	return good;
}

static void bad_wire(void **state)
{
	u64 frames, again;
	u32 seed, good;

	for (seed = 1; seed <= 20; seed++) {
		good = ping_over(seed, &frames);
		assert_in_range(good, 100, 200 * 5 / 4);
		if (seed > 3)
			continue;
		assert_int_equal(ping_over(seed, &again), good);
		assert_int_equal(again, frames);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(bad_wire) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
