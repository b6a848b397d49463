/* SPDX-License-Identifier: MIT */
/* neighstate.c - what becomes of a neighbour: the state machine of RFC 4861 7.2.3, 7.2.5 and 7.3
 * with the patience of RFC 7048, for both address families; one timer steps all entries. Resolvers
 * report what they hear and are told which routers stopped or began to answer. */
#include "ip.h"
#include "neigh.h"

#define FAILED_NS NSEC_PER_SEC		/* how long -EHOSTUNREACH is the answer */
#define QUANTUM_NS (32 * NSEC_PER_MSEC) /* a rush of entries shall not become a rush of scans */

/* RFC 7048 3: how the intervals grow between the questions for one who no longer answers. */
#define BACKOFF_MULTIPLE 3
#define MAX_RETRANS_NS (60 * NSEC_PER_SEC)

static struct spinlock timer_lock = SPINLOCK_INIT;
static struct timer timer;
static u64 timer_at; /* timer_lock; 0: not set */

/* What a resolver wants to know of a step; told when no lock is held. */
enum news { NEWS_NONE, NEWS_REACHABLE, NEWS_LOST, NEWS_NO_ROUTER };

static void tell(const struct neigh *n, enum news news)
{
	const struct neigh_resolver *r;

	if (likely(news == NEWS_NONE))
		return;
	rcu_read_lock();
	r = rcu_dereference(neigh_resolvers[n->af]);
	if (r && r->router_event)
		r->router_event(n->nif, &n->addr,
				news == NEWS_REACHABLE ? NEIGH_REACHABLE : NEIGH_FAILED,
				news != NEWS_NO_ROUTER);
	rcu_read_unlock();
}

/* What of an entry watchers hear: they are told when it has changed. Its lock held. */
struct look {
	u8 state, hw[LINK_ADDR_MAX];
	bool router;
};

static struct look look_at(const struct neigh *n)
{
	struct look l = { .state = n->state, .router = n->router };

	memcpy(l.hw, n->hw, sizeof(l.hw));
	return l;
}

static bool changed(const struct neigh *n, const struct look *before)
{
	return n->state != before->state || n->router != before->router ||
	       memcmp(n->hw, before->hw, sizeof(n->hw));
}

/* ---- time ---- */

void neigh_timer_want(u64 at)
{
	at = ALIGN_UP(at, QUANTUM_NS);
	spin_lock(&timer_lock);
	if (!timer_at || at < timer_at) {
		timer_at = at;
		timer_set(&timer, at);
	}
	spin_unlock(&timer_lock);
}

void neigh_deadline_in(struct neigh *n, u64 ns)
{
	n->deadline = ktime_get() + ns;
	neigh_timer_want(n->deadline);
}

static void times_of(const struct neigh *n, u32 *reachable_ms, u32 *retrans_ms)
{
	const struct neigh_resolver *r;

	rcu_read_lock();
	*reachable_ms = neigh_params_of(n->af)->base_reachable_ms;
	*retrans_ms = neigh_params_of(n->af)->retrans_ms;
	r = rcu_dereference(neigh_resolvers[n->af]);
	if (r && r->times)
		r->times(n->nif, reachable_ms, retrans_ms);
	rcu_read_unlock();
}

u64 neigh_retrans_ns(const struct neigh *n)
{
	u32 reachable_ms, retrans_ms;

	times_of(n, &reachable_ms, &retrans_ms);
	return retrans_ms * NSEC_PER_MSEC;
}

/* Of the base, RFC 4861 6.3.4 takes uniformly between 0.5 and 1.5, so that hosts do not ask in
 * step. */
static u64 base_reachable_ns(const struct neigh *n)
{
	u32 reachable_ms, retrans_ms;

	times_of(n, &reachable_ms, &retrans_ms);
	return reachable_ms * NSEC_PER_MSEC;
}

static u64 reachable_ns(const struct neigh *n)
{
	u64 base = base_reachable_ns(n);

	return base / 2 + random_below(base / NSEC_PER_MSEC + 1) * NSEC_PER_MSEC;
}

/* ---- states; n's lock held ---- */

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
	if (!n->dead)
		neigh_count_unresolved(n, false);
}

static enum news confirm_locked(struct neigh *n)
{
	bool was = n->state == NEIGH_REACHABLE;

	n->state = NEIGH_REACHABLE;
	n->confirmed = ktime_get();
	n->probes = 0;
	neigh_deadline_in(n, reachable_ns(n));
	return n->router && !was ? NEWS_REACHABLE : NEWS_NONE;
}

static void make_stale(struct neigh *n)
{
	n->state = NEIGH_STALE;
	n->probes = 0;
	neigh_deadline_in(n, neigh_params_of(n->af)->stale_s * NSEC_PER_SEC);
}

