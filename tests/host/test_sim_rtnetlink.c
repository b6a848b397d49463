/* SPDX-License-Identifier: MIT */
/* test_sim_rtnetlink.c - requests as ip(8) and the C library write them, byte by byte: dumps in
 * parts, answers, errors, changes, events, names of sockets, and messages that lie. */
#include "stack.h"

#include <kernel/net/socket_internal.h>
#include <uapi/netlink.h>
#include <weft/err.h>

static void setup(void)
{
	assert_int_equal(stack_up(), 0);
	assert_int_equal(sim_insmod("rtnetlink", NULL), 0);
}

static void teardown(void)
{
	assert_int_equal(sim_rmmod("rtnetlink", false), 0);
	stack_down();
}

static struct socket *open_netlink(void)
{
	struct socket *s = socket_create(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);

	assert_false(IS_ERR(s));
	return s;
}

static int bind_nl(struct socket *s, u32 pid, u32 groups)
{
	struct sockaddr_nl sa = { AF_NETLINK, 0, pid, groups };
	u8 name[SOCKADDR_MAX] = { 0 };
	int err;

	memcpy(name, &sa, sizeof(sa));
	assert_int_equal(socket_enter(s), 0);
	err = s->ops->bind(s, name, sizeof(sa));
	socket_leave(s);
	return err;
}

static u32 pid_of(struct socket *s)
{
	u8 name[SOCKADDR_MAX];
	struct sockaddr_nl sa;
	u32 len = sizeof(name);

	assert_int_equal(socket_enter(s), 0);
	assert_int_equal(s->ops->name(s, name, &len, false), 0);
	socket_leave(s);
	assert_int_equal(len, sizeof(sa));
	memcpy(&sa, name, sizeof(sa));
	assert_int_equal(sa.nl_family, AF_NETLINK);
	return sa.nl_pid;
}

static long put(struct socket *s, const void *data, u32 len)
{
	struct iovec iov = { (void *)data, len };
	struct msg m = { 0 };

	iter_init(&m.iter, &iov, 1, false);
	return socket_sendmsg(s, &m);
}

static u8 answer[65536];

static long take(struct socket *s, u32 flags)
{
	return sock_recv(s, answer, sizeof(answer), flags | MSG_DONTWAIT, NULL);
}

/* ---- requests ---- */

struct request {
	u8 b[512];
	u32 len;
};

static void begin(struct request *r, u16 type, u16 flags, const void *body, u32 len)
{
	struct nlmsghdr h = { 0, type, NLM_F_REQUEST | flags, 77, 0 };

	memset(r, 0, sizeof(*r));
	memcpy(r->b, &h, sizeof(h));
	memcpy(r->b + sizeof(h), body, len);
	r->len = sizeof(h) + len;
	memcpy(r->b, &r->len, 4);
}

static void attr(struct request *r, u16 type, const void *data, u32 len)
{
	struct nlattr a = { 4 + len, type };

	memcpy(r->b + r->len, &a, 4);
	memcpy(r->b + r->len + 4, data, len);
	r->len += (4 + len + 3) & ~3u;
	memcpy(r->b, &r->len, 4);
}

static void attr_u32(struct request *r, u16 type, u32 v)
{
	attr(r, type, &v, 4);
}

static void attr_ip(struct request *r, u16 type, u32 addr)
{
	addr = htonl(addr);
	attr(r, type, &addr, 4);
}

/* Sends r with NLM_F_ACK: the errno that comes back. */
static int ask(struct socket *s, struct request *r)
{
	struct nlmsghdr h;
	int err;

	memcpy(&h, r->b, sizeof(h));
	h.nlmsg_flags |= NLM_F_ACK;
	memcpy(r->b, &h, sizeof(h));
	assert_int_equal(put(s, r->b, r->len), r->len);
	assert_true(take(s, 0) >= 36);
	memcpy(&h, answer, sizeof(h));
	assert_int_equal(h.nlmsg_type, NLMSG_ERROR);
	assert_int_equal(h.nlmsg_seq, 77);
	assert_int_equal(h.nlmsg_pid, pid_of(s));
	memcpy(&err, answer + 16, 4);
	return err;
}

/* ---- answers ---- */

