/* SPDX-License-Identifier: MIT */
/* fuzz_ipv6_life.c - the module ipv6 comes and goes, among frames of every kind over IPv6, netlink
 * requests, settings, sockets that stay open and allocations that fail. A record: what, six bytes
 * of detail, then how many bytes follow it as options, payload or attributes. While the module
 * moves the peer may go on talking. After each input everything is as it was. */
#include "fuzz6.h"

#include <kernel/net/socket_internal.h>
#include <stdio.h>
#include <uapi/netlink.h>

#include "tcp_peer.h"

#define RECORD 8
#define BODY_MAX 255

static int listener, accepted, udp, connected;
static struct socket *netlink;

/* ---- frames ---- */

static struct ip_addr target(u8 n)
{
	struct ip_addr a = n & 16 ? ip6("fe80::1000") : ip6("2001:db8::1000");

	switch (n % 16) {
	case 0:
	case 1:
		return HOST6;
	case 2:
		return PEER6;
	case 3:
		return PEER6_LL;
	case 4:
		return host_ll();
	case 5:
		return ip6("2001:db8:5::1");
	}
	a.b[15] = n;
	return a;
}

static void message6(const u8 *r, u8 type, u8 hops, u32 rest, const u8 *body, u32 len)
{
	struct ipv6_fields h = { .src = fuzz6_source(r[1]),
				 .dst = fuzz6_dest(r[1] >> 4),
				 .next = IPPROTO_ICMPV6,
				 .hop_limit = hops };
	u8 m[BODY_MAX + 64];

	peer6_send(&peer, NULL, &h, m, icmp6_message(m, type, r[6] & 1, rest, body, len));
}

static void neighbour(const u8 *r, const u8 *body, u32 len)
{
	struct ip_addr t = target(r[3]), prefix = ip6("2001:db8:5::");
	u8 b[BODY_MAX + 64] = { 0 }, type = 133 + r[2] % 5;
	u32 n = 0;

	if (type >= 135) {
		memcpy(b, &t, 16);
		n = type == 137 ? 32 : 16;
		n += nd6_ll(b + n, type - 134, peer_mac);
	} else if (type == 134) {
		n = 8;
		prefix.b[7] = r[3];
		n += nd6_ll(b + n, 1, peer_mac);
		n += nd6_prefix(b + n, &prefix, 64, ND6_ONLINK | ND6_AUTO, r[4] * 60, r[5] * 60);
	}
	memcpy(b + n, body, len);
	message6(r, type, r[6] & 2 ? 64 : 255, get_be32(r + 3), b, n + len);
}

static void listener_message(const u8 *r, const u8 *body, u32 len)
{
	static const u8 types[] = { 130, 130, 131, 132, 143 }, alert[] = { 5, 2, 0, 0 };
	struct chain6 c = { 0 };
	struct ipv6_fields h = { .src = PEER6_LL,
				 .dst = ip6(r[1] & 1 ? "ff05::1234" : "ff02::1"),
				 .next = IPPROTO_ICMPV6,
				 .hop_limit = 1,
				 .chain = &c };
	struct ip_addr group = ip6("ff05::1234");
	u8 m[BODY_MAX + 64], b[BODY_MAX + 16] = { 0 };

	chain6_options(&c, 0, alert, sizeof(alert));
	if (r[1] & 2)
		memcpy(b, &group, 16);
	memcpy(b + 16, body, len);
	peer6_send(&peer, NULL, &h, m,
		   icmp6_message(m, types[r[2] % ARRAY_SIZE(types)], 0, (u32)get_be16(r + 3) << 16,
				 b, 16 + len));
}

/* Any transport behind the headers that the input gives; a fragment of few datagrams. */
static void datagram(const u8 *r, const u8 *body, u32 len)
{
	static const u8 types[] = { 0, 60, 44, 43 };
	static const u8 payload[512] = { 128 };
	struct chain6 c = { 0 };
	struct ipv6_fields h = { .src = fuzz6_source(r[1]),
				 .dst = fuzz6_dest(r[1] >> 4),
				 .next = r[2] & 1 ? IPPROTO_UDP : IPPROTO_ICMPV6,
				 .chain = &c };
	u8 m[sizeof(payload) + 8];
	u32 n = r[2] & 1 ? udp6_datagram(m, 6000, 5000 + r[2] % 4, payload, r[3]) :
			   icmp6_message(m, 128, 0, r[3], payload, r[3]);

	if (r[4] & 1) {
		chain6_fragment(&c, r[4] >> 6, (r[5] & 31) * 8, r[5] & 32);
	} else if (r[4] & 2 && len > 2) {
		u32 units = len / 8 + 1;

		chain6_raw(&c, types[r[4] >> 2 & 3], units, units - 1);
		memcpy(c.bytes + 2, body, min(len, units * 8 - 2));
	}
	peer6_send(&peer, NULL, &h, m, n);
}

