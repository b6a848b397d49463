/* SPDX-License-Identifier: MIT */
/* nic_checks.h - what tests of every driver look at, for the host of stack.h whose eth0 is a
 * model's. */
#pragma once

#include "stack.h"

/* An echo request of len octets is answered, and nothing else is heard. */
static inline void check_echo(u16 seq, u32 len)
{
	const struct frame *f;

	peer_forget(&peer);
	peer_echo(&peer, host_mac, HOST, 3, seq, len);
	sim_run_ms(1);
	assert_int_equal(peer_count_icmp(&peer, 0), 1);
	f = peer_take_icmp(&peer, 0, 0);
	assert_non_null(f);
	assert_true(frame_sound(f));
	assert_int_equal(get_be16(frame_icmp(f) + 6), seq);
	peer_forget(&peer);
}

/* One after the other, of all lengths: rings wrap. */
static inline void check_echoes(u32 n)
{
	for (u32 i = 0; i < n; i++)
		check_echo(i, i * 3 % 1473);
}

/* Forty at one moment. */
static inline void check_burst(void)
{
	for (u32 i = 0; i < 40; i++)
		peer_echo(&peer, host_mac, HOST, 3, i, 100);
	sim_run_ms(1);
	assert_int_equal(peer_count_icmp(&peer, 0), 40);
}

/* A socket for echo requests of 64 octets, and one of them. */
static inline struct socket *ping_socket(void)
{
	struct socket *s = sock_open(SOCK_DGRAM, IPPROTO_ICMP);

	assert_false(IS_ERR(s));
	return s;
}

static inline long ping(struct socket *s, u32 flags)
{
	u8 m[64] = { 8 };

	return sock_send(s, PEER, m, sizeof(m), flags);
}

/* Until the device, which keeps them, takes no more: how many. */
static inline u32 ping_until_full(struct socket *s)
{
	u32 sent = 0;
	long n;

	while ((n = ping(s, MSG_DONTWAIT)) == 64 && sent < 1000)
		sent++;
	assert_true(n == -EAGAIN || n == -ENOBUFS);
	return sent;
}

/* The interface goes down and up while frames come in; pause: how long each lasts, at most. */
static inline void bounce_in_traffic(u32 rounds, u32 frames, u32 pause_ns)
{
	for (u32 i = 0; i < rounds; i++) {
		for (u32 k = 0; k < frames; k++)
			peer_echo(&peer, host_mac, HOST, 3, k, 700);
		sim_run(sim_random() % pause_ns);
		assert_int_equal(ifconfig_down("eth0"), 0);
		sim_run(sim_random() % pause_ns);
		assert_int_equal(ifconfig("eth0", HOST, 24), 0);
	}
	stack_know_peer();
	check_echo(1, 300);
}