struct seen {
	u32 messages, parts;
	u16 type; /* of the last message */
	u8 body[32];
	u8 attr[64][256];
	u16 attr_len[64];
};

static void read_attrs(struct seen *seen, const u8 *p, u32 len)
{
	struct nlattr a;

	memset(seen->attr_len, 0, sizeof(seen->attr_len));
	while (len >= 4) {
		memcpy(&a, p, 4);
		assert_in_range(a.nla_len, 4, len);
		if (a.nla_type < 64 && a.nla_len - 4 <= 256) {
			memcpy(seen->attr[a.nla_type], p + 4, a.nla_len - 4);
			seen->attr_len[a.nla_type] = a.nla_len - 4;
		}
		p += (a.nla_len + 3) & ~3u;
		len -= min((u32)((a.nla_len + 3) & ~3u), len);
	}
}

typedef bool (*pick_fn)(const struct seen *s, u32 arg);

/* Reads a whole dump; keeps the message that pick chooses (NULL: the last). */
static void dump(struct socket *s, u16 type, u8 family, u32 body_len, pick_fn pick, u32 arg,
		 struct seen *out)
{
	u8 body[4] = { family };
	struct request r;
	struct seen one = { 0 };
	bool done = false;

	memset(out, 0, sizeof(*out));
	begin(&r, type, NLM_F_DUMP, body, 4);
	assert_int_equal(put(s, r.b, r.len), r.len);
	while (!done) {
		long n = take(s, 0), at = 0;

		assert_true(n > 0 && n <= 4096);
		out->parts++;
		while (at < n) {
			struct nlmsghdr h;

			memcpy(&h, answer + at, sizeof(h));
			assert_in_range(h.nlmsg_len, 16, n - at);
			assert_int_equal(h.nlmsg_seq, 77);
			assert_true(h.nlmsg_flags & NLM_F_MULTI);
			if (h.nlmsg_type == NLMSG_DONE) {
				done = true;
			} else {
				one.type = h.nlmsg_type;
				memcpy(one.body, answer + at + 16, body_len);
				read_attrs(&one, answer + at + 16 + body_len,
					   h.nlmsg_len - 16 - body_len);
				one.messages = out->messages + 1;
				one.parts = out->parts;
				if (!pick || pick(&one, arg))
					*out = one;
				out->messages = one.messages;
				out->parts = one.parts;
			}
			at += (h.nlmsg_len + 3) & ~3u;
		}
	}
	assert_int_equal(take(s, 0), -EAGAIN);
}

static bool is_index(const struct seen *s, u32 index)
{
	struct ifinfomsg m;

	memcpy(&m, s->body, sizeof(m));
	return (u32)m.ifi_index == index;
}

static bool has_dst(const struct seen *s, u32 dst)
{
	return s->attr_len[RTA_DST] == 4 && get_be32(s->attr[RTA_DST]) == dst;
}

static u32 word(const u8 *p)
{
	u32 v;

	memcpy(&v, p, 4);
	return v;
}

static u32 eth0(void)
{
	return netif_named("eth0")->index;
}

/* ---- tests: telling ---- */

static void links_are_told(void **state)
{
	struct socket *s;
	struct seen seen;
	struct ifinfomsg m;

	setup();
	s = open_netlink();
	dump(s, RTM_GETLINK, 0, sizeof(m), is_index, eth0(), &seen);
	assert_int_equal(seen.messages, 2);
	memcpy(&m, seen.body, sizeof(m));
	assert_int_equal(m.ifi_type, ARPHRD_ETHER);
	assert_true(m.ifi_flags & IFF_UP);
	assert_true(m.ifi_flags & IFF_LOWER_UP);
	assert_string_equal((char *)seen.attr[IFLA_IFNAME], "eth0");
	assert_int_equal(word(seen.attr[IFLA_MTU]), 1500);
	assert_memory_equal(seen.attr[IFLA_ADDRESS], host_mac, 6);
	assert_memory_equal(seen.attr[IFLA_BROADCAST], broadcast_mac, 6);
	assert_int_equal(seen.attr_len[IFLA_STATS64], 200);
	assert_int_equal(seen.attr_len[IFLA_STATS], 96);
	assert_int_equal(seen.attr[IFLA_OPERSTATE][0], IF_OPER_UP);
	sock_close(s);
	teardown();
}

