/* SPDX-License-Identifier: MIT */
/* recv.c - frames from the tap to a reader. The tap sees a frame before its link type does, so its
 * kind and EtherType are read here, by the interface's ARPHRD number. What the filter wants is
 * copied: the stack goes on to change the frame in place, and a driver wants its buffer back. */
#include "packet.h"

#include <weft/string.h>

/* EtherTypes that Linux gives to frames with an 802.3 length field */
#define ETH_P_802_3 0x0001
#define ETH_P_802_2 0x0004

struct frame_kind {
	u16 ethertype;
	u8 pkttype;
	u8 header; /* bytes of link header */
	const u8 *source;
	u8 source_len;
};

static u16 ethernet_type(const struct pkt *p)
{
	u16 type = get_be16(p->data + 2 * ETH_ALEN);

	if (type >= ETH_P_802_3_MIN)
		return type;
	/* Novell's raw frames begin with a checksum that is none */
	if (p->len >= ETH_HLEN + 2 && get_be16(p->data + ETH_HLEN) == 0xffff)
		return ETH_P_802_3;
	return ETH_P_802_2;
}

static u8 ethernet_kind(const struct netif *nif, const u8 *dst)
{
	if (nif->flags & IFF_LOOPBACK)
		return PKT_HOST;
	if (eth_is_broadcast(dst))
		return PKT_BROADCAST;
	if (eth_is_multicast(dst))
		return PKT_MULTICAST;
	return eth_eq(dst, nif->mac) ? PKT_HOST : PKT_OTHERHOST;
}

/* False: too short to be a frame of its kind. */
static bool read_frame(const struct netif *nif, const struct pkt *p, bool sent,
		       struct frame_kind *k)
{
	memset(k, 0, sizeof(*k));
	if (nif->type == ARPHRD_ETHER || nif->type == ARPHRD_LOOPBACK) {
		if (p->len < ETH_HLEN)
			return false;
		k->header = ETH_HLEN;
		k->ethertype = ethernet_type(p);
		k->pkttype = ethernet_kind(nif, p->data);
		k->source = p->data + ETH_ALEN;
		k->source_len = ETH_ALEN;
	} else {
		/* links without addresses carry bare packets, told apart by their version */
		k->header = min((u32)nif->link->header_len, p->len);
		if (p->len > k->header)
			k->ethertype = p->data[k->header] >> 4 == 6 ? ETH_P_IPV6 : ETH_P_IP;
	}
	if (sent)
		k->pkttype = PKT_OUTGOING;
	return true;
}

static bool wanted(const struct packet_sock *ps, const struct pkt *p, const struct frame_kind *k,
		   bool sent)
{
	if (ps->protocol != ETH_P_ALL)
		return !sent && ps->protocol == k->ethertype;
	/* what the socket sent itself does not come back to it */
	return !sent || (p->sock != ps->s && !READ_ONCE(ps->ignore_outgoing));
}

static u32 status_of(const struct netif *nif, const struct pkt *p)
{
	/* over lo a checksum is never computed, though counted as good */
	if (p->csum == PKT_CSUM_FILL || (p->csum == PKT_CSUM_OK && (nif->flags & IFF_LOOPBACK)))
		return TP_STATUS_USER | TP_STATUS_CSUMNOTREADY;
	return TP_STATUS_USER | (p->csum == PKT_CSUM_OK ? TP_STATUS_CSUM_VALID : 0);
}

static void fill_cb(struct packet_cb *cb, const struct netif *nif, const struct pkt *p,
		    const struct frame_kind *k, u32 skip)
{
	memset(cb, 0, sizeof(*cb));
	cb->from.sll_family = AF_PACKET;
	cb->from.sll_protocol = htons(k->ethertype);
	cb->from.sll_ifindex = nif->index;
	cb->from.sll_hatype = nif->type;
	cb->from.sll_pkttype = k->pkttype;
	cb->from.sll_halen = k->source_len;
	if (k->source_len)
		memcpy(cb->from.sll_addr, k->source, k->source_len);
	cb->true_len = p->len - skip;
	cb->net = k->header - skip;
	cb->status = status_of(nif, p);
}

/* How many bytes from skip on the socket's program wants. */
static u32 filter(const struct packet_sock *ps, const struct netif *nif, const struct pkt *p,
		  const struct frame_kind *k, u32 skip)
{
	struct filter_view v = { .head = p->data, .size = p->len, .data_off = skip };

	if (!socket_has_filter(ps->s))
		return p->len - skip;
	v.net_off = k->header;
	v.ethertype = k->ethertype;
	v.pkttype = k->pkttype;
	v.ifindex = nif->index;
	v.hatype = nif->type;
	return min(socket_filter_run(ps->s, &v), p->len - skip);
}

