/* SPDX-License-Identifier: MIT */
/* send.c - frames out of a packet socket: whole ones from SOCK_RAW, or with a header that the link
 * type builds (SOCK_DGRAM). They go to the driver as they are: no route, no neighbour, no firewall
 * of addresses; hence root only. */
#include "packet.h"

#include <weft/net/stamp.h>
#include <weft/string.h>

/* Where a frame goes. */
struct target {
	u32 ifindex;
	u16 protocol;
	const u8 *addr; /* NULL: none given */
	u32 addr_len;
};

static u32 index_of_name(const u8 *name)
{
	char text[IFNAMSIZ] = "";
	struct netif *nif;
	u32 index;

	memcpy(text, name, sizeof(((struct sockaddr_pkt *)0)->spkt_device));
	rcu_read_lock();
	nif = netif_by_name(text);
	index = nif ? nif->index : 0;
	rcu_read_unlock();
	return index;
}

/* The old sockets name the interface; the protocol may be left out. */
static int target_of_pkt(const struct msg *m, struct target *t)
{
	struct sockaddr_pkt sa = { 0 };

	if (!m->name)
		return -ENOTCONN;
	if (m->name_len < sizeof(struct sockaddr))
		return -EINVAL;
	memcpy(&sa, m->name, min(m->name_len, (u32)sizeof(sa)));
	t->protocol = ntohs(sa.spkt_protocol);
	t->ifindex = index_of_name(sa.spkt_device);
	return t->ifindex ? 0 : -ENODEV;
}

static int target_of(const struct socket *s, const struct msg *m, struct target *t)
{
	const struct packet_sock *ps = packet_of(s);
	struct sockaddr_ll sa;

	*t = (struct target){ .ifindex = ps->ifindex, .protocol = ps->protocol };
	if (s->type == SOCK_PACKET)
		return target_of_pkt(m, t);
	if (!m->name)
		return 0;
	if (m->name_len < offsetof(struct sockaddr_ll, sll_addr))
		return -EINVAL;
	memset(&sa, 0, sizeof(sa));
	memcpy(&sa, m->name, min(m->name_len, (u32)sizeof(sa)));
	/* the family is not looked at, as on Linux: programs leave it out */
	if (m->name_len < offsetof(struct sockaddr_ll, sll_addr) + sa.sll_halen)
		return -EINVAL;
	t->ifindex = sa.sll_ifindex;
	t->protocol = ntohs(sa.sll_protocol);
	t->addr = m->name + offsetof(struct sockaddr_ll, sll_addr);
	t->addr_len = m->name_len - offsetof(struct sockaddr_ll, sll_addr);
	return 0;
}

/* Referenced. */
static struct netif *target_netif(const struct target *t)
{
	struct netif *nif;

	rcu_read_lock();
	nif = netif_by_index(t->ifindex);
	if (!nif) {
		rcu_read_unlock();
		return ERR_PTR(-ENXIO);
	}
	netif_get(nif);
	rcu_read_unlock();
	if (!netif_is_up(nif)) {
		netif_put(nif);
		return ERR_PTR(-ENETDOWN);
	}
	return nif;
}

static int check_length(const struct socket *s, const struct netif *nif, const struct target *t,
			size_t len)
{
	u32 header = nif->link->header_len;

	if (s->type == SOCK_DGRAM) {
		if (header && (!t->addr || t->addr_len < nif->link->addr_len))
			return -EINVAL;
		header = 0;
	} else if (len < header || !len) {
		return -EINVAL;
	}
	return len > nif->mtu + header ? -EMSGSIZE : 0;
}

static struct pkt *build(struct socket *s, struct netif *nif, const struct target *t, struct msg *m,
			 size_t len)
{
	u32 headroom = nif->headroom + LINK_HEADER_MAX, stamping;
	int err = stamp_wanted(s, m, &stamping);
	const struct link_type *link;
	struct pkt *p;

	if (err)
		return ERR_PTR(err);
	p = socket_tx_alloc(s, m->flags, headroom, len);

	if (IS_ERR(p))
		return p;
	if (iter_copy_from(pkt_put(p, len), len, &m->iter) != (long)len) {
		pkt_free(p);
		return ERR_PTR(-EFAULT);
	}
	if (unlikely(stamping & STAMP_TX_ANY))
		stamp_mark(s, p, stamp_of_flags(stamping));
	p->ethertype = t->protocol;
	p->csum = PKT_CSUM_NONE;
	p->net_off = p->data - p->head;
	/* the link type may have left while we slept: its sink has no header */
	rcu_read_lock();
	link = READ_ONCE(nif->link);
	if (s->type == SOCK_DGRAM)
		link->header(nif, pkt_push(p, link->header_len), t->protocol, t->addr, NULL);
	else
		p->net_off += link->header_len;
	rcu_read_unlock();
	return p;
}

long packet_send(struct socket *s, struct msg *m, size_t len)
{
	u8 addr[LINK_ADDR_MAX] = { 0 };
	struct target t;
	struct netif *nif;
	struct pkt *p;
	int err = target_of(s, m, &t);

	if (err)
		return err;
	if (t.addr) {
		/* the link's header() reads its own address length */
		memcpy(addr, t.addr, min(t.addr_len, (u32)sizeof(addr)));
		t.addr = addr;
	}
	nif = target_netif(&t);
	if (IS_ERR(nif))
		return PTR_ERR(nif);
	err = check_length(s, nif, &t, len);
	p = err ? ERR_PTR(err) : build(s, nif, &t, m, len);
	err = IS_ERR(p) ? PTR_ERR(p) : netif_tx(nif, p);
	netif_put(nif);
	return err ? err : (long)len;
}