static void segment(const u8 *r, const u8 *body, u32 len)
{
	struct tcp_segment g = { .flags = r[1] & 0x3f,
				 .seq = (s8)r[2],
				 .ack = tp.seq + tp.len + (s8)r[3],
				 .win = get_be16(r + 4),
				 .len = r[6],
				 .options = body,
				 .nr_options = min(len & ~3u, 40u) };

	tp_in_raw(&g);
	tp_watch();
	if (accepted < 0)
		accepted = c_accept(listener, SOCK_NONBLOCK);
}

/* ---- programs ---- */

static void setting(const u8 *r)
{
	static const char *const names[] = {
		"forwarding",
		"hop_limit",
		"mtu",
		"disable_ipv6",
		"accept_ra",
		"autoconf",
		"addr_gen_mode",
		"keep_addr_on_down",
		"accept_dad",
		"dad_transmits",
		"optimistic_dad",
		"use_tempaddr",
		"temp_valid_lft",
		"temp_prefered_lft",
		"accept_redirects",
		"force_mld_version",
		"router_solicitations",
		"max_addresses",
		"stable_secret",
		"accept_ra_rt_info_max_plen",
	};
	static const char *const values[] = { "0", "1", "2", "-1", "3", "64", "1400", "fe80::7" };
	static const char *const where[] = { "eth0", "all", "default", "lo" };
	const char *value = values[r[3] % ARRAY_SIZE(values)];
	u32 n = r[2] % ARRAY_SIZE(names);
	char path[96];

	if (!strcmp(names[n], "max_addresses") && strlen(value) > 1)
		value = "16"; /* what fuzz6_bounds counts on */
	snprintf(path, sizeof(path), "conf/%s/%s", where[r[1] % ARRAY_SIZE(where)], names[n]);
	sysctl6(path, value);
}

static void attribute(u8 *m, u32 *len, u16 type, const void *data, u32 n)
{
	struct nlattr a = { 4 + n, type };

	memcpy(m + *len, &a, 4);
	memcpy(m + *len + 4, data, n);
	*len += (4 + n + 3) & ~3u;
}

/* Addresses, routes and neighbours; behind the attributes that make sense those of the input. */
static void request(const u8 *r, const u8 *body, u32 len)
{
	static const u8 types[] = { RTM_NEWADDR,  RTM_DELADDR,	RTM_NEWROUTE,
				    RTM_DELROUTE, RTM_NEWNEIGH, RTM_DELNEIGH,
				    RTM_GETADDR,  RTM_GETROUTE, RTM_GETNEIGH };
	u8 m[BODY_MAX + 256] __attribute__((aligned(8))) = { 0 };
	u8 type = types[r[1] % ARRAY_SIZE(types)];
	bool route = type / 4 == RTM_NEWROUTE / 4, neigh = type / 4 == RTM_NEWNEIGH / 4;
	struct rtmsg rt = { AF_INET6, r[4] % 130, 0, 0, RT_TABLE_MAIN, 4, 0, RTN_UNICAST, 0 };
	struct ndmsg nd = { .ndm_family = AF_INET6, .ndm_state = NUD_REACHABLE };
	struct ifaddrmsg ia = { AF_INET6, r[4] % 130, r[6], 0, 0 };
	struct ip_addr a = target(r[3]), via = target(r[5]);
	struct nlmsghdr h = { .nlmsg_type = type };
	u32 n = sizeof(h), index = netif_named(r[6] & 1 ? "lo" : "eth0")->index;
	struct iovec iov = { m, 0 };
	struct msg msg = { .flags = MSG_DONTWAIT };

	ia.ifa_index = nd.ndm_ifindex = index;
	memcpy(m + n,
	       route ? (void *)&rt :
	       neigh ? (void *)&nd :
		       (void *)&ia,
	       route || neigh ? 12 : 8);
	n += route || neigh ? 12 : 8;
	attribute(m, &n, route ? RTA_DST : neigh ? NDA_DST : IFA_ADDRESS, &a, 16);
	if (route && r[6] & 2)
		attribute(m, &n, RTA_GATEWAY, &via, 16);
	if (route)
		attribute(m, &n, RTA_OIF, &index, 4);
	if (neigh)
		attribute(m, &n, NDA_LLADDR, peer_mac, 6);
	memcpy(m + n, body, len);
	n += len;
	h.nlmsg_len = n;
	h.nlmsg_flags = NLM_F_REQUEST | r[2] << 4;
	memcpy(m, &h, sizeof(h));
	iov.len = n;
	iter_init(&msg.iter, &iov, 1, false);
	socket_sendmsg(netlink, &msg);
	fuzz_drain_netlink(netlink);
}

