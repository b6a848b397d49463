/* SPDX-License-Identifier: MIT */
/* test_sim_udp_queue.c - datagrams on their way into a socket's queue: several in a row as a train,
 * odd ones among them, and who is woken. */
#include "udp_host.h"

#include <stdlib.h>

/* ---- trains ---- */

/* All counters of IP and UDP; the files' lines of names and values. */
static void counters(char *text, size_t room)
{
	snprintf(text, room, "%s", sim_read("/proc/net/snmp"));
}

static u64 counter(const char *text, const char *line, u32 nr)
{
	const char *value = strstr(strstr(text, line) + 1, line);

	while (nr--)
		value = strchr(value + 1, ' ');
	return strtoull(value, NULL, 10);
}

enum odd {
	PLAIN,
	OTHER_PORT,
	OTHER_PEER,
	BAD_SUM,
	BAD_HEADER,
	TTL,
	FRAGMENT,
	SHORT,
	PADDED,
	NO_SUM
};

/* One datagram with its number in it, from port 7777 to 5000 unless it is odd. */
static void put_numbered(u8 nr, enum odd what)
{
	struct ipv4_fields h = { .src = PEER, .dst = HOST, .proto = UDP, .id = 100 + nr };
	u8 u[64];
	u32 len = datagram(u, PEER, HOST, what == OTHER_PEER ? 7778 : 7777,
			   what == OTHER_PORT ? 5001 : 5000, &nr, 1);

	memset(u + len, 0xee, sizeof(u) - len);
	switch (what) {
	case BAD_SUM:
		u[8]++;
		break;
	case BAD_HEADER:
		h.bad_sum = true;
		break;
	case TTL:
		h.ttl = 3;
		break;
	case FRAGMENT:
		h.flags_off = 0x2000;
		break;
	case SHORT:
		put_be16(u + 4, 7);
		break;
	case PADDED:
		len += 20;
		break;
	case NO_SUM:
		put_be16(u + 6, 0);
		break;
	default:
		break;
	}
	peer_ipv4(&peer, host_mac, &h, u, len);
}

/* Of each kind one amidst plain ones, all in one batch: each is treated as it would be alone, in
 * its turn, and counted. */
static void odd_ones_in_a_train(void **state)
{
	static char before[8192], after[8192];
	struct socket *s, *other;
	u32 n = 0, dropped = 0;

	udp_host_up();
	s = bound(0, 5000);
	other = bound(0, 5001);
	for (u32 what = PLAIN; what <= NO_SUM; what++) {
		bool comes = what != OTHER_PORT && what != BAD_SUM && what != BAD_HEADER &&
			     what != FRAGMENT && what != SHORT;

		counters(before, sizeof(before));
		for (u32 i = 0; i < 20; i++)
			put_numbered(i, i == 11 ? what : PLAIN);
		sim_run_ms(1);
		counters(after, sizeof(after));
		for (u32 i = 0; i < 20; i++) {
			if (i == 11 && !comes)
				continue;
			assert_int_equal(receive(s), 1);
			assert_int_equal(data[0], i);
			n++;
		}
		assert_int_equal(receive(s), -EAGAIN);
		assert_int_equal(receive(other), what == OTHER_PORT ? 1 : -EAGAIN);
		dropped += !comes && what != OTHER_PORT;
		/* InReceives and Udp's InDatagrams */
		assert_int_equal(counter(after, "Ip:", 3) - counter(before, "Ip:", 3), 20);
		assert_int_equal(counter(after, "Udp:", 1) - counter(before, "Udp:", 1),
				 19 + (comes || what == OTHER_PORT));
	}
	assert_int_equal(n, 10 * 20 - 5);
	assert_int_equal(dropped, 4);
	sock_close(s);
	sock_close(other);
	udp_host_down();
}

/* The sender's name and what came with each are those of each. */
static void names_in_a_train(void **state)
{
	struct socket *s;
	u32 from;

	udp_host_up();
	s = bound(0, 5000);
	for (u32 i = 0; i < 30; i++)
		put_numbered(i, PLAIN);
	sim_run_ms(1);
	for (u32 i = 0; i < 30; i++) {
		from = 0;
		assert_int_equal(sock_recv(s, data, sizeof(data), MSG_DONTWAIT, &from), 1);
		assert_int_equal(from, PEER);
		assert_int_equal(data[0], i);
	}
	/* who is closed between two batches gets no more, nor does anybody else */
	sock_close(s);
	drops_mark();
	for (u32 i = 0; i < 10; i++)
		put_numbered(i, PLAIN);
	sim_run_ms(1);
	assert_int_equal(drops_since(DROP_NO_SOCKET), 10);
	udp_host_down();
}

