/* SPDX-License-Identifier: MIT */
/* neigh.c - who on this link owns an address. Callers ask and may wait; resolvers only supply
 * the question and report answers. Entries hold waiters and one datagram at most. Look-ups are
 * under RCU; one timer steps all entries. Locks, outer first: table lock, an entry's lock, the
 * timer's, the waiters'. Nothing is sent with any of them held. */
#include "ip.h"
#include "neigh.h"

#include <weft/net/ether.h>

#define BUCKETS 256
#define EVICT_SAMPLE 32
#define FAILED_NS NSEC_PER_SEC /* how long -EHOSTUNREACH is the answer */
#define TICK_NS NSEC_PER_SEC
#define QUANTUM_NS (32 * NSEC_PER_MSEC) /* a rush of entries shall not become a rush of scans */

static struct spinlock table_lock = SPINLOCK_INIT;
static struct hlist_head buckets[BUCKETS]; /* table_lock to change, RCU to read, as the next */
struct neigh *neigh_slots[NEIGH_SLOTS];
static u32 count, last_id, hand; /* table_lock */
static u64 coarse_now;		 /* ktime of the last tick, for LRU */

static struct spinlock timer_lock = SPINLOCK_INIT;
static struct timer timer;
static u64 timer_at; /* timer_lock; 0: not set */

static struct atomic parked_bytes;

static const struct neigh_params *params_of(u16 af)
{
	const struct neigh_resolver *r = rcu_dereference(neigh_resolvers[af]);

	return r ? &r->params : &neigh_default_params;
}

u32 neigh_count(void)
{
	return READ_ONCE(count);
}

/* ---- the timer ---- */

/* Makes sure that the timer runs at time at or before. */
static void timer_want(u64 at)
{
	at = ALIGN_UP(at, QUANTUM_NS);
	spin_lock(&timer_lock);
	if (!timer_at || at < timer_at) {
		timer_at = at;
		timer_set(&timer, at);
	}
	spin_unlock(&timer_lock);
}

static void deadline_in(struct neigh *n, u64 ns)
{
	n->deadline = ktime_get() + ns;
	timer_want(n->deadline);
}

/* RFC 4861 6.3.4: uniformly between 0.5 and 1.5 of the base, so that hosts do not ask in step. */
static u64 reachable_ns(u16 af)
{
	u32 base = params_of(af)->base_reachable_ms;

	return (base / 2 + random_below(base + 1)) * NSEC_PER_MSEC;
}

/* ---- the table ---- */

static struct hlist_head *bucket_of(const struct netif *nif, const struct ip_addr *addr)
{
	return &buckets[ip_addr_hash(addr, ip_hash_seed ^ nif->index) % BUCKETS];
}

struct neigh *neigh_find(const struct netif *nif, const struct ip_addr *addr)
{
	struct neigh *n;

	hlist_for_each_entry(n, bucket_of(nif, addr), hash) {
		if (n->nif == nif && ip_addr_eq(&n->addr, addr))
			return n;
	}
	return NULL;
}

struct neigh *neigh_by_handle(u32 slot, u32 id)
{
	struct neigh *n;

	if (!id || slot >= NEIGH_SLOTS)
		return NULL;
	n = rcu_dereference(neigh_slots[slot]);
	return n && n->id == id ? n : NULL;
}

static void drop_parked(struct neigh *n)
{
	if (!n->parked)
		return;
	atomic_sub(&parked_bytes, n->parked->truesize);
	ip_drop(n->parked, DROP_NEIGH_FAILED);
	n->parked = NULL;
}

static void neigh_free_rcu(struct rcu_head *h)
{
	struct neigh *n = container_of(h, struct neigh, rcu);

	netif_put(n->nif);
	kfree(n);
}

/* Takes n out; waiters wake to find out. table_lock held. */
static void remove_locked(struct neigh *n)
{
	hlist_del(&n->hash);
	rcu_assign_pointer(neigh_slots[n->slot], NULL);
	count--;
	spin_lock(&n->lock);
	n->dead = true;
	drop_parked(n);
	spin_unlock(&n->lock);
	waiters_fire(&n->waiters);
	call_rcu(&n->rcu, neigh_free_rcu);
}

void neigh_remove(struct neigh *n)
{
	spin_lock(&table_lock);
	if (neigh_slots[n->slot] == n)
		remove_locked(n);
	spin_unlock(&table_lock);
}

/* Approximate LRU: the least recently used of a sample, first of all one that nothing was ever
 * sent to (a flood of claims evicts itself). False: all permanent. table_lock held. */
