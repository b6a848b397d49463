/* SPDX-License-Identifier: MIT */
/* fuzz_rtnetlink.c - what a program may write to a netlink socket: messages whose headers are put
 * right, so that the input reaches the attributes. Each record: type, flags, length, then the body.
 * Everything that is answered, and the events, are read. */
#include "fuzz.h"

#include <kernel/net/socket_internal.h>
#include <uapi/netlink.h>
#include <weft/net/addrlabel.h>
#include <weft/net/neigh.h>

static struct socket *open_netlink(void)
{
	struct sockaddr_nl sa = { AF_NETLINK, 0, 0, 0x7ff };
	struct socket *s = socket_create(AF_NETLINK, SOCK_RAW, 0);
	u8 name[SOCKADDR_MAX] = { 0 };

	memcpy(name, &sa, sizeof(sa));
	fuzz_must(!IS_ERR(s) && !socket_enter(s));
	s->ops->bind(s, name, sizeof(sa));
	socket_leave(s);
	return s;
}

static void note_unattached(const struct route *r, void *arg)
{
	if (!r->nif)
		*(struct route *)arg = *r;
}

/* Reject and blackhole routes belong to no interface. Under netif_lock. */
static void forget_unattached(u16 af)
{
	struct route found;

	do {
		found = (struct route){ 0 };
		route_for_each(af, note_unattached, &found);
	} while (found.af && !route_del(&found));
}

/* Addresses, and with the last of a family the routes over the interface. Under netif_lock. */
static void forget_addresses(struct netif *nif)
{
	while (!list_empty(&nif->addrs))
		ifaddr_del(list_first_entry(&nif->addrs, struct ifaddr, node));
	neigh_flush_nif(nif, true);
}

struct proxied {
	struct netif *nif;
	struct ip_addr addr;
};

static void note_proxy(const struct netif *nif, const struct ip_addr *addr, bool router, void *arg)
{
	*(struct proxied *)arg = (struct proxied){ (struct netif *)nif, *addr };
}

static void note_label(const struct addr_label *l, void *arg)
{
	*(struct addr_label *)arg = *l;
}

/* Whom this host was to answer for, and the labels, which the module brings anew. */
static void forget_policy(void)
{
	struct addr_label l;
	struct proxied p;

	netif_lock();
	do {
		p = (struct proxied){ 0 };
		neigh_proxy_for_each(note_proxy, &p);
	} while (p.nif && !neigh_proxy_del(p.nif, &p.addr));
	do {
		l.plen = 255;
		addr_label_for_each(note_label, &l);
	} while (l.plen != 255 && !addr_label_del(&l));
	netif_unlock();
	fuzz_must(!sim_rmmod("ipv6", false) && !sim_insmod("ipv6", NULL));
}

/* What the input may have done is undone, or later inputs find no network and full tables. */
static void restore(void)
{
	struct netif *nif;

	netif_lock();
	netif_for_each(nif)
		forget_addresses(nif);
	forget_unattached(AF_INET);
	forget_unattached(AF_INET6);
	nif = netif_next(netif_loopback());
	if (nif && strcmp(nif->name, "eth0")) {
		netif_down(nif);
		netif_rename(nif, "eth0");
	}
	if (nif && memcmp(nif->mac, host_mac, 6)) {
		netif_down(nif);
		netif_set_mac(nif, host_mac);
	}
	if (nif) {
		netif_set_mtu(nif, 1500);
		netif_set_flags(nif, netif_user_flags(nif) & ~(u32)(IFF_NOARP | IFF_PROMISC));
	}
	netif_unlock();
	forget_policy();
	ifconfig("lo", IP4(127, 0, 0, 1), 8);
	ifconfig("eth0", HOST, 24);
	route_default(PEER);
	stack_know_peer();
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static struct socket *s;
	struct nlmsghdr h = { 0 };
	u8 m[1024] __attribute__((aligned(4)));

	fuzz_begin();
	if (!s) {
		fuzz_must(!sim_insmod("netlink", NULL) && !sim_insmod("rtnetlink", NULL) &&
			  !sim_insmod("ipv6", NULL));
		s = open_netlink();
	}
	while (size > 4) {
		u32 len = min((size_t)(get_be16(data + 2) & 511), size - 4);
		struct iovec iov = { m, sizeof(h) + len };
		struct msg msg = { 0 };

		h.nlmsg_len = data[2] & 0x80 ? get_be16(data + 2) : sizeof(h) + len;
		h.nlmsg_type = data[0] < 240 ? 16 + data[0] % 24 : RTM_NEWADDRLABEL + data[0] % 3;
		h.nlmsg_flags = NLM_F_REQUEST | data[1] << 4;
		memcpy(m, &h, sizeof(h));
		memcpy(m + sizeof(h), data + 4, len);
		iter_init(&msg.iter, &iov, 1, false);
		msg.flags = MSG_DONTWAIT;
		socket_sendmsg(s, &msg);
		fuzz_drain_netlink(s);
		data += 4 + len;
		size -= 4 + len;
	}
	restore();
	fuzz_drain_netlink(s);
	fuzz_end();
	return 0;
}
