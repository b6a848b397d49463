/* SPDX-License-Identifier: MIT */
/* input.c - datagrams and ICMP errors come in. A datagram is checked once (length, checksum), finds
 * its socket and is queued there. Nobody at the port is answered with port unreachable (RFC
 * 1122 4.1.3.1). Of several from one peer to one socket in a batch the later ones come as a train
 * (train.h): for them only what is each one's own is checked, and they are queued together. */
#include "udp.h"

#include <weft/net/train.h>
#include <weft/poller.h>

/* pseudo: the sum of its pseudo header. */
static inline bool sums_up(const struct pkt *p, u32 len, u32 pseudo)
{
	return p->csum == PKT_CSUM_OK || csum_fold(csum_partial(p->data, len, pseudo)) == 0;
}

/* Has any socket ever asked for datagrams of IPv6 without checksum? */
static bool unchecked_heard;

void udp_hear_unchecked(struct udp_sock *us, bool on)
{
	WRITE_ONCE(us->no_check6_rx, on);
	if (on)
		WRITE_ONCE(unchecked_heard, true);
}

static bool is_unchecked6(const struct pkt *p, const struct ip_rx *rx)
{
	return get_be16(p->data + 6) == 0 && !ip_addr_is_v4(&rx->dst);
}

/* RFC 6935 5, 6936 4: by a socket that has said so. Of a group's, those members that have are found
 * later.
 */
static __noinline bool unchecked_allowed(const struct pkt *p, const struct ip_rx *rx)
{
	const struct udp_sock *us;

	if (!READ_ONCE(unchecked_heard))
		return false;
	if (rx->flags & (IP_RX_BROADCAST | IP_RX_MULTICAST))
		return true;
	us = udp_find(rx, get_be16(p->data + 2), get_be16(p->data));
	return us && READ_ONCE(us->no_check6_rx);
}

static bool checksum_good(const struct pkt *p, const struct ip_rx *rx, u32 len)
{
	/* RFC 768: the sender made none, as RFC 8085 3.4 still allows. RFC 8200 8.1: over IPv6 it
	 * must, but for who knows what that costs */
	if (get_be16(p->data + 6) == 0)
		return ip_addr_is_v4(&rx->dst) || unchecked_allowed(p, rx);
	return sums_up(p, len, ip_pseudo_sum(&rx->src, &rx->dst, IPPROTO_UDP, len));
}

static inline void queue_one(struct udp_sock *us, struct pkt *p)
{
	struct ip_mib *mib = udp_mib_for(&ip_rx(p)->dst);

	if (!inet_filter(&us->is, p, p->trans_off)) {
		ip_mib_inc_poll(mib, UDP_IN_ERRORS);
		ip_drop(p, DROP_SOCKET_FILTER);
		return;
	}
	if (unlikely(socket_queue(us->is.s, p))) {
		ip_drop_count(DROP_SOCKET_FULL);
		ip_mib_inc_poll(mib, UDP_RCVBUF_ERRORS);
	} else {
		ip_mib_inc_poll(mib, UDP_IN);
	}
}

void udp_queue(struct udp_sock *us, struct pkt *p)
{
	queue_one(us, p);
}

static void queue(struct udp_sock *us, struct pkt *p)
{
	if (unlikely(p->gso_size))
		udp_queue_large(us, p);
	else
		queue_one(us, p);
}

/* ---- trains ---- */

#define TRAIN_AFTER 4 /* datagrams in a row: then it pays */

/* Each CPU's, in poll context. */
struct stream {
	struct udp_sock *us; /* who got the last datagram, ... */
	u64 round;	     /* ... when; those of one round came at the same time */
	u32 row;	     /* how many he has got in a row */
	/* of the train, while train.nif says that there is one */
	struct udp_sock *to;
	u16 pseudo; /* sum of the pseudo header without the length */
	struct ip_rx rx;
	struct rx_train train;
	struct batch_end batch;
	struct list_head held; /* its packets, for `to`, that go to the socket together */
	u32 nr_held;
} __cacheline_aligned;

static struct stream streams[MAX_CPUS];

#define HELD_MAX 64

/* The train's packets so far are queued, and their reader hears of them. */
static void release(struct stream *s)
{
	u32 n = s->nr_held, lost;
	u64 *mib;

	if (!n)
		return;
	s->nr_held = 0;
	lost = socket_queue_list(s->to->is.s, &s->held);
	mib = ip_mib_here(udp_mib_for(&s->rx.dst));
	mib[UDP_IN] += n - lost;
	mib[UDP_RCVBUF_ERRORS] += lost;
	while (unlikely(lost--))
		ip_drop_count(DROP_SOCKET_FULL);
}

/* Whole, and with a checksum that is good? */
static inline bool is_sound(const struct stream *s, const struct pkt *p)
{
	u16 len, sum;

	if (unlikely(p->len < UDP_HEADER))
		return false;
	memcpy(&len, p->data + 4, sizeof(len));
	memcpy(&sum, p->data + 6, sizeof(sum));
	return ntohs(len) == p->len && sum && sums_up(p, p->len, (u32)s->pseudo + len);
}

/* What fits in nothing but length and data is queued; the usual way finds fault. */
static void train_next(struct rx_train *t, struct pkt *p)
{
	struct stream *s = container_of(t, struct stream, train);

	if (unlikely(p->gso_size || !is_sound(s, p))) {
		rx_train_refuse(t, p);
		return;
	}
	*ip_rx(p) = s->rx;
	p->data += UDP_HEADER;
	p->len -= UDP_HEADER;
	list_add_tail(&p->node, &s->held);
	if (unlikely(++s->nr_held == HELD_MAX))
		release(s);
}