static bool evict_one(void)
{
	struct neigh *victim = NULL;
	u32 seen = 0;

	for (u32 i = 0; i < NEIGH_SLOTS && seen < EVICT_SAMPLE; i++) {
		struct neigh *n;

		hand = (hand + 1) % NEIGH_SLOTS;
		n = neigh_slots[hand];
		if (!n || n->state == NEIGH_PERMANENT)
			continue;
		seen++;
		if (!victim || n->used < victim->used ||
		    (n->used == victim->used && n->updated < victim->updated))
			victim = n;
	}
	if (!victim)
		return false;
	remove_locked(victim);
	return true;
}

static int free_slot(void)
{
	static u32 hint;

	for (u32 i = 0; i < NEIGH_SLOTS; i++) {
		u32 slot = (hint + i) % NEIGH_SLOTS;

		if (!neigh_slots[slot]) {
			hint = slot + 1;
			return slot;
		}
	}
	return -ENOBUFS;
}

static void insert_locked(struct neigh *n, u32 slot)
{
	n->slot = slot;
	n->id = ++last_id ? last_id : ++last_id;
	n->updated = ktime_get();
	hlist_add_head(&n->hash, bucket_of(n->nif, &n->addr));
	rcu_assign_pointer(neigh_slots[slot], n);
	if (!count++)
		WRITE_ONCE(coarse_now, n->updated);
}

/* Finds or makes the entry. NULL: no memory, or full of permanent entries. Under RCU. */
struct neigh *neigh_create(struct netif *nif, const struct ip_addr *addr)
{
	u16 af = ip_addr_family(addr);
	const struct ip_family *fam = ip_family_find(af);
	u32 limit = min((u32)params_of(af)->gc_thresh3, (u32)NEIGH_SLOTS);
	struct neigh *n = fam ? kzalloc(sizeof(*n)) : NULL;
	struct neigh *other;
	int slot = -ENOBUFS;

	if (!n)
		return NULL;
	n->addr = *addr;
	n->af = af;
	n->ethertype = fam->ethertype;
	n->state = NEIGH_INCOMPLETE;
	list_init(&n->waiters);
	spin_lock(&table_lock);
	other = neigh_find(nif, addr);
	if (!other && (count < limit || evict_one()))
		slot = free_slot();
	if (slot >= 0) {
		n->nif = netif_get(nif);
		insert_locked(n, slot);
	}
	spin_unlock(&table_lock);
	if (slot >= 0) {
		timer_want(n->updated + TICK_NS);
		return n;
	}
	kfree(n);
	if (!other)
		ip_drop_count(DROP_NEIGH_TABLE);
	return other;
}

void neigh_flush(const struct netif *nif, u16 af, bool all)
{
	spin_lock(&table_lock);
	for (u32 i = 0; i < NEIGH_SLOTS && count; i++) {
		struct neigh *n = neigh_slots[i];

		if (n && (!nif || n->nif == nif) && (!af || n->af == af) &&
		    (all || n->state != NEIGH_PERMANENT))
			remove_locked(n);
	}
	spin_unlock(&table_lock);
}

void neigh_flush_nif(struct netif *nif, bool all)
{
	neigh_flush(nif, 0, all);
}
EXPORT(neigh_flush_nif);

/* ---- asking ---- */

static void solicit(struct neigh *n, bool unicast, const struct ip_addr *hint)
{
	const struct neigh_resolver *r;
	u8 hw[LINK_ADDR_MAX];

	rcu_read_lock();
	r = rcu_dereference(neigh_resolvers[n->af]);
	if (unicast) {
		spin_lock(&n->lock);
		memcpy(hw, n->hw, sizeof(hw));
		spin_unlock(&n->lock);
	}
	if (r && netif_is_up(n->nif))
		r->solicit(n->nif, &n->addr, unicast ? hw : NULL, hint);
	rcu_read_unlock();
}

/* Starts the question over; n's lock held. */
static void start_asking(struct neigh *n)
{
	n->state = NEIGH_INCOMPLETE;
	n->probes = 1;
	deadline_in(n, params_of(n->af)->retrans_ms * NSEC_PER_MSEC);
}

/* Somebody wants to send to n. 0 usable now, -EAGAIN being asked (*ask: the caller must),
 * -EHOSTUNREACH. n's lock held. */
