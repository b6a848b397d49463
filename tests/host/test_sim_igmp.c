/* SPDX-License-Identifier: MIT */
/* test_sim_igmp.c - the host side of IGMP on a simulated wire: joins and leaves are told and told
 * again, queries of each version are answered within their time, source filters of several sockets
 * are merged (RFC 2236, RFC 9776), and forged or malformed queries change nothing. */
#include "listener.h"
#include "stack.h"

#define GROUP IP4(239, 1, 2, 3)
#define GROUP2 IP4(239, 1, 2, 4)
#define UNKNOWN IP4(239, 9, 9, 9)
#define EVERY_GROUP 0
#define NEWEST 3
#define OLDER 2
#define OLDER_REPORT 0x16
#define ALL_HOSTS IP4(224, 0, 0, 1)
#define NEWEST_ROUTERS IP4(224, 0, 0, 22)
#define ROUTERS IP4(224, 0, 0, 2)
#define SOURCE(n) IP4(10, 9, 8, n)

static const u8 group_mac[6] = { 1, 0, 0x5e, 0, 0, 1 };

static void setup(void)
{
	assert_int_equal(stack_up(), 0);
	assert_int_equal(sim_insmod("udp", NULL), 0);
	sim_run_s(5);
	peer_forget(&peer);
}

static void teardown(void)
{
	assert_int_equal(sim_rmmod("udp", false), 0);
	stack_down();
}

static struct socket *sock(void)
{
	struct socket *s = sock_open(SOCK_DGRAM, 0);

	assert_false(IS_ERR(s));
	return s;
}

static int mreq(struct socket *s, int opt, u32 group, u32 source)
{
	u32 v[3] = { htonl(group), htonl(HOST), htonl(source) };

	return sock_setopt(s, SOL_IP, opt, v, source ? 12 : 8);
}

static int change(struct socket *s, enum change what, u32 group, u8 n)
{
	static const int opt[] = { IP_ADD_MEMBERSHIP,	     IP_DROP_MEMBERSHIP,
				   IP_ADD_SOURCE_MEMBERSHIP, IP_DROP_SOURCE_MEMBERSHIP,
				   IP_BLOCK_SOURCE,	     IP_UNBLOCK_SOURCE };

	return mreq(s, opt[what], group, what <= LEAVE ? 0 : SOURCE(n));
}

/* Takes the next IGMP message; its body, or NULL. Checks what all have in common. */
static const u8 *heard(u32 dst)
{
	const struct frame *f = peer_take_proto(&peer, 2);
	const u8 *ip, *m;
	u32 n;

	if (!f)
		return NULL;
	ip = frame_ip(f);
	assert_true(frame_sound(f));
	assert_int_equal(ip[0], 0x46);
	assert_int_equal(ip[8], 1);
	assert_int_equal(get_be32(ip + 12), HOST);
	assert_int_equal(get_be32(ip + 16), dst);
	assert_int_equal(get_be32(ip + 20), 0x94040000); /* Router Alert */
	m = ip + 24;
	n = get_be16(ip + 2) - 24;
	assert_int_equal(wire_sum(m, n), 0);
	/* the link-level group (RFC 1112 6.4) */
	assert_int_equal(get_be32(f->data + 2), 0x5e000000 | (dst & 0x7fffff));
	return m;
}

/* A version 3 report with one record of so many sources. */
static void heard_record(u8 type, u32 group, u32 nr, const u8 *sources)
{
	const u8 *m = heard(NEWEST_ROUTERS);
	u32 k, j;

	assert_non_null(m);
	assert_int_equal(m[0], 0x22);
	assert_int_equal(get_be16(m + 6), 1);
	assert_int_equal(m[8], type);
	assert_int_equal(get_be16(m + 10), nr);
	assert_int_equal(get_be32(m + 12), group);
	for (k = 0; k < nr; k++) {
		for (j = 0; j < nr && get_be32(m + 16 + 4 * j) != SOURCE(sources[k]); j++)
			;
		assert_true(j < nr);
	}
}

static u32 records_of(const u8 *m, u32 group, u8 type)
{
	u32 n = get_be16(m + 6), found = 0;

	for (m += 8; n--; m += 8 + 4 * get_be16(m + 2))
		found += m[0] == type && get_be32(m + 4) == group;
	return found;
}