/* RFC 4861 7.2.5: each answer says whether it is a router; most other messages say nothing. */
static enum news set_router(struct neigh *n, u32 flags)
{
	bool was = n->router;

	if (flags & NEIGH_UPDATE_ROUTER)
		n->router = true;
	else if (flags & NEIGH_UPDATE_KNOWS_ROUTER)
		n->router = false;
	return was && !n->router ? NEWS_NO_ROUTER : NEWS_NONE;
}

static int update_locked(struct neigh *n, const u8 *hw, u32 flags, enum news *news)
{
	bool known = neigh_has_address(n->state);
	bool same = known && (!hw || !memcmp(n->hw, hw, n->nif->link->addr_len));
	enum news reached;

	if (n->dead)
		return -ENOENT;
	if (n->state == NEIGH_PERMANENT) {
		*news = same ? set_router(n, flags) : NEWS_NONE;
		return same ? 0 : -EPERM;
	}
	if (known && !same && !(flags & NEIGH_UPDATE_OVERRIDE)) {
		if (n->state == NEIGH_REACHABLE)
			make_stale(n);
		return -EEXIST;
	}
	*news = set_router(n, flags);
	if (!known && !hw)
		return -ENOENT;
	n->updated = ktime_get();
	if (!same)
		set_hw(n, hw);
	if (flags & NEIGH_UPDATE_CONFIRM) {
		reached = confirm_locked(n);
		*news = *news == NEWS_NONE ? reached : *news;
	} else if (!same) {
		make_stale(n);
	}
	return 0;
}

/* ---- what is reported ---- */

void neigh_release_waiting(struct neigh *n)
{
	struct pkt *p;

	spin_lock(&n->lock);
	p = n->parked;
	n->parked = NULL;
	spin_unlock(&n->lock);
	if (p) {
		atomic_sub(&neigh_parked_bytes[n->af], p->truesize);
		if (neigh_push_header(n, p))
			netif_tx(n->nif, p);
		else
			ip_drop(p, DROP_NEIGH_FAILED);
	}
	waiters_fire(&n->waiters);
}

int neigh_update(struct netif *nif, const struct ip_addr *addr, const u8 *hw, u32 flags)
{
	enum news news = NEWS_NONE;
	struct look before;
	struct neigh *n;
	bool new;
	int err;

	if ((hw && !nif->link->valid_addr(hw)) || !netif_resolves(nif))
		return -EINVAL;
	rcu_read_lock();
	n = neigh_find(nif, addr);
	if (!n && hw && flags & NEIGH_UPDATE_CREATE)
		n = neigh_create(nif, addr, true);
	if (!n) {
		rcu_read_unlock();
		return hw && flags & NEIGH_UPDATE_CREATE ? -ENOBUFS : -ENOENT;
	}
	spin_lock(&n->lock);
	before = look_at(n);
	err = update_locked(n, hw, flags, &news);
	new = changed(n, &before);
	spin_unlock(&n->lock);
	if (!err)
		neigh_release_waiting(n);
	tell(n, news);
	if (new)
		neigh_tell(n, false);
	rcu_read_unlock();
	return err;
}
EXPORT(neigh_update);

void neigh_confirm(const struct flow *f)
{
	enum news news = NEWS_NONE;
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
			news = confirm_locked(n);
		spin_unlock(&n->lock);
		tell(n, news);
		neigh_tell(n, false);
	}
	rcu_read_unlock();
}
EXPORT(neigh_confirm);

void neigh_set_permanent(struct neigh *n, const u8 *hw, bool permanent)
{
	enum news news = NEWS_NONE;

	spin_lock(&n->lock);
	set_hw(n, hw);
	n->updated = ktime_get();
	if (permanent) {
		n->state = NEIGH_PERMANENT;
		n->deadline = 0;
	} else {
		news = confirm_locked(n);
	}
	spin_unlock(&n->lock);
	tell(n, news);
	neigh_tell(n, false);
}

/* ---- steps in time ---- */

enum step { STEP_NONE, STEP_ASK_ALL, STEP_ASK_ONE, STEP_GIVE_UP, STEP_REMOVE };

static u64 backoff_ns(const struct neigh *n, u32 times)
{
	u64 ns = neigh_retrans_ns(n);

	while (times-- && ns < MAX_RETRANS_NS)
		ns *= BACKOFF_MULTIPLE;
	return min(ns, MAX_RETRANS_NS);
}

/* RFC 4861 7.2.2, RFC 1812 4.3.3.1: whose packet this host only passes on hears that it could not
 * be. Under RCU. */
static void reject_parked(const struct neigh *n, struct pkt *p)
{
	const struct ip_rx *rx = ip_rx_const(p);

	atomic_sub(&neigh_parked_bytes[n->af], p->truesize);
	if (!p->nif || route_classify(&rx->dst) != ROUTE_UNICAST) {
		ip_drop(p, DROP_NEIGH_FAILED);
		return;
	}
	p->nif = n->nif; /* which n holds; the other may have left */
	ip_reject(p, DROP_NEIGH_FAILED, IP_ERR_HOST_UNREACH, 0);
}