static int want_locked(struct neigh *n, bool *ask)
{
	WRITE_ONCE(n->used, coarse_now);
	switch (n->state) {
	case NEIGH_STALE:
		n->state = NEIGH_DELAY;
		deadline_in(n, params_of(n->af)->delay_first_s * NSEC_PER_SEC);
		return 0;
	case NEIGH_FAILED:
		if (ktime_get() < n->deadline)
			return -EHOSTUNREACH;
		start_asking(n);
		*ask = true;
		return -EAGAIN;
	case NEIGH_INCOMPLETE:
		if (!n->probes) {
			start_asking(n);
			*ask = true;
		}
		return -EAGAIN;
	default:
		return 0;
	}
}

static int check_slow(struct neigh *n, struct flow *f, struct ip_waiter *w, bool park)
{
	bool ask = false;
	int err;

	spin_lock(&n->lock);
	err = n->dead ? -ENOBUFS : want_locked(n, &ask);
	if (err == -EAGAIN && park)
		err = 0;
	else if (err == -EAGAIN && w)
		waiter_arm(&n->waiters, w);
	spin_unlock(&n->lock);
	if (ask)
		solicit(n, false, &f->saddr);
	return err;
}

int neigh_check(struct netif *nif, struct flow *f, struct ip_waiter *w, bool park)
{
	struct neigh *n = neigh_by_handle(f->neigh_slot, f->neigh_id);
	u8 state;

	if (unlikely(!n)) {
		n = neigh_find(nif, &f->next_hop);
		if (!n)
			n = neigh_create(nif, &f->next_hop);
		if (!n)
			return -ENOBUFS;
		f->neigh_slot = n->slot;
		f->neigh_id = n->id;
	}
	state = READ_ONCE(n->state);
	/* only the step out of STALE is this caller's; DELAY and PROBE are the timer's */
	if (likely(neigh_has_address(state) && state != NEIGH_STALE)) {
		WRITE_ONCE(n->used, coarse_now);
		return 0;
	}
	return check_slow(n, f, w, park);
}

/* ---- sending ---- */

/* Readers copy the header without a lock and look again if it changed. */
static void set_hw(struct neigh *n, const u8 *hw)
{
	const struct link_type *link = n->nif->link;

	memcpy(n->hw, hw, link->addr_len);
	WRITE_ONCE(n->header_seq, n->header_seq + 1);
	smp_mb();
	link->header(n->nif, n->header, n->ethertype, n->hw, NULL);
	smp_mb();
	WRITE_ONCE(n->header_seq, n->header_seq + 1);
}

bool neigh_push_header(struct neigh *n, struct pkt *p)
{
	u32 len = n->nif->link->header_len, seq;
	u8 *hdr;

	if (!neigh_has_address(READ_ONCE(n->state)))
		return false;
	hdr = pkt_push(p, len);
	do {
		seq = smp_load_acquire(&n->header_seq);
		if (likely(len == ETH_HLEN)) {
			__builtin_memcpy(hdr, n->header, 8);
			__builtin_memcpy(hdr + 6, n->header + 6, 8);
		} else {
			memcpy(hdr, n->header, len);
		}
		smp_rmb();
	} while (unlikely((seq & 1) || seq != READ_ONCE(n->header_seq)));
	return true;
}

static int park(struct neigh *n, struct pkt *p, const struct ip_addr *hint)
{
	const struct neigh_params *params = params_of(n->af);
	bool ask = false;
	int err;

	spin_lock(&n->lock);
	err = n->dead ? -ENOBUFS : want_locked(n, &ask);
	if (err == -EAGAIN) {
		if (atomic_add(&parked_bytes, p->truesize) > params->park_bytes) {
			atomic_sub(&parked_bytes, p->truesize);
			err = -ENOBUFS;
		} else {
			/* the newest is the likeliest to be of use */
			drop_parked(n);
			n->parked = p;
			p = NULL;
			err = 0;
		}
	}
	spin_unlock(&n->lock);
	if (ask)
		solicit(n, false, hint);
	if (!p)
		return err;
	if (!err && neigh_push_header(n, p)) /* answered in the meantime */
		return netif_tx(n->nif, p);
	ip_drop(p, err == -EHOSTUNREACH ? DROP_NEIGH_FAILED : DROP_NEIGH_PARKED);
	return err ? err : -ENOBUFS;
}

/* A station whose address must be asked for. Under RCU. */
static int output_resolved(struct netif *nif, const struct ip_addr *next_hop,
			   const struct ip_addr *hint, struct pkt *p)
{
	struct neigh *n = neigh_find(nif, next_hop);
	u8 state;

	if (!n)
		n = neigh_create(nif, next_hop);
	if (!n) {
		ip_drop(p, DROP_NEIGH_TABLE);
		return -ENOBUFS;
	}
	state = READ_ONCE(n->state);
	if (neigh_has_address(state) && state != NEIGH_STALE && neigh_push_header(n, p)) {
		WRITE_ONCE(n->used, coarse_now);
		return netif_tx(nif, p);
	}
	return park(n, p, hint);
}

