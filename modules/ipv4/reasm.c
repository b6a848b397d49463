/* SPDX-License-Identifier: MIT */
/* reasm.c - reassembly (RFC 791 3.2, RFC 815's aim with a sorted list). Memory is bounded by the
 * true size of the buffers held; beyond it the oldest datagram goes. An overlap that is not a plain
 * repeat condemns its datagram: nobody honest sends one (RFC 1858, 3128, and RFC 5722's rule for
 * IPv6). */
#include "ipv4.h"

#include <weft/bytes.h>
#include <weft/random.h>
#include <weft/seqfile.h>
#include <weft/string.h>
#include <weft/time.h>

#define BUCKETS 64
#define MAX_FRAGMENTS 256 /* a datagram; keeps insertion and memory linear */

struct fragment_place { /* in a queued fragment's cb, behind struct ip_rx's first use */
	u32 start, end; /* bytes of payload */
};

struct datagram {
	struct list_head node; /* in its bucket */
	struct list_head age;  /* all, oldest first */
	u32 src, dst;
	u16 id;
	u8 proto;
	u32 ifindex;
	u64 deadline;
	u32 truesize, nr;
	u32 have;		    /* bytes of payload collected */
	u32 total;		    /* payload length, 0 until the last fragment came */
	struct list_head fragments; /* of struct pkt, by start, no overlaps; data at the payload */
	struct pkt *first;	    /* the one at offset 0: its header and its ip_rx are whole */
	struct ip_rx rx;	    /* of the first fragment */
	u8 header[IPV4_HEADER_MAX];
	u8 header_len;
};

static struct spinlock lock = SPINLOCK_INIT; /* guards all below; poll context */
static struct list_head bucket[BUCKETS];
static LIST_HEAD(by_age);
static u32 held_bytes, held_datagrams;
static struct siphash_key hash_key;
static struct timer expiry;

static int reasm_time_s = 30;
static int reasm_max_bytes = 1024 * 1024;

static struct fragment_place *place(struct pkt *p)
{
	return (struct fragment_place *)p->cb;
}

static u32 hash(const struct ipv4_header *h)
{
	u32 key[3] = { h->src, h->dst, h->id | (u32)h->proto << 16 };

	return siphash(key, sizeof(key), &hash_key) % BUCKETS;
}

static struct datagram *find(const struct ipv4_header *h, u32 b)
{
	struct datagram *d;

	list_for_each_entry(d, &bucket[b], node) {
		if (d->src == h->src && d->dst == h->dst && d->id == h->id && d->proto == h->proto)
			return d;
	}
	return NULL;
}

/* Takes it out of the tables and frees it with all it holds; every fragment is a drop of this kind.
 */
static void discard(struct datagram *d, enum drop_reason why)
{
	struct pkt *p, *next;

	list_for_each_entry_safe(p, next, &d->fragments, node) {
		list_del(&p->node);
		ip_drop(p, why);
	}
	list_del(&d->node);
	list_del(&d->age);
	held_bytes -= d->truesize;
	held_datagrams--;
	kfree(d);
}

static struct datagram *create(const struct ipv4_header *h, u32 ifindex, u32 b)
{
	struct datagram *d = kzalloc(sizeof(*d));

	if (!d)
		return NULL;
	d->src = h->src;
	d->dst = h->dst;
	d->id = h->id;
	d->proto = h->proto;
	d->ifindex = ifindex;
	d->deadline = ktime_get() + (u64)reasm_time_s * NSEC_PER_SEC;
	d->truesize = sizeof(*d);
	list_init(&d->fragments);
	list_add(&d->node, &bucket[b]);
	if (list_empty(&by_age))
		timer_set(&expiry, d->deadline);
	list_add_tail(&d->age, &by_age);
	held_bytes += d->truesize;
	held_datagrams++;
	return d;
}

