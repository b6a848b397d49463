/* SPDX-License-Identifier: MIT */
/* reasm.c - datagrams under way, found by a keyed hash; their pieces in a sorted list without
 * overlaps (RFC 815's aim). A datagram leaves the tables under the lock and is put together
 * outside of it. An overlap that is not a plain repeat condemns its datagram: nobody honest sends
 * one (RFC 1858, RFC 3128, RFC 5722). */
#include "ip.h"

#include <weft/net/reasm.h>

#define ECN_MASK 3 /* RFC 3168 5: the low bits of a traffic class */
#define ECN_NOT_ECT 0
#define ECN_CE 3

struct datagram {
	struct list_head node; /* in its bucket */
	struct list_head age;  /* all, oldest first */
	struct list_head kin;  /* those of its source, oldest first */
	struct reasm_source *source;
	u32 key[REASM_KEY_WORDS];
	u64 deadline;
	u32 truesize, nr;
	u32 have;  /* bytes of payload collected */
	u32 total; /* payload length, 0 until the last piece came */
	u32 keep, note;
	u8 ecn; /* a bit for each value of the field that was seen */
	bool condemned;
	struct list_head pieces; /* of struct pkt, by start; data as they came */
	struct pkt *first;	 /* the one at 0 */
	struct ip_rx rx;	 /* of the first one */
};

struct place { /* in a queued piece's cb, which ip_rx had before */
	u32 start, end, head;
};

static struct place *place(struct pkt *p)
{
	return (struct place *)p->cb;
}

/* ---- datagrams ---- */

static u32 hash(const struct reasm *r, const u32 *key, u32 words)
{
	return siphash(key, words * sizeof(*key), &r->hash_key);
}

static struct datagram *find(const struct reasm *r, const u32 *key, u32 b)
{
	struct datagram *d;
	u32 i;

	list_for_each_entry(d, &r->bucket[b], node) {
		for (i = 0; i < r->key_words && d->key[i] == key[i]; i++)
			;
		if (i == r->key_words)
			return d;
	}
	return NULL;
}

static void charge(struct reasm *r, struct datagram *d, u32 size)
{
	d->truesize += size;
	d->source->bytes += size;
	WRITE_ONCE(r->bytes, r->bytes + size);
}

static void uncharge(struct reasm *r, struct datagram *d, u32 size)
{
	d->truesize -= size;
	d->source->bytes -= size;
	WRITE_ONCE(r->bytes, r->bytes - size);
}

static void unlink(struct reasm *r, struct datagram *d)
{
	list_del(&d->node);
	list_del(&d->age);
	list_del(&d->kin);
	d->source->nr--;
	uncharge(r, d, d->truesize);
	WRITE_ONCE(r->datagrams, r->datagrams - 1);
}

static void drop_pieces(struct datagram *d, enum drop_reason why)
{
	struct pkt *p, *next;

	list_for_each_entry_safe(p, next, &d->pieces, node) {
		list_del(&p->node);
		ip_drop(p, why);
	}
	d->first = NULL;
}

/* Takes it out of the tables and frees it with all it holds; every piece is a drop of this kind. */
static void discard(struct reasm *r, struct datagram *d, enum drop_reason why)
{
	unlink(r, d);
	drop_pieces(d, why);
	kfree(d);
}

static void fail(struct reasm *r, struct datagram *d, enum drop_reason why)
{
	if (!d->condemned)
		r->count(REASM_FAILED);
	discard(r, d, why);
}

/* RFC 5722 4: what is still to come is dropped as well, until its time is over. */
static void condemn(struct reasm *r, struct datagram *d)
{
	r->count(REASM_OVERLAPPED);
	if (!r->strict) {
		fail(r, d, DROP_FRAG_OVERLAP);
		return;
	}
	r->count(REASM_FAILED);
	drop_pieces(d, DROP_FRAG_OVERLAP);
	uncharge(r, d, d->truesize - sizeof(*d));
	d->condemned = true;
}

static struct datagram *create(struct reasm *r, const u32 *key, u32 b, struct reasm_source *s)
{
	struct datagram *d = kzalloc(sizeof(*d));

