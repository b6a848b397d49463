/* SPDX-License-Identifier: MIT */
/* reasm.c - reassembly (RFC 8200 4.5). A fragment that overlaps another condemns its datagram with
 * all that is still to come of it (RFC 5722); one that is its own first and last never meets others
 * (RFC 6946). Memory is bounded by the true size of the buffers held, for each source and in all:
 * beyond it the oldest datagram goes. */
#include "ipv6.h"
#include "mib.h"

#include <weft/bytes.h>
#include <weft/random.h>
#include <weft/seqfile.h>
#include <weft/time.h>

#define BUCKETS 64
#define SOURCES 64
#define MAX_FRAGMENTS 256 /* a datagram; keeps insertion and memory linear */
#define MAX_OF_SOURCE 64  /* datagrams at a time */
#define FRAGMENT_HEADER 8
#define OFFSET_MASK 0xfff8
#define MORE 1

#define ECN_MASK 3
#define ECN_CE 3

struct fragment_place { /* in a queued fragment's cb, which ip_rx had before */
	u32 start, end; /* bytes of the fragmentable part */
	u32 head;	/* bytes in front of it */
};

struct datagram {
	struct list_head node; /* in its bucket */
	struct list_head age;  /* all, oldest first */
	struct list_head kin;  /* those of its source, oldest first */
	struct ip_addr src, dst;
	u32 id, ifindex;
	u64 deadline;
	u32 truesize, nr;
	u32 have;  /* bytes collected */
	u32 total; /* length of the fragmentable part, 0 until the last fragment came */
	u8 ecn;	   /* a bit for each value of the ECN field that was seen */
	bool condemned;
	u8 next;		    /* type of the fragmentable part's first header */
	u32 named;		    /* where the first fragment names its fragment header */
	struct list_head fragments; /* of struct pkt, by start, no overlaps */
	struct pkt *first;	    /* the one at offset 0: its headers and its ip_rx are whole */
	struct ip_rx rx;	    /* of the first fragment */
};

struct source {
	struct list_head kin;
	u32 nr, bytes;
};

static struct spinlock lock = SPINLOCK_INIT; /* guards all below; poll context */
static struct list_head bucket[BUCKETS];
static struct source sources[SOURCES];
static LIST_HEAD(by_age);
static u32 held_bytes, held_datagrams;
static struct siphash_key hash_key;
static struct timer expiry;

static int reasm_time_s = 60;
static int reasm_max_bytes = 1024 * 1024;

/* What a received fragment says of itself. */
struct fragment {
	const struct ipv6_header *h;
	u32 head; /* bytes in front of the fragment header */
	u32 id, start, end;
	bool more;
};

static struct fragment_place *place(struct pkt *p)
{
	return (struct fragment_place *)p->cb;
}

static u32 hash(const struct fragment *f)
{
	u32 key[9];

	memcpy(key, &f->h->src, 16);
	memcpy(key + 4, &f->h->dst, 16);
	key[8] = f->id;
	return siphash(key, sizeof(key), &hash_key) % BUCKETS;
}

static struct source *source_of(const struct ip_addr *src)
{
	return &sources[siphash(src, sizeof(*src), &hash_key) % SOURCES];
}

static struct datagram *find(const struct fragment *f, u32 ifindex, u32 b)
{
	struct datagram *d;

	list_for_each_entry(d, &bucket[b], node) {
		if (d->id == f->id && d->ifindex == ifindex && ip_addr_eq(&d->src, &f->h->src) &&
		    ip_addr_eq(&d->dst, &f->h->dst))
			return d;
	}
	return NULL;
}

static void charge(struct datagram *d, u32 size)
{
	d->truesize += size;
	source_of(&d->src)->bytes += size;
	held_bytes += size;
}

static void drop_fragments(struct datagram *d, enum drop_reason why)
{
	struct pkt *p, *next;

	list_for_each_entry_safe(p, next, &d->fragments, node) {
		list_del(&p->node);
		ip_drop(p, why);
	}
	d->first = NULL;
}

/* Takes it out of the tables and frees it with all it holds; every fragment is a drop of this kind.
 */
static void discard(struct datagram *d, enum drop_reason why)
{
	struct source *s = source_of(&d->src);

	drop_fragments(d, why);
	list_del(&d->node);
	list_del(&d->age);
	list_del(&d->kin);
	s->nr--;
	s->bytes -= d->truesize;
	held_bytes -= d->truesize;
	held_datagrams--;
	kfree(d);
}