/* Room for size more bytes, at the cost of the oldest datagrams but keep. */
static bool make_room(u32 size, struct datagram *keep)
{
	while (held_bytes + size > (u32)READ_ONCE(reasm_max_bytes)) {
		struct datagram *oldest = list_first_entry_or_null(&by_age, struct datagram, age);

		if (!oldest || oldest == keep)
			return false;
		ip_count(IP_REASM_FAILS);
		discard(oldest, DROP_FRAG_LIMIT);
	}
	return true;
}

/* Before any state is touched: can this be a piece of a datagram at all? 0 or a drop reason. */
static int sane(const struct ipv4_header *h)
{
	u32 len = h->total_len - h->header_len;

	if (!len || (h->mf && len % 8))
		return DROP_FRAG_BAD;
	if (h->frag_off + len + h->header_len > IPV4_MAX_LEN)
		return DROP_FRAG_TOO_BIG; /* ping of death */
	/* RFC 1858 3, RFC 3128 2: the flags of TCP lie in the first fragment or in none */
	if (h->proto == IPPROTO_TCP && (h->frag_off == 8 || (!h->frag_off && len < 16)))
		return DROP_FRAG_BAD;
	return 0;
}

enum verdict { ADDED, REPEATED, CONDEMNED };

/* Links p where it belongs. Mostly that is the end: the search runs from there. */
static enum verdict insert(struct datagram *d, struct pkt *p, u32 start, u32 end, bool last)
{
	struct list_head *at = d->fragments.prev;

	/* an end once announced is final, and nothing lies behind it */
	if (last ? (d->total && d->total != end) : (d->total && end > d->total))
		return CONDEMNED;
	if (last && !list_empty(&d->fragments) &&
	    place(list_last_entry(&d->fragments, struct pkt, node))->end > end)
		return CONDEMNED;
	while (at != &d->fragments && place(list_entry(at, struct pkt, node))->start >= end)
		at = at->prev;
	if (at != &d->fragments) {
		const struct fragment_place *q = place(list_entry(at, struct pkt, node));

		if (q->start <= start && q->end >= end)
			return REPEATED;
		if (q->end > start)
			return CONDEMNED;
	}
	place(p)->start = start;
	place(p)->end = end;
	list_add(&p->node, at);
	if (last)
		d->total = end;
	d->have += end - start;
	return ADDED;
}

static void remember_first(struct datagram *d, struct pkt *p, const struct ip_rx *rx,
			   const struct ipv4_header *h)
{
	d->first = p;
	d->rx = *rx;
	d->header_len = h->header_len;
	memcpy(d->header, pkt_at(p, p->net_off), h->header_len);
}

/* One buffer with the first fragment's header and all payloads; d is gone afterwards. NULL: no
 * memory. */
static struct pkt *join(struct datagram *d)
{
	struct pkt *whole = pkt_alloc(PKT_POOL_RX, PKT_HEADROOM, d->header_len + d->total), *p;
	u8 *h;

	if (!whole || d->header_len + d->total > IPV4_MAX_LEN) {
		if (whole)
			pkt_free(whole);
		discard(d, whole ? DROP_FRAG_TOO_BIG : DROP_NO_MEMORY);
		return NULL;
	}
	h = pkt_put(whole, d->header_len);
	memcpy(h, d->header, d->header_len);
	list_for_each_entry(p, &d->fragments, node)
		memcpy(pkt_put(whole, p->len), p->data, p->len);
	put_be16(h + 2, whole->len);
	put_be16(h + 6, 0);
	ipv4_header_finish(h, d->header_len);
	whole->net_off = whole->link_off = pkt_headroom(whole);
	whole->nif = d->first->nif;
	whole->pkttype = d->first->pkttype;
	whole->ethertype = d->first->ethertype;
	whole->stamp_ns = d->first->stamp_ns;
	whole->csum = PKT_CSUM_NONE;
	while ((p = list_first_entry_or_null(&d->fragments, struct pkt, node)) != NULL) {
		list_del(&p->node);
		pkt_free(p);
	}
	discard(d, DROP_FRAG_BAD); /* nothing left to count */
	return whole;
}