static void membership(const u8 *r)
{
	struct {
		u8 group[16];
		u32 index;
	} m = { .index = netif_named("eth0")->index };
	struct ip_addr group = ip6("ff05::1234");

	group.b[15] += r[1] % 3;
	memcpy(m.group, &group, 16);
	c_setopt(udp, SOL_IPV6, r[2] & 1 ? IPV6_ADD_MEMBERSHIP : IPV6_DROP_MEMBERSHIP, &m,
		 sizeof(m));
}

static void program(const u8 *r)
{
	static u8 data[4096];
	struct ip_addr to = target(r[3]);

	switch (r[1] % 8) {
	case 0:
	case 1:
		c_sendto_to(udp, AF_INET6, data, r[2] * 8, MSG_DONTWAIT, &to, 6000);
		break;
	case 2:
		c_send(accepted, data, r[2] * 16, MSG_DONTWAIT | MSG_NOSIGNAL);
		break;
	case 3:
		c_recv(r[2] & 1 ? udp : accepted, data, sizeof(data),
		       MSG_DONTWAIT | (r[2] & 2 ? MSG_ERRQUEUE : 0));
		break;
	case 4:
		c_connect_to(connected, AF_INET6, &to, 81);
		break;
	case 5:
		c_close(connected);
		connected = c_socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0);
		break;
	case 6:
		c_setint(udp, SOL_IPV6, r[2] % 80, r[3]);
		break;
	default:
		membership(r);
	}
}

/* ---- the module ---- */

struct chatter {
	struct sim_event event;
	u32 left, every; /* microseconds */
};

static void talk(struct sim_event *e)
{
	struct chatter *c = container_of(e, struct chatter, event);
	struct ip_addr from = PEER6, ll = PEER6_LL, to = HOST6, all = ip6("ff02::1"),
		       prefix = ip6("2001:db8:6::");
	struct ipv6_fields h = { .src = from, .dst = to, .next = IPPROTO_UDP };
	u8 m[64];

	switch (c->left % 4) {
	case 0:
		peer6_echo(&peer, &from, &to, 5, c->left, 64);
		break;
	case 1:
		peer6_ns(&peer, &ll, &to, &to);
		break;
	case 2:
		peer6_send(&peer, NULL, &h, m, udp6_datagram(m, 6000, 5000, "talk", 4));
		break;
	default:
		peer6_icmp(&peer, &ll, &all, 130, 0, 0, (u8[20]){ 0 }, 20);
		peer6_ra_prefix(&peer, 1800, &prefix, 3600, 1800);
	}
	peer_forget(&peer);
	if (--c->left)
		sim_event_set(e, sim_now() + c->every * NSEC_PER_USEC);
}

static void come_or_go(const u8 *r)
{
	struct chatter c = { .event.fn = talk, .left = r[3] % 64, .every = 1 + r[4] };

	if (c.left)
		sim_event_set(&c.event, sim_now());
	sim_fail_every(r[1] & 1 ? 2 + r[2] : 0);
	if (!sim_module_loaded("ipv6"))
		sim_insmod("ipv6", NULL);
	else
		fuzz_must(!sim_rmmod("ipv6", r[1] & 2));
	sim_fail_every(0);
	sim_run(r[5] * 10 * NSEC_PER_USEC);
	sim_event_cancel(&c.event);
}

