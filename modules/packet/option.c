/* SPDX-License-Identifier: MIT */
/* option.c - SOL_PACKET: memberships (promiscuous, all groups, one group), statistics, ancillary
 * data, and what a ring looks like. Of rings there is the second version: whoever asks for the
 * third hears EINVAL, and libpcap then takes this one. */
#include "packet.h"

#include <weft/alloc.h>
#include <weft/string.h>

#define MEMBERS_MAX 256 /* a socket */
#define RESERVE_MAX 65536

/* ---- memberships ---- */

/* Counts m in its interface, or out of it. netif_lock held. */
static int apply(struct packet_member *m, bool join)
{
	struct netif *nif = m->nif;

	switch (m->type) {
	case PACKET_MR_MULTICAST:
		if (m->addr_len != nif->link->addr_len)
			return join ? -EINVAL : 0;
		if (join)
			return netif_mcast_add(nif, m->addr);
		netif_mcast_del(nif, m->addr);
		return 0;
	case PACKET_MR_ALLMULTI:
		netif_allmulti(nif, join ? 1 : -1);
		return 0;
	case PACKET_MR_PROMISC:
	case PACKET_MR_UNICAST: /* no device here has a list of further addresses */
		netif_promisc(nif, join ? 1 : -1);
		return 0;
	default:
		return -EINVAL;
	}
}

static struct packet_member *find(struct packet_sock *ps, const struct packet_mreq *mr)
{
	struct packet_member *m;

	list_for_each_entry(m, &ps->members, node) {
		if (m->nif->index == (u32)mr->mr_ifindex && m->type == mr->mr_type &&
		    m->addr_len == mr->mr_alen && !memcmp(m->addr, mr->mr_address, m->addr_len))
			return m;
	}
	return NULL;
}

static int join_new(struct packet_sock *ps, const struct packet_mreq *mr)
{
	struct packet_member *m;
	u32 count = 0;
	int err;

	list_for_each_entry(m, &ps->members, node)
		count++;
	if (count >= MEMBERS_MAX)
		return -ENOBUFS;
	m = kzalloc(sizeof(*m));
	if (!m)
		return -ENOMEM;
	m->type = mr->mr_type;
	m->addr_len = mr->mr_alen;
	m->users = 1;
	memcpy(m->addr, mr->mr_address, mr->mr_alen);
	netif_lock();
	m->nif = netif_by_index(mr->mr_ifindex);
	err = !m->nif ? -ENODEV : mr->mr_alen > m->nif->link->addr_len ? -EINVAL : apply(m, true);
	if (!err)
		netif_get(m->nif);
	netif_unlock();
	if (err) {
		kfree(m);
		return err;
	}
	list_add_tail(&m->node, &ps->members);
	return 0;
}

static void leave(struct packet_member *m)
{
	netif_lock();
	apply(m, false);
	netif_unlock();
	netif_put(m->nif);
	list_del(&m->node);
	kfree(m);
}

static int membership(struct packet_sock *ps, int opt, const void *val, u32 len)
{
	struct packet_mreq mr;
	struct packet_member *m;

	if (len < sizeof(mr))
		return -EINVAL;
	memcpy(&mr, val, sizeof(mr));
	if (mr.mr_alen > sizeof(mr.mr_address))
		return -EINVAL;
	m = find(ps, &mr);
	if (opt == PACKET_ADD_MEMBERSHIP) {
		if (!m)
			return join_new(ps, &mr);
		m->users++;
	} else if (m && !--m->users) {
		leave(m);
	}
	return 0;
}

void packet_leave_all(struct packet_sock *ps)
{
	struct packet_member *m, *next;

	list_for_each_entry_safe(m, next, &ps->members, node)
		leave(m);
}

/* ---- the rest ---- */

static bool *flag_option(struct packet_sock *ps, int opt)
{
	switch (opt) {
	case PACKET_AUXDATA:
		return &ps->auxdata;
	case PACKET_ORIGDEV: /* no interface stands behind another yet: both are the same */
		return &ps->origdev;
	case PACKET_IGNORE_OUTGOING:
		return &ps->ignore_outgoing;
	default:
		return NULL;
	}
}

static int ring_option(struct packet_sock *ps, int opt, int v)
{
	if (ps->ring)
		return -EBUSY;
	if (opt == PACKET_VERSION) {
		if (v != TPACKET_V2)
			return -EINVAL;
		ps->version = v;
		return 0;
	}
	if (v < 0 || v > RESERVE_MAX)
		return -EINVAL;
	ps->reserve = v;
	return 0;
}

/* PACKET_HDRLEN: asked with the version in the buffer. */
static int header_length(void *val, u32 *len)
{
	int v;

	if (*len < sizeof(v))
		return -EINVAL;
	memcpy(&v, val, sizeof(v));
	if (v != TPACKET_V2)
		return -EINVAL;
	v = sizeof(struct tpacket2_hdr);
	*len = sizeof(v);
	memcpy(val, &v, sizeof(v));
	return 0;
}

int packet_setsockopt(struct socket *s, int level, int opt, const void *val, u32 len)
{
	struct packet_sock *ps = packet_of(s);
	bool *flag;
	int v;

	if (level != SOL_PACKET)
		return -ENOPROTOOPT;
	if (opt == PACKET_ADD_MEMBERSHIP || opt == PACKET_DROP_MEMBERSHIP)
		return membership(ps, opt, val, len);
	if (opt == PACKET_RX_RING)
		return packet_ring_set(ps, val, len);
	flag = flag_option(ps, opt);
	if (!flag && opt != PACKET_VERSION && opt != PACKET_RESERVE)
		return -ENOPROTOOPT;
	if (len < sizeof(v))
		return -EINVAL;
	memcpy(&v, val, sizeof(v));
	if (!flag)
		return ring_option(ps, opt, v);
	if (opt == PACKET_IGNORE_OUTGOING && (v < 0 || v > 1))
		return -EINVAL;
	WRITE_ONCE(*flag, v != 0);
	return 0;
}

int packet_getsockopt(struct socket *s, int level, int opt, void *val, u32 *len)
{
	struct packet_sock *ps = packet_of(s);
	struct tpacket_stats st;
	const bool *flag;
	int v;

	if (level != SOL_PACKET)
		return -ENOPROTOOPT;
	if (opt == PACKET_STATISTICS) {
		/* reading starts them anew */
		st.tp_packets = xchg(&ps->packets.v, 0);
		st.tp_drops = xchg(&ps->drops.v, 0);
		*len = min(*len, (u32)sizeof(st));
		memcpy(val, &st, *len);
		return 0;
	}
	if (opt == PACKET_HDRLEN)
		return header_length(val, len);
	flag = flag_option(ps, opt);
	if (flag)
		v = *flag;
	else if (opt == PACKET_VERSION)
		v = ps->version;
	else if (opt == PACKET_RESERVE)
		v = ps->reserve;
	else
		return -ENOPROTOOPT;
	*len = min(*len, (u32)sizeof(v));
	memcpy(val, &v, *len);
	return 0;
}