static void one_link_by_index_or_name(void **state)
{
	struct ifinfomsg m = { 0 };
	struct request r;
	struct nlmsghdr h;
	struct socket *s;

	setup();
	s = open_netlink();
	m.ifi_index = eth0();
	begin(&r, RTM_GETLINK, 0, &m, sizeof(m));
	assert_int_equal(put(s, r.b, r.len), r.len);
	assert_true(take(s, 0) > 100);
	memcpy(&h, answer, sizeof(h));
	assert_int_equal(h.nlmsg_type, RTM_NEWLINK);
	assert_false(h.nlmsg_flags & NLM_F_MULTI);
	m.ifi_index = 0;
	begin(&r, RTM_GETLINK, 0, &m, sizeof(m));
	attr(&r, IFLA_IFNAME, "lo", 3);
	assert_int_equal(put(s, r.b, r.len), r.len);
	assert_true(take(s, 0) > 100);
	begin(&r, RTM_GETLINK, 0, &m, sizeof(m));
	attr(&r, IFLA_IFNAME, "nope", 5);
	assert_int_equal(ask(s, &r), -ENODEV);
	begin(&r, RTM_GETLINK, 0, &m, sizeof(m));
	assert_int_equal(ask(s, &r), -EINVAL);
	m.ifi_index = 99;
	begin(&r, RTM_GETLINK, 0, &m, sizeof(m));
	assert_int_equal(ask(s, &r), -ENODEV);
	sock_close(s);
	teardown();
}

static void addresses_are_told(void **state)
{
	struct ifaddrmsg m;
	struct socket *s;
	struct seen seen;

	setup();
	s = open_netlink();
	dump(s, RTM_GETADDR, AF_INET, sizeof(m), NULL, 0, &seen);
	assert_int_equal(seen.messages, 1);
	memcpy(&m, seen.body, sizeof(m));
	assert_int_equal(m.ifa_prefixlen, 24);
	assert_int_equal(m.ifa_index, eth0());
	assert_true(m.ifa_flags & IFA_F_PERMANENT);
	assert_int_equal(get_be32(seen.attr[IFA_LOCAL]), HOST);
	assert_int_equal(get_be32(seen.attr[IFA_ADDRESS]), HOST);
	assert_int_equal(get_be32(seen.attr[IFA_BROADCAST]), HOST_BROADCAST);
	assert_string_equal((char *)seen.attr[IFA_LABEL], "eth0");
	dump(s, RTM_GETADDR, AF_INET6, sizeof(m), NULL, 0, &seen);
	assert_int_equal(seen.messages, 0);
	sock_close(s);
	teardown();
}

static void routes_are_told_and_looked_up(void **state)
{
	struct rtmsg m = { .rtm_family = AF_INET, .rtm_dst_len = 32 };
	struct request r;
	struct socket *s;
	struct seen seen;
	long n;

	setup();
	s = open_netlink();
	dump(s, RTM_GETROUTE, AF_INET, sizeof(m), has_dst, IP4(10, 0, 0, 0), &seen);
	assert_int_equal(seen.messages, 4); /* default, prefix, own, broadcast */
	memcpy(&m, seen.body, sizeof(m));
	assert_int_equal(m.rtm_table, RT_TABLE_MAIN);
	assert_int_equal(m.rtm_protocol, RTPROT_KERNEL);
	assert_int_equal(m.rtm_scope, RT_SCOPE_LINK);
	assert_int_equal(get_be32(seen.attr[RTA_PREFSRC]), HOST);
	m = (struct rtmsg){ .rtm_family = AF_INET, .rtm_dst_len = 32 };
	begin(&r, RTM_GETROUTE, 0, &m, sizeof(m));
	attr_ip(&r, RTA_DST, IP4(8, 8, 8, 8));
	put(s, r.b, r.len);
	n = take(s, 0);
	assert_true(n > 28);
	read_attrs(&seen, answer + 28, n - 28);
	assert_int_equal(get_be32(seen.attr[RTA_GATEWAY]), PEER);
	assert_int_equal(get_be32(seen.attr[RTA_PREFSRC]), HOST);
	assert_int_equal(word(seen.attr[RTA_OIF]), eth0());
	sock_close(s);
	teardown();
}