static bool queue(struct packet_sock *ps, const struct packet_cb *cb, const u8 *data, u32 len,
		  u64 stamp_ns)
{
	struct pkt *copy = NULL;

	/* a full queue is seen before the bytes are copied; socket_queue decides */
	if (READ_ONCE(ps->s->rx_bytes) < READ_ONCE(ps->s->rcvbuf))
		copy = pkt_alloc(PKT_POOL_RX, 0, len);
	if (!copy)
		return false;
	memcpy(pkt_put(copy, len), data, len);
	copy->stamp_ns = stamp_ns;
	*packet_cb(copy) = *cb;
	return socket_queue(ps->s, copy) == 0;
}

void packet_frame(struct netif_tap *t, struct netif *nif, struct pkt *p, bool sent)
{
	struct packet_sock *ps = container_of(t, struct packet_sock, tap);
	struct packet_ring *ring = rcu_dereference(ps->ring);
	struct packet_cb cb;
	struct frame_kind k;
	u32 skip, keep;
	bool taken;

	if (!read_frame(nif, p, sent, &k) || !wanted(ps, p, &k, sent))
		return;
	skip = ps->s->type == SOCK_DGRAM ? k.header : 0;
	keep = filter(ps, nif, p, &k, skip);
	if (!keep && p->len > skip)
		return;
	atomic_inc(&ps->packets);
	fill_cb(&cb, nif, p, &k, skip);
	if (ring) {
		taken = packet_ring_put(ring, &cb, p->data + skip, keep);
		socket_wake(ps->s, POLLIN | POLLRDNORM);
	} else {
		taken = queue(ps, &cb, p->data + skip, keep,
			      sent || !p->stamp_ns ? ktime_get() : p->stamp_ns);
	}
	if (!taken) {
		atomic_inc(&ps->drops);
		ip_drop_count(DROP_SOCKET_FULL);
	}
}

/* ---- the reader's side ---- */

static void put_name(const struct socket *s, struct msg *m, const struct packet_cb *cb)
{
	struct sockaddr_pkt old = { .spkt_family = ARPHRD_ETHER };

	if (!m->name)
		return;
	if (s->type != SOCK_PACKET) {
		memcpy(m->name, &cb->from, sizeof(cb->from));
		m->name_len = sizeof(cb->from);
		return;
	}
	old.spkt_family = cb->from.sll_hatype;
	old.spkt_protocol = cb->from.sll_protocol;
	packet_device_name(cb->from.sll_ifindex, old.spkt_device);
	memcpy(m->name, &old, sizeof(old));
	m->name_len = sizeof(old);
}

static void put_auxdata(struct msg *m, const struct packet_cb *cb, u32 len)
{
	struct tpacket_auxdata aux = {
		.tp_status = cb->status,
		.tp_len = cb->true_len,
		.tp_snaplen = len,
		.tp_mac = cb->mac,
		.tp_net = cb->net,
	};

	msg_put_control(m, SOL_PACKET, PACKET_AUXDATA, &aux, sizeof(aux));
}

/* Has the interface that s is bound to been taken away? */
static bool device_gone(const struct packet_sock *ps)
{
	bool gone;

	if (!ps->ifindex)
		return false;
	rcu_read_lock();
	gone = !netif_by_index(ps->ifindex);
	rcu_read_unlock();
	return gone;
}

long packet_recv(struct socket *s, struct msg *m, size_t len)
{
	const u32 known = MSG_PEEK | MSG_DONTWAIT | MSG_TRUNC | MSG_CMSG_CLOEXEC | MSG_ERRQUEUE |
			  MSG_WAITALL | MSG_NOSIGNAL;
	struct packet_sock *ps = packet_of(s);
	struct pkt *p;
	long n;

	if (m->flags & ~known)
		return -EINVAL;
	if (m->flags & MSG_ERRQUEUE)
		return socket_recv_notice(s, m, len, SOL_PACKET, PACKET_TX_TIMESTAMP);
	if (list_empty(&s->rx) && !READ_ONCE(s->error) && device_gone(ps))
		return -ENODEV;
	p = socket_dequeue(s, m->flags);
	if (!p)
		return 0;
	if (IS_ERR(p))
		return PTR_ERR(p);
	ps->stamp_ns = p->stamp_ns;
	put_name(s, m, packet_cb(p));
	n = socket_copy_datagram(s, m, p, 0, len);
	if (ps->auxdata)
		put_auxdata(m, packet_cb(p), p->len);
	pkt_free(p);
	return n;
}