/* RFC 5722 4: what is still to come is dropped as well, until its time is over. */
static void condemn(struct datagram *d)
{
	u32 freed = d->truesize - sizeof(*d);

	drop_fragments(d, DROP_FRAG_OVERLAP);
	source_of(&d->src)->bytes -= freed;
	held_bytes -= freed;
	d->truesize = sizeof(*d);
	d->condemned = true;
}

static struct datagram *create(const struct fragment *f, u32 ifindex, u32 b)
{
	struct datagram *d = kzalloc(sizeof(*d));
	struct source *s = source_of(&f->h->src);

	if (!d)
		return NULL;
	d->src = f->h->src;
	d->dst = f->h->dst;
	d->id = f->id;
	d->ifindex = ifindex;
	d->deadline = ktime_get() + (u64)reasm_time_s * NSEC_PER_SEC;
	list_init(&d->fragments);
	list_add(&d->node, &bucket[b]);
	if (list_empty(&by_age))
		timer_set(&expiry, d->deadline);
	list_add_tail(&d->age, &by_age);
	list_add_tail(&d->kin, &s->kin);
	s->nr++;
	held_datagrams++;
	charge(d, sizeof(*d));
	return d;
}

/* Room for size more bytes of a source, at the cost of the oldest datagrams, its own first, but
 * keep. A source may have a quarter of all. */
static bool make_room(const struct ip_addr *src, u32 size, struct datagram *keep)
{
	u32 limit = READ_ONCE(reasm_max_bytes);
	struct source *s = source_of(src);
	struct datagram *oldest;

	for (;;) {
		if (s->bytes + size > limit / 4 || s->nr >= MAX_OF_SOURCE + (keep ? 1 : 0))
			oldest = list_first_entry_or_null(&s->kin, struct datagram, kin);
		else if (held_bytes + size > limit)
			oldest = list_first_entry_or_null(&by_age, struct datagram, age);
		else
			return true;
		if (!oldest || oldest == keep)
			return false;
		ip6_count(IP6_REASM_FAILS);
		discard(oldest, DROP_FRAG_LIMIT);
	}
}

enum verdict { ADDED, REPEATED, OVERLAPS };

/* Links p where it belongs. Mostly that is the end: the search runs from there. */
static enum verdict insert(struct datagram *d, struct pkt *p, const struct fragment *f)
{
	struct list_head *at = d->fragments.prev;

	/* an end once announced is final, and nothing lies behind it */
	if (f->more ? (d->total && f->end > d->total) : (d->total && d->total != f->end))
		return OVERLAPS;
	if (!f->more && !list_empty(&d->fragments) &&
	    place(list_last_entry(&d->fragments, struct pkt, node))->end > f->end)
		return OVERLAPS;
	while (at != &d->fragments && place(list_entry(at, struct pkt, node))->start >= f->end)
		at = at->prev;
	if (at != &d->fragments) {
		const struct fragment_place *q = place(list_entry(at, struct pkt, node));

		if (q->start == f->start && q->end == f->end)
			return REPEATED;
		if (q->end > f->start)
			return OVERLAPS;
	}
	*place(p) = (struct fragment_place){ f->start, f->end, f->head + FRAGMENT_HEADER };
	list_add(&p->node, at);
	if (!f->more)
		d->total = f->end;
	d->have += f->end - f->start;
	return ADDED;
}

/* RFC 3168 5.3: congestion that one fragment met has met the datagram; together with a fragment
 * that could not have told of it, somebody has forged it. False: refused. */
static bool merge_ecn(const struct datagram *d, u8 *tclass)
{
	if (!(d->ecn & BIT(ECN_CE)))
		return true;
	*tclass |= ECN_CE;
	return !(d->ecn & BIT(0));
}

static void copy_parts(struct datagram *d, struct pkt *whole)
{
	struct pkt *p;

	list_for_each_entry(p, &d->fragments, node) {
		u32 head = place(p)->head;

		memcpy(pkt_put(whole, p->len - head), p->data + head, p->len - head);
	}
}

/* One buffer with what stood in front of the first fragment's header and all parts; d is gone
 * afterwards. NULL: dropped. */
static struct pkt *join(struct datagram *d, struct ipv6_chain *c)
{
	u32 head = place(d->first)->head - FRAGMENT_HEADER;
	enum drop_reason why = DROP_FRAG_BAD;
	struct pkt *whole = NULL;
	u8 tclass = d->rx.tos, *h;