static void neighbours_are_told(void **state)
{
	struct socket *s;
	struct seen seen;
	struct ndmsg m;

	setup();
	stack_know_peer();
	s = open_netlink();
	dump(s, RTM_GETNEIGH, AF_INET, sizeof(m), NULL, 0, &seen);
	assert_int_equal(seen.messages, 1);
	memcpy(&m, seen.body, sizeof(m));
	assert_int_equal(m.ndm_state, NUD_PERMANENT);
	assert_int_equal(get_be32(seen.attr[NDA_DST]), PEER);
	assert_memory_equal(seen.attr[NDA_LLADDR], peer_mac, 6);
	sock_close(s);
	teardown();
}

/* ---- changing ---- */

static void request_route(struct request *r, u16 type, u16 flags, u32 dst, u8 plen, u32 gateway)
{
	struct rtmsg m = { AF_INET, plen, 0, 0, RT_TABLE_MAIN, 4, 0, RTN_UNICAST, 0 };

	begin(r, type, flags, &m, sizeof(m));
	if (plen)
		attr_ip(r, RTA_DST, dst);
	if (gateway)
		attr_ip(r, RTA_GATEWAY, gateway);
}

static void routes_come_and_go(void **state)
{
	const u16 new = NLM_F_CREATE | NLM_F_EXCL, over = NLM_F_CREATE | NLM_F_REPLACE;
	struct route_result res;
	struct ip_addr dst = ip_addr_v4(IP4(172, 16, 1, 1));
	struct request r;
	struct socket *s;
	struct seen seen;
	struct rtmsg m;

	setup();
	s = open_netlink();
	request_route(&r, RTM_NEWROUTE, new, IP4(172, 16, 0, 0), 12, IP4(10, 0, 0, 9));
	assert_int_equal(ask(s, &r), 0);
	assert_int_equal(ask(s, &r), -EEXIST);
	dump(s, RTM_GETROUTE, AF_INET, sizeof(m), has_dst, IP4(172, 16, 0, 0), &seen);
	memcpy(&m, seen.body, sizeof(m));
	assert_int_equal(m.rtm_protocol, 4);
	assert_int_equal(m.rtm_dst_len, 12);
	request_route(&r, RTM_NEWROUTE, over, IP4(172, 16, 0, 0), 12, IP4(10, 0, 0, 8));
	attr_u32(&r, RTA_OIF, eth0());
	assert_int_equal(ask(s, &r), 0);
	assert_int_equal(route_lookup(&dst, 0, &res), 0);
	assert_int_equal(ip_addr_to_v4(&res.next_hop), IP4(10, 0, 0, 8));
	request_route(&r, RTM_DELROUTE, 0, IP4(172, 16, 0, 0), 12, 0);
	assert_int_equal(ask(s, &r), 0);
	assert_int_equal(ask(s, &r), -ESRCH);
	request_route(&r, RTM_NEWROUTE, NLM_F_REPLACE, IP4(172, 16, 0, 0), 12, IP4(10, 0, 0, 8));
	assert_int_equal(ask(s, &r), -ENOENT);
	request_route(&r, RTM_NEWROUTE, new, IP4(172, 16, 0, 0), 12, IP4(11, 0, 0, 1));
	attr_u32(&r, RTA_OIF, eth0());
	assert_int_equal(ask(s, &r), -ENETUNREACH);
	request_route(&r, RTM_NEWROUTE, new, IP4(172, 16, 0, 1), 12, IP4(10, 0, 0, 8));
	assert_int_equal(ask(s, &r), -EINVAL);
	request_route(&r, RTM_NEWROUTE, new, IP4(172, 16, 0, 0), 33, IP4(10, 0, 0, 8));
	assert_int_equal(ask(s, &r), -EINVAL);
	request_route(&r, RTM_NEWROUTE, new, IP4(172, 16, 0, 0), 12, 0);
	assert_int_equal(ask(s, &r), -ENODEV);
	request_route(&r, RTM_NEWROUTE, new, IP4(172, 16, 0, 0), 12, 0);
	attr_u32(&r, RTA_OIF, 99);
	assert_int_equal(ask(s, &r), -ENODEV);
	request_route(&r, RTM_NEWROUTE, new, IP4(172, 16, 0, 0), 12, IP4(10, 0, 0, 8));
	attr_u32(&r, 15, 100); /* another table */
	assert_int_equal(ask(s, &r), -EOPNOTSUPP);
	sock_close(s);
	teardown();
}

