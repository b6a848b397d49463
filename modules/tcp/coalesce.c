/* SPDX-License-Identifier: MIT */
/* coalesce.c - bulk data mostly comes as segments that differ in nothing but sequence number, time
 * stamp and checksum. Behind one that header prediction let through, those that go on like it are
 * only checked for that and listed; at the end of the batch, or before any other segment, their
 * connection gets all at once, under one lock. Should it have changed meanwhile, each goes the
 * usual way. */
#include "coalesce.h"

#include <weft/bytes.h>

#define COALESCE_MAX 32	 /* then a reader on another CPU may begin */
#define COALESCE_MIN 512 /* payload; what is short is rather copied together, rxq.c */

struct coalesce {
	struct tcp_conn *tc; /* NULL: nothing is expected. Valid to the end of the batch (RCU) */
	u32 next, limit;     /* the sequence number expected, the window's right edge */
	u32 tsval;	     /* the newest */
	u32 ports;	     /* as they stand in the header */
	u64 ack_flags;	     /* the 8 bytes behind the sequence number, without PSH */
	struct ip_rx rx;     /* of each of them, in every bit */
	u16 pseudo;	     /* the pseudo-header's sum without the length */
	u32 header;	     /* its length */
	/* what was taken */
	u32 nr, truesize, longest;
	u32 first_tsval, first_tsecr;
	u64 now;
	struct list_head packets;
	/* tc's, when it began */
	u32 first, snd_una, snd_wnd;
	struct batch_end batch;
} __cacheline_aligned;

/* Each CPU's, in poll context */
static struct coalesce running[MAX_CPUS];

/* ---- to the connection ---- */

/* All that header prediction would ask of each. Lock held. */
static bool still_predicted(const struct coalesce *c)
{
	const struct tcp_conn *tc = c->tc;

	return tc->state == TCP_ESTABLISHED && tc->rcv_nxt == c->first &&
	       tc->snd_una == c->snd_una && tc->snd_wnd == c->snd_wnd && !tc->fastopen_from &&
	       (c->header == TCP_HEADER || seq_ge(c->first_tsval, tc->ts_recent));
}

/* Of them only the first can carry the time stamp to echo, RFC 7323 4.3 (2), or answer the ACK that
 * was sent last. Lock held. */
static void note_times(const struct coalesce *c)
{
	struct tcp_conn *tc = c->tc;
	bool ts = c->header != TCP_HEADER;

	tc->last_recv_ns = c->now;
	if (ts) {
		if (likely(seq_gt(c->first, tc->last_ack_sent)))
			return;
		tc->ts_recent = c->first_tsval;
		tc->ts_recent_ns = c->now;
	}
	if (unlikely(seq_ge(c->first, tc->rcv_rtt_seq))) {
		struct tcp_seg seg = { .has_ts = ts, .tsecr = c->first_tsecr, .len = c->longest };

		tcp_rcv_rtt(tc, &seg, c->now);
	}
}

/* Lock held. */
static bool hand_over(struct coalesce *c)
{
	struct tcp_conn *tc = c->tc;

	if (unlikely(!still_predicted(c)))
		return false;
	note_times(c);
	if (unlikely(!tcp_rx_list(tc, &c->packets, c->next, c->truesize, c->longest)))
		return false;
	tc->segs_in += c->nr;
	tcp_count_add(TCP_InSegs, c->nr);
	tcp_count_add(TCP_TCPHPHits, c->nr);
	return true;
}

/* As if they came now. */
static __noinline void one_by_one(struct coalesce *c)
{
	struct ip_rx rx = c->rx;
	LIST_HEAD(packets);
	struct pkt *p;
	u32 header = c->header;

	list_splice_tail(&c->packets, &packets);
	while (!list_empty(&packets)) {
		p = list_first_entry(&packets, struct pkt, node);
		list_del(&p->node);
		pkt_push(p, header);
		*ip_rx(p) = rx;
		tcp_input_one(p, ip_rx(p));
	}
}

/* Nothing more is expected. */
static void finish(struct coalesce *c)
{
	struct tcp_conn *tc = c->tc;
	bool done, hang;

	if (!c->nr) {
		c->tc = NULL;
		return;
	}
	spin_lock(&tc->lock);
	done = hand_over(c);
	hang = tcp_hang_prepare(tc);
	spin_unlock(&tc->lock);
	c->tc = NULL;
	c->nr = 0;
	if (hang)
		batch_end_add(&tc->batch);
	if (unlikely(!done))
		one_by_one(c);
}

static void batch_over(struct batch_end *b)
{
	struct coalesce *c = container_of(b, struct coalesce, batch);

	if (c->tc)
		finish(c);
}

/* ---- one that may be next ---- */