static void interface(const u8 *r)
{
	struct netif *nif;

	netif_lock();
	nif = netif_by_name("eth0");
	if (r[1] & 1)
		netif_down(nif);
	else if (r[1] & 2)
		netif_set_mtu(nif, r[2] & 1 ? 1280 : r[2] & 2 ? 600 : 1500);
	else
		netif_up(nif);
	netif_unlock();
}

/* ---- an input ---- */

static void bring_up(void)
{
	struct sockaddr_nl sa = { AF_NETLINK, 0, 0, 0xffffffff };
	u8 name[SOCKADDR_MAX] = { 0 };

	if (netlink)
		return;
	tp_up6();
	fuzz_must(!sim_insmod("udp", NULL) && !sim_insmod("netlink", NULL) &&
		  !sim_insmod("rtnetlink", NULL));
	netlink = socket_create(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	fuzz_must(!IS_ERR(netlink) && !socket_enter(netlink));
	memcpy(name, &sa, sizeof(sa));
	netlink->ops->bind(netlink, name, sizeof(sa));
	socket_leave(netlink);
}

static void open_all(void)
{
	struct ip_addr any = ip_addr_any(AF_INET6);

	tp_new(TP_PEER_PORT, TP_HOST_PORT);
	listener = tp_listen();
	accepted = -1;
	connected = c_socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0);
	udp = c_socket(AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	fuzz_must(connected >= 0 && udp >= 0 && !c_bind_to(udp, AF_INET6, &any, 5000));
	c_setint(udp, SOL_IPV6, IPV6_RECVERR, 1);
}

static void close_one(int fd)
{
	const struct {
		int on, seconds;
	} reset = { 1, 0 };

	if (fd < 0)
		return;
	c_setopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	c_close(fd);
}

/* Without the module nothing is left but what the user gave: that is taken away; then as at the
 * start. */
static void restore(void)
{
	struct ip_addr host = HOST6, any = ip_addr_any(AF_INET6), router = PEER6_LL;
	struct netif *nif;

	close_one(listener);
	close_one(accepted);
	close_one(connected);
	close_one(udp);
	tp_forget();
	sim_run_ms(2); /* what is on its way arrives */
	fuzz_must(!sim_module_loaded("ipv6") || !sim_rmmod("ipv6", false));
	netif_lock();
	nif = netif_by_name("eth0");
	fuzz6_forget(nif);
	fuzz6_forget(netif_loopback());
	netif_set_mtu(nif, 1500);
	netif_up(nif);
	netif_unlock();
	fuzz_must(!sim_insmod("ipv6", NULL));
	fuzz_must(!addr6_add("eth0", &host, 64, IFADDR_PERMANENT));
	fuzz_must(addr6_wait(&host, 20000));
	fuzz_must(!route6_add("eth0", &any, 0, &router));
	fuzz_drain_netlink(netlink);
	stack_know_peer();
	fuzz6_known();
}

static void record(const u8 *r, const u8 *body, u32 len)
{
	switch (r[0] % 16) {
	case 0:
	case 1:
	case 2:
		neighbour(r, body, len);
		break;
	case 3:
		listener_message(r, body, len);
		break;
	case 4:
	case 5:
		datagram(r, body, len);
		break;
	case 6:
		segment(r, body, len);
		break;
	case 7:
		tp_icmp(1 + r[1] % 4, r[2] % 8, get_be16(r + 3), r[5]);
		break;
	case 8:
		setting(r);
		break;
	case 9:
	case 10:
		request(r, body, len);
		break;
	case 11:
		program(r);
		break;
	case 12:
		come_or_go(r);
		break;
	case 13:
		interface(r);
		break;
	case 14:
		sim_run_ms(r[1] * (r[2] & 1 ? 100 : 1));
		break;
	default:
		sim_run(r[1] * 10 * NSEC_PER_USEC);
	}
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	bring_up();
	open_all();
	while (size >= RECORD) {
		u32 len = min((size_t)data[7], size - RECORD);

		record(data, data + RECORD, len);
		data += RECORD + len;
		size -= RECORD + len;
	}
	restore();
	fuzz_end6();
	return 0;
}