static void request_addr(struct request *r, u16 type, u16 flags, u32 addr, u8 plen)
{
	struct ifaddrmsg m = { AF_INET, plen, 0, 0, eth0() };

	begin(r, type, flags, &m, sizeof(m));
	attr_ip(r, IFA_LOCAL, addr);
	attr_ip(r, IFA_ADDRESS, addr);
}

static void addresses_come_and_go(void **state)
{
	const u16 new = NLM_F_CREATE | NLM_F_EXCL;
	struct ip_addr a = ip_addr_v4(IP4(192, 168, 7, 1));
	struct request r;
	struct socket *s;

	setup();
	s = open_netlink();
	request_addr(&r, RTM_NEWADDR, new, IP4(192, 168, 7, 1), 24);
	assert_int_equal(ask(s, &r), 0);
	assert_int_equal(ask(s, &r), -EEXIST);
	assert_int_equal(route_classify(&a), ROUTE_LOCAL);
	request_addr(&r, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, IP4(192, 168, 7, 1), 24);
	assert_int_equal(ask(s, &r), 0);
	request_addr(&r, RTM_DELADDR, 0, IP4(192, 168, 7, 1), 25);
	assert_int_equal(ask(s, &r), -EADDRNOTAVAIL);
	request_addr(&r, RTM_DELADDR, 0, IP4(192, 168, 7, 1), 24);
	assert_int_equal(ask(s, &r), 0);
	assert_int_equal(ask(s, &r), -EADDRNOTAVAIL);
	assert_int_equal(route_classify(&a), ROUTE_UNICAST);
	request_addr(&r, RTM_NEWADDR, new, IP4(224, 0, 0, 1), 24);
	assert_int_equal(ask(s, &r), -EINVAL);
	request_addr(&r, RTM_NEWADDR, new, IP4(192, 168, 7, 1), 33);
	assert_int_equal(ask(s, &r), -EINVAL);
	sock_close(s);
	teardown();
}

static void links_change(void **state)
{
	struct ifinfomsg m = { 0 };
	struct request r;
	struct socket *s;
	struct netif *nif;

	setup();
	nif = netif_named("eth0");
	s = open_netlink();
	m.ifi_index = nif->index;
	begin(&r, RTM_NEWLINK, 0, &m, sizeof(m));
	attr_u32(&r, IFLA_MTU, 1400);
	assert_int_equal(ask(s, &r), 0);
	assert_int_equal(nif->mtu, 1400);
	begin(&r, RTM_NEWLINK, 0, &m, sizeof(m));
	attr_u32(&r, IFLA_MTU, 10);
	assert_int_equal(ask(s, &r), -EINVAL);
	m.ifi_change = IFF_UP;
	begin(&r, RTM_SETLINK, 0, &m, sizeof(m));
	assert_int_equal(ask(s, &r), 0);
	assert_false(netif_is_up(nif));
	m.ifi_flags = IFF_UP;
	begin(&r, RTM_NEWLINK, 0, &m, sizeof(m));
	attr(&r, IFLA_IFNAME, "wan", 4);
	assert_int_equal(ask(s, &r), 0);
	assert_true(netif_is_up(nif));
	assert_string_equal(nif->name, "wan");
	m = (struct ifinfomsg){ .ifi_change = IFF_PROMISC, .ifi_flags = IFF_PROMISC };
	begin(&r, RTM_NEWLINK, 0, &m, sizeof(m));
	attr(&r, IFLA_IFNAME, "wan", 4);
	assert_int_equal(ask(s, &r), 0);
	assert_true(netif_is_up(nif) && (nif->flags & IFF_PROMISC));
	begin(&r, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &m, sizeof(m));
	attr(&r, IFLA_IFNAME, "veth0", 6);
	assert_int_equal(ask(s, &r), -EOPNOTSUPP);
	begin(&r, RTM_DELLINK, 0, &m, sizeof(m));
	attr(&r, IFLA_IFNAME, "wan", 4);
	assert_int_equal(ask(s, &r), -EOPNOTSUPP);
	sock_close(s);
	teardown();
}

