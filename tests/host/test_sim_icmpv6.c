/* SPDX-License-Identifier: MIT */
/* test_sim_icmpv6.c - RFC 4443 on a simulated wire: echo, when an error is sent and when silence is
 * the rule, how often, what it quotes; which errors from outside are believed; ping sockets. */
#include "stack6.h"

#define NOBODY 253 /* a protocol that nobody serves */

static const u8 body[32];
static struct ip_addr host, router, router_ll, all_nodes;

static void setup(void)
{
	assert_int_equal(stack_up6(), 0);
	host = HOST6;
	router = PEER6;
	router_ll = PEER6_LL;
	all_nodes = ip6("ff02::1");
	drops_mark();
}

static void teardown(void)
{
	stack_down6();
}

static bool same(struct ip_addr a, struct ip_addr b)
{
	return ip_addr_eq(&a, &b);
}

/* The oldest frame that was heard; NULL: no more. */
static const struct frame *next_frame(void)
{
	if (list_empty(&peer.heard))
		return NULL;
	return peer_take(&peer, list_first_entry(&peer.heard, struct frame, node));
}

/* No error and no reply; solicitations are somebody else's. */
static void heard_nothing(void)
{
	const struct frame *f;
	const u8 *m;
	u8 proto;

	while ((f = next_frame()) != NULL) {
		m = frame6_payload(f, &proto, NULL);
		if (m && proto == 58)
			assert_true(m[0] >= 130);
	}
}

/* ---- echo ---- */

static void heard_reply(struct ip_addr from, struct ip_addr to, u16 id, u16 seq, u32 size)
{
	const struct frame *f = peer6_take_icmp(&peer, 129, 0);
	const u8 *m;
	u32 len, k;

	assert_non_null(f);
	assert_true(frame6_sound(f));
	assert_true(same(frame6_src(f), from));
	assert_true(same(frame6_dst(f), to));
	m = frame6_payload(f, NULL, &len);
	assert_int_equal(len, 8 + size);
	assert_int_equal(get_be32(m + 4), (u32)id << 16 | seq);
	for (k = 0; k < size; k++)
		assert_int_equal(m[8 + k], (u8)(k * 7 + seq));
}

static void every_size_comes_back(void **state)
{
	static const u32 sizes[] = { 0, 1, 2, 17, 56, 57, 100, 1451, 1452 };
	struct ip_addr ll;
	u32 i;

	setup();
	ll = host_ll();
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		peer6_echo(&peer, &router, &host, 0x1234, i, sizes[i]);
		sim_run_ms(2);
		heard_reply(host, router, 0x1234, i, sizes[i]);
		peer6_echo(&peer, NULL, &ll, 0x4321, i, sizes[i]);
		sim_run_ms(2);
		heard_reply(ll, router_ll, 0x4321, i, sizes[i]);
	}
	teardown();
}

/* RFC 4443 4.2: the reply to a group comes from an address of the interface. */
static void a_group_is_answered(void **state)
{
	setup();
	peer6_echo(&peer, NULL, &all_nodes, 7, 1, 40);
	sim_run_ms(2);
	heard_reply(host_ll(), router_ll, 7, 1, 40);
	peer6_echo(&peer, &router, &all_nodes, 7, 2, 41);
	sim_run_ms(2);
	heard_reply(host, router, 7, 2, 41);
	assert_int_equal(sysctl6("icmp/echo_ignore_multicast", "1"), 0);
	peer6_echo(&peer, NULL, &all_nodes, 7, 3, 40);
	sim_run_ms(2);
	heard_nothing();
	peer6_echo(&peer, NULL, &host, 7, 4, 40);
	sim_run_ms(2);
	heard_reply(host, router_ll, 7, 4, 40);
	assert_int_equal(sysctl6("icmp/echo_ignore_all", "1"), 0);
	peer6_echo(&peer, NULL, &host, 7, 5, 40);
	sim_run_ms(2);
	heard_nothing();
	teardown();
}