	if (head - IPV6_HEADER + d->total > IPV6_MAX_LEN) {
		why = DROP_FRAG_TOO_BIG;
	} else if (merge_ecn(d, &tclass)) {
		whole = pkt_alloc(PKT_POOL_RX, PKT_HEADROOM, head + d->total);
		why = DROP_NO_MEMORY;
	}
	if (!whole) {
		ip6_count(IP6_REASM_FAILS);
		discard(d, why);
		return NULL;
	}
	h = pkt_put(whole, head);
	memcpy(h, d->first->data, head);
	h[d->named] = d->next;
	copy_parts(d, whole);
	put_be16(h + 4, whole->len - IPV6_HEADER);
	put_be16(h, (get_be16(h) & ~0x0ff0) | (u16)tclass << 4);
	whole->net_off = whole->link_off = pkt_headroom(whole);
	whole->nif = d->first->nif;
	whole->pkttype = d->first->pkttype;
	whole->ethertype = d->first->ethertype;
	whole->looped = d->first->looped;
	whole->stamp_ns = d->first->stamp_ns;
	whole->csum = PKT_CSUM_NONE;
	*ip_rx(whole) = d->rx;
	ip_rx(whole)->tos = tclass;
	ip_rx(whole)->flags |= IP_RX_FRAGMENTED | IP_RX_REASSEMBLED;
	c->next = d->next;
	c->next_off = d->named;
	c->off = head;
	while (!list_empty(&d->fragments)) {
		struct pkt *p = list_first_entry(&d->fragments, struct pkt, node);

		list_del(&p->node);
		pkt_free(p);
	}
	discard(d, DROP_FRAG_BAD); /* nothing left to count */
	ip6_count(IP6_REASM_OKS);
	return whole;
}

static struct pkt *add_locked(struct pkt *p, const struct fragment *f, struct ipv6_chain *c)
{
	struct ip_rx rx = *ip_rx(p);
	u32 b = hash(f);
	struct datagram *d = find(f, rx.ifindex, b);

	if (d && d->condemned)
		return ip_drop(p, DROP_FRAG_OVERLAP), NULL;
	if (!make_room(&f->h->src, p->truesize + sizeof(*d), d))
		return ip_drop(p, DROP_FRAG_LIMIT), NULL;
	if (!d)
		d = create(f, rx.ifindex, b);
	if (!d)
		return ip_drop(p, DROP_NO_MEMORY), NULL;
	if (d->nr >= MAX_FRAGMENTS) {
		ip6_count(IP6_REASM_FAILS);
		discard(d, DROP_FRAG_LIMIT);
		return ip_drop(p, DROP_FRAG_LIMIT), NULL;
	}
	switch (insert(d, p, f)) {
	case REPEATED:
		return ip_drop(p, DROP_FRAG_DUP), NULL;
	case OVERLAPS:
		ip6_count(IP6_REASM_FAILS);
		condemn(d);
		return ip_drop(p, DROP_FRAG_OVERLAP), NULL;
	case ADDED:
		break;
	}
	d->nr++;
	d->ecn |= BIT(rx.tos & ECN_MASK);
	charge(d, p->truesize);
	if (!f->start) {
		d->first = p;
		d->rx = rx;
		d->next = p->data[f->head];
		d->named = c->next_off;
	}
	return d->total && d->have == d->total ? join(d, c) : NULL;
}

static struct pkt *refuse(struct pkt *p, enum drop_reason why, enum ip_error_kind kind, u32 pointer)
{
	ip6_count(IP6_REASM_FAILS);
	ip6_count(IP6_IN_HDR_ERRORS);
	ip_reject(p, why, kind, pointer);
	return NULL;
}

/* Before any state is touched: can this be a piece of a datagram at all? NULL: no, and p is gone.
 */
static struct pkt *check(struct pkt *p, const struct fragment *f)
{
	if (f->end == f->start) {
		ip6_count(IP6_REASM_FAILS);
		return ip_drop(p, DROP_FRAG_BAD), NULL;
	}
	if (f->more && (f->end - f->start) % 8)
		return refuse(p, DROP_FRAG_BAD, IP_ERR_HEADER, 4);
	if (f->head - IPV6_HEADER + f->end > IPV6_MAX_LEN)
		return refuse(p, DROP_FRAG_TOO_BIG, IP_ERR_HEADER, f->head + 2);
	/* RFC 7112 5 */
	if (!f->start &&
	    !ipv6_chain_whole(p->data, p->len, f->head + FRAGMENT_HEADER, p->data[f->head]))
		return refuse(p, DROP_FRAG_BAD, IP_ERR_CHAIN, 0);
	return p;
}

struct pkt *ipv6_reassemble(struct pkt *p, const struct ipv6_header *h, struct ipv6_chain *c)
{
	struct fragment f = { .h = h, .head = c->off };
	struct pkt *whole;
	const u8 *frag;
	u16 field;