static void query(u32 group, u8 version, u32 ms, u32 nr, const u8 *sources, u32 lies)
{
	struct ipv4_fields h = {
		.src = PEER, .dst = group ? group : ALL_HOSTS, .proto = 2, .ttl = lies & 1 ? 64 : 1
	};
	u8 mac[6] = { 1, 0, 0x5e }, q[64] = { 0x11, version == 1 ? 0 : ms / 100 };
	u32 len = version == 3 ? 12 + 4 * nr : 8, k;

	put_be32(q + 4, group);
	if (version == 3) {
		q[8] = 2;
		q[9] = 125;
		put_be16(q + 10, nr);
		for (k = 0; k < nr; k++)
			put_be32(q + 12 + 4 * k, SOURCE(sources[k]));
	}
	if (lies & 2)
		h.src = IP4(172, 16, 5, 5);
	if (lies & 4)
		len -= 3; /* neither of version 2 nor of 3 */
	put_be16(q + 2, wire_sum(q, len) ^ (lies & 8 ? 0x1234 : 0));
	mac[3] = h.dst >> 16 & 0x7f;
	mac[4] = h.dst >> 8;
	mac[5] = h.dst;
	peer_ipv4(&peer, mac, &h, q, len);
	sim_run_ms(1);
}

static void speak_older(void)
{
	assert_int_equal(sim_write("/proc/sys/net/ipv4/conf/eth0/force_igmp_version", "2"), 0);
}

static void other_reports(void)
{
	struct ipv4_fields h = { .src = PEER, .dst = GROUP, .proto = 2, .ttl = 1 };
	u8 r[8] = { 0x16 }, mac[6] = { 1, 0, 0x5e, 1, 2, 3 };

	put_be32(r + 4, GROUP);
	put_be16(r + 2, wire_sum(r, 8));
	peer_ipv4(&peer, mac, &h, r, 8);
}

static void check_shown(u32 nr)
{
	assert_int_equal(strstr(sim_read("/proc/net/igmp"), "030201EF") != NULL, nr > 0);
}

#include "listener_cases.h"

static void unwanted_queries(void **state)
{
	struct socket *s = setup_member();
	u32 lies;

	for (lies = 1; lies < 16; lies++)
		query(EVERY_GROUP, 3, 100, 0, NULL, lies);
	for (lies = 1; lies < 4; lies++)
		query(GROUP, 2, 100, 0, NULL, lies);
	sim_run_s(30);
	assert_null(heard(NEWEST_ROUTERS));
	assert_non_null(strstr(sim_read("/proc/net/igmp"), "V3"));
	done(s);
}

static void older_queriers(void **state)
{
	struct socket *s = setup_member();
	const u8 *m;

	query(EVERY_GROUP, 2, 2000, 0, NULL, 0);
	sim_run_ms(2000);
	m = heard(GROUP);
	assert_non_null(m);
	assert_int_equal(m[0], 0x16);
	assert_int_equal(get_be32(m + 4), GROUP);
	assert_non_null(strstr(sim_read("/proc/net/igmp"), "V2"));
	mreq(s, IP_DROP_MEMBERSHIP, GROUP, 0);
	sim_run_ms(2);
	m = heard(ROUTERS);
	assert_non_null(m);
	assert_int_equal(m[0], 0x17);
	query(EVERY_GROUP, 1, 0, 0, NULL, 0);
	mreq(s, IP_ADD_MEMBERSHIP, GROUP2, 0);
	sim_run_ms(2);
	m = heard(GROUP2);
	assert_non_null(m);
	assert_int_equal(m[0], 0x12);
	/* gone for long enough: version 3 again */
	sim_run_s(300);
	peer_forget(&peer);
	mreq(s, IP_ADD_MEMBERSHIP, GROUP, 0);
	sim_run_ms(2);
	heard_record(TO_EX, GROUP, 0, NULL);
	assert_non_null(strstr(sim_read("/proc/net/igmp"), "V3"));
	/* the first that is heard of it is a departure */
	query(EVERY_GROUP, 2, 2000, 0, NULL, 0);
	sim_run_s(300);
	peer_forget(&peer);
	mreq(s, IP_DROP_MEMBERSHIP, GROUP, 0);
	sim_run_ms(2);
	heard_record(TO_IN, GROUP, 0, NULL);
	done(s);
}

static void a_link_comes_back(void **state)
{
	struct socket *s = setup_member();

	ifconfig_down("eth0");
	sim_run_s(1);
	peer_forget(&peer);
	ifconfig("eth0", HOST, 24);
	sim_run_s(3);
	heard_record(TO_EX, GROUP, 0, NULL);
	heard_record(TO_EX, GROUP, 0, NULL);
	done(s);
}