/* Before the batch is over nobody needs to see that the socket has other addresses now. */
static void train_over(struct batch_end *b)
{
	struct stream *s = container_of(b, struct stream, batch);

	release(s);
	rx_train_end(&s->train);
}

static __noinline void train_begin(struct stream *s, const struct pkt *p, const struct ip_rx *rx)
{
	/* a filter is asked about each; one that comes meanwhile, from the next batch on */
	if (s->train.nif || !in_poll_context() || socket_has_filter(s->us->is.s))
		return;
	s->train.next = train_next;
	s->batch.fn = train_over;
	rx_train_begin(&s->train, p, rx);
	if (!s->train.nif)
		return;
	s->to = s->us;
	s->rx = *rx;
	list_init(&s->held);
	s->pseudo = ~csum_fold(ip_pseudo_sum(&rx->src, &rx->dst, IPPROTO_UDP, 0));
	batch_end_add(&s->batch);
}

/* us gets p, which is as it came from below. */
static void follow(struct udp_sock *us, const struct pkt *p, const struct ip_rx *rx)
{
	struct stream *s = &streams[cpu_id()];

	/* what came before p is queued before it */
	release(s);
	if (s->us != us || s->round != p->stamp_ns) {
		s->us = us;
		s->round = p->stamp_ns;
		s->row = 0;
	}
	if (unlikely(++s->row == TRAIN_AFTER))
		train_begin(s, p, rx);
}

/* ---- broadcasts and multicasts: a copy for each but the last ---- */

struct group_walk {
	struct pkt *p;
	struct udp_sock *last;
	bool unchecked; /* IPv6's without checksum */
};

static void deliver_copy(struct udp_sock *us, void *arg)
{
	struct group_walk *w = arg;
	struct pkt *copy;

	if (unlikely(w->unchecked && !READ_ONCE(us->no_check6_rx)))
		return;
	if (w->last) {
		copy = pkt_copy(w->p, PKT_POOL_RX, 0);
		if (copy) {
			queue(w->last, copy);
		} else {
			ip_drop_count(DROP_NO_MEMORY);
			ip_mib_inc_poll(udp_mib_for(&ip_rx(w->p)->dst), UDP_MEM_ERRORS);
		}
	}
	w->last = us;
}

static int deliver_group(struct pkt *p, const struct ip_rx *rx, u16 lport, bool unchecked)
{
	struct group_walk w = { .p = p, .unchecked = unchecked };

	udp_find_all(rx, lport, rx->sport, deliver_copy, &w);
	if (!w.last) {
		ip_mib_inc_poll(udp_mib_for(&rx->dst), UDP_IGNORED_MULTI);
		return ip_drop(p, DROP_NO_SOCKET);
	}
	queue(w.last, p);
	return IP_TAKEN;
}

static int bad(struct pkt *p, u32 counter, enum drop_reason why)
{
	ip_mib_inc_poll(udp_mib_for(&ip_rx(p)->dst), counter);
	return ip_drop(p, why);
}

int udp_input(struct pkt *p, struct ip_rx *rx)
{
	const u8 *h = p->data;
	struct udp_sock *us;
	u16 lport;
	u32 len;

	if (unlikely(p->len < UDP_HEADER))
		return bad(p, UDP_IN_ERRORS, DROP_TRUNCATED);
	len = get_be16(h + 4);
	if (unlikely(len < UDP_HEADER || len > p->len))
		return bad(p, UDP_IN_ERRORS, DROP_BAD_LENGTH);
	if (unlikely(!checksum_good(p, rx, len)))
		return bad(p, UDP_IN_CSUM_ERRORS, DROP_BADSUM);
	rx->sport = get_be16(h);
	lport = get_be16(h + 2);
	if (unlikely(rx->flags & (IP_RX_BROADCAST | IP_RX_MULTICAST))) {
		bool unchecked = is_unchecked6(p, rx);

		pkt_trim(p, len);
		pkt_pull(p, UDP_HEADER);
		return deliver_group(p, rx, lport, unchecked);
	}
	us = udp_find(rx, lport, rx->sport);
	if (unlikely(!us)) {
		ip_mib_inc_poll(udp_mib_for(&rx->dst), UDP_NO_PORTS);
		return ip_reject(p, DROP_NO_SOCKET, IP_ERR_PORT_UNREACH, 0);
	}
	follow(us, p, rx);
	pkt_trim(p, len);
	pkt_pull(p, UDP_HEADER);
	queue(us, p);
	return IP_TAKEN;
}

/* RFC 1122 4.1.3.3: errors go up to whoever sent the datagram. */
void udp_error(const struct ip_error *e, const u8 *quote, u32 quote_len)
{
	/* as the answer to the quoted packet would come in */
	struct ip_rx rx = { .src = e->remote, .dst = e->local, .ifindex = e->ifindex };
	struct ip_error copy = *e;
	struct udp_sock *us;
	u16 rport;

	if (quote_len < UDP_HEADER)
		return;
	rport = get_be16(quote + 2);
	us = udp_find(&rx, get_be16(quote), rport);
	if (!us)
		return;
	if (e->kind == IP_ERR_REDIRECT) {
		ip_redirect(e);
		return;
	}
	if (e->kind == IP_ERR_TOO_BIG) {
		u8 discovery = inet_settings(&us->is, &e->remote)->pmtudisc;

		if (discovery < IP_PMTUDISC_INTERFACE)
			ip_pmtu_update(&e->remote, e->info);
		/* as on Linux: who wants path MTU discovery hears that this datagram is lost */
		if (discovery == IP_PMTUDISC_DONT)
			return;
		copy.fatal = true;
	}
	inet_error(&us->is, &copy, rport, quote + UDP_HEADER, quote_len - UDP_HEADER);
}