	ip6_count(IP6_REASM_REQDS);
	if (f.head + FRAGMENT_HEADER > p->len) {
		ip6_count(IP6_REASM_FAILS);
		return ip_drop(p, DROP_TRUNCATED), NULL;
	}
	frag = p->data + f.head;
	field = get_be16(frag + 2);
	ip_rx(p)->flags |= IP_RX_FRAGMENTED;
	if (!(field & (OFFSET_MASK | MORE))) {
		c->next_off = c->off;
		c->next = frag[0];
		c->off += FRAGMENT_HEADER;
		ip6_count(IP6_REASM_OKS);
		return p;
	}
	f.id = get_be32(frag + 4);
	f.start = field & OFFSET_MASK;
	f.end = f.start + p->len - f.head - FRAGMENT_HEADER;
	f.more = field & MORE;
	p = check(p, &f);
	if (!p)
		return NULL;
	spin_lock(&lock);
	whole = add_locked(p, &f, c);
	spin_unlock(&lock);
	return whole;
}

/* RFC 8200 4.5: the sender of a datagram whose first fragment came hears of it. */
static struct pkt *take_expired_first(struct datagram *d)
{
	struct pkt *p = d->first;

	if (!p)
		return NULL;
	list_del(&p->node);
	d->first = NULL;
	*ip_rx(p) = d->rx;
	return p;
}

static void expire(struct timer *t)
{
	u64 now = ktime_get();
	struct datagram *d;

	spin_lock(&lock);
	while ((d = list_first_entry_or_null(&by_age, struct datagram, age)) != NULL &&
	       d->deadline <= now) {
		struct pkt *first = take_expired_first(d);

		if (!d->condemned) {
			ip6_count(IP6_REASM_TIMEOUT);
			ip6_count(IP6_REASM_FAILS);
		}
		discard(d, DROP_FRAG_TIMEOUT);
		if (!first)
			continue;
		spin_unlock(&lock);
		/* its interface may have left meanwhile; under RCU the index tells */
		first->nif = netif_by_index(ip_rx(first)->ifindex);
		if (first->nif)
			ip_send_error(first, IP_ERR_REASSEMBLY, 0);
		ip_drop(first, DROP_FRAG_TIMEOUT);
		spin_lock(&lock);
	}
	if (d)
		timer_set(t, d->deadline);
	spin_unlock(&lock);
}

/* Fragments hold a bare pointer to their interface, which must not outlive it. */
static void nif_event(struct netif_watcher *w, struct netif *nif, enum netif_event ev)
{
	struct datagram *d, *next;

	(void)w;
	if (ev != NETIF_GONE)
		return;
	spin_lock(&lock);
	list_for_each_entry_safe(d, next, &by_age, age) {
		struct pkt *p;
		bool stale = false;

		list_for_each_entry(p, &d->fragments, node)
			stale |= p->nif == nif;
		if (stale)
			discard(d, DROP_CLOSED);
	}
	spin_unlock(&lock);
}

static struct netif_watcher watcher = { .name = "ipv6 reassembly", .event = nif_event };

void ipv6_reasm_show(struct seq *s)
{
	seq_printf(s, "FRAG6: inuse %u memory %u\n", READ_ONCE(held_datagrams),
		   READ_ONCE(held_bytes));
}

static struct sysctl sysctls[] = {
	{ .path = "net/ipv6/ip6frag_time", .value = &reasm_time_s, .min = 1, .max = 120 },
	{ .path = "net/ipv6/ip6frag_high_thresh",
	  .value = &reasm_max_bytes,
	  .min = 0,
	  .max = 1 << 28 },
};

int ipv6_reasm_init(void)
{
	u32 i;
	int err;

	random_bytes(&hash_key, sizeof(hash_key));
	for (i = 0; i < BUCKETS; i++)
		list_init(&bucket[i]);
	for (i = 0; i < SOURCES; i++)
		list_init(&sources[i].kin);
	timer_init(&expiry, expire);
	for (i = 0; i < ARRAY_SIZE(sysctls); i++) {
		err = sysctl_add(&sysctls[i]);
		if (err)
			goto remove;
	}
	netif_watch(&watcher);
	return 0;
remove:
	while (i--)
		sysctl_remove(&sysctls[i]);
	return err;
}

void ipv6_reasm_exit(void)
{
	u32 i;

	netif_unwatch(&watcher);
	spin_lock(&lock);
	while (!list_empty(&by_age))
		discard(list_first_entry(&by_age, struct datagram, age), DROP_UNLOADED);
	spin_unlock(&lock);
	/* with nothing left to expire it does not set itself again */
	timer_cancel_sync(&expiry);
	for (i = 0; i < ARRAY_SIZE(sysctls); i++)
		sysctl_remove(&sysctls[i]);
}
