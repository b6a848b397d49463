/* SPDX-License-Identifier: MIT */
/* test_sim_udp_options.c - what a UDP socket can be told: path MTU discovery of each kind, errors
 * by IP_RECVERR, time to live and type of service, filters, peeking and cutting, shutdown, and
 * connect taken back. */
#include "stack.h"

#include <kernel/net/socket_internal.h>
#include <uapi/filter.h>
#include <weft/net/flow.h>

static u8 data[3000], control[256];

static struct socket *s;

static void setup(void)
{
	assert_int_equal(stack_up(), 0);
	assert_int_equal(sim_insmod("udp", NULL), 0);
	stack_know_peer();
	s = sock_open(SOCK_DGRAM, 0);
	assert_int_equal(sock_bind(s, 0, 5000), 0);
}

static void teardown(void)
{
	sock_close(s);
	assert_int_equal(sim_rmmod("udp", false), 0);
	stack_down();
}

static struct sockaddr_in name_of(u32 addr, u16 port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
				     .sin_addr = htonl(addr),
				     .sin_port = htons(port) };
}

static long send_to(u32 addr, u16 port, u32 len)
{
	struct sockaddr_in in = name_of(addr, port);
	struct iovec v = { data, len };
	struct msg m = { .name = (u8 *)&in,
			 .name_len = port ? sizeof(in) : 0,
			 .flags = MSG_DONTWAIT };

	iter_init(&m.iter, &v, 1, true);
	return socket_sendmsg(s, &m);
}

static int connect_to(u16 family, u32 addr, u16 port)
{
	struct sockaddr_in in = name_of(addr, port);
	int err;

	in.sin_family = family;
	err = socket_enter(s);
	if (!err) {
		err = s->ops->connect(s, (u8 *)&in, sizeof(in), true);
		socket_leave(s);
	}
	return err;
}

static void set(int opt, int v)
{
	assert_int_equal(sock_setopt(s, SOL_IP, opt, &v, 4), 0);
}

static long receive(struct msg *m, u32 len, u32 flags)
{
	static u8 from[SOCKADDR_MAX];
	static u8 buf[3000];
	struct iovec v = { buf, len };
	long n;

	*m = (struct msg){ .name = from,
			   .control = control,
			   .control_len = sizeof(control),
			   .flags = flags | MSG_DONTWAIT };
	iter_init(&m->iter, &v, 1, false);
	n = socket_recvmsg(s, m);
	memcpy(data, buf, n > 0 ? min(n, (long)len) : 0);
	return n;
}

static void comes_in(u16 sport, u32 len, u8 tos, u8 ttl)
{
	struct ipv4_fields h = { .src = PEER, .dst = HOST, .proto = 17, .tos = tos, .ttl = ttl };
	u8 u[200] = { sport >> 8, sport & 255, 5000 >> 8, 5000 & 255, 0, 8 + len };

	memset(u + 8, 'x', len);
	peer_ipv4(&peer, host_mac, &h, u, 8 + len);
	sim_run_ms(1);
}

static void path_mtu(void **state)
{
	/* how long a datagram may be beside a path MTU of 1000 and an interface's of 1500; DF */
	static const struct {
		int how;
		u32 fits, df;
		bool cut;
	} kinds[] = {
		{ IP_PMTUDISC_DONT, 1472, 0, true },	   { IP_PMTUDISC_WANT, 972, 1, true },
		{ IP_PMTUDISC_DO, 972, 1, false },	   { IP_PMTUDISC_PROBE, 1472, 1, false },
		{ IP_PMTUDISC_INTERFACE, 1472, 0, false }, { IP_PMTUDISC_OMIT, 1472, 0, true },
	};
	struct ip_addr to = ip_addr_v4(PEER);
	u32 i, len, fits;

	setup();
	ip_pmtu_update(&to, 1000);
	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		const struct frame *f;

		set(IP_MTU_DISCOVER, kinds[i].how);
		/* what is not told to look at the path still fits the path's packets into it */
		fits = kinds[i].how == IP_PMTUDISC_DONT ? 972 : kinds[i].fits;
		peer_forget(&peer);
		assert_int_equal(send_to(PEER, 9, fits), fits);
		sim_run_ms(2);
		f = peer_take_proto(&peer, 17);
		assert_non_null(f);
		assert_int_equal(get_be16(frame_ip(f) + 2), fits + 28);
		assert_int_equal(get_be16(frame_ip(f) + 6), kinds[i].df << 14);
		len = fits + 1;
		assert_int_equal(send_to(PEER, 9, len), kinds[i].cut ? (long)len : -EMSGSIZE);
		sim_run_ms(2);
		f = peer_take_proto(&peer, 17);
		assert_int_equal(f != NULL, kinds[i].cut);
		if (f)
			assert_int_equal(get_be16(frame_ip(f) + 6), 0x2000);
	}
	teardown();
}