static void what_is_not_answered(void **state)
{
	struct ipv6_fields h = { .src = router, .dst = host, .next = 58, .keep_sum = true };
	struct ip_addr none = ip_addr_any(AF_INET6);
	u8 m[64];
	u32 type;

	setup();
	h.src = router;
	h.dst = host;
	/* checksum, length */
	icmp6_message(m, 128, 0, 1, body, 32);
	peer6_send(&peer, NULL, &h, m, 40);
	h.keep_sum = false;
	peer6_send(&peer, NULL, &h, m, 3);
	peer6_send(&peer, NULL, &h, m, 7);
	/* code, source */
	peer6_icmp(&peer, &router, &host, 128, 1, 1, body, 32);
	peer6_icmp(&peer, &none, &host, 128, 0, 1, body, 32);
	sim_run_ms(2);
	assert_int_equal(drops_since(DROP_BADSUM), 1);
	assert_in_range(drops_since(DROP_TRUNCATED), 2, 2);
	/* RFC 4443 2.4 b; no answers about the node (RFC 4620: 139) */
	for (type = 0; type < 256; type++) {
		if (type != 128 && (type < 130 || type > 137) && type != 143)
			peer6_icmp(&peer, &router, &host, type, 0, 0, "abcdefgh", 8);
	}
	sim_run_ms(20);
	heard_nothing();
	teardown();
}

/* ---- errors sent ---- */

static void nobody(const struct ip_addr *from, const struct ip_addr *to, const u8 *mac)
{
	struct ipv6_fields h = { .src = *from, .dst = *to, .next = NOBODY };

	peer6_send(&peer, mac, &h, body, 32);
}

static void unknown_protocol_is_a_problem(void **state)
{
	struct ipv6_fields h = { .next = NOBODY };
	struct chain6 c = { 0 };
	const struct frame *f;
	u32 len;

	setup();
	h.src = router;
	h.dst = host;
	nobody(&router, &host, NULL);
	sim_run_ms(2);
	f = peer6_take_icmp(&peer, 4, 1);
	assert_non_null(f);
	assert_true(frame6_sound(f));
	assert_true(same(frame6_src(f), host));
	assert_true(same(frame6_dst(f), router));
	assert_int_equal(get_be32(frame6_icmp(f) + 4), 6); /* the fixed header's next header */
	frame6_payload(f, NULL, &len);
	assert_int_equal(len, 8 + 40 + 32);
	assert_int_equal(drops_since(DROP_NO_PROTO), 1);
	/* behind destination options */
	chain6_options(&c, 60, NULL, 0);
	h.chain = &c;
	peer6_send(&peer, NULL, &h, body, 32);
	sim_run_ms(2);
	f = peer6_take_icmp(&peer, 4, 1);
	assert_non_null(f);
	assert_int_equal(get_be32(frame6_icmp(f) + 4), 40);
	/* from its link-local address: an answer from the address that was asked */
	nobody(&router_ll, &host, NULL);
	sim_run_ms(2);
	f = peer6_take_icmp(&peer, 4, 1);
	assert_non_null(f);
	assert_true(same(frame6_src(f), host));
	teardown();
}

static void quotes_as_much_as_fits(void **state)
{
	struct ipv6_fields h = { .next = NOBODY };
	const struct frame *f;
	u32 len;

	setup();
	h.src = router;
	h.dst = host;
	peer6_send(&peer, NULL, &h, NULL, 1400);
	sim_run_ms(2);
	f = peer6_take_icmp(&peer, 4, 1);
	assert_non_null(f);
	assert_true(frame6_sound(f));
	frame6_payload(f, NULL, &len);
	assert_int_equal(len + 40, 1280);
	teardown();
}

