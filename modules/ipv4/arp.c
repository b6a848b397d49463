/* SPDX-License-Identifier: MIT */
/* arp.c - address resolution (RFC 826) and address conflicts (RFC 5227). The neighbour cache
 * decides when to ask and what to believe; this file only speaks the packets. */
#define LOG_NAME "arp: "
#include "ipv4.h"

#include <weft/bytes.h>
#include <weft/net/ether.h>
#include <weft/net/neigh.h>
#include <weft/net/route.h>
#include <weft/printk.h>
#include <weft/seqfile.h>
#include <weft/string.h>
#include <weft/time.h>

#define ARP_LEN 28
#define ARP_HTYPE_ETHER 1
#define ARP_REQUEST 1
#define ARP_REPLY 2

/* RFC 5227 1.1 */
#define DEFEND_INTERVAL_NS (10 * NSEC_PER_SEC)

u64 arp_conflicts;

struct arp_packet {
	u16 op;
	const u8 *sha, *tha;
	u32 spa, tpa;
};

static int parse(const struct pkt *p, struct arp_packet *a)
{
	const u8 *h = p->data;

	if (p->len < ARP_LEN)
		return DROP_NEIGH_MALFORMED;
	if (get_be16(h) != ARP_HTYPE_ETHER || get_be16(h + 2) != ETH_P_IP || h[4] != ETH_ALEN ||
	    h[5] != 4)
		return DROP_NEIGH_MALFORMED;
	a->op = get_be16(h + 6);
	a->sha = h + 8;
	a->spa = get_be32(h + 14);
	a->tha = h + 18;
	a->tpa = get_be32(h + 24);
	if ((a->op != ARP_REQUEST && a->op != ARP_REPLY) || !eth_is_valid(a->sha))
		return DROP_NEIGH_MALFORMED;
	/* no station may claim what is not a station's address */
	if (ipv4_is_multicast(a->spa) || ipv4_is_class_e(a->spa) || ipv4_is_loopback(a->spa) ||
	    ipv4_is_multicast(a->tpa) || ipv4_is_loopback(a->tpa))
		return DROP_NEIGH_MALFORMED;
	return 0;
}

/* Sends one ARP packet; dst NULL: to everybody. Needs no RCU caller: nif is the caller's to
 * hold. */
static void send(struct netif *nif, u16 op, const u8 *dst, u32 spa, const u8 *tha, u32 tpa)
{
	const struct link_type *link = nif->link;
	struct pkt *p;
	u8 *h;

	if (link->addr_len != ETH_ALEN)
		return;
	p = pkt_alloc(PKT_POOL_CONTROL, nif->headroom, ETH_ZLEN);
	if (!p) {
		ip_drop_count(DROP_NO_MEMORY);
		return;
	}
	h = pkt_put(p, ARP_LEN);
	put_be16(h, ARP_HTYPE_ETHER);
	put_be16(h + 2, ETH_P_IP);
	h[4] = ETH_ALEN;
	h[5] = 4;
	put_be16(h + 6, op);
	memcpy(h + 8, nif->mac, ETH_ALEN);
	put_be32(h + 14, spa);
	memset(h + 18, 0, ETH_ALEN);
	if (tha)
		memcpy(h + 18, tha, ETH_ALEN);
	put_be32(h + 24, tpa);
	p->net_off = pkt_headroom(p);
	p->ethertype = ETH_P_ARP;
	link->header(nif, pkt_push(p, link->header_len), ETH_P_ARP, dst ? dst : link->broadcast,
		     NULL);
	p->link_off = pkt_headroom(p);
	netif_tx(nif, p);
}

void arp_announce(struct netif *nif, u32 addr)
{
	if (netif_resolves(nif))
		send(nif, ARP_REQUEST, NULL, addr, NULL, addr);
}

void arp_probe(struct netif *nif, u32 addr)
{
	send(nif, ARP_REQUEST, NULL, 0, NULL, addr);
}