/* A send that the path does not take says so in the error queue, with the MTU. */
static void too_long_is_queued(void **state)
{
	struct cmsg_view c;
	struct msg m;
	size_t pos = 0;
	u32 ee[4];

	setup();
	set(IP_MTU_DISCOVER, IP_PMTUDISC_DO);
	assert_int_equal(send_to(PEER, 9, 1473), -EMSGSIZE);
	assert_int_equal(receive(&m, 100, MSG_ERRQUEUE), -EAGAIN);
	set(IP_RECVERR, 1);
	assert_int_equal(send_to(PEER, 9, 1473), -EMSGSIZE);
	assert_true(s->ops->poll(s) & POLLERR);
	assert_int_equal(receive(&m, 100, MSG_ERRQUEUE), 0);
	assert_true(m.flags & MSG_ERRQUEUE);
	m.control_len = m.control_used;
	assert_true(msg_next_control(&m, &pos, &c));
	assert_int_equal(c.level, SOL_IP);
	assert_int_equal(c.type, IP_RECVERR);
	assert_int_equal(c.len, 32);
	memcpy(ee, c.data, sizeof(ee));
	assert_int_equal(ee[0], EMSGSIZE);
	assert_int_equal(ee[1], 1); /* of local origin */
	assert_int_equal(ee[2], 1500);
	assert_int_equal(get_be32(m.name + 4), PEER);
	assert_int_equal(get_be16(m.name + 2), 9);
	assert_false(s->ops->poll(s) & POLLERR);
	teardown();
}

static void ttl_tos_and_info(void **state)
{
	struct cmsg_view c;
	struct msg m;
	size_t pos = 0;
	u32 seen = 0, v[3];

	setup();
	set(IP_RECVTTL, 1);
	set(IP_RECVTOS, 1);
	set(IP_PKTINFO, 1);
	comes_in(7, 4, 0x28, 33);
	assert_int_equal(receive(&m, 100, 0), 4);
	m.control_len = m.control_used;
	while (msg_next_control(&m, &pos, &c)) {
		assert_int_equal(c.level, SOL_IP);
		memcpy(v, c.data, min(c.len, 12u));
		if (c.type == IP_TTL)
			assert_int_equal(v[0], 33);
		else if (c.type == IP_TOS)
			assert_int_equal(c.data[0], 0x28);
		else if (c.type == IP_PKTINFO)
			assert_int_equal(v[2], htonl(HOST));
		seen++;
	}
	assert_int_equal(seen, 3);
	set(IP_TTL, 5);
	set(IP_TOS, 0x10);
	assert_int_equal(send_to(PEER, 9, 10), 10);
	sim_run_ms(1);
	m.flags = 0;
	{
		const struct frame *f = peer_take_proto(&peer, 17);

		assert_int_equal(frame_ip(f)[8], 5);
		assert_int_equal(frame_ip(f)[1], 0x10);
	}
	teardown();
}

static void peeked_and_cut(void **state)
{
	struct msg m;

	setup();
	comes_in(7, 20, 0, 64);
	comes_in(8, 0, 0, 64);
	assert_int_equal(receive(&m, 5, MSG_PEEK), 5);
	assert_true(m.flags & MSG_TRUNC);
	assert_int_equal(receive(&m, 5, MSG_PEEK | MSG_TRUNC), 20);
	assert_int_equal(receive(&m, 5, 0), 5);
	assert_int_equal(get_be16(m.name + 2), 7);
	assert_int_equal(receive(&m, 5, 0), 0); /* an empty one is a datagram too */
	assert_int_equal(get_be16(m.name + 2), 8);
	assert_int_equal(receive(&m, 5, 0), -EAGAIN);
	teardown();
}

static int peek_off(void)
{
	int v = -77;
	u32 len = sizeof(v);

	assert_int_equal(socket_getsockopt_core(s, SO_PEEK_OFF, &v, &len), 0);
	return v;
}

