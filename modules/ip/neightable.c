/* SPDX-License-Identifier: MIT */
/* neightable.c - which neighbours are kept. Look-ups are under RCU. Each family has its own bound,
 * and within it those whose link address nobody told have theirs (RFC 6583 6.1, 7.1): a scan of a
 * whole prefix, or a flood of claims, evicts itself and not the neighbours in use. */
#include "ip.h"
#include "neigh.h"

#define BUCKETS 256
#define EVICT_SAMPLE 32

static struct spinlock table_lock = SPINLOCK_INIT;
static struct hlist_head buckets[BUCKETS]; /* table_lock to change, RCU to read, as the next */
struct neigh *neigh_slots[NEIGH_SLOTS];
static u32 last_id, hand;  /* table_lock, as the next */
static struct neigh *gone; /* of whose leaving nobody has been told */
static u32 counts[AF_MAX]; /* table_lock to change */
static struct atomic unresolved[AF_MAX];

struct atomic neigh_parked_bytes[AF_MAX];
u64 neigh_coarse_now;

u32 neigh_count_of(u16 af)
{
	return READ_ONCE(counts[af]);
}

u32 neigh_count(void)
{
	return neigh_count_of(AF_INET) + neigh_count_of(AF_INET6);
}

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

/* ---- leaving ---- */

void neigh_count_unresolved(struct neigh *n, bool is)
{
	if (n->unresolved == is)
		return;
	n->unresolved = is;
	if (is)
		atomic_inc(&unresolved[n->af]);
	else
		atomic_dec(&unresolved[n->af]);
}

void neigh_drop_parked(struct neigh *n)
{
	if (!n->parked)
		return;
	atomic_sub(&neigh_parked_bytes[n->af], n->parked->truesize);
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
	counts[n->af]--;
	spin_lock(&n->lock);
	n->dead = true;
	neigh_count_unresolved(n, false);
	neigh_drop_parked(n);
	spin_unlock(&n->lock);
	waiters_fire(&n->waiters);
	n->next_gone = gone;
	gone = n;
	call_rcu(&n->rcu, neigh_free_rcu);
}

/* Under RCU, or they might not live so long. */
static void unlock_and_tell(void)
{
	struct neigh *n = gone, *next;

	gone = NULL;
	spin_unlock(&table_lock);
	for (; n; n = next) {
		next = n->next_gone;
		neigh_tell(n, true);
	}
}

void neigh_remove(struct neigh *n)
{
	spin_lock(&table_lock);
	if (neigh_slots[n->slot] == n)
		remove_locked(n);
	unlock_and_tell();
}

void neigh_flush(const struct netif *nif, u16 af, bool all)
{
	rcu_read_lock();
	spin_lock(&table_lock);
	for (u32 i = 0; i < NEIGH_SLOTS && neigh_count(); i++) {
		struct neigh *n = neigh_slots[i];

		if (n && (!nif || n->nif == nif) && (!af || n->af == af) &&
		    (all || n->state != NEIGH_PERMANENT))
			remove_locked(n);
	}
	unlock_and_tell();
	rcu_read_unlock();
}

void neigh_flush_nif(struct netif *nif, bool all)
{
	neigh_flush(nif, 0, all);
}
EXPORT(neigh_flush_nif);

/* ---- making room ---- */

/* How little would be lost: what nobody here ever sent to, others' questions, ours that nobody
 * waits for, all else. */
static u32 worth(const struct neigh *n)
{
	if (!n->used)
		return 0;
	if (!n->unresolved)
		return 3;
	return n->own ? list_empty(&n->waiters) ? 2 : 3 : 1;
}

static bool worth_less(const struct neigh *a, const struct neigh *b)
{
	u32 wa = worth(a), wb = worth(b);

	if (wa != wb)
		return wa < wb;
	/* those that are being asked for have all just been used */
	if (wa < 3 || a->used == b->used)
		return a->updated < b->updated;
	return a->used < b->used;
}

/* The one of a sample that is worth least. False: all are permanent. table_lock held. */
static bool evict_one(u16 af, bool unresolved_only)
{
	struct neigh *victim = NULL;
	u32 seen = 0;

	for (u32 i = 0; i < NEIGH_SLOTS && seen < EVICT_SAMPLE; i++) {
		struct neigh *n;

		hand = (hand + 1) % NEIGH_SLOTS;
		n = neigh_slots[hand];
		if (!n || n->af != af || n->state == NEIGH_PERMANENT ||
		    (unresolved_only && !n->unresolved))
			continue;
		seen++;
		if (!victim || worth_less(n, victim))
			victim = n;
	}
	if (!victim)
		return false;
	remove_locked(victim);
	return true;
}

/* table_lock held. */
static bool make_room(u16 af, bool known)
{
	const struct neigh_params *params = neigh_params_of(af);

	if (!known && atomic_read(&unresolved[af]) >= params->unresolved_max)
		return evict_one(af, true);
	return counts[af] < min((u32)params->gc_thresh3, (u32)NEIGH_SLOTS) || evict_one(af, false);
}

/* Of those of af that have a datagram parked the one worth least, up to limit. */
static struct neigh *parker(u16 af, u32 limit)
{
	struct neigh *n, *victim = NULL;
	u32 seen = 0, at = READ_ONCE(hand);

	for (u32 i = 0; i < NEIGH_SLOTS && seen < EVICT_SAMPLE; i++) {
		n = rcu_dereference(neigh_slots[(at + i) % NEIGH_SLOTS]);
		if (!n || n->af != af || !READ_ONCE(n->parked) || worth(n) > limit)
			continue;
		seen++;
		if (!victim || worth_less(n, victim))
			victim = n;
	}
	return victim;
}

bool neigh_unpark(const struct neigh *n, u32 size, const struct ip_addr *hint)
{
	u32 limit = neigh_params_of(n->af)->park_bytes;
	bool own = hint && !ip_addr_is_any(hint) && ifaddr_find(NULL, hint);

	while (atomic_read(&neigh_parked_bytes[n->af]) + size > limit) {
		struct neigh *other = size <= limit ? parker(n->af, own ? 3 : 1) : NULL;

		if (!other)
			return false;
		spin_lock(&other->lock);
		neigh_drop_parked(other);
		spin_unlock(&other->lock);
	}
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

/* ---- coming ---- */

static void insert_locked(struct neigh *n, u32 slot, bool known)
{
	n->slot = slot;
	n->id = ++last_id ? last_id : ++last_id;
	n->updated = ktime_get();
	neigh_count_unresolved(n, !known);
	/* of an empty table the timer keeps no time */
	if (!neigh_count())
		WRITE_ONCE(neigh_coarse_now, n->updated);
	counts[n->af]++;
	hlist_add_head(&n->hash, bucket_of(n->nif, &n->addr));
	rcu_assign_pointer(neigh_slots[slot], n);
}

struct neigh *neigh_create(struct netif *nif, const struct ip_addr *addr, bool known)
{
	u16 af = ip_addr_family(addr);
	const struct ip_family *fam = ip_family_find(af);
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
	if (!other && make_room(af, known))
		slot = free_slot();
	if (slot >= 0) {
		n->nif = netif_get(nif);
		insert_locked(n, slot, known);
	}
	unlock_and_tell();
	if (slot >= 0) {
		neigh_timer_want(n->updated + NEIGH_TICK_NS);
		return n;
	}
	kfree(n);
	if (!other)
		ip_drop_count(DROP_NEIGH_TABLE);
	return other;
}
