/* SPDX-License-Identifier: MIT */
/* loopback.c - the interface lo, which is always there, and the way back for a host's own group
 * and broadcast packets. What is sent waits in a bounded list until the poll context takes it in,
 * so that a sender never runs receivers on its own stack. There are as many lists as CPUs; a
 * connection's packets are all in one, which one CPU at a time works on: they stay in order whoever
 * sends them. */
#include "ip.h"

#include <weft/net/ether.h>
#include <weft/poller.h>

#define LOOPBACK_MTU 65536
#define BACKLOG_MAX_DEFAULT 1000

struct backlog {
	struct spinlock lock;
	/* guarded by lock */
	struct list_head packets;
	u32 len;
	struct poller poller; /* runs where the first packet was sent */
} __cacheline_aligned;

static struct backlog backlogs[MAX_CPUS];
static int backlog_max = BACKLOG_MAX_DEFAULT;
static struct netif *lo;

struct netif *netif_loopback(void)
{
	return lo;
}
EXPORT(netif_loopback);

/* A returned packet keeps its interface until it is taken in; lo needs no reference. */
static void backlog_deliver(struct pkt *p)
{
	struct netif *nif = p->nif;

	if (nif == lo) {
		netif_rx(lo, p);
		return;
	}
	rcu_read_lock();
	net_input(nif, p);
	rcu_read_unlock();
	netif_put(nif);
}

static struct pkt *backlog_take(struct backlog *b)
{
	struct pkt *p;

	spin_lock(&b->lock);
	p = list_first_entry_or_null(&b->packets, struct pkt, node);
	if (p) {
		list_del(&p->node);
		b->len--;
	}
	spin_unlock(&b->lock);
	return p;
}

static u32 backlog_poll(struct poller *poller, u32 budget)
{
	struct backlog *b = container_of(poller, struct backlog, poller);
	struct pkt *p;
	u32 done = 0;

	while (done < budget && (p = backlog_take(b))) {
		backlog_deliver(p);
		done++;
	}
	return done;
}

/* By the ports of TCP and UDP; what has none is found by the same bytes as well. */
static struct backlog *backlog_of(const struct pkt *p)
{
	u32 cpus = percpu_cpus(), at = p->trans_off, ports;

	if (cpus == 1 || at < p->net_off || at + sizeof(ports) > pkt_headroom(p) + p->len)
		return &backlogs[0];
	memcpy(&ports, p->head + at, sizeof(ports));
	return &backlogs[((u64)(ports * 0x9e3779b1u) * cpus) >> 32];
}

/* False: full, p is still the caller's. Preemption off. */
static bool backlog_add(struct pkt *p)
{
	struct backlog *b = backlog_of(p);
	bool room;

	spin_lock(&b->lock);
	room = b->len < (u32)READ_ONCE(backlog_max);
	if (room) {
		list_add_tail(&p->node, &b->packets);
		b->len++;
	}
	spin_unlock(&b->lock);
	if (room)
		poller_schedule(&b->poller);
	return room;
}

static int lo_open(struct netif *nif)
{
	return 0;
}

static void lo_stop(struct netif *nif)
{
}

/* Runs under RCU without tx_lock. The packet may still be referenced (a tap keeps it), and then
 * receivers must not share its header space: such a one is copied. What a sender keeps for a
 * retransmission it has cloned. Large packets go through whole. */
static int lo_xmit(struct netif *nif, struct pkt *p)
{
	/* an only clone is its receiver's: what lies in front of the data is not shared */
	if (unlikely(refcount_read(&p->refs) > 1)) {
		struct pkt *copy = pkt_copy(p, PKT_POOL_RX, 0);

		pkt_free(p);
		if (!copy)
			return -ENOMEM;
		p = copy;
	}
	p->csum = PKT_CSUM_OK;
	if (p->gso_type < PKT_GSO_UDP4)
		p->gso_size = 0;
	p->nif = nif;
	if (backlog_add(p))
		return 0;
	pkt_free(p);
	return -ENOBUFS;
}

void loopback_return(struct netif *nif, struct pkt *p, u8 pkttype)
{
	p->csum = PKT_CSUM_OK;
	p->pkttype = pkttype;
	p->looped = 1;
	p->stamp_ns = ktime_get();
	p->nif = netif_get(nif);
	preempt_disable();
	if (!backlog_add(p)) {
		ip_drop(p, DROP_BACKLOG);
		netif_put(nif);
	}
	preempt_enable();
}

/* ---- frames on lo look like Ethernet's, as capture programs expect of ARPHRD_LOOPBACK ---- */