static void expect_look(u32 len, u32 flags, long gives, int then)
{
	struct msg m;

	assert_int_equal(receive(&m, len, flags), gives);
	assert_int_equal(peek_off(), then);
}

/* SO_PEEK_OFF: over the ends of datagrams, past an empty one once, and back by what is read. */
static void looks_from_an_offset(void **state)
{
	setup();
	assert_int_equal(peek_off(), -1);
	assert_int_equal(sock_setopt(s, SOL_SOCKET, SO_PEEK_OFF, &(int){ 0 }, 4), 0);
	comes_in(7, 10, 0, 64);
	comes_in(7, 0, 0, 64);
	comes_in(7, 6, 0, 64);
	expect_look(4, MSG_PEEK, 4, 4);
	expect_look(4, MSG_PEEK | MSG_TRUNC, 10, 14);
	assert_int_equal(sock_setopt(s, SOL_SOCKET, SO_PEEK_OFF, &(int){ 8 }, 4), 0);
	expect_look(4, MSG_PEEK, 2, 10);
	expect_look(4, MSG_PEEK, 0, 10);
	expect_look(4, MSG_PEEK, 4, 14);
	expect_look(4, MSG_PEEK, 2, 16);
	expect_look(4, MSG_PEEK, -EAGAIN, 16);
	expect_look(99, 0, 10, 6);
	expect_look(99, 0, 0, 6);
	expect_look(2, MSG_TRUNC, 6, 0);
	assert_int_equal(sock_setopt(s, SOL_SOCKET, SO_PEEK_OFF, &(int){ -1 }, 4), 0);
	expect_look(2, 0, -EAGAIN, -1);
	teardown();
}

/* SO_TIMESTAMPING: asked for both when and by whom, the answer is software's. */
static void stamps_of_arrival(void **state)
{
	struct cmsg_view c;
	struct msg m;
	size_t pos = 0;
	s64 t[6];
	int v;

	setup();
	v = SOF_TIMESTAMPING_SOFTWARE;
	assert_int_equal(sock_setopt(s, SOL_SOCKET, SO_TIMESTAMPING, &v, 4), 0);
	comes_in(7, 4, 0, 64);
	assert_int_equal(receive(&m, 99, 0), 4);
	assert_int_equal(m.control_used, 0);
	v |= SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_RX_HARDWARE;
	assert_int_equal(sock_setopt(s, SOL_SOCKET, SO_TIMESTAMPING, &v, 4), 0);
	comes_in(7, 4, 0, 64);
	assert_int_equal(receive(&m, 99, 0), 4);
	m.control_len = m.control_used;
	assert_true(msg_next_control(&m, &pos, &c));
	assert_int_equal(c.level, SOL_SOCKET);
	assert_int_equal(c.type, SO_TIMESTAMPING);
	assert_int_equal(c.len, sizeof(t));
	memcpy(t, c.data, sizeof(t));
	assert_true(t[0] || t[1]);
	assert_true(!t[2] && !t[3] && !t[4] && !t[5]);
	v = SOF_TIMESTAMPING_BIND_PHC;
	assert_int_equal(sock_setopt(s, SOL_SOCKET, SO_TIMESTAMPING, &v, 4), -EOPNOTSUPP);
	v = 1 << 30;
	assert_int_equal(sock_setopt(s, SOL_SOCKET, SO_TIMESTAMPING, &v, 4), -EINVAL);
	teardown();
}

/* IP_BIND_ADDRESS_NO_PORT: the port comes with the first send. */
static void address_without_port(void **state)
{
	struct socket *other;
	struct sockaddr_in in;
	u32 len = 0;

	setup();
	other = s;
	s = sock_open(SOCK_DGRAM, 0);
	set(IP_BIND_ADDRESS_NO_PORT, 1);
	assert_int_equal(sock_bind(s, HOST, 0), 0);
	assert_int_equal(s->ops->name(s, (u8 *)&in, &len, SOCKET_NAME_OWN), 0);
	assert_int_equal(in.sin_port, 0);
	assert_int_equal(ntohl(in.sin_addr), HOST);
	assert_int_equal(send_to(PEER, 9, 4), 4);
	assert_int_equal(s->ops->name(s, (u8 *)&in, &len, SOCKET_NAME_OWN), 0);
	assert_int_not_equal(in.sin_port, 0);
	sock_close(other);
	teardown();
}