static void neighbours_come_and_go(void **state)
{
	struct ndmsg m = { AF_INET, 0, 0, 0, NUD_PERMANENT, 0, 0 };
	struct request r;
	struct socket *s;

	setup();
	s = open_netlink();
	m.ndm_ifindex = eth0();
	begin(&r, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_EXCL, &m, sizeof(m));
	attr_ip(&r, NDA_DST, IP4(10, 0, 0, 7));
	attr(&r, NDA_LLADDR, peer_mac, 6);
	assert_int_equal(ask(s, &r), 0);
	assert_int_equal(neigh_state_of(IP4(10, 0, 0, 7)), NEIGH_PERMANENT);
	assert_int_equal(ask(s, &r), -EEXIST);
	begin(&r, RTM_DELNEIGH, 0, &m, sizeof(m));
	attr_ip(&r, NDA_DST, IP4(10, 0, 0, 7));
	assert_int_equal(ask(s, &r), 0);
	assert_int_equal(ask(s, &r), -ENOENT);
	begin(&r, RTM_NEWNEIGH, NLM_F_CREATE, &m, sizeof(m));
	attr_ip(&r, NDA_DST, IP4(10, 0, 0, 7));
	attr(&r, NDA_LLADDR, peer_mac, 5);
	assert_int_equal(ask(s, &r), -EINVAL);
	sock_close(s);
	teardown();
}

static void only_root_changes(void **state)
{
	struct request r;
	struct socket *s;
	struct seen seen;

	setup();
	sim_root = false;
	s = open_netlink();
	request_addr(&r, RTM_NEWADDR, NLM_F_CREATE, IP4(192, 168, 7, 1), 24);
	assert_int_equal(ask(s, &r), -EPERM);
	request_route(&r, RTM_NEWROUTE, NLM_F_CREATE, IP4(172, 16, 0, 0), 12, IP4(10, 0, 0, 9));
	assert_int_equal(ask(s, &r), -EPERM);
	dump(s, RTM_GETADDR, 0, sizeof(struct ifaddrmsg), NULL, 0, &seen);
	assert_int_equal(seen.messages, 1);
	sim_root = true;
	sock_close(s);
	teardown();
}

/* ---- long dumps ---- */

static void a_long_dump_comes_in_parts(void **state)
{
	struct request r;
	struct socket *s;
	struct seen seen;

	setup();
	s = open_netlink();
	for (u32 i = 0; i < 500; i++) {
		request_route(&r, RTM_NEWROUTE, NLM_F_CREATE, IP4(172, 16, i >> 8, i & 255), 32,
			      PEER);
		assert_int_equal(ask(s, &r), 0);
	}
	dump(s, RTM_GETROUTE, AF_INET, sizeof(struct rtmsg), NULL, 0, &seen);
	assert_int_equal(seen.messages, 504);
	assert_true(seen.parts > 5);
	/* one dump at a time: the second request is answered behind the first part */
	begin(&r, RTM_GETROUTE, NLM_F_DUMP, &(struct rtmsg){ .rtm_family = AF_INET }, 12);
	put(s, r.b, r.len);
	put(s, r.b, r.len);
	assert_true(take(s, 0) > 3000);
	assert_true(take(s, 0) >= 36);
	assert_int_equal((int)word(answer + 16), -EBUSY);
	sock_close(s);
	teardown();
}

/* ---- names and queues ---- */

