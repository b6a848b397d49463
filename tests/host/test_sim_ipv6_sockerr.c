/* SPDX-License-Identifier: MIT */
/* test_sim_ipv6_sockerr.c - what an AF_INET6 socket hears of packets that did not arrive: ICMPv6
 * errors of each kind by SO_ERROR and the error queue, the path's MTU by all its ways (RFC 3542
 * 11), each mode of path MTU discovery. */
#include "sock6_calls.h"

#include <weft/net/sock.h>

static struct ip_addr any6;

static void setup(void)
{
	assert_int_equal(stack_up6(), 0);
	assert_int_equal(sim_insmod("udp", NULL), 0);
	any6 = ip_addr_any(AF_INET6);
}

static void teardown(void)
{
	assert_int_equal(sim_rmmod("udp", false), 0);
	stack_down6();
}

/* ---- errors ---- */

struct extended_err {
	u32 err;
	u8 origin, type, code, pad;
	u32 info, data;
	struct sockaddr_in6 offender;
};

struct told {
	u8 type, code;
	u32 rest;
	int err;
	bool fatal; /* a connected socket that did not ask hears of it */
	u32 info;
};

static const struct told errors[] = {
	{ 1, 0, 0, ENETUNREACH, false, 0 },   { 1, 1, 0, EACCES, true, 0 },
	{ 1, 2, 0, EHOSTUNREACH, false, 0 },  { 1, 3, 0, EHOSTUNREACH, false, 0 },
	{ 1, 4, 0, ECONNREFUSED, true, 0 },   { 1, 5, 0, EACCES, true, 0 },
	{ 1, 6, 0, EACCES, true, 0 },	      { 1, 7, 0, EPROTO, true, 0 },
	{ 2, 0, 1400, EMSGSIZE, true, 1400 }, { 3, 0, 0, EHOSTUNREACH, false, 0 },
	{ 3, 1, 0, EHOSTUNREACH, false, 0 },  { 4, 0, 40, EPROTO, true, 40 },
	{ 4, 1, 6, EPROTO, true, 6 },	      { 4, 2, 42, EPROTO, true, 42 },
};

/* Sends a datagram to the peer and has a router on the way complain about it. */
static void complain(struct socket *s, const struct told *t, const struct ip_addr *offender)
{
	struct ip_addr host = HOST6;
	const struct frame *f;

	send_to(s, PEER6, PEER_PORT, 0, "quoted", 6);
	f = heard_udp6(NULL, NULL);
	assert_non_null(f);
	peer6_icmp(&peer, offender, &host, t->type, t->code, t->rest, f->data + 14, f->len - 14);
	sim_run_ms(2);
}

static int pending(struct socket *s)
{
	int err;

	assert_int_equal(socket_enter(s), 0);
	err = socket_take_error(s);
	socket_leave(s);
	return -err;
}