static bool same_rx(const struct ip_rx *a, const struct ip_rx *b)
{
	const u64 *x = (const u64 *)a, *y = (const u64 *)b;

	_Static_assert(sizeof(*a) == 6 * sizeof(u64), "all of it is compared");
	return !((x[0] ^ y[0]) | (x[1] ^ y[1]) | (x[2] ^ y[2]) | (x[3] ^ y[3]) | (x[4] ^ y[4]) |
		 (x[5] ^ y[5]));
}

/* The words of the header that are all of them alike: ports, ACK, length, flags, window. */
static bool same_header(const struct coalesce *c, const u8 *h)
{
	u64 ack_flags;
	u32 ports;

	memcpy(&ports, h, sizeof(ports));
	memcpy(&ack_flags, h + 8, sizeof(ack_flags));
	return !((ports ^ c->ports) | ((ack_flags ^ c->ack_flags) & ~((u64)TCP_PSH << 40)));
}

static bool checksum_good(const struct coalesce *c, const struct pkt *p)
{
	u32 sum;

	if (p->csum == PKT_CSUM_OK)
		return true;
	sum = csum_partial(p->data, p->len, (u32)c->pseudo + htonl(p->len));
	/* folded twice at once: the upper half is the 16-bit sum */
	return (sum + (sum << 16 | sum >> 16)) >> 16 == 0xffff;
}

/* One segment, of some length, in a buffer to be kept as it is? Large ones cost little a byte. */
static bool fit_to_list(const struct coalesce *c, const struct pkt *p)
{
	return p->len >= c->header + COALESCE_MIN && p->pool == PKT_POOL_RX &&
	       p->truesize <= 2 * PKT_BUF_SIZE && !p->gso_size;
}

static bool is_next(struct coalesce *c, const struct pkt *p, const struct ip_rx *rx)
{
	const u8 *h = p->data;
	u32 tsval;

	if (!fit_to_list(c, p) || get_be32(h + 4) != c->next || !same_header(c, h) ||
	    !same_rx(&c->rx, rx) || seq_gt(c->next + p->len - c->header, c->limit) ||
	    !checksum_good(c, p))
		return false;
	if (c->header == TCP_HEADER)
		return true;
	tsval = get_be32(h + TCP_HEADER + 4);
	if (get_be32(h + TCP_HEADER) != TCP_TIMESTAMP_ALONE || seq_lt(tsval, c->tsval))
		return false;
	if (!c->nr) {
		c->first_tsval = tsval;
		c->first_tsecr = get_be32(h + TCP_HEADER + 8);
	}
	c->tsval = tsval;
	return true;
}

static void take(struct coalesce *c, struct pkt *p)
{
	struct tcp_rx_cb *cb = tcp_rx_cb(p);
	u32 len = p->len - c->header;

	p->data += c->header;
	p->len = len;
	cb->seq = c->next;
	c->next += len;
	cb->end = c->next;
	if (unlikely(len > c->longest))
		c->longest = len;
	c->nr++;
	c->truesize += p->truesize;
	c->now = p->stamp_ns;
	list_add_tail(&p->node, &c->packets);
}

static __noinline int take_next(struct coalesce *c, struct pkt *p, struct ip_rx *rx)
{
	if (unlikely(c->nr == COALESCE_MAX || !is_next(c, p, rx))) {
		finish(c);
		return tcp_input_one(p, rx);
	}
	take(c, p);
	return IP_TAKEN;
}

int tcp_input(struct pkt *p, struct ip_rx *rx)
{
	struct coalesce *c = &running[cpu_id()];

	return c->tc ? take_next(c, p, rx) : tcp_input_one(p, rx);
}

void tcp_coalesce_from(struct tcp_conn *tc, const struct tcp_seg *seg, const struct ip_rx *rx)
{
	struct coalesce *c = &running[cpu_id()];
	u8 fixed[8];

	if (seg->len < COALESCE_MIN || seg->ack != tc->snd_una || !in_poll_context() ||
	    seg->header != TCP_HEADER + (seg->has_ts ? TCP_TIMESTAMP_ROOM : 0))
		return;
	c->tc = tc;
	c->first = c->next = seg->end;
	c->limit = tc->rcv_wup + tc->rcv_wnd;
	c->snd_una = tc->snd_una;
	c->snd_wnd = tc->snd_wnd;
	c->ports = htons(seg->sport) | (u32)htons(seg->dport) << 16;
	put_be32(fixed, seg->ack);
	fixed[4] = seg->header / 4 << 4;
	fixed[5] = TCP_ACK;
	put_be16(fixed + 6, seg->window);
	memcpy(&c->ack_flags, fixed, sizeof(fixed));
	c->header = seg->header;
	c->tsval = seg->tsval;
	c->rx = *rx;
	c->pseudo = ~csum_fold(ip_pseudo_sum(&rx->src, &rx->dst, IPPROTO_TCP, 0));
	c->nr = c->truesize = c->longest = 0;
	list_init(&c->packets);
	c->batch.fn = batch_over;
	batch_end_add(&c->batch);
}
