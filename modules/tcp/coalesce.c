/* SPDX-License-Identifier: MIT */
/* coalesce.c - what comes in bulk mostly differs in little: data in sequence number, time stamp and
 * checksum, ACKs of data in the number they acknowledge. Behind one that header prediction let
 * through, those that go on like it are only checked for that and kept; at the end of the batch, or
 * before any other segment, their connection gets all data at once, under one lock, and of the ACKs
 * the last, which says all that those before it said. Should it have changed meanwhile, each goes
 * the usual way. */
#include "coalesce.h"

#include <weft/bytes.h>
#include <weft/net/train.h>

#include "recovery.h"

#define COALESCE_MAX 32	 /* then a reader on another CPU may begin */
#define COALESCE_MIN 512 /* payload; what is short is rather copied together, rxq.c */

struct coalesce {
	struct tcp_conn *tc; /* NULL: nothing is expected. Valid to the end of the batch (RCU) */
	u32 next;	     /* the sequence number expected */
	u32 limit;	 /* the window's right edge; of ACKs snd_nxt: what they may acknowledge */
	u32 tsval;	 /* the newest */
	u32 ports;	 /* as they stand in the header */
	u64 ack_flags;	 /* the 8 bytes behind the sequence number */
	u64 same;	 /* which bits of these are those of the first */
	struct ip_rx rx; /* of each of them, in every bit */
	u16 pseudo;	 /* the pseudo-header's sum without the length */
	u32 header;	 /* its length */
	u32 nr;		 /* taken */
	/* data that was taken */
	u32 truesize, longest;
	u32 first_tsval, first_tsecr;
	struct list_head packets;
	/* the last ACK that was, and what it acknowledges */
	struct pkt *last;
	u32 ack;
	/* tc's, when it began */
	u32 first, snd_una, snd_wnd;
	struct rx_train train;
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
	u64 now = list_last_entry(&c->packets, struct pkt, node)->stamp_ns;
	bool ts = c->header != TCP_HEADER;

