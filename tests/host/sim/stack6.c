/* SPDX-License-Identifier: MIT */
/* stack6.c - the configured host has IPv6. */
#define SIM_NO_CMOCKA
#include "stack6.h"

#include <kernel/net/socket_internal.h>
#include <stdio.h>

#define DAD_MS 10000

/* ---- up ---- */

static void peer_has_ipv6(void)
{
	struct ip_addr mine[] = { PEER6_LL, PEER6 };

	peer6_init(&peer, mine, ARRAY_SIZE(mine));
}

int stack_up6_bare(const char *args)
{
	int err = stack_up();

	peer_has_ipv6();
	peer.answers_nd = false;
	return err ? err : sim_insmod("ipv6", args);
}

int stack_up6(void)
{
	struct ip_addr host = HOST6, any = ip_addr_any(AF_INET6), router = PEER6_LL;
	int err = stack_up();

	peer_has_ipv6();
	if (!err)
		err = sim_insmod("ipv6", NULL);
	if (!err)
		err = addr6_add("eth0", &host, 64, IFADDR_PERMANENT);
	if (err)
		return err;
	if (!addr6_wait(NULL, DAD_MS) || !addr6_wait(&host, DAD_MS))
		return -ETIMEDOUT;
	err = route6_add("eth0", &any, 0, &router);
	stack_know_peer6();
	sim_run_ms(5);
	peer_forget(&peer);
	return err;
}

void stack_know_peer6(void)
{
	u32 i;

	netif_lock();
	for (i = 0; i < peer.nr_ip6; i++)
		neigh_set(netif_by_name("eth0"), &peer.ip6[i], peer_mac, true);
	netif_unlock();
}

/* ---- addresses and routes ---- */

struct ip_addr host_ll(void)
{
	struct ip_addr found = ip_addr_any(AF_INET6);
	struct ifaddr *a;

	netif_lock();
	ifaddr_for_each(a, netif_by_name("eth0")) {
		if (a->af == AF_INET6 && ip_addr_is_link_local(&a->addr)) {
			found = a->addr;
			break;
		}
	}
	netif_unlock();
	return found;
}

u32 addr6_flags(const struct ip_addr *addr)
{
	struct ifaddr *a;
	u32 flags = ~0u;

	netif_lock();
	a = ifaddr_find(netif_by_name("eth0"), addr);
	if (a)
		flags = a->flags;
	netif_unlock();
	return flags;
}

bool addr6_wait(const struct ip_addr *addr, u32 ms)
{
	u32 waited;

	for (waited = 0; waited <= ms; waited += 10) {
		struct ip_addr a = addr ? *addr : host_ll();
		u32 flags = addr6_flags(&a);

		if (flags != ~0u && !(flags & (IFADDR_TENTATIVE | IFADDR_DADFAILED)))
			return true;
		sim_run_ms(10);
	}
	return false;
}

u32 addr6_count(const char *name)
{
	struct ifaddr *a;
	u32 n = 0;

	netif_lock();
	ifaddr_for_each(a, netif_by_name(name))
		n += a->af == AF_INET6;
	netif_unlock();
	return n;
}

int addr6_add(const char *name, const struct ip_addr *addr, u8 plen, u32 flags)
{
	struct ifaddr want = {
		.af = AF_INET6, .plen = plen, .flags = flags, .addr = *addr, .peer = *addr
	};
	int err;

	strscpy(want.label, name, sizeof(want.label));
	netif_lock();
	want.nif = netif_by_name(name);
	err = want.nif ? ifaddr_add(&want) : -ENODEV;
	netif_unlock();
	return err;
}

int addr6_del(const char *name, const struct ip_addr *addr)
{
	struct ifaddr *a;

	netif_lock();
	a = ifaddr_find(netif_by_name(name), addr);
	if (a)
		ifaddr_del(a);
	netif_unlock();
	return a ? 0 : -EADDRNOTAVAIL;
}