	if (!d)
		return NULL;
	memcpy(d->key, key, r->key_words * sizeof(*key));
	d->source = s;
	d->deadline = ktime_get() + (u64)READ_ONCE(r->time_s) * NSEC_PER_SEC;
	list_init(&d->pieces);
	if (list_empty(&r->by_age))
		timer_set(&r->expiry, d->deadline);
	list_add(&d->node, &r->bucket[b]);
	list_add_tail(&d->age, &r->by_age);
	list_add_tail(&d->kin, &s->kin);
	s->nr++;
	WRITE_ONCE(r->datagrams, r->datagrams + 1);
	charge(r, d, sizeof(*d));
	return d;
}

/* Room for size more bytes of a source, at the cost of the oldest datagrams, its own first, but
 * keep, which is one of its own. */
static bool make_room(struct reasm *r, struct reasm_source *s, u32 size, struct datagram *keep)
{
	u32 limit = READ_ONCE(r->max_bytes);
	struct datagram *oldest;

	for (;;) {
		if (s->bytes + size > limit / r->source_part ||
		    s->nr - (keep ? 1 : 0) >= r->source_datagrams)
			oldest = list_first_entry_or_null(&s->kin, struct datagram, kin);
		else if (r->bytes + size > limit)
			oldest = list_first_entry_or_null(&r->by_age, struct datagram, age);
		else
			return true;
		if (!oldest || oldest == keep)
			return false;
		fail(r, oldest, DROP_FRAG_LIMIT);
	}
}

/* ---- pieces ---- */

enum verdict { ADDED, REPEATED, OVERLAPS };

/* Links p where it belongs. Mostly that is the end: the search runs from there. */
static enum verdict insert(const struct reasm *r, struct datagram *d, struct pkt *p,
			   const struct reasm_piece *f)
{
	struct list_head *at = d->pieces.prev;

	/* an end once announced is final, and nothing lies behind it */
	if (d->total && (f->last ? f->end != d->total : f->end > d->total))
		return OVERLAPS;
	if (f->last && !list_empty(&d->pieces) &&
	    place(list_last_entry(&d->pieces, struct pkt, node))->end > f->end)
		return OVERLAPS;
	while (at != &d->pieces && place(list_entry(at, struct pkt, node))->start >= f->end)
		at = at->prev;
	if (at != &d->pieces) {
		const struct place *q = place(list_entry(at, struct pkt, node));

		if (q->start == f->start && q->end == f->end)
			return REPEATED;
		if (!r->strict && q->start <= f->start && q->end >= f->end)
			return REPEATED;
		if (q->end > f->start)
			return OVERLAPS;
	}
	*place(p) = (struct place){ f->start, f->end, f->head };
	list_add(&p->node, at);
	if (f->last)
		d->total = f->end;
	d->have += f->end - f->start;
	return ADDED;
}

static void remember_first(struct datagram *d, struct pkt *p, const struct ip_rx *rx,
			   const struct reasm_piece *f)
{
	d->first = p;
	d->rx = *rx;
	d->keep = f->keep;
	d->note = f->note;
}

/* The datagram that p completes, out of the tables; else NULL. */
static struct datagram *add_locked(struct reasm *r, struct pkt *p, const struct reasm_piece *f)
{
	u32 b = hash(r, f->key, r->key_words) % REASM_BUCKETS;
	struct datagram *d = find(r, f->key, b);
	struct ip_rx rx = *ip_rx(p);
	struct reasm_source *s;

