/* SPDX-License-Identifier: MIT */
/* gso.c - UDP_SEGMENT: one send that is many datagrams, all of one size but the last. They go down
 * as one packet (pkt.h), so that checks, route and neighbour are asked for once, and are cut just
 * above the driver; on lo they stay together. */
#include "udp.h"

int udp_segment_size(const struct udp_sock *us, const struct msg *m)
{
	int size = us->ways.segment;
	struct cmsg_view c;
	size_t pos = 0;
	u16 v;

	while (m->control_len && msg_next_control(m, &pos, &c)) {
		if (c.level != SOL_UDP)
			continue;
		if (c.type != UDP_SEGMENT || c.len != sizeof(v))
			return -EINVAL;
		memcpy(&v, c.data, sizeof(v));
		size = v;
	}
	return size;
}

/* Linux's order of refusals. */
static int check(const struct udp_sock *us, const struct flow *f, u32 len, u32 size)
{
	/* fragments are what its user wants to be spared */
	if (f->net_header + UDP_HEADER + min(len, size) > f->mtu)
		return -EMSGSIZE;
	if (len > size * UDP_MAX_SEGMENTS || udp_no_check(us, &f->dst))
		return -EINVAL;
	return 0;
}

static void fill_header(const struct flow *f, struct pkt *p, u8 *h, u32 len)
{
	u16 field = ~csum_fold(flow_pseudo_sum(f, IPPROTO_UDP, len));

	put_be16(h, f->sport);
	put_be16(h + 2, f->dport);
	put_be16(h + 4, len);
	memcpy(h + 6, &field, sizeof(field));
	p->csum = PKT_CSUM_FILL;
	p->csum_start = p->trans_off;
	p->csum_off = 6;
}

long udp_emit_segments(struct udp_sock *us, struct flow *f, struct pkt *p, struct iov_iter *from,
		       u32 len, u32 size)
{
	int err = check(us, f, len, size);
	u8 *h;

	if (err) {
		pkt_free(p);
		return err;
	}
	h = pkt_put(p, UDP_HEADER + len);
	p->trans_off = pkt_headroom(p);
	if (iter_copy_from(h + UDP_HEADER, len, from) != (long)len) {
		pkt_free(p);
		return -EFAULT;
	}
	fill_header(f, p, h, UDP_HEADER + len);
	if (len > size) {
		p->gso_size = size;
		p->gso_type = ip_addr_is_v4(&f->dst) ? PKT_GSO_UDP4 : PKT_GSO_UDP6;
	}
	/* as Linux counts: once for all of them */
	return udp_sent(us, f, len, ip_commit(f, p));
}