static void connect_and_back(void **state)
{
	struct sockaddr_in in;
	struct msg m;
	u32 len = 0;

	setup();
	assert_int_equal(send_to(0, 0, 4), -EDESTADDRREQ);
	assert_int_equal(connect_to(AF_INET, PEER, 7), 0);
	assert_int_equal(send_to(0, 0, 4), 4);
	comes_in(8, 4, 0, 64);
	assert_int_equal(receive(&m, 100, 0), -EAGAIN);
	comes_in(7, 4, 0, 64);
	assert_int_equal(receive(&m, 100, 0), 4);
	assert_int_equal(s->ops->name(s, (u8 *)&in, &len, SOCKET_NAME_OWN), 0);
	assert_int_equal(ntohl(in.sin_addr), HOST);
	assert_int_equal(connect_to(AF_UNSPEC, 0, 0), 0);
	assert_int_equal(send_to(0, 0, 4), -EDESTADDRREQ);
	comes_in(8, 4, 0, 64);
	assert_int_equal(receive(&m, 100, 0), 4);
	assert_int_equal(s->ops->name(s, (u8 *)&in, &len, SOCKET_NAME_OWN), 0);
	assert_int_equal(in.sin_addr, 0);
	assert_int_equal(s->ops->name(s, (u8 *)&in, &len, SOCKET_NAME_PEER), -ENOTCONN);
	assert_int_equal(s->ops->shutdown(s, SHUT_RD), -ENOTCONN);
	teardown();
}

/* The kept way is not used any more when it would be another one now. */
static void kept_flows_follow_changes(void **state)
{
	setup();
	assert_int_equal(send_to(PEER, 9, 10), 10);
	assert_int_equal(send_to(HOST_BROADCAST, 9, 10), -EACCES);
	assert_int_equal(sock_setopt(s, SOL_SOCKET, SO_BROADCAST, &(int){ 1 }, 4), 0);
	s->ops->setsockopt(s, SOL_SOCKET, SO_BROADCAST, &(int){ 1 }, 4);
	assert_int_equal(send_to(HOST_BROADCAST, 9, 10), 10);
	assert_int_equal(send_to(HOST_BROADCAST, 9, 10), 10);
	s->broadcast = false;
	s->ops->setsockopt(s, SOL_SOCKET, SO_BROADCAST, &(int){ 0 }, 4);
	assert_int_equal(send_to(HOST_BROADCAST, 9, 10), -EACCES);
	assert_int_equal(send_to(PEER, 9, 10), 10);
	ifconfig_down("eth0");
	assert_true(send_to(PEER, 9, 10) < 0);
	ifconfig("eth0", HOST, 24);
	stack_know_peer();
	assert_int_equal(send_to(PEER, 9, 10), 10);
	assert_int_equal(send_to(PEER, 0, 10), -EDESTADDRREQ);
	teardown();
}

static void programs_choose(void **state)
{
	/* keep 10 bytes of datagrams whose source port is 7, drop others */
	struct sock_filter code[] = {
		{ 0x28, 0, 0, 0 }, { 0x15, 0, 1, 7 }, { 0x06, 0, 0, 10 }, { 0x06, 0, 0, 0 }
	};
	struct sock_fprog prog = { .len = 4, .filter = (u64)code };
	struct msg m;

	setup();
	assert_int_equal(sock_setopt(s, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)), 0);
	drops_mark();
	comes_in(8, 20, 0, 64);
	assert_int_equal(receive(&m, 100, 0), -EAGAIN);
	assert_int_equal(drops_since(DROP_SOCKET_FILTER), 1);
	comes_in(7, 20, 0, 64);
	assert_int_equal(receive(&m, 100, 0), 2); /* the header is eight of the ten */
	teardown();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(path_mtu),	     cmocka_unit_test(too_long_is_queued),
		cmocka_unit_test(ttl_tos_and_info),  cmocka_unit_test(peeked_and_cut),
		cmocka_unit_test(connect_and_back),  cmocka_unit_test(kept_flows_follow_changes),
		cmocka_unit_test(programs_choose),   cmocka_unit_test(looks_from_an_offset),
		cmocka_unit_test(stamps_of_arrival), cmocka_unit_test(address_without_port),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