/* RFC 4443 2.4 e */
static void silence(void **state)
{
	static const u8 about[] = { 0, 1, 2, 3, 4, 100, 127, 137 };
	static const u8 stubborn[] = { 0x80 | 0x1e, 0 }, meek[] = { 0xc0 | 0x1e, 0 };
	struct ip_addr none = ip_addr_any(AF_INET6), group = ip6("ff02::5");
	struct ipv6_fields h = { .next = 58 };
	struct chain6 bad = { 0 }, bad_unicast = { 0 };
	u8 group_mac[6], m[64];
	u32 i;

	setup();
	ip6_group_mac(group_mac, &all_nodes);
	nobody(&router, &all_nodes, NULL);
	nobody(&router, &host, group_mac);
	nobody(&router, &host, broadcast_mac);
	nobody(&none, &host, NULL);
	nobody(&group, &host, NULL);
	sim_run_ms(5);
	heard_nothing();
	/* about errors and redirects, whatever else is wrong with them */
	chain6_options(&bad, 60, stubborn, 2);
	chain6_options(&bad_unicast, 60, meek, 2);
	h.src = router;
	h.dst = host;
	h.chain = &bad;
	for (i = 0; i < ARRAY_SIZE(about); i++)
		peer6_send(&peer, NULL, &h, m, icmp6_message(m, about[i], 0, 0, body, 32));
	sim_run_s(5);
	heard_nothing();
	/* about a request it is allowed; about an option whose type insists even to a group */
	peer6_send(&peer, NULL, &h, m, icmp6_message(m, 128, 0, 0, body, 32));
	sim_run_ms(2);
	assert_non_null(peer6_take_icmp(&peer, 4, 2));
	h.dst = all_nodes;
	peer6_send(&peer, NULL, &h, m, icmp6_message(m, 128, 0, 0, body, 32));
	sim_run_ms(2);
	assert_non_null(peer6_take_icmp(&peer, 4, 2));
	h.chain = &bad_unicast;
	peer6_send(&peer, NULL, &h, m, icmp6_message(m, 128, 0, 0, body, 32));
	sim_run_ms(2);
	heard_nothing();
	teardown();
}

static void silence_without_icmp(void **state)
{
	setup();
	assert_int_equal(sim_rmmod("icmp", false), 0);
	nobody(&router, &host, NULL);
	peer6_echo(&peer, NULL, &host, 1, 1, 56);
	sim_run_ms(2);
	assert_null(peer6_take_icmp(&peer, 4, -1));
	assert_null(peer6_take_icmp(&peer, 129, -1));
	assert_int_equal(sim_insmod("icmp", NULL), 0);
	peer6_echo(&peer, NULL, &host, 1, 2, 56);
	sim_run_ms(2);
	heard_reply(host, router_ll, 1, 2, 56);
	teardown();
}

static void rate_is_limited(void **state)
{
	struct ip_addr from;
	u32 i, n;

	setup();
	assert_int_equal(sysctl6("icmp/ratelimit", "1000"), 0);
	for (i = 0; i < 200; i++)
		nobody(&router, &host, NULL);
	sim_run_ms(10);
	n = peer6_count_icmp(&peer, 4);
	assert_in_range(n, 1, 10);
	assert_int_equal(drops_since(DROP_RATE_LIMIT), 200 - n);
	assert_non_null(strstr(sim_read("/proc/net/snmp6"), "Icmp6OutRateLimitHost"));
	peer_forget(&peer);
	/* one a second for each receiver; a whole /64 is one */
	from = router;
	for (i = 0; i < 100; i++) {
		from.b[15] = 100 + i % 50;
		nobody(&from, &host, NULL);
		sim_run_ms(100);
	}
	assert_in_range(peer6_count_icmp(&peer, 4), 0, 13);
	/* many receivers have a bound together */
	peer_forget(&peer);
	from = ip6("2001:db8:1::1");
	for (i = 0; i < 3000; i++) {
		put_be16(from.b + 6, i);
		nobody(&from, &host, NULL);
		if (i % 100 == 0)
			sim_run_ms(1);
	}
	sim_run_ms(10);
	assert_in_range(peer6_count_icmp(&peer, 4), 40, 120);
	teardown();
}

static void rate_settings(void **state)
{
	u32 i;

	setup();
	assert_string_equal(sim_read("/proc/sys/net/ipv6/icmp/ratemask"), "0-1,3-127\n");
	assert_string_equal(sim_read("/proc/sys/net/ipv6/icmp/ratelimit"), "100\n");
	assert_int_equal(sysctl6("icmp/ratemask", "128"), -EINVAL);
	assert_int_equal(sysctl6("icmp/ratemask", "3-1"), -EINVAL);
	assert_int_equal(sysctl6("icmp/ratemask", "1,"), -EINVAL);
	assert_int_equal(sysctl6("icmp/ratemask", "x"), -EINVAL);
	assert_string_equal(sim_read("/proc/sys/net/ipv6/icmp/ratemask"), "0-1,3-127\n");
	/* parameter problems are free now, but for the bound on all together */
	assert_int_equal(sysctl6("icmp/ratemask", "0-3,5,63-64,127"), 0);
	assert_string_equal(sim_read("/proc/sys/net/ipv6/icmp/ratemask"), "0-3,5,63-64,127\n");
	for (i = 0; i < 30; i++)
		nobody(&router, &host, NULL);
	sim_run_ms(10);
	assert_int_equal(peer6_count_icmp(&peer, 4), 30);
	assert_int_equal(sysctl6("icmp/ratemask", ""), 0);
	assert_string_equal(sim_read("/proc/sys/net/ipv6/icmp/ratemask"), "\n");
	teardown();
}