/* A train that is longer than there is room: who is below the bound may go over it once, as alone;
 * the others are counted, and what was queued is what came first. */
static void train_over_the_bound(void **state)
{
	u32 unit = 0, fit, drops;
	struct socket *s;

	udp_host_up();
	s = bound(0, 5000);
	put_numbered(0, PLAIN);
	sim_run_ms(1);
	unit = s->rx_bytes;
	assert_true(unit);
	assert_int_equal(receive(s), 1);
	for (u32 room = 8; room <= 40; room += 8) {
		/* of the last one a byte fits, or none */
		s->rcvbuf = room * unit + (room & 8 ? 1 : 0);
		fit = min(room + (room & 8 ? 1 : 0), 40u);
		drops = s->rx_drops;
		drops_mark();
		for (u32 i = 0; i < 40; i++)
			put_numbered(i, PLAIN);
		sim_run_ms(1);
		assert_int_equal(s->rx_bytes, fit * unit);
		assert_int_equal(s->rx_drops - drops, 40 - fit);
		assert_int_equal(drops_since(DROP_SOCKET_FULL), 40 - fit);
		for (u32 i = 0; i < fit; i++) {
			assert_int_equal(receive(s), 1);
			assert_int_equal(data[0], i);
		}
		assert_int_equal(receive(s), -EAGAIN);
		assert_int_equal(s->rx_bytes, 0);
	}
	sock_close(s);
	udp_host_down();
}

/* ---- who is woken ---- */

struct listener {
	struct wait_entry entry;
	u32 calls;
	bool refuses;
};

static bool heard(struct wait_entry *e, u32 key)
{
	struct listener *l = container_of(e, struct listener, entry);

	assert_true(key & POLLIN);
	l->calls++;
	return !l->refuses;
}

static void hang(struct socket *s, struct listener *l, bool exclusive)
{
	*l = (struct listener){ .entry = { .wake = heard, .exclusive = exclusive } };
	wait_add(&s->wait, &l->entry);
}

/* Told once until somebody looks; of the exclusive ones another with each datagram. */
static void wakes_until_somebody_looks(void **state)
{
	struct listener plain, first, second;
	struct socket *s, *from;

	udp_host_up();
	from = bound(IP4(127, 0, 0, 1), 1000);
	s = bound(IP4(127, 0, 0, 1), 2000);
	hang(s, &plain, false);
	for (u32 i = 1; i <= 3; i++) {
		for (u32 k = 0; k < 3; k++)
			send_to(from, IP4(127, 0, 0, 1), 2000, data, 1);
		sim_run_ms(1);
		assert_int_equal(plain.calls, i);
		/* one that is taken is a look as well as all */
		assert_int_equal(sock_recv(s, data, 1, MSG_DONTWAIT, NULL), 1);
	}
	hang(s, &first, true);
	hang(s, &second, true);
	plain.calls = 0;
	send_to(from, IP4(127, 0, 0, 1), 2000, data, 1);
	send_to(from, IP4(127, 0, 0, 1), 2000, data, 1);
	sim_run_ms(1);
	assert_int_equal(plain.calls, 2);
	assert_int_equal(first.calls, 2);
	assert_int_equal(second.calls, 0);
	first.refuses = second.refuses = true;
	send_to(from, IP4(127, 0, 0, 1), 2000, data, 1);
	sim_run_ms(1);
	send_to(from, IP4(127, 0, 0, 1), 2000, data, 1);
	sim_run_ms(1);
	assert_int_equal(first.calls, 3);
	assert_int_equal(second.calls, 1);
	wait_del(&s->wait, &plain.entry);
	wait_del(&s->wait, &first.entry);
	wait_del(&s->wait, &second.entry);
	socket_close(from);
	socket_close(s);
	udp_host_down();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(odd_ones_in_a_train),
		cmocka_unit_test(names_in_a_train),
		cmocka_unit_test(train_over_the_bound),
		cmocka_unit_test(wakes_until_somebody_looks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