int route6_add(const char *name, const struct ip_addr *prefix, u8 plen,
	       const struct ip_addr *gateway)
{
	struct route r = { .prefix = *prefix,
			   .af = AF_INET6,
			   .plen = plen,
			   .type = ROUTE_UNICAST,
			   .metric = 1024,
			   .flags = RTF_UP | (gateway ? RTF_GATEWAY : 0),
			   .gateway = gateway ? *gateway : ip_addr_any(AF_INET6),
			   .source = ip_addr_any(AF_INET6) };
	int err;

	netif_lock();
	r.nif = netif_by_name(name);
	err = r.nif ? route_add(&r) : -ENODEV;
	netif_unlock();
	return err;
}

static void count_route(const struct route *r, void *n)
{
	++*(u32 *)n;
}

u32 route6_count(void)
{
	u32 n = 0;

	netif_lock();
	route_for_each(AF_INET6, count_route, &n);
	netif_unlock();
	return n;
}

u8 neigh6_state_of(const struct ip_addr *addr)
{
	struct neigh_info info;
	u8 state = 0xff;

	netif_lock();
	if (!neigh_get_info(netif_by_name("eth0"), addr, &info))
		state = info.state;
	netif_unlock();
	return state;
}

static void count_neigh(const struct neigh_info *i, void *n)
{
	++*(u32 *)n;
}

u32 neigh6_count(void)
{
	u32 n = 0;

	neigh_for_each(AF_INET6, count_neigh, &n);
	return n;
}

int sysctl6(const char *name, const char *value)
{
	char path[128];

	snprintf(path, sizeof(path), "/proc/sys/net/ipv6/%s", name);
	return sim_write(path, value);
}

/* ---- sockets ---- */

struct socket *sock_open6(int type, int protocol)
{
	return socket_create(AF_INET6, type, protocol);
}

static void put_name(u8 *name, const struct ip_addr *addr, u16 port)
{
	struct sockaddr_in6 in = { .sin6_family = AF_INET6, .sin6_port = htons(port) };

	memcpy(in.sin6_addr, addr, 16);
	if (ip_addr_is_link_local(addr) || (addr->b[0] == 0xff && (addr->b[1] & 15) <= 2))
		in.sin6_scope_id = eth0();
	memcpy(name, &in, sizeof(in));
}

int sock_bind6(struct socket *s, const struct ip_addr *addr, u16 port)
{
	u8 name[SOCKADDR_MAX];
	int err = socket_enter(s);

	if (err)
		return err;
	put_name(name, addr, port);
	err = s->ops->bind ? s->ops->bind(s, name, sizeof(struct sockaddr_in6)) : -EOPNOTSUPP;
	socket_leave(s);
	return err;
}

long sock_send6(struct socket *s, const struct ip_addr *to, u16 port, const void *data, u32 len,
		u32 flags)
{
	struct iovec iov = { (void *)data, len };
	u8 name[SOCKADDR_MAX];
	struct msg m = { .name = name,
			 .name_len = to ? sizeof(struct sockaddr_in6) : 0,
			 .flags = flags };

	if (to)
		put_name(name, to, port);
	iter_init(&m.iter, &iov, 1, false);
	return socket_sendmsg(s, &m);
}

long sock_recv6(struct socket *s, void *data, u32 len, u32 flags, struct ip_addr *from, u16 *port)
{
	struct iovec iov = { data, len };
	u8 name[SOCKADDR_MAX], control[512];
	struct sockaddr_in6 in = { 0 };
	struct msg m = {
		.name = name, .flags = flags, .control = control, .control_len = sizeof(control)
	};
	long n;

	iter_init(&m.iter, &iov, 1, false);
	n = socket_recvmsg(s, &m);
	if (n < 0 || m.name_len < sizeof(in))
		return n;
	memcpy(&in, name, sizeof(in));
	if (from)
		memcpy(from, in.sin6_addr, 16);
	if (port)
		*port = ntohs(in.sin6_port);
	return n;
}