/* ---- errors received ---- */

static int take_error(struct socket *s)
{
	return -socket_take_error(s);
}

static void send_error(u8 type, u8 code, u32 rest, const u8 *quote, u32 len)
{
	peer6_error(&peer, &host, type, code, rest, quote, len);
	sim_run_ms(1);
}

/* A ping socket that has sent a request; the packet is in quote. */
static struct socket *pinger(u8 *quote, u32 len)
{
	u8 echo[16] = { 128 };
	const struct frame *f;
	struct socket *s = sock_open6(SOCK_DGRAM, IPPROTO_ICMPV6);
	int on = 1;

	assert_false(IS_ERR(s));
	assert_int_equal(sock_setopt(s, SOL_IPV6, IPV6_RECVERR, &on, sizeof(on)), 0);
	assert_int_equal(sock_send6(s, &router, 0, echo, 16, 0), 16);
	sim_run_ms(1);
	f = peer6_take_icmp(&peer, 128, 0);
	assert_non_null(f);
	assert_true(frame6_sound(f));
	memcpy(quote, f->data + 14, len);
	return s;
}

static void errors_reach_the_socket(void **state)
{
	static const struct {
		u8 type, code;
		int err;
	} cases[] = {
		{ 1, 0, ENETUNREACH },	{ 1, 1, EACCES },	{ 1, 2, EHOSTUNREACH },
		{ 1, 3, EHOSTUNREACH }, { 1, 4, ECONNREFUSED }, { 1, 5, EACCES },
		{ 1, 6, EACCES },	{ 1, 7, EPROTO },	{ 3, 0, EHOSTUNREACH },
		{ 3, 1, EHOSTUNREACH }, { 4, 0, EPROTO },	{ 4, 1, EPROTO },
		{ 4, 2, EPROTO },	{ 100, 0, EPROTO }, /* 2.4 a */
		{ 127, 255, EPROTO },
	};
	struct socket *s;
	u8 quote[64];
	u32 i;

	setup();
	s = pinger(quote, 56);
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		send_error(cases[i].type, cases[i].code, 0, quote, 56);
		if (take_error(s) != cases[i].err)
			print_error("case %u\n", i);
		send_error(cases[i].type, cases[i].code, 0, quote, 56);
		assert_int_equal(take_error(s), cases[i].err);
	}
	/* lies */
	for (i = 0; i < 48; i++)
		send_error(1, 4, 0, quote, i);
	assert_int_equal(take_error(s), 0);
	quote[23] ^= 1; /* not our address */
	send_error(1, 4, 0, quote, 56);
	quote[23] ^= 1;
	quote[44] ^= 1; /* not its identifier */
	send_error(1, 4, 0, quote, 56);
	quote[44] ^= 1;
	quote[40] = 129; /* a reply */
	send_error(1, 4, 0, quote, 56);
	quote[40] = 128;
	quote[6] = 17; /* another transport */
	send_error(1, 4, 0, quote, 56);
	quote[6] = 60; /* which is no chain of headers */
	send_error(1, 4, 0, quote, 56);
	quote[6] = 58;
	quote[0] = 0x40; /* another version */
	send_error(1, 4, 0, quote, 56);
	quote[0] = 0x60;
	peer6_error(&peer, &all_nodes, 1, 4, 0, quote, 56);
	sim_run_ms(1);
	assert_int_equal(take_error(s), 0);
	send_error(1, 4, 0, quote, 56);
	assert_int_equal(take_error(s), ECONNREFUSED);
	sock_close(s);
	send_error(1, 4, 0, quote, 56);
	teardown();
}