/* ---- conflicts: somebody else says that an address of ours is theirs (RFC 5227 2.4) ---- */

static struct spinlock defend_lock = SPINLOCK_INIT; /* guards defended_at of all addresses */

/* 2.4 (b): each address is defended once in a while, not in a duel; it is kept, as a server's
 * should be. Under RCU. */
static void conflict(struct netif *nif, const struct arp_packet *a, struct ifaddr *ours)
{
	u64 now = ktime_get();
	bool defend;

	spin_lock(&defend_lock);
	arp_conflicts++;
	defend = !ours->defended_at || now - ours->defended_at > DEFEND_INTERVAL_NS;
	if (defend)
		ours->defended_at = now;
	spin_unlock(&defend_lock);
	pr_warn_ratelimited(
		"%s: address conflict: %02x:%02x:%02x:%02x:%02x:%02x uses our %u.%u.%u.%u\n",
		nif->name, a->sha[0], a->sha[1], a->sha[2], a->sha[3], a->sha[4], a->sha[5],
		a->spa >> 24, a->spa >> 16 & 255, a->spa >> 8 & 255, a->spa & 255);
	if (defend)
		arp_announce(nif, a->spa);
}

/* The address of ours that this is and that the link may know of, or NULL. Under RCU. */
static struct ifaddr *ours_of(u32 addr)
{
	struct ip_addr ip = ip_addr_v4(addr);
	struct ifaddr *a = ifaddr_find(NULL, &ip);

	if (a && ((a->flags & IFADDR_TENTATIVE) || (a->nif->flags & IFF_LOOPBACK)))
		return NULL;
	return a;
}

/* ---- input: the algorithm of RFC 826, "packet reception" ---- */

static int arp_input(struct netif *nif, struct pkt *p)
{
	struct arp_packet a;
	struct ifaddr *rival;
	struct ip_addr sender;
	int why;
	bool for_us, merged = false;

	if (p->pkttype == PKT_OTHERHOST)
		return ip_drop(p, DROP_OTHERHOST);
	if (!netif_resolves(nif))
		return ip_drop(p, DROP_NEIGH_NOT_MINE);
	why = parse(p, &a);
	if (why)
		return ip_drop(p, why);
	if (eth_eq(a.sha, nif->mac))
		return ip_drop(p, DROP_NEIGH_NOT_MINE); /* our own question came back */
	if (acd_heard(nif, a.spa, a.tpa))
		return ip_drop(p, DROP_NEIGH_NOT_MINE);
	for_us = ours_of(a.tpa);
	rival = a.spa ? ours_of(a.spa) : NULL;
	if (rival) {
		conflict(nif, &a, rival);
		return ip_drop(p, DROP_NEIGH_NOT_MINE);
	}
	/* a probe has no sender address (RFC 5227 2.1.1): it is answered, and teaches nothing */
	if (a.spa) {
		u32 flags = NEIGH_UPDATE_OVERRIDE;

		sender = ip_addr_v4(a.spa);
		if (a.op == ARP_REPLY && p->pkttype == PKT_HOST)
			flags |= NEIGH_UPDATE_CONFIRM;
		if (for_us && a.op == ARP_REQUEST)
			flags |= NEIGH_UPDATE_CREATE;
		merged = neigh_update(nif, &sender, a.sha, flags) == 0;
	}
	if (!for_us || a.op != ARP_REQUEST) {
		if (for_us || merged)
			return pkt_free(p), IP_TAKEN;
		return ip_drop(p, DROP_NEIGH_NOT_MINE);
	}
	send(nif, ARP_REPLY, a.sha, a.tpa, a.sha, a.spa);
	pkt_free(p);
	return IP_TAKEN;
}

/* ---- the cache's questions ---- */

/* The address to ask from: the asker's if it is on this link, else one in the target's prefix, else
 * any. */