	if (d && d->condemned)
		return ip_drop(p, DROP_FRAG_OVERLAP), NULL;
	s = d ? d->source : &r->source[hash(r, f->key, r->source_words) % REASM_SOURCES];
	if (!make_room(r, s, p->truesize + sizeof(*d), d))
		return ip_drop(p, DROP_FRAG_LIMIT), NULL;
	if (!d)
		d = create(r, f->key, b, s);
	if (!d)
		return ip_drop(p, DROP_NO_MEMORY), NULL;
	if (d->nr >= REASM_MAX_PIECES) {
		fail(r, d, DROP_FRAG_LIMIT);
		return ip_drop(p, DROP_FRAG_LIMIT), NULL;
	}
	switch (insert(r, d, p, f)) {
	case REPEATED:
		return ip_drop(p, DROP_FRAG_DUP), NULL;
	case OVERLAPS:
		condemn(r, d);
		return ip_drop(p, DROP_FRAG_OVERLAP), NULL;
	case ADDED:
		break;
	}
	d->nr++;
	d->ecn |= BIT(rx.tos & ECN_MASK);
	charge(r, d, p->truesize);
	if (!f->start)
		remember_first(d, p, &rx, f);
	if (!d->total || d->have != d->total)
		return NULL;
	unlink(r, d);
	return d;
}

/* ---- the whole ---- */

/* RFC 3168 5.3: congestion that one piece met has met the datagram; together with a piece that
 * could not have told of it, somebody has forged it. */
static bool ecn_forged(const struct datagram *d)
{
	return (d->ecn & BIT(ECN_CE)) && (d->ecn & BIT(ECN_NOT_ECT));
}

static void copy_pieces(struct datagram *d, struct pkt *whole)
{
	struct pkt *p;
	u32 longest = 0;

	list_for_each_entry(p, &d->pieces, node) {
		const struct place *at = place(p);
		u32 len = at->end - at->start;

		memcpy(pkt_put(whole, len), p->data + at->head, len);
		longest = max(longest, at->head + len);
	}
	whole->frag_size = min(longest, 65535u);
}

/* What of the packets and of their reception holds for all of them. */
static void describe(const struct datagram *d, struct pkt *whole)
{
	const struct pkt *first = d->first;

	whole->net_off = whole->link_off = pkt_headroom(whole);
	whole->nif = first->nif;
	whole->pkttype = first->pkttype;
	whole->ethertype = first->ethertype;
	whole->looped = first->looped;
	whole->stamp_ns = first->stamp_ns;
	whole->csum = PKT_CSUM_NONE;
	*ip_rx(whole) = d->rx;
	if (d->ecn & BIT(ECN_CE))
		ip_rx(whole)->tos |= ECN_CE;
}

/* One buffer with the first piece's headers and all payloads. NULL: dropped. */
static struct pkt *join(struct reasm *r, struct datagram *d)
{
	enum drop_reason why = DROP_FRAG_BAD;
	struct pkt *whole = NULL, *p, *next;

	if (d->keep + d->total > r->max_len) {
		why = DROP_FRAG_TOO_BIG;
	} else if (!ecn_forged(d)) {
		whole = pkt_alloc(PKT_POOL_RX, PKT_HEADROOM, d->keep + d->total);
		why = DROP_NO_MEMORY;
	}
	if (!whole) {
		r->count(REASM_FAILED);
		drop_pieces(d, why);
		return NULL;
	}
	memcpy(pkt_put(whole, d->keep), d->first->data, d->keep);
	copy_pieces(d, whole);
	describe(d, whole);
	list_for_each_entry_safe(p, next, &d->pieces, node)
		pkt_free(p);
	r->count(REASM_WHOLE);
	return whole;
}

struct pkt *reasm_add(struct reasm *r, struct pkt *p, struct reasm_piece *f)
{
	struct datagram *d;
	struct pkt *whole;

	spin_lock(&r->lock);
	d = add_locked(r, p, f);
	spin_unlock(&r->lock);
	if (!d)
		return NULL;
	whole = join(r, d);
	f->keep = d->keep;
	f->note = d->note;
	kfree(d);
	return whole;
}
EXPORT(reasm_add);

/* ---- time and interfaces ---- */