int neigh_output(struct netif *nif, u16 ethertype, const struct ip_addr *next_hop,
		 enum ip_kind kind, const struct ip_addr *hint, struct pkt *p)
{
	const struct link_type *link = nif->link;
	u8 hw[LINK_ADDR_MAX];
	const u8 *dst = hw;
	int ret;

	if (unlikely(pkt_headroom(p) < nif->headroom)) {
		p = pkt_writable(p, nif->headroom);
		if (!p) {
			ip_drop_count(DROP_NO_MEMORY);
			return -ENOBUFS;
		}
	}
	p->ethertype = ethertype;
	rcu_read_lock();
	if (kind == IP_KIND_BROADCAST) {
		dst = link->broadcast;
	} else if (kind == IP_KIND_MULTICAST) {
		if (link->multicast(next_hop, hw))
			dst = link->broadcast;
	} else if (netif_resolves(nif)) {
		ret = output_resolved(nif, next_hop, hint, p);
		rcu_read_unlock();
		return ret;
	} else {
		dst = nif->mac;
	}
	link->header(nif, pkt_push(p, link->header_len), ethertype, dst, NULL);
	ret = netif_tx(nif, p);
	rcu_read_unlock();
	return ret;
}
EXPORT(neigh_output);

/* ---- answers ---- */

/* n has a usable address from now on: what waited for it may go. Under RCU, without locks. */
void neigh_release_waiting(struct neigh *n)
{
	struct pkt *p;

	spin_lock(&n->lock);
	p = n->parked;
	n->parked = NULL;
	spin_unlock(&n->lock);
	if (p) {
		atomic_sub(&parked_bytes, p->truesize);
		if (neigh_push_header(n, p))
			netif_tx(n->nif, p);
		else
			ip_drop(p, DROP_NEIGH_FAILED);
	}
	waiters_fire(&n->waiters);
}

static void confirm_locked(struct neigh *n)
{
	n->state = NEIGH_REACHABLE;
	n->confirmed = ktime_get();
	n->probes = 0;
	deadline_in(n, reachable_ns(n->af));
}

static void make_stale(struct neigh *n)
{
	n->state = NEIGH_STALE;
	n->probes = 0;
	deadline_in(n, params_of(n->af)->stale_s * NSEC_PER_SEC);
}

/* The state machine of RFC 4861 7.2.3 and 7.2.5, n's lock held. */
static int update_locked(struct neigh *n, const u8 *hw, u32 flags)
{
	bool known = neigh_has_address(n->state);
	bool same = known && !memcmp(n->hw, hw, n->nif->link->addr_len);

	if (n->dead)
		return -ENOENT;
	if (n->state == NEIGH_PERMANENT)
		return same ? 0 : -EPERM;
	if (known && !same && !(flags & NEIGH_UPDATE_OVERRIDE)) {
		if (n->state == NEIGH_REACHABLE)
			make_stale(n);
		return -EEXIST;
	}
	n->updated = ktime_get();
	if (!same)
		set_hw(n, hw);
	if (flags & NEIGH_UPDATE_CONFIRM)
		confirm_locked(n);
	else if (!same)
		make_stale(n);
	return 0;
}

int neigh_update(struct netif *nif, const struct ip_addr *addr, const u8 *hw, u32 flags)
{
	struct neigh *n;
	int err;

	if (!nif->link->valid_addr(hw) || !netif_resolves(nif))
		return -EINVAL;
	rcu_read_lock();
	n = neigh_find(nif, addr);
	if (!n && flags & NEIGH_UPDATE_CREATE)
		n = neigh_create(nif, addr);
	if (!n) {
		rcu_read_unlock();
		return flags & NEIGH_UPDATE_CREATE ? -ENOBUFS : -ENOENT;
	}
	spin_lock(&n->lock);
	err = update_locked(n, hw, flags);
	spin_unlock(&n->lock);
	if (!err)
		neigh_release_waiting(n);
	rcu_read_unlock();
	return err;
}
EXPORT(neigh_update);