static void errors_of_each_kind(void **state)
{
	struct ip_addr router = ip6("2001:db8:9::1"), peer6_;
	struct extended_err ee;
	struct socket *s, *c;
	struct got *g;
	const u8 *p;
	u32 len;

	setup();
	peer6_ = PEER6;
	s = udp6_at(any6, PORT);
	assert_int_equal(set6(s, IPV6_RECVERR, 1), 0);
	assert_int_equal(set6(s, IPV6_RECVHOPLIMIT, 1), 0);
	c = open6(SOCK_DGRAM, 0);
	assert_int_equal(connect6(c, PEER6, PEER_PORT, 0), 0);
	for (u32 i = 0; i < ARRAY_SIZE(errors); i++) {
		const struct told *t = &errors[i];
		struct ip_addr offender;

		complain(s, t, &router);
		assert_int_equal(pending(s), t->err);
		g = receive(s, MSG_ERRQUEUE);
		assert_int_equal(g->n, 6);
		assert_memory_equal(g->data, "quoted", 6);
		assert_true(g->m.flags & MSG_ERRQUEUE);
		assert_memory_equal(g->from.sin6_addr, &peer6_, 16);
		assert_int_equal(ntohs(g->from.sin6_port), PEER_PORT);
		/* of the message that brought it: tracepath counts the way back by it */
		assert_int_equal(control_int(g, SOL_IPV6, IPV6_HOPLIMIT), 64);
		p = control_of(g, SOL_IPV6, IPV6_RECVERR, &len);
		assert_non_null(p);
		assert_int_equal(len, sizeof(ee));
		memcpy(&ee, p, sizeof(ee));
		assert_int_equal(ee.err, t->err);
		assert_int_equal(ee.origin, 3);
		assert_int_equal(ee.type, t->type);
		assert_int_equal(ee.code, t->code);
		assert_int_equal(ee.info, t->info);
		assert_int_equal(ee.offender.sin6_family, AF_INET6);
		offender = addr_of(&ee.offender);
		assert_memory_equal(&offender, &router, 16);
		assert_int_equal(receive(s, MSG_ERRQUEUE)->n, -EAGAIN);
		complain(c, t, &router);
		assert_int_equal(pending(c), t->fatal ? t->err : 0);
	}
	/* who neither asked nor is connected hears nothing */
	assert_int_equal(set6(s, IPV6_RECVERR, 0), 0);
	complain(s, &errors[4], &router);
	assert_int_equal(pending(s), 0);
	assert_int_equal(receive(s, MSG_ERRQUEUE)->n, -EAGAIN);
	sock_close(c);
	sock_close(s);
	teardown();
}

/* From a neighbour: its address says of which link. More than the queue holds is still told once.
 */
static void error_queue_is_bounded(void **state)
{
	struct extended_err ee;
	struct ip_addr ll;
	struct socket *s;
	const u8 *p;
	u32 n = 0;

	setup();
	ll = PEER6_LL;
	s = udp6_at(any6, PORT);
	assert_int_equal(set6(s, IPV6_RECVERR, 1), 0);
	for (u32 i = 0; i < 40; i++) {
		complain(s, &errors[3], &ll);
		assert_int_equal(pending(s), EHOSTUNREACH); /* the next send would get it */
	}
	assert_true(s->ops->poll(s) & POLLERR);
	for (;; n++) {
		struct got *g = receive(s, MSG_ERRQUEUE);

		if (g->n < 0)
			break;
		p = control_of(g, SOL_IPV6, IPV6_RECVERR, NULL);
		memcpy(&ee, p, sizeof(ee));
		assert_int_equal(ee.offender.sin6_scope_id, eth0());
	}
	assert_int_equal(n, INET_ERRQ_MAX);
	assert_false(s->ops->poll(s) & POLLERR);
	/* closed with some left */
	complain(s, &errors[3], &ll);
	sock_close(s);
	teardown();
}

/* ---- path MTU ---- */

static void path_mtu(void **state)
{
	/* how long a datagram may be beside a path MTU of 1400 and an interface's of 1500 */
	static const struct {
		int how;
		u32 fits;
		bool cut;
	} kinds[] = {
		{ IP_PMTUDISC_DONT, 1352, true },	{ IP_PMTUDISC_WANT, 1352, true },
		{ IP_PMTUDISC_DO, 1352, false },	{ IP_PMTUDISC_PROBE, 1452, false },
		{ IP_PMTUDISC_INTERFACE, 1452, false }, { IP_PMTUDISC_OMIT, 1452, true },
	};
	static u8 big[3000];
	struct ip_addr to;
	struct socket *s;
	u8 proto;
	u32 len;

	setup();
	to = PEER6;
	ip_pmtu_update(&to, 1400);
	s = open6(SOCK_DGRAM, 0);
	for (u32 i = 0; i < ARRAY_SIZE(kinds); i++) {
		const struct frame *f;

		assert_int_equal(set6(s, IPV6_MTU_DISCOVER, kinds[i].how), 0);
		peer_forget(&peer);
		assert_int_equal(send_to(s, to, 9, 0, big, kinds[i].fits), kinds[i].fits);
		assert_non_null(heard_udp6(NULL, &len));
		assert_int_equal(len, kinds[i].fits);
		assert_int_equal(send_to(s, to, 9, 0, big, kinds[i].fits + 1),
				 kinds[i].cut ? (long)kinds[i].fits + 1 : -EMSGSIZE);
		f = peer6_take_proto(&peer, 44);
		assert_int_equal(f != NULL, kinds[i].cut);
		if (f)
			frame6_payload(f, &proto, &len);
	}
	sock_close(s);
	teardown();
}