static int lo_input(struct netif *nif, struct pkt *p)
{
	if (p->len < ETH_HLEN) /* a packet socket may send anything */
		return ip_drop(p, DROP_RUNT);
	p->ethertype = get_be16(p->data + 12);
	p->pkttype = PKT_HOST;
	pkt_pull(p, ETH_HLEN);
	return net_input(nif, p);
}

static void lo_header(const struct netif *nif, u8 *hdr, u16 ethertype, const u8 *dst, const u8 *src)
{
	memset(hdr, 0, 2 * ETH_ALEN);
	put_be16(hdr + 12, ethertype);
}

static int lo_multicast(const struct ip_addr *group, u8 *addr)
{
	memset(addr, 0, ETH_ALEN);
	return 0;
}

static struct link_type lo_link = {
	.type = ARPHRD_LOOPBACK,
	.name = "loopback",
	.addr_len = ETH_ALEN,
	.header_len = ETH_HLEN,
	.if_flags = IFF_LOOPBACK,
	.default_mtu = LOOPBACK_MTU,
	.min_mtu = 68,
	.max_mtu = LOOPBACK_MTU,
	.input = lo_input,
	.header = lo_header,
	.multicast = lo_multicast,
};

static const struct netif_driver lo_driver = {
	.name = "loopback",
	.type = ARPHRD_LOOPBACK,
	.features = NETIF_F_TX_CSUM | NETIF_F_RX_CSUM | NETIF_F_TSO4 | NETIF_F_TSO6 |
		    NETIF_F_NO_TX_LOCK,
	.ops = { .open = lo_open, .stop = lo_stop, .xmit = lo_xmit },
};

/* RFC 1122 3.2.1.3 (g), RFC 4291 2.5.3: as Linux does, the address comes with `ifconfig lo up`. */
void loopback_addresses(u16 af)
{
	static const struct {
		u16 af;
		u8 plen;
		const char *text;
	} own[] = { { AF_INET, 8, "127.0.0.1" }, { AF_INET6, 128, "::1" } };

	if (!lo || !netif_is_up(lo))
		return;
	for (u32 i = 0; i < ARRAY_SIZE(own); i++) {
		struct ifaddr a = { .nif = lo,
				    .af = own[i].af,
				    .plen = own[i].plen,
				    .scope = 254,
				    .flags = IFADDR_PERMANENT };

		if ((af && own[i].af != af) || !ip_family_find(own[i].af) ||
		    ifaddr_first(lo, own[i].af))
			continue;
		ip_addr_parse(own[i].text, &a.addr);
		a.peer = a.addr;
		a.broadcast = ip_addr_any(a.af);
		strscpy(a.label, lo->name, IFNAMSIZ);
		if (ifaddr_add(&a))
			pr_warn("lo: no room for %s\n", own[i].text);
	}
}

static struct sysctl backlog_sysctl = {
	.path = "net/core/netdev_max_backlog",
	.value = &backlog_max,
	.min = 1,
	.max = 100000,
};

static void backlogs_stop(void)
{
	for (u32 i = 0; i < percpu_cpus(); i++) {
		struct backlog *b = &backlogs[i];

		struct pkt *p;

		poller_remove(&b->poller);
		while ((p = backlog_take(b))) {
			if (p->nif != lo)
				netif_put(p->nif);
			pkt_free(p);
		}
	}
}

int loopback_init(void)
{
	static const u8 no_address[ETH_ALEN];
	struct netif *nif;
	int err;

	for (u32 i = 0; i < percpu_cpus(); i++) {
		spin_init(&backlogs[i].lock);
		list_init(&backlogs[i].packets);
		backlogs[i].poller.poll = backlog_poll;
		backlogs[i].poller.name = "loopback";
		poller_add(&backlogs[i].poller);
	}
	err = sysctl_add(&backlog_sysctl);
	if (err)
		goto stop_backlogs;
	err = link_type_register(&lo_link);
	if (err)
		goto remove_sysctl;
	nif = netif_attach(&lo_driver, NULL, no_address, "lo");
	if (IS_ERR(nif)) {
		err = PTR_ERR(nif);
		goto unregister_link;
	}
	lo = nif;
	return 0;

unregister_link:
	link_type_unregister(&lo_link);
remove_sysctl:
	sysctl_remove(&backlog_sysctl);
stop_backlogs:
	backlogs_stop();
	return err;
}

void loopback_exit(void)
{
	netif_detach(lo);
	backlogs_stop();
	link_type_unregister(&lo_link);
	netif_free_parked();
	lo = NULL;
	sysctl_remove(&backlog_sysctl);
}