static u32 source_for(struct netif *nif, u32 target, const struct ip_addr *hint)
{
	struct ip_addr t = ip_addr_v4(target);
	const struct ifaddr *a;
	u32 any = 0;

	if (hint && ip_addr_is_v4(hint) && !ip_addr_is_any(hint) && ifaddr_find(nif, hint))
		return ip_addr_to_v4(hint);
	ifaddr_for_each(a, nif) {
		if (a->af != AF_INET || (a->flags & IFADDR_TENTATIVE))
			continue;
		if (ip_addr_in_prefix(&t, &a->addr, a->plen))
			return ip_addr_to_v4(&a->addr);
		if (!any)
			any = ip_addr_to_v4(&a->addr);
	}
	return any;
}

static void solicit(struct netif *nif, const struct ip_addr *target, const u8 *hw,
		    const struct ip_addr *hint)
{
	u32 tpa = ip_addr_to_v4(target), spa;

	rcu_read_lock();
	spa = source_for(nif, tpa, hint);
	send(nif, ARP_REQUEST, hw, spa, hw, tpa);
	rcu_read_unlock();
}

/* ---- announcements, when an address or its link appears (RFC 5227 2.3) ---- */

static void announce_all(struct netif *nif)
{
	const struct ifaddr *a;

	rcu_read_lock();
	ifaddr_for_each(a, nif) {
		if (a->af == AF_INET && !(a->flags & IFADDR_TENTATIVE))
			arp_announce(nif, ip_addr_to_v4(&a->addr));
	}
	rcu_read_unlock();
}

static void announce_again(struct work *w);
static struct work again;
static struct mutex again_lock = MUTEX_INIT(again_lock);
static u32 again_left; /* guarded by again_lock */

static void nif_event(struct netif_watcher *w, struct netif *nif, enum netif_event ev)
{
	(void)w;
	if (ev != NETIF_UP && ev != NETIF_LINK && ev != NETIF_IP_ADDRESS && ev != NETIF_ADDRESS)
		return;
	if (!netif_running(nif) || !netif_resolves(nif))
		return;
	announce_all(nif);
	mutex_lock(&again_lock);
	again_left = ANNOUNCE_NUM - 1;
	mutex_unlock(&again_lock);
	work_schedule_at(&again, ktime_get() + ANNOUNCE_INTERVAL_NS);
}

static void announce_again(struct work *w)
{
	struct netif *nif;
	bool more;

	netif_lock();
	netif_for_each(nif) {
		if (netif_running(nif) && netif_resolves(nif))
			announce_all(nif);
	}
	netif_unlock();
	mutex_lock(&again_lock);
	/* 0 already when an event came while this run waited for the interfaces */
	again_left -= again_left > 0;
	more = again_left > 0;
	mutex_unlock(&again_lock);
	if (more)
		work_schedule_at(w, ktime_get() + ANNOUNCE_INTERVAL_NS);
}

/* ---- life ---- */

static struct net_layer arp_layer = { .ethertype = ETH_P_ARP, .name = "arp", .input = arp_input };
static struct neigh_resolver arp_resolver = {
	.af = AF_INET,
	.name = "arp",
	.sysctl_dir = "net/ipv4/neigh/default",
	.solicit = solicit,
};
static struct netif_watcher watcher = { .name = "arp", .event = nif_event };

int arp_init(void)
{
	int err;

	work_init(&again, announce_again);
	err = neigh_resolver_register(&arp_resolver);
	if (err)
		return err;
	err = net_layer_register(&arp_layer);
	if (err) {
		neigh_resolver_unregister(&arp_resolver);
		return err;
	}
	netif_watch(&watcher);
	return 0;
}

void arp_exit(void)
{
	netif_unwatch(&watcher);
	work_cancel_sync(&again);
	net_layer_unregister(&arp_layer);
	neigh_resolver_unregister(&arp_resolver);
}