static u32 got(struct socket *s)
{
	u8 data[64];
	u32 n = 0;

	while (sock_recv(s, data, sizeof(data), MSG_DONTWAIT, NULL) >= 0)
		n++;
	return n;
}

static void group_data(u32 src, u32 dst)
{
	struct ipv4_fields h = { .src = src, .dst = dst, .proto = 17, .ttl = 1 };
	u8 u[12] = { 0x10, 0, 5000 >> 8, 5000 & 255, 0, 12, 0, 0, 'd', 'a', 't', 'a' };
	u8 mac[6] = { 1, 0, 0x5e, dst >> 16 & 0x7f, dst >> 8 & 255, dst & 255 };

	peer_ipv4(&peer, mac, &h, u, sizeof(u));
	sim_run_ms(1);
}

static void each_socket_has_its_filter(void **state)
{
	struct socket *all, *some, *other;
	int off = 0, on = 1;

	setup();
	all = sock();
	some = sock();
	other = sock();
	sock_setopt(all, SOL_SOCKET, SO_REUSEADDR, &on, 4);
	sock_setopt(some, SOL_SOCKET, SO_REUSEADDR, &on, 4);
	sock_setopt(other, SOL_SOCKET, SO_REUSEADDR, &on, 4);
	sock_bind(all, 0, 5000);
	sock_bind(some, 0, 5000);
	sock_bind(other, 0, 5000);
	drops_mark();
	group_data(PEER, GROUP);
	assert_int_equal(drops_since(DROP_NO_GROUP), 1);
	mreq(all, IP_ADD_MEMBERSHIP, GROUP, 0);
	mreq(some, IP_ADD_SOURCE_MEMBERSHIP, GROUP, IP4(10, 0, 0, 9));
	group_data(PEER, GROUP);
	assert_int_equal(got(all), 1);
	assert_int_equal(got(some), 0);
	assert_int_equal(got(other), 1); /* IP_MULTICAST_ALL is on */
	sock_setopt(other, SOL_IP, IP_MULTICAST_ALL, &off, 4);
	group_data(IP4(10, 0, 0, 9), GROUP);
	assert_int_equal(got(all), 1);
	assert_int_equal(got(some), 1);
	assert_int_equal(got(other), 0);
	mreq(all, IP_BLOCK_SOURCE, GROUP, PEER);
	group_data(PEER, GROUP);
	assert_int_equal(got(all), 0);
	mreq(all, IP_UNBLOCK_SOURCE, GROUP, PEER);
	group_data(PEER, GROUP);
	assert_int_equal(got(all), 1);
	sock_close(all);
	sock_close(some);
	sock_close(other);
	teardown();
}

static void whole_filters(void **state)
{
	u32 f[] = { htonl(GROUP), htonl(HOST),	    MCAST_INCLUDE, 3,
		    htonl(PEER),  htonl(SOURCE(1)), htonl(PEER) };
	u8 any[8 + 2 * SOCKADDR_MAX] = { 0 };
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr = htonl(GROUP2) };
	struct socket *s;
	u32 back[8], i;

	setup();
	s = sock();
	assert_int_equal(sock_setopt(s, SOL_IP, IP_MSFILTER, f, sizeof(f)), -EINVAL);
	mreq(s, IP_ADD_MEMBERSHIP, GROUP, 0);
	assert_int_equal(sock_setopt(s, SOL_IP, IP_MSFILTER, f, 27), -EINVAL);
	f[3] = 11;
	assert_int_equal(sock_setopt(s, SOL_IP, IP_MSFILTER, f, sizeof(f)), -ENOBUFS);
	f[3] = 3;
	assert_int_equal(sock_setopt(s, SOL_IP, IP_MSFILTER, f, sizeof(f)), 0);
	memcpy(back, f, 16);
	i = sizeof(back);
	assert_int_equal(s->ops->getsockopt(s, SOL_IP, IP_MSFILTER, back, &i), 0);
	assert_int_equal(back[2], MCAST_INCLUDE);
	assert_int_equal(back[3], 2); /* each once */
	f[3] = 0;
	assert_int_equal(sock_setopt(s, SOL_IP, IP_MSFILTER, f, 16), 0); /* leaves */
	assert_int_equal(mreq(s, IP_DROP_MEMBERSHIP, GROUP, 0), -EADDRNOTAVAIL);
	any[0] = eth0();
	memcpy(any + 8, &in, sizeof(in));
	assert_int_equal(sock_setopt(s, SOL_IP, MCAST_JOIN_GROUP, any, 135), -EINVAL);
	assert_int_equal(sock_setopt(s, SOL_IP, MCAST_JOIN_GROUP, any, 136), 0);
	in.sin_addr = htonl(PEER);
	memcpy(any + 8 + SOCKADDR_MAX, &in, sizeof(in));
	assert_int_equal(sock_setopt(s, SOL_IP, MCAST_BLOCK_SOURCE, any, sizeof(any)), 0);
	assert_non_null(strstr(sim_read("/proc/net/mcfilter"), "0x0a000001      0      1"));
	assert_int_equal(sock_setopt(s, SOL_IP, MCAST_UNBLOCK_SOURCE, any, sizeof(any)), 0);
	assert_int_equal(sock_setopt(s, SOL_IP, MCAST_LEAVE_GROUP, any, 136), 0);
	for (i = 0; i < 21; i++)
		assert_int_equal(mreq(s, IP_ADD_MEMBERSHIP, GROUP + i, 0), i < 20 ? 0 : -ENOBUFS);
	done(s);
}

