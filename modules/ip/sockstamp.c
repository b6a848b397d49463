/* SPDX-License-Identifier: MIT */
/* sockstamp.c - when a packet left (SO_TIMESTAMPING of transmission). Who asks for the first time
 * puts a tap on the interfaces, which sees the marks of packets; until then nobody looks for any.
 * There is no queue between netif_tx and the driver: both moments are read there. */
#include <weft/net/stamp.h>

#include "ip.h"

static void stamp_frame(struct netif_tap *t, struct netif *nif, struct pkt *p, bool sent);

static struct netif_tap tap = { .frame = stamp_frame };
static bool tapping; /* changed under tap_mutex */
static DEFINE_MUTEX(tap_mutex);

static void start(void)
{
	if (likely(READ_ONCE(tapping)))
		return;
	mutex_lock(&tap_mutex);
	if (!tapping)
		netif_tap(&tap);
	WRITE_ONCE(tapping, true);
	mutex_unlock(&tap_mutex);
}

int stamps_init(void)
{
	return 0;
}

void stamps_exit(void)
{
	if (tapping)
		netif_untap(&tap);
	tapping = false;
}

/* ---- asking ---- */

int stamp_wanted(struct socket *s, const struct msg *m, u32 *flags)
{
	struct cmsg_view c;
	size_t pos = 0;
	u32 v;

	*flags = s->stamping;
	while (m->control_len && msg_next_control(m, &pos, &c)) {
		if (c.level != SOL_SOCKET || c.type != SO_TIMESTAMPING)
			continue;
		if (c.len != sizeof(v))
			return -EINVAL;
		memcpy(&v, c.data, sizeof(v));
		if (v & ~(u32)STAMP_TX_ANY)
			return -EINVAL;
		*flags = (*flags & ~(u32)STAMP_TX_ANY) | v;
	}
	if (stamp_of_flags(*flags))
		start();
	return 0;
}
EXPORT(stamp_wanted);

int inet_stamp_flow(struct socket *s, const struct msg *m, struct flow *f)
{
	u32 flags;
	int err = stamp_wanted(s, m, &flags);

	if (err)
		return err;
	if (flags & SOF_TIMESTAMPING_TX_SCHED)
		f->flags |= FLOW_STAMP_SCHED;
	if (flags & SOF_TIMESTAMPING_TX_SOFTWARE)
		f->flags |= FLOW_STAMP_SENT;
	return 0;
}

void stamp_mark(struct socket *s, struct pkt *p, u8 stamps)
{
	p->tx_stamps = stamps;
	p->tx_key = s->stamping & SOF_TIMESTAMPING_OPT_ID ? s->stamp_key++ : 0;
}
EXPORT(stamp_mark);

/* ---- telling ---- */

/* SOF_TIMESTAMPING_OPT_CMSG: addresses of the packet, and where it leaves. */
static void describe(struct inet_error *e, const struct pkt *p)
{
	const u8 *h = p->data + p->nif->link->header_len;
	u32 len = p->len > p->nif->link->header_len ? p->len - p->nif->link->header_len : 0;
	bool v4 = len >= 20 && h[0] >> 4 == 4;

	if (!v4 && (len < 40 || h[0] >> 4 != 6))
		return;
	if (v4) {
		e->rx.src = ip_addr_v4(get_be32(h + 12));
		e->rx.dst = ip_addr_v4(get_be32(h + 16));
		e->rx.tos = h[1];
		e->rx.ttl = h[8];
	} else {
		memcpy(&e->rx.src, h + 8, 16);
		memcpy(&e->rx.dst, h + 24, 16);
		e->rx.tos = get_be16(h) >> 4;
		e->rx.ttl = h[7];
	}
	e->rx.ifindex = e->ifindex = p->nif->index;
	e->offender = e->rx.src;
	e->has_rx = true;
}

void stamp_tell(struct socket *s, u32 what, u32 key, const struct pkt *p, const void *data, u32 len)
{
	u32 flags = READ_ONCE(s->stamping);
	struct inet_error *e;

	if (flags & SOF_TIMESTAMPING_OPT_TSONLY)
		len = 0;
	e = socket_notice_alloc(sizeof(*e), data, len);
	if (!e && len) /* the moment alone */
		e = socket_notice_alloc(sizeof(*e), NULL, 0);
	if (!e)
		return;
	e->n.stamp_ns = ktime_get();
	e->n.ee = (struct sock_extended_err){
		.ee_errno = ENOMSG,
		.ee_origin = SO_EE_ORIGIN_TIMESTAMPING,
		.ee_info = what,
		.ee_data = flags & SOF_TIMESTAMPING_OPT_ID ? key : 0,
	};
	if (p && len && (flags & SOF_TIMESTAMPING_OPT_CMSG) && s->family != AF_PACKET)
		describe(e, p);
	socket_notice_queue(s, &e->n, SOCKET_NOTICES_MAX);
}
EXPORT(stamp_tell);

/* What came in bears no mark: the receive side makes its own packets, and lo's lost theirs here. */
static void stamp_frame(struct netif_tap *t, struct netif *nif, struct pkt *p, bool sent)
{
	u8 stamps = p->tx_stamps;

	if (likely(!stamps))
		return;
	p->tx_stamps = 0;
	if (!sent || !p->sock)
		return;
	if (stamps & PKT_STAMP_SCHED)
		stamp_tell(p->sock, SCM_TSTAMP_SCHED, p->tx_key, p, p->data, p->len);
	if (stamps & PKT_STAMP_SENT)
		stamp_tell(p->sock, SCM_TSTAMP_SND, p->tx_key, p, p->data, p->len);
	if (stamps & PKT_STAMP_FREE)
		pkt_orphan(p);
}