static void port_ids_are_unique(void **state)
{
	struct socket *a, *b, *c;

	setup();
	a = open_netlink();
	b = open_netlink();
	c = open_netlink();
	assert_int_equal(pid_of(a), 0);
	assert_int_equal(bind_nl(a, 0, 0), 0);
	assert_int_equal(bind_nl(b, 0, 0), 0);
	assert_true(pid_of(a) && pid_of(b) && pid_of(a) != pid_of(b));
	assert_int_equal(bind_nl(c, pid_of(a), 0), -EADDRINUSE);
	assert_int_equal(bind_nl(c, 4242, 0), 0);
	assert_int_equal(pid_of(c), 4242);
	assert_int_equal(bind_nl(c, 4243, 0), -EINVAL);
	assert_int_equal(bind_nl(c, 0, 1), 0);
	assert_int_equal(pid_of(c), 4242);
	sock_close(a);
	sock_close(b);
	sock_close(c);
	assert_int_equal(PTR_ERR(socket_create(AF_NETLINK, SOCK_RAW, 16)), -EPROTONOSUPPORT);
	assert_int_equal(PTR_ERR(socket_create(AF_NETLINK, SOCK_STREAM, 0)), -ESOCKTNOSUPPORT);
	teardown();
}

static void length_is_peeked_before_reading(void **state)
{
	struct request r;
	struct socket *s;
	long n;

	setup();
	s = open_netlink();
	begin(&r, RTM_GETLINK, NLM_F_DUMP, "\0\0\0", 4);
	put(s, r.b, r.len);
	n = sock_recv(s, answer, 0, MSG_PEEK | MSG_TRUNC, NULL);
	assert_true(n > 300);
	assert_int_equal(sock_recv(s, answer, sizeof(answer), 0, NULL), n);
	sock_close(s);
	teardown();
}

static void events_reach_their_groups(void **state)
{
	struct socket *s, *other;
	struct nlmsghdr h;
	struct request r;
	u32 group = RTNLGRP_IPV4_ROUTE;
	bool route = false, addr = false, link = false;

	setup();
	s = open_netlink();
	other = open_netlink();
	assert_int_equal(bind_nl(s, 0, 1u << (RTNLGRP_LINK - 1) | 1u << (RTNLGRP_IPV4_IFADDR - 1)),
			 0);
	assert_int_equal(sock_setopt(s, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, 4), 0);
	request_addr(&r, RTM_NEWADDR, NLM_F_CREATE, IP4(192, 168, 7, 1), 24);
	assert_int_equal(ask(other, &r), 0);
	assert_int_equal(ifconfig_down("eth0"), 0);
	while (take(s, 0) > 0) {
		memcpy(&h, answer, sizeof(h));
		assert_int_equal(h.nlmsg_seq + h.nlmsg_pid, 0);
		route |= h.nlmsg_type == RTM_NEWROUTE;
		addr |= h.nlmsg_type == RTM_NEWADDR;
		link |= h.nlmsg_type == RTM_NEWLINK;
	}
	assert_true(route && addr && link);
	assert_int_equal(take(other, 0), -EAGAIN);
	group = 99;
	assert_int_equal(sock_setopt(s, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, 4), -EINVAL);
	/* who does not read hears that he missed some */
	group = 1;
	assert_int_equal(sock_setopt(s, SOL_SOCKET, SO_RCVBUF, &group, 4), 0);
	for (u32 i = 0; i < 10; i++) {
		ifconfig("eth0", HOST, 24);
		ifconfig_down("eth0");
	}
	assert_int_equal(take(s, 0), -ENOBUFS);
	assert_true(take(s, 0) > 0);
	sock_close(s);
	sock_close(other);
	teardown();
}

/* ---- what lies ---- */