static enum step give_up(struct neigh *n, enum news *news)
{
	n->state = NEIGH_FAILED;
	neigh_count_unresolved(n, true);
	neigh_deadline_in(n, FAILED_NS);
	*news = NEWS_LOST;
	return STEP_GIVE_UP;
}

/* RFC 4861 7.3.3: forgotten, so that senders hear of it and look for another way; who sends again
 * asks everybody. With mcast_resolicit RFC 7048: it may only seem to be gone, and there may be no
 * other way. What is sent goes on to where it was last, while everybody is asked, ever less often,
 * and as long as anything is sent. Whoever chooses among routers is told at once either way. */
static enum step step_unreachable(struct neigh *n, const struct neigh_params *params, u64 now,
				  enum news *news)
{
	u32 asked = n->probes - params->ucast_probes;

	if (asked >= (u32)params->mcast_resolicit)
		return give_up(n, news);
	if (asked && now - n->used > backoff_ns(n, asked - 1) + 2 * NEIGH_TICK_NS)
		return STEP_REMOVE;
	if (!asked)
		*news = NEWS_LOST;
	n->probes++;
	neigh_deadline_in(n, backoff_ns(n, asked));
	return STEP_ASK_ALL;
}

static enum step step_unanswered(struct neigh *n, const struct neigh_params *params, u64 now,
				 enum news *news)
{
	bool direct = n->state == NEIGH_PROBE;

	if (n->probes && n->probes < (direct ? params->ucast_probes : params->mcast_probes)) {
		n->probes++;
		neigh_deadline_in(n, neigh_retrans_ns(n));
		return direct ? STEP_ASK_ONE : STEP_ASK_ALL;
	}
	return direct ? step_unreachable(n, params, now, news) : give_up(n, news);
}

/* n's deadline has come; its lock held. */
static enum step step_locked(struct neigh *n, u64 now, enum news *news)
{
	const struct neigh_params *params = neigh_params_of(n->af);

	switch (n->state) {
	case NEIGH_INCOMPLETE:
	case NEIGH_PROBE:
		return step_unanswered(n, params, now, news);
	case NEIGH_REACHABLE:
		/* an upper layer confirmed it meanwhile: the time counts from then */
		if (now - n->confirmed < base_reachable_ns(n) / 2)
			neigh_deadline_in(n, reachable_ns(n) - (now - n->confirmed));
		else
			make_stale(n);
		return STEP_NONE;
	case NEIGH_DELAY:
		n->state = NEIGH_PROBE;
		n->probes = 1;
		neigh_deadline_in(n, neigh_retrans_ns(n));
		return STEP_ASK_ONE;
	case NEIGH_STALE:
		if (now - n->used > params->stale_s * NSEC_PER_SEC &&
		    neigh_count_of(n->af) > (u32)params->gc_thresh1)
			return STEP_REMOVE;
		neigh_deadline_in(n, params->stale_s * NSEC_PER_SEC);
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
	enum news news = NEWS_NONE;
	struct pkt *lost = NULL;
	struct look before;
	bool new;

	spin_lock(&n->lock);
	before = look_at(n);
	if (!n->deadline && n->state == NEIGH_INCOMPLETE && now - n->updated > NEIGH_TICK_NS)
		what = STEP_REMOVE; /* made, but never asked for */
	else if (n->deadline && n->deadline <= now && !n->dead)
		what = step_locked(n, now, &news);
	if (what == STEP_GIVE_UP) {
		lost = n->parked;
		n->parked = NULL;
	}
	if (n->deadline)
		neigh_timer_want(n->deadline);
	new = changed(n, &before);
	spin_unlock(&n->lock);
	if (what == STEP_ASK_ALL || what == STEP_ASK_ONE)
		neigh_solicit(n, what == STEP_ASK_ONE, NULL);
	else if (what == STEP_GIVE_UP)
		waiters_fire(&n->waiters);
	else if (what == STEP_REMOVE)
		neigh_remove(n);
	if (lost)
		reject_parked(n, lost);
	tell(n, news);
	if (new)
		neigh_tell(n, false);
}

static void timer_fn(struct timer *t)
{
	u64 now = ktime_get();

	spin_lock(&timer_lock);
	timer_at = 0;
	spin_unlock(&timer_lock);
	WRITE_ONCE(neigh_coarse_now, now);
	rcu_read_lock();
	for (u32 i = 0; i < NEIGH_SLOTS; i++) {
		struct neigh *n = rcu_dereference(neigh_slots[i]);

		if (n)
			step(n, now);
	}
	rcu_read_unlock();
	if (neigh_count())
		neigh_timer_want(now + NEIGH_TICK_NS);
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