static struct pkt *take_first(struct datagram *d)
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
	struct reasm *r = container_of(t, struct reasm, expiry);
	u64 now = ktime_get();
	struct datagram *d;

	spin_lock(&r->lock);
	while ((d = list_first_entry_or_null(&r->by_age, struct datagram, age)) != NULL &&
	       d->deadline <= now) {
		struct pkt *first = take_first(d);

		if (!d->condemned)
			r->count(REASM_TIMED_OUT);
		fail(r, d, DROP_FRAG_TIMEOUT);
		if (!first)
			continue;
		spin_unlock(&r->lock);
		/* its interface may have left meanwhile; under RCU the index tells */
		first->nif = netif_by_index(ip_rx(first)->ifindex);
		if (first->nif)
			ip_send_error(first, IP_ERR_REASSEMBLY, 0);
		ip_drop(first, DROP_FRAG_TIMEOUT);
		spin_lock(&r->lock);
	}
	if (d)
		timer_set(t, d->deadline);
	spin_unlock(&r->lock);
}

/* Pieces hold a bare pointer to their interface, which must not outlive it. */
static void nif_event(struct netif_watcher *w, struct netif *nif, enum netif_event ev)
{
	struct reasm *r = container_of(w, struct reasm, watcher);
	struct datagram *d, *next;

	if (ev != NETIF_GONE)
		return;
	spin_lock(&r->lock);
	list_for_each_entry_safe(d, next, &r->by_age, age) {
		struct pkt *p;
		bool stale = false;

		list_for_each_entry(p, &d->pieces, node)
			stale |= p->nif == nif;
		if (stale)
			discard(r, d, DROP_CLOSED);
	}
	spin_unlock(&r->lock);
}

/* ---- files, life ---- */

void reasm_show(const struct reasm *r, struct seq *s, const char *name)
{
	seq_printf(s, "%s: inuse %u memory %u\n", name, READ_ONCE(r->datagrams),
		   READ_ONCE(r->bytes));
}
EXPORT(reasm_show);

static int show_held(struct seq *s)
{
	const struct reasm *r = s->arg;

	seq_printf(s, "datagrams %u\nbytes %u of %d\n", READ_ONCE(r->datagrams),
		   READ_ONCE(r->bytes), READ_ONCE(r->max_bytes));
	return 0;
}

static void remove_files(struct reasm *r)
{
	sysctl_remove_all(r->sysctl, ARRAY_SIZE(r->sysctl));
	procfile_remove(&r->procfile);
}

static int add_files(struct reasm *r, struct module *owner)
{
	int err;

	r->procfile.path = r->file;
	r->procfile.mode = 0444;
	r->procfile.show = show_held;
	r->procfile.arg = r;
	r->sysctl[0].path = r->time_sysctl;
	r->sysctl[0].value = &r->time_s;
	r->sysctl[0].min = 1;
	r->sysctl[0].max = 120;
	r->sysctl[1].path = r->bytes_sysctl;
	r->sysctl[1].value = &r->max_bytes;
	r->sysctl[1].max = 1 << 28;
	err = procfile_add_owner(&r->procfile, owner);
	if (!err)
		err = sysctl_add_all_owner(r->sysctl, ARRAY_SIZE(r->sysctl), owner);
	if (err)
		procfile_remove(&r->procfile);
	return err;
}

int reasm_init_owner(struct reasm *r, struct module *owner)
{
	int err = add_files(r, owner);
	u32 i;

	if (err)
		return err;
	random_bytes(&r->hash_key, sizeof(r->hash_key));
	spin_init(&r->lock);
	for (i = 0; i < REASM_BUCKETS; i++)
		list_init(&r->bucket[i]);
	for (i = 0; i < REASM_SOURCES; i++)
		list_init(&r->source[i].kin);
	list_init(&r->by_age);
	timer_init(&r->expiry, expire);
	r->watcher.name = r->name;
	r->watcher.event = nif_event;
	netif_watch_owner(&r->watcher, owner);
	return 0;
}
EXPORT(reasm_init_owner);

void reasm_exit(struct reasm *r)
{
	netif_unwatch(&r->watcher);
	spin_lock(&r->lock);
	while (!list_empty(&r->by_age))
		discard(r, list_first_entry(&r->by_age, struct datagram, age), DROP_UNLOADED);
	spin_unlock(&r->lock);
	/* with nothing left to expire it does not set itself again */
	timer_cancel_sync(&r->expiry);
	remove_files(r);
}
EXPORT(reasm_exit);