static struct pkt *add_locked(struct pkt *p, const struct ipv4_header *h)
{
	u32 start = h->frag_off, end = start + h->total_len - h->header_len;
	struct ip_rx rx = *ip_rx(p);
	u32 b = hash(h);
	struct datagram *d = find(h, b);

	if (!make_room(p->truesize + sizeof(*d), d))
		return ip_drop(p, DROP_FRAG_LIMIT), NULL;
	if (!d)
		d = create(h, rx.ifindex, b);
	if (!d)
		return ip_drop(p, DROP_NO_MEMORY), NULL;
	if (d->nr >= MAX_FRAGMENTS) {
		discard(d, DROP_FRAG_LIMIT);
		return ip_drop(p, DROP_FRAG_LIMIT), NULL;
	}
	pkt_pull(p, h->header_len);
	switch (insert(d, p, start, end, !h->mf)) {
	case REPEATED:
		return ip_drop(p, DROP_FRAG_DUP), NULL;
	case CONDEMNED:
		ipext_count(IPEXT_REASM_OVERLAPS);
		ip_count(IP_REASM_FAILS);
		discard(d, DROP_FRAG_OVERLAP);
		return ip_drop(p, DROP_FRAG_OVERLAP), NULL;
	case ADDED:
		break;
	}
	d->nr++;
	d->truesize += p->truesize;
	held_bytes += p->truesize;
	if (!start)
		remember_first(d, p, &rx, h);
	return d->total && d->have == d->total ? join(d) : NULL;
}

struct pkt *ipv4_reassemble(struct pkt *p, const struct ipv4_header *h)
{
	struct pkt *whole;
	int why = sane(h);

	ip_count(IP_REASM_REQDS);
	if (why) {
		ip_count(IP_REASM_FAILS);
		return ip_drop(p, why), NULL;
	}
	spin_lock(&lock);
	whole = add_locked(p, h);
	spin_unlock(&lock);
	if (whole)
		ip_count(IP_REASM_OKS);
	return whole;
}

/* RFC 1122 3.3.2: the sender of a datagram whose first fragment came hears of it. */
static struct pkt *take_expired_first(struct datagram *d)
{
	struct pkt *p = d->first;

	if (!p)
		return NULL;
	list_del(&p->node);
	*ip_rx(p) = d->rx;
	p->data = pkt_at(p, p->net_off);
	p->len += d->header_len;
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

		ip_count(IP_REASM_TIMEOUT);
		ip_count(IP_REASM_FAILS);
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

static struct netif_watcher watcher = { .name = "ipv4 reassembly", .event = nif_event };

static int show(struct seq *s)
{
	seq_printf(s, "datagrams %u\nbytes %u of %d\n", held_datagrams, held_bytes,
		   reasm_max_bytes);
	return 0;
}

void ipv4_reasm_show(struct seq *s)
{
	seq_printf(s, "FRAG: inuse %u memory %u\n", READ_ONCE(held_datagrams),
		   READ_ONCE(held_bytes));
}

static struct procfile file = { .path = "net/weft/ipv4_reassembly", .mode = 0444, .show = show };
static struct sysctl sysctls[] = {
	{ .path = "net/ipv4/ipfrag_time", .value = &reasm_time_s, .min = 1, .max = 120 },
	{ .path = "net/ipv4/ipfrag_high_thresh",
	  .value = &reasm_max_bytes,
	  .min = 0,
	  .max = 1 << 28 },
};

int ipv4_reasm_init(void)
{
	u32 i;
	int err;

	random_bytes(&hash_key, sizeof(hash_key));
	for (i = 0; i < BUCKETS; i++)
		list_init(&bucket[i]);
	timer_init(&expiry, expire);
	err = procfile_add(&file);
	if (err)
		return err;
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
	procfile_remove(&file);
	return err;
}

void ipv4_reasm_exit(void)
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
	procfile_remove(&file);
}