static void random_messages(void **state)
{
	struct ipv4_fields h = { .src = PEER, .proto = 2, .ttl = 1 };
	static const u8 types[] = { 0x11, 0x11, 0x12, 0x16, 0x17, 0x22 };
	struct socket *s;
	u32 i, k, len;
	u8 m[300];

	setup();
	s = sock();
	mreq(s, IP_ADD_MEMBERSHIP, GROUP, 0);
	mreq(s, IP_ADD_SOURCE_MEMBERSHIP, GROUP2, SOURCE(1));
	for (i = 0; i < 4000; i++) {
		len = sim_random() % (i % 4 ? 24 : 300);
		for (k = 0; k < len; k++)
			m[k] = sim_random();
		if (len)
			m[0] = types[sim_random() % ARRAY_SIZE(types)];
		if (len >= 12 && i % 3) {
			put_be32(m + 4, i % 2 ? GROUP : GROUP2);
			put_be16(m + 10, sim_random() % 2 ? (len - 12) / 4 : sim_random() % 70);
		}
		if (len >= 4) {
			put_be16(m + 2, 0);
			put_be16(m + 2, wire_sum(m, len));
		}
		h.dst = i % 2 ? ALL_HOSTS : GROUP;
		peer_ipv4(&peer, group_mac, &h, m, len);
		if (i % 8 == 0)
			sim_run_ms(sim_random() % 300);
		if (i % 50 == 0)
			mreq(s, i % 100 ? IP_ADD_MEMBERSHIP : IP_DROP_MEMBERSHIP, GROUP, 0);
		if (i % 70 == 0)
			mreq(s, i % 140 ? IP_BLOCK_SOURCE : IP_UNBLOCK_SOURCE, GROUP,
			     SOURCE(i & 7));
	}
	sock_close(s);
	sim_run_s(10);
	teardown();
}

static void without_memory(void **state)
{
	u32 every, i;

	for (every = 2; every < 10; every++) {
		struct socket *s[4];

		setup();
		sim_seed(every);
		sim_fail_every(every);
		for (i = 0; i < 4; i++) {
			s[i] = sock_open(SOCK_DGRAM, 0);
			if (IS_ERR(s[i]))
				continue;
			mreq(s[i], IP_ADD_MEMBERSHIP, GROUP + i, 0);
			mreq(s[i], IP_BLOCK_SOURCE, GROUP + i, SOURCE(1));
			mreq(s[i], IP_ADD_SOURCE_MEMBERSHIP, GROUP, SOURCE(2));
			query(EVERY_GROUP, 3, 500, 0, NULL, 0);
			sim_run_s(1);
			mreq(s[i], IP_DROP_MEMBERSHIP, GROUP + i, 0);
		}
		for (i = 0; i < 4; i++)
			if (!IS_ERR(s[i]))
				sock_close(s[i]);
		sim_fail_every(0);
		sim_run_s(5);
		teardown();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LISTENER_CASES,
		cmocka_unit_test(unwanted_queries),
		cmocka_unit_test(older_queriers),
		cmocka_unit_test(a_link_comes_back),
		cmocka_unit_test(each_socket_has_its_filter),
		cmocka_unit_test(whole_filters),
		cmocka_unit_test(random_messages),
		cmocka_unit_test(without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