void neigh_confirm(const struct flow *f)
{
	struct neigh *n;
	u8 state;

	rcu_read_lock();
	n = neigh_by_handle(f->neigh_slot, f->neigh_id);
	state = n ? READ_ONCE(n->state) : NEIGH_PERMANENT;
	if (state == NEIGH_REACHABLE) {
		WRITE_ONCE(n->confirmed, ktime_get());
	} else if (state != NEIGH_PERMANENT && neigh_has_address(state)) {
		spin_lock(&n->lock);
		if (!n->dead && neigh_has_address(n->state) && n->state != NEIGH_PERMANENT)
			confirm_locked(n);
		spin_unlock(&n->lock);
	}
	rcu_read_unlock();
}
EXPORT(neigh_confirm);

void neigh_set_permanent(struct neigh *n, const u8 *hw, bool permanent)
{
	spin_lock(&n->lock);
	set_hw(n, hw);
	n->updated = ktime_get();
	if (permanent) {
		n->state = NEIGH_PERMANENT;
		n->deadline = 0;
	} else {
		confirm_locked(n);
	}
	spin_unlock(&n->lock);
}

/* ---- steps in time ---- */

enum step { STEP_NONE, STEP_ASK_ALL, STEP_ASK_ONE, STEP_GIVE_UP, STEP_REMOVE };

static enum step step_unanswered(struct neigh *n, const struct neigh_params *params)
{
	bool direct = n->state == NEIGH_PROBE;

	if (n->probes && n->probes < (direct ? params->ucast_probes : params->mcast_probes)) {
		n->probes++;
		deadline_in(n, params->retrans_ms * NSEC_PER_MSEC);
		return direct ? STEP_ASK_ONE : STEP_ASK_ALL;
	}
	if (direct) {
		/* the station may have a new link address: everybody is asked before giving up */
		start_asking(n);
		return STEP_ASK_ALL;
	}
	n->state = NEIGH_FAILED;
	drop_parked(n);
	deadline_in(n, FAILED_NS);
	return STEP_GIVE_UP;
}

/* n's deadline has come; its lock held. */
static enum step step_locked(struct neigh *n, u64 now)
{
	const struct neigh_params *params = params_of(n->af);

	switch (n->state) {
	case NEIGH_INCOMPLETE:
	case NEIGH_PROBE:
		return step_unanswered(n, params);
	case NEIGH_REACHABLE:
		/* an upper layer confirmed it meanwhile: the time counts from then */
		if (now - n->confirmed < params->base_reachable_ms / 2 * NSEC_PER_MSEC)
			deadline_in(n, reachable_ns(n->af) - (now - n->confirmed));
		else
			make_stale(n);
		return STEP_NONE;
	case NEIGH_DELAY:
		n->state = NEIGH_PROBE;
		n->probes = 1;
		deadline_in(n, params->retrans_ms * NSEC_PER_MSEC);
		return STEP_ASK_ONE;
	case NEIGH_STALE:
		if (now - n->used > params->stale_s * NSEC_PER_SEC &&
		    count > (u32)params->gc_thresh1)
			return STEP_REMOVE;
		deadline_in(n, params->stale_s * NSEC_PER_SEC);
		return STEP_NONE;
	case NEIGH_FAILED:
		return STEP_REMOVE;
	default:
		return STEP_NONE;
	}
}

static void step(struct neigh *n, u64 now)
{
	enum step what = STEP_NONE;

	spin_lock(&n->lock);
	if (!n->deadline && n->state == NEIGH_INCOMPLETE && now - n->updated > TICK_NS)
		what = STEP_REMOVE; /* made, but never asked for */
	else if (n->deadline && n->deadline <= now && !n->dead)
		what = step_locked(n, now);
	if (n->deadline)
		timer_want(n->deadline);
	spin_unlock(&n->lock);
	if (what == STEP_ASK_ALL || what == STEP_ASK_ONE)
		solicit(n, what == STEP_ASK_ONE, NULL);
	else if (what == STEP_GIVE_UP)
		waiters_fire(&n->waiters);
	else if (what == STEP_REMOVE)
		neigh_remove(n);
}

static void timer_fn(struct timer *t)
{
	u64 now = ktime_get();

	spin_lock(&timer_lock);
	timer_at = 0;
	spin_unlock(&timer_lock);
	WRITE_ONCE(coarse_now, now);
	rcu_read_lock();
	for (u32 i = 0; i < NEIGH_SLOTS; i++) {
		struct neigh *n = rcu_dereference(neigh_slots[i]);

		if (n)
			step(n, now);
	}
	rcu_read_unlock();
	if (READ_ONCE(count))
		timer_want(now + TICK_NS);
}

int neigh_init(void)
{
	timer_init(&timer, timer_fn);
	return 0;
}

void neigh_exit(void)
{
	neigh_flush(NULL, 0, true);
	timer_cancel_sync(&timer);
}