static void told_of_the_path_mtu(void **state)
{
	static u8 big[3000];
	struct told too_big = { 2, 0, 1300, EMSGSIZE, false, 1300 };
	struct ip_addr router = ip6("2001:db8:9::1");
	struct extended_err ee;
	u8 info[32];
	u32 len = sizeof(info), mtu;
	struct socket *s;
	struct got *g;
	const u8 *p;

	setup();
	s = udp6_at(any6, PORT);
	assert_int_equal(get6(s, IPV6_MTU), -ENOTCONN);
	assert_int_equal(getopt6(s, IPV6_PATHMTU, info, &len), -ENOTCONN);
	assert_int_equal(set6(s, IPV6_MTU, 1279), -EINVAL);
	assert_int_equal(set6(s, IPV6_RECVPATHMTU, 1), 0);
	assert_int_equal(set6(s, IPV6_DONTFRAG, 1), 0);
	complain(s, &too_big, &router);
	assert_int_equal(send_to(s, PEER6, PEER_PORT, 0, big, 1253), -EMSGSIZE);
	g = receive(s, 0);
	assert_int_equal(g->n, 0);
	p = control_of(g, SOL_IPV6, IPV6_PATHMTU, &len);
	assert_non_null(p);
	assert_int_equal(len, 32);
	memcpy(&mtu, p + 28, 4);
	assert_int_equal(mtu, 1300);
	assert_int_equal(receive(s, 0)->n, -EAGAIN);
	/* to the error queue as well, of those who want it */
	assert_int_equal(set6(s, IPV6_RECVERR, 1), 0);
	assert_int_equal(send_to(s, PEER6, PEER_PORT, 0, big, 1253), -EMSGSIZE);
	g = receive(s, MSG_ERRQUEUE);
	assert_int_equal(g->n, 0);
	p = control_of(g, SOL_IPV6, IPV6_RECVERR, NULL);
	memcpy(&ee, p, sizeof(ee));
	assert_int_equal(ee.err, EMSGSIZE);
	assert_int_equal(ee.origin, 1);
	assert_int_equal(ee.info, 1300);
	assert_int_equal(ee.offender.sin6_family, 0);
	/* connected: by option */
	assert_int_equal(connect6(s, PEER6, PEER_PORT, 0), 0);
	assert_int_equal(get6(s, IPV6_MTU), 1300);
	len = 31;
	assert_int_equal(getopt6(s, IPV6_PATHMTU, info, &len), -EINVAL);
	len = 40;
	assert_int_equal(getopt6(s, IPV6_PATHMTU, info, &len), 0);
	assert_int_equal(len, 32);
	/* cut smaller than the path wants it */
	assert_int_equal(set6(s, IPV6_DONTFRAG, 0), 0);
	assert_int_equal(set6(s, IPV6_MTU, 1280), 0);
	assert_int_equal(send_said(s, NULL, big, 1240, NULL, 0), 1240);
	assert_non_null(peer6_take_proto(&peer, 44));
	sock_close(s);
	teardown();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(errors_of_each_kind),
		cmocka_unit_test(error_queue_is_bounded),
		cmocka_unit_test(path_mtu),
		cmocka_unit_test(told_of_the_path_mtu),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