/* RFC 4884: the length of the quote stands in the header, extensions follow. */
static void extensions_are_tolerated(void **state)
{
	u8 quote[64], m[256] = { 0 };
	struct socket *s;

	setup();
	s = pinger(quote, 56);
	memcpy(m, quote, 56);
	memcpy(m + 128, "\x20\x00\x00\x00\x00\x08\x01\x01", 8);
	send_error(1, 4, 16u << 24, m, 144);
	assert_int_equal(take_error(s), ECONNREFUSED);
	/* lengths that cannot be */
	send_error(1, 4, 1u << 24, m, 144);
	assert_int_equal(take_error(s), ECONNREFUSED);
	send_error(3, 0, 255u << 24, m, 144);
	assert_int_equal(take_error(s), EHOSTUNREACH);
	sock_close(s);
	teardown();
}

static u32 longest_sent(struct socket *s, u32 len, u32 *frames)
{
	static u8 echo[1452] = { 128 };
	const struct frame *f;
	u32 longest = 0;

	peer_forget(&peer);
	assert_int_equal(sock_send6(s, &router, 0, echo, len, 0), len);
	sim_run_ms(1);
	for (*frames = 0; (f = next_frame()) != NULL; ++*frames)
		longest = max(longest, f->len - 14);
	return longest;
}

/* RFC 8201 4: what was too long is cut from now on; less than 1280 is a lie. */
static void path_mtu_is_learnt(void **state)
{
	struct socket *s;
	u8 quote[64];
	u32 n;

	setup();
	s = pinger(quote, 56);
	assert_int_equal(longest_sent(s, 1452, &n), 1492);
	send_error(2, 0, 1279, quote, 56);
	send_error(2, 0, 0, quote, 56);
	send_error(2, 0, 68, quote, 56);
	assert_int_equal(longest_sent(s, 1452, &n), 1492);
	assert_int_equal(n, 1);
	assert_int_equal(drops_since(DROP_BAD_LENGTH), 3);
	quote[44] ^= 1; /* not about a packet that was sent */
	send_error(2, 0, 1300, quote, 56);
	quote[44] ^= 1;
	assert_int_equal(longest_sent(s, 1452, &n), 1492);
	send_error(2, 0, 1300, quote, 56);
	assert_int_equal(take_error(s), EMSGSIZE);
	assert_in_range(longest_sent(s, 1452, &n), 1293, 1300);
	assert_int_equal(n, 2);
	/* never up */
	send_error(2, 0, 1400, quote, 56);
	take_error(s);
	assert_in_range(longest_sent(s, 1452, &n), 1293, 1300);
	send_error(2, 0, 1280, quote, 56);
	take_error(s);
	assert_in_range(longest_sent(s, 1452, &n), 1273, 1280);
	sock_close(s);
	teardown();
}

/* ---- ping sockets ---- */

static void a_ping_socket_hears_its_replies(void **state)
{
	u8 echo[24] = { 128, 0, 0, 0, 0, 0, 0, 9, 'h', 'e', 'l', 'l', 'o' }, got[64];
	struct ip_addr from, mapped = ip_addr_v4(PEER);
	struct socket *s, *v4, *other;
	const struct frame *f;
	u16 port = 77, id;

	setup();
	s = sock_open6(SOCK_DGRAM, IPPROTO_ICMPV6);
	assert_false(IS_ERR(s));
	assert_int_equal(sock_send6(s, &router, 0, echo, 24, 0), 24);
	sim_run_ms(1);
	f = peer6_take_icmp(&peer, 128, 0);
	assert_non_null(f);
	assert_true(frame6_sound(f));
	id = get_be16(frame6_icmp(f) + 4);
	assert_int_not_equal(id, 0);
	peer6_icmp(&peer, &router, &host, 129, 0, (u32)(id ^ 1) << 16 | 9, "other", 5);
	peer6_icmp(&peer, &router, &host, 129, 0, (u32)id << 16 | 9, "hello", 5);
	sim_run_ms(1);
	assert_int_equal(sock_recv6(s, got, sizeof(got), MSG_DONTWAIT, &from, &port), 13);
	assert_memory_equal(got + 8, "hello", 5);
	assert_int_equal(got[0], 129);
	assert_int_equal(port, 0);
	assert_true(same(from, router));
	assert_int_equal(sock_recv6(s, got, sizeof(got), MSG_DONTWAIT, NULL, NULL), -EAGAIN);
	assert_non_null(strstr(sim_read("/proc/net/icmp6"), ": 00000000000000000000000000000000:"));
	/* requests alone, and to no IPv4 */
	echo[0] = 129;
	assert_int_equal(sock_send6(s, &router, 0, echo, 24, 0), -EINVAL);
	echo[0] = 8;
	assert_int_equal(sock_send6(s, &router, 0, echo, 24, 0), -EINVAL);
	echo[0] = 128;
	assert_int_equal(sock_send6(s, &mapped, 0, echo, 24, 0), -EINVAL);
	assert_int_equal(sock_send6(s, &router, 0, echo, 7, 0), -EINVAL);
	/* an identifier is one socket's, of each version */
	other = sock_open6(SOCK_DGRAM, IPPROTO_ICMPV6);
	v4 = sock_open(SOCK_DGRAM, IPPROTO_ICMP);
	assert_int_equal(sock_bind6(other, &host, id), -EADDRINUSE);
	assert_int_equal(sock_bind(v4, HOST, id), 0);
	sock_close(v4);
	sock_close(other);
	sock_close(s);
	teardown();
}