static void lies_are_refused(void **state)
{
	struct rtmsg m = { .rtm_family = AF_INET };
	struct nlmsghdr h = { 16, RTM_GETLINK, NLM_F_REQUEST | NLM_F_ACK, 77, 0 };
	struct request r;
	struct socket *s;
	u16 len;

	setup();
	s = open_netlink();
	/* shorter than a header, or claiming more than there is: no answer to give */
	assert_int_equal(put(s, &h, 8), 8);
	assert_int_equal(take(s, 0), -EAGAIN);
	h.nlmsg_len = 2000;
	assert_int_equal(put(s, &h, 16), 16);
	assert_int_equal(take(s, 0), -EAGAIN);
	h.nlmsg_len = 3;
	assert_int_equal(put(s, &h, 16), 16);
	assert_int_equal(take(s, 0), -EAGAIN);
	/* a header without a body */
	begin(&r, RTM_GETLINK, 0, &m, 0);
	assert_int_equal(ask(s, &r), 0);
	begin(&r, RTM_NEWROUTE, NLM_F_CREATE, &m, 5);
	assert_int_equal(ask(s, &r), -EINVAL);
	begin(&r, 200, 0, &m, sizeof(m));
	assert_int_equal(ask(s, &r), -EOPNOTSUPP);
	begin(&r, 34, NLM_F_DUMP, &m, sizeof(m)); /* rules */
	assert_int_equal(ask(s, &r), -EOPNOTSUPP);
	/* attributes that run over the end, and too short ones */
	request_route(&r, RTM_NEWROUTE, NLM_F_CREATE, IP4(172, 16, 0, 0), 12, 0);
	len = 200;
	memcpy(r.b + 16 + 12, &len, 2);
	assert_int_equal(ask(s, &r), -EINVAL);
	len = 2;
	memcpy(r.b + 16 + 12, &len, 2);
	assert_int_equal(ask(s, &r), -EINVAL);
	len = 7;
	memcpy(r.b + 16 + 12, &len, 2);
	assert_int_equal(ask(s, &r), -EINVAL);
	m.rtm_family = 3;
	begin(&r, RTM_NEWROUTE, NLM_F_CREATE, &m, sizeof(m));
	assert_int_equal(ask(s, &r), -EAFNOSUPPORT);
	sock_close(s);
	teardown();
}

static void requests_come_in_batches(void **state)
{
	struct request a, b;
	struct socket *s;
	u8 both[1024];

	setup();
	s = open_netlink();
	request_addr(&a, RTM_NEWADDR, NLM_F_CREATE | NLM_F_ACK, IP4(192, 168, 7, 1), 24);
	request_addr(&b, RTM_DELADDR, NLM_F_ACK, IP4(192, 168, 7, 1), 24);
	memcpy(both, a.b, a.len);
	memcpy(both + a.len, b.b, b.len);
	assert_int_equal(put(s, both, a.len + b.len), a.len + b.len);
	assert_int_equal(take(s, 0), 36);
	assert_int_equal(word(answer + 16), 0);
	assert_int_equal(take(s, 0), 36);
	assert_int_equal(word(answer + 16), 0);
	assert_int_equal(take(s, 0), -EAGAIN);
	sock_close(s);
	teardown();
}

static void lives_without_memory(void **state)
{
	struct request r;

	setup();
	sim_fail_every(3);
	for (u32 i = 0; i < 300; i++) {
		struct socket *s = socket_create(AF_NETLINK, SOCK_RAW, 0);

		if (IS_ERR(s))
			continue;
		bind_nl(s, 0, 0x7ff);
		request_addr(&r, RTM_NEWADDR, NLM_F_CREATE, IP4(192, 168, 7, 1), 24);
		put(s, r.b, r.len);
		begin(&r, RTM_GETROUTE, NLM_F_DUMP, "\2\0\0", 4);
		put(s, r.b, r.len);
		request_route(&r, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, IP4(172, 16, 0, 0),
			      12, IP4(10, 0, 0, i % 250 + 3));
		put(s, r.b, r.len);
		request_addr(&r, RTM_DELADDR, 0, IP4(192, 168, 7, 1), 24);
		put(s, r.b, r.len);
		for (u32 j = 0; j < 20; j++)
			take(s, 0);
		sock_close(s);
	}
	sim_fail_every(0);
	teardown();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(links_are_told),
		cmocka_unit_test(one_link_by_index_or_name),
		cmocka_unit_test(addresses_are_told),
		cmocka_unit_test(routes_are_told_and_looked_up),
		cmocka_unit_test(neighbours_are_told),
		cmocka_unit_test(routes_come_and_go),
		cmocka_unit_test(addresses_come_and_go),
		cmocka_unit_test(links_change),
		cmocka_unit_test(neighbours_come_and_go),
		cmocka_unit_test(only_root_changes),
		cmocka_unit_test(a_long_dump_comes_in_parts),
		cmocka_unit_test(port_ids_are_unique),
		cmocka_unit_test(length_is_peeked_before_reading),
		cmocka_unit_test(events_reach_their_groups),
		cmocka_unit_test(lies_are_refused),
		cmocka_unit_test(requests_come_in_batches),
		cmocka_unit_test(lives_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