	tc->last_recv_ns = now;
	if (ts) {
		if (likely(seq_gt(c->first, tc->last_ack_sent)))
			return;
		tc->ts_recent = c->first_tsval;
		tc->ts_recent_ns = now;
	}
	if (unlikely(seq_ge(c->first, tc->rcv_rtt_seq))) {
		struct tcp_seg seg = { .has_ts = ts, .tsecr = c->first_tsecr, .len = c->longest };

		tcp_rcv_rtt(tc, &seg, now);
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

/* False: they were not as expected, and the next ones will not be. */
static bool give_data(struct coalesce *c)
{
	struct tcp_conn *tc = c->tc;
	bool done, hang;

	spin_lock(&tc->lock);
	done = hand_over(c);
	hang = tcp_hang_prepare(tc);
	spin_unlock(&tc->lock);
	if (hang)
		batch_end_add(&tc->batch);
	if (unlikely(!done))
		one_by_one(c);
	c->first = c->next;
	c->nr = c->truesize = c->longest = 0;
	list_init(&c->packets);
	return done;
}

static void give_ack(struct coalesce *c)
{
	struct tcp_conn *tc = c->tc;
	struct pkt *p = c->last;
	u32 spared = c->nr - 1;

	spin_lock(&tc->lock);
	tc->segs_in += spared;
	tc->empty_in += spared;
	spin_unlock(&tc->lock);
	tcp_count_add(TCP_InSegs, spared);
	tcp_count_add(TCP_TCPHPAcks, spared);
	c->nr = 0;
	c->last = NULL;
	*ip_rx(p) = c->rx;
	tcp_input_one(p, ip_rx(p));
}

/* Nothing more is expected. */
static __noinline void finish(struct coalesce *c)
{
	if (c->last)
		give_ack(c);
	else if (c->nr)
		give_data(c);
	rx_train_end(&c->train);
	c->tc = NULL;
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

/* The words of the header that are all of them alike: ports, length, flags; of data ACK and window.
 */
static bool same_header(const struct coalesce *c, const u8 *h)
{
	u64 ack_flags;
	u32 ports;

	memcpy(&ports, h, sizeof(ports));
	memcpy(&ack_flags, h + 8, sizeof(ack_flags));
	return !((ports ^ c->ports) | ((ack_flags ^ c->ack_flags) & c->same));
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

/* One segment of some length within the window, in a buffer to be kept as it is? Large ones cost
 * little a byte. */
static bool is_more_data(const struct coalesce *c, const struct pkt *p)
{
	return p->len >= c->header + COALESCE_MIN && p->pool == PKT_POOL_RX &&
	       p->truesize <= 2 * PKT_BUF_SIZE && !p->gso_size &&
	       seq_le(c->next + p->len - c->header, c->limit);
}

/* A duplicate means something on its own, and so do options. */
static bool is_later_ack(const struct coalesce *c, const struct pkt *p)
{
	u32 ack;

	if (p->len != c->header)
		return false;
	ack = get_be32(p->data + 8);
	return seq_gt(ack, c->ack) && seq_le(ack, c->limit);
}

/* Behind the fixed header only a time stamp, and none that is older. */
static bool times_go_on(struct coalesce *c, const u8 *h)
{
	u32 tsval;

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

static __always_inline bool is_next(struct coalesce *c, const struct pkt *p, bool acks)
{
	const u8 *h = p->data;

	if (!(acks ? is_later_ack(c, p) : is_more_data(c, p)) || get_be32(h + 4) != c->next ||
	    !same_header(c, h))
		return false;
	return checksum_good(c, p) && times_go_on(c, h);
}

static void take_ack(struct coalesce *c, struct pkt *p)
{
	if (c->last)
		pkt_free(c->last);
	c->last = p;
	c->ack = get_be32(p->data + 8);
	c->nr++;
}

static __always_inline void take_data(struct coalesce *c, struct pkt *p)
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
	list_add_tail(&p->node, &c->packets);
}

/* Room for more? False also when what came was not as expected. */
static bool go_on(struct coalesce *c)
{
	return likely(c->nr < COALESCE_MAX) || give_data(c);
}

static __always_inline bool take_more_data(struct coalesce *c, struct pkt *p)
{
	if (unlikely(!go_on(c) || !is_next(c, p, false)))
		return false;
	take_data(c, p);
	return true;
}

static __always_inline bool take_more_acks(struct coalesce *c, struct pkt *p)
{
	if (unlikely(!is_next(c, p, true)))
		return false;
	take_ack(c, p);
	return true;
}

/* Frames like those before them, whose layers below TCP had nothing to say. */
static void more_data(struct rx_train *t, struct pkt *p)
{
	if (unlikely(!take_more_data(container_of(t, struct coalesce, train), p)))
		rx_train_refuse(t, p);
}

static void more_acks(struct rx_train *t, struct pkt *p)
{
	if (unlikely(!take_more_acks(container_of(t, struct coalesce, train), p)))
		rx_train_refuse(t, p);
}

static bool take_more(struct coalesce *c, struct pkt *p)
{
	return c->train.next == more_acks ? take_more_acks(c, p) : take_more_data(c, p);
}

static __noinline int take_next(struct coalesce *c, struct pkt *p, struct ip_rx *rx)
{
	if (unlikely(!same_rx(&c->rx, rx) || !take_more(c, p))) {
		finish(c);
		return tcp_input_one(p, rx);
	}
	/* with the second it is more than one that happened to follow another */
	rx_train_begin(&c->train, p, &c->rx);
	return IP_TAKEN;
}

int tcp_input(struct pkt *p, struct ip_rx *rx)
{
	struct coalesce *c = &running[cpu_id()];

	return c->tc ? take_next(c, p, rx) : tcp_input_one(p, rx);
}

/* ---- the first one ---- */

/* The bits of the 8 bytes behind the sequence number that do not differ: all but PSH, or the
 * header's length and the flags. */
#define SAME_DATA (~((u64)TCP_PSH << 40))
#define SAME_ACKS (0xffffull << 32)

/* NULL: it is no beginning. */
static struct coalesce *begin(struct tcp_conn *tc, const struct tcp_seg *seg,
			      const struct ip_rx *rx)
{
	struct coalesce *c = &running[cpu_id()];
	u8 fixed[8];

	if (!in_poll_context() || c->tc ||
	    seg->header != TCP_HEADER + (seg->has_ts ? TCP_TIMESTAMP_ROOM : 0))
		return NULL;
	c->tc = tc;
	c->next = seg->end;
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
	c->nr = 0;
	c->last = NULL;
	c->batch.fn = batch_over;
	batch_end_add(&c->batch);
	return c;
}

void tcp_coalesce_from(struct tcp_conn *tc, const struct tcp_seg *seg, const struct ip_rx *rx)
{
	struct coalesce *c;

	if (seg->len < COALESCE_MIN || seg->ack != tc->snd_una)
		return;
	c = begin(tc, seg, rx);
	if (!c)
		return;
	c->same = SAME_DATA;
	c->train.next = more_data;
	c->first = seg->end;
	c->limit = tc->rcv_wup + tc->rcv_wnd;
	c->snd_una = tc->snd_una;
	c->snd_wnd = tc->snd_wnd;
	c->truesize = c->longest = 0;
	list_init(&c->packets);
}

void tcp_coalesce_acks(struct tcp_conn *tc, const struct tcp_seg *seg, const struct ip_rx *rx)
{
	struct coalesce *c;

	if (tc->snd_nxt == tc->snd_una || seg->ack != tc->snd_una || !tcp_calm(tc))
		return;
	c = begin(tc, seg, rx);
	if (!c)
		return;
	c->same = SAME_ACKS;
	c->train.next = more_acks;
	c->ack = seg->ack;
	c->limit = tc->snd_nxt;
}