/* ---- counters ---- */

static u64 counter(const char *name)
{
	const char *s = strstr(sim_read("/proc/net/snmp6"), name);
	u64 n = 0;

	assert_non_null(s);
	for (s += strlen(name); *s == ' ' || *s == '\t'; s++)
		;
	for (; *s >= '0' && *s <= '9'; s++)
		n = n * 10 + *s - '0';
	return n;
}

static void counters(void **state)
{
	u64 in, out;

	setup();
	in = counter("Icmp6InEchos ");
	out = counter("Icmp6OutEchoReplies ");
	peer6_echo(&peer, NULL, &host, 1, 1, 10);
	peer6_echo(&peer, NULL, &host, 1, 2, 10);
	sim_run_ms(2);
	assert_int_equal(counter("Icmp6InEchos "), in + 2);
	assert_int_equal(counter("Icmp6OutEchoReplies "), out + 2);
	assert_int_equal(counter("Icmp6InType128 "), in + 2);
	assert_true(counter("Icmp6OutNeighborSolicits ") > 0);
	teardown();
}

/* ---- without memory ---- */

static void without_memory(void **state)
{
	u8 echo[16] = { 128 }, quote[64];
	struct socket *s;
	u32 seed, i, loaded = 0;

	setup();
	s = pinger(quote, 56);
	for (seed = 1; seed <= 40; seed++) {
		sim_seed(seed);
		sim_fail_every(2 + seed % 7);
		for (i = 0; i < 10; i++) {
			peer6_echo(&peer, NULL, &host, 1, i, 100);
			peer6_echo(&peer, NULL, &all_nodes, 1, i, 100);
			nobody(&router, &host, NULL);
			send_error(1, 4, 0, quote, 56);
			sock_send6(s, &router, 0, echo, 16, MSG_DONTWAIT);
			sim_run_ms(20);
		}
		sim_read("/proc/net/icmp6");
		sim_read("/proc/net/snmp6");
		sim_fail_every(0);
	}
	sock_close(s);
	sim_run_s(10);
	peer_forget(&peer);
	peer6_echo(&peer, NULL, &host, 1, 1, 100);
	sim_run_ms(2);
	heard_reply(host, router_ll, 1, 1, 100);
	/* a module that cannot start is not there */
	for (seed = 1; seed <= 40; seed++) {
		assert_int_equal(sim_rmmod("icmp", false), 0);
		sim_seed(seed);
		sim_fail_every(5 + seed);
		if (!sim_insmod("icmp", NULL)) {
			loaded++;
			sim_fail_every(0);
			continue;
		}
		sim_fail_every(0);
		assert_int_equal(sim_insmod("icmp", NULL), 0);
	}
	assert_in_range(loaded, 1, 39);
	teardown();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_size_comes_back),
		cmocka_unit_test(a_group_is_answered),
		cmocka_unit_test(what_is_not_answered),
		cmocka_unit_test(unknown_protocol_is_a_problem),
		cmocka_unit_test(quotes_as_much_as_fits),
		cmocka_unit_test(silence),
		cmocka_unit_test(silence_without_icmp),
		cmocka_unit_test(rate_is_limited),
		cmocka_unit_test(rate_settings),
		cmocka_unit_test(errors_reach_the_socket),
		cmocka_unit_test(extensions_are_tolerated),
		cmocka_unit_test(path_mtu_is_learnt),
		cmocka_unit_test(a_ping_socket_hears_its_replies),
		cmocka_unit_test(counters),
		cmocka_unit_test(without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
