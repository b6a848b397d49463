/* SPDX-License-Identifier: MIT */
/* flow.c - the send path in two stages. A flow's cached answers are good as long as the route
 * generation stands still and its neighbour handle still names the same entry; then a packet
 * costs no look-up at all. Waiters hang on a neighbour or on an interface's full ring and are
 * called once. */
#include "ip.h"
#include "neigh.h"
#include "netsend.h"

#define IP_LEN_MAX 65535

/* ---- waiters ---- */

static struct spinlock waiter_lock = SPINLOCK_INIT; /* all lists of waiters; innermost */

void ip_waiter_init(struct ip_waiter *w, void (*fn)(struct ip_waiter *w))
{
	list_init(&w->node);
	w->armed = w->used = false;
	w->fn = fn;
}
EXPORT(ip_waiter_init);

void ip_waiter_cancel_used(struct ip_waiter *w)
{
	spin_lock(&waiter_lock);
	list_del(&w->node);
	WRITE_ONCE(w->armed, false);
	spin_unlock(&waiter_lock);
}
EXPORT(ip_waiter_cancel_used);

void waiter_arm(struct list_head *list, struct ip_waiter *w)
{
	spin_lock(&waiter_lock);
	list_del(&w->node);
	list_add_tail(&w->node, list);
	w->used = true;
	WRITE_ONCE(w->armed, true);
	spin_unlock(&waiter_lock);
}

void waiters_fire(struct list_head *list)
{
	if (list_empty(list))
		return;
	spin_lock(&waiter_lock);
	while (!list_empty(list)) {
		struct ip_waiter *w = list_first_entry(list, struct ip_waiter, node);

		list_del(&w->node);
		WRITE_ONCE(w->armed, false);
		w->fn(w);
	}
	spin_unlock(&waiter_lock);
}

/* The ring is full: hangs w on it unless room came in the meantime. False: there is room. */
static bool wait_for_ring(struct netif *nif, struct ip_waiter *w)
{
	waiter_arm(&nif->tx_waiters, w);
	smp_mb();
	if (READ_ONCE(nif->tx_full))
		return true;
	ip_waiter_cancel(w);
	return false;
}

/* ---- finding the way ---- */

/* A destination that no route needs to name: a group or everybody on one link. */
static int route_group(const struct flow *f, struct route_result *res)
{
	int err = 0;

	if (f->oif) {
		res->nif = netif_by_index(f->oif);
		if (!res->nif)
			return -ENODEV;
		res->source = ip_addr_any(ip_addr_family(&f->dst));
		res->mtu = READ_ONCE(res->nif->mtu);
	} else if (!ip_addr_is_any(&f->src) && ifaddr_find(NULL, &f->src)) {
		res->nif = ifaddr_find(NULL, &f->src)->nif;
		res->source = f->src;
		res->mtu = READ_ONCE(res->nif->mtu);
	} else {
		err = route_lookup(&f->dst, 0, res);
	}
	res->next_hop = f->dst;
	return err;
}

static int route_unicast(struct flow *f, struct route_result *res)
{
	int err = route_lookup(&f->dst, f->oif, res);

	if (err == -ENETUNREACH && f->oif) {
		/* As on Linux: told which interface, on link is assumed. */
		res->nif = netif_by_index(f->oif);
		if (!res->nif)
			return -ENODEV;
		*res = (struct route_result){
			.type = ROUTE_UNICAST,
			.nif = res->nif,
			.next_hop = f->dst,
			.source = ip_addr_any(ip_addr_family(&f->dst)),
			.mtu = res->nif->mtu,
		};
		err = 0;
	}
	if (err)
		return err;
	if (res->type == ROUTE_LOCAL)
		f->kind = IP_KIND_LOCAL;
	else if (res->type == ROUTE_BROADCAST)
		f->kind = IP_KIND_BROADCAST;
	if (res->gatewayed && (f->flags & FLOW_DONTROUTE))
		return -ENETUNREACH;
	return 0;
}

static int choose_source(const struct ip_family *fam, struct flow *f,
			 const struct route_result *res)
{
	int err;

	if (!ip_addr_is_any(&f->src)) {
		f->saddr = f->src;
		if ((f->flags & FLOW_ANY_SOURCE) || ifaddr_find(NULL, &f->src) ||
		    route_classify(&f->src) == ROUTE_LOCAL)
			return 0;
		return -EADDRNOTAVAIL;
	}
	f->saddr = ip_addr_any(fam->af);
	if (f->flags & FLOW_NO_SOURCE)
		return 0;
	if (f->kind == IP_KIND_LOCAL) {
		f->saddr = f->dst;
		return 0;
	}
	if (!ip_addr_is_any(&res->source)) {
		f->saddr = res->source;
		return 0;
	}
	err = fam->source(res->nif, &f->dst, f->flags, &f->saddr);
	/* who has no address yet may still call out (RFC 1122 3.2.1.3 (a), DHCP) */
	if (err && f->kind != IP_KIND_UNICAST) {
		f->saddr = ip_addr_any(fam->af);
		return 0;
	}
	return err;
}

/* What each CPU found last, with preemption off: the next packet to a peer from somebody who keeps
 * no flow, or has a new one, mostly asks the same. */
static struct flow last_found[MAX_CPUS];

/* The wishes that the answers depend on. */
#define ROUTING_FLAGS                                                                      \
	(FLOW_BROADCAST | FLOW_DONTROUTE | FLOW_HDRINCL | FLOW_ANY_SOURCE | FLOW_NO_PMTU | \
	 FLOW_NO_SOURCE | FLOW_ROUTER_ALERT | FLOW_PREFER_TEMPORARY | FLOW_PREFER_PUBLIC)

static bool recall(struct flow *f)
{
	const struct flow *l = &last_found[cpu_id()];

	if (l->route_gen != READ_ONCE(route_generation) || !ip_addr_eq(&l->dst, &f->dst) ||
	    !ip_addr_eq(&l->src, &f->src) || l->oif != f->oif || l->opt_len != f->opt_len ||
	    ((l->flags ^ f->flags) & ROUTING_FLAGS))
		return false;
	f->saddr = l->saddr;
	f->next_hop = l->next_hop;
	f->ifindex = l->ifindex;
	f->mtu = l->mtu;
	f->net_header = l->net_header;
	f->headroom = l->headroom;
	f->kind = l->kind;
	f->addr_sum = l->addr_sum;
	f->auto_label = 0;
	f->features = l->features;
	f->route_gen = l->route_gen;
	f->neigh_slot = l->neigh_slot;
	f->neigh_id = l->neigh_id;
	return true;
}

/* Bytes that the family will put in front of what the caller brings. */
static u32 header_len(const struct ip_family *fam, const struct flow *f)
{
	if (f->flags & FLOW_HDRINCL)
		return 0;
	return fam->header_len + f->opt_len +
	       (f->flags & FLOW_ROUTER_ALERT ? fam->router_alert_len : 0);
}

/* Fills all of f's answers. Under RCU. */
static int flow_route(struct ip_family *fam, struct flow *f)
{
	u32 gen = smp_load_acquire(&route_generation);
	struct route_result res;
	u32 pmtu, mtu;
	int err;

	flow_reset(f);
	f->kind = fam->classify(NULL, &f->dst);
	if (f->kind == IP_KIND_INVALID)
		return -EINVAL;
	if (f->kind == IP_KIND_UNICAST)
		err = route_unicast(f, &res);
	else
		err = route_group(f, &res);
	if (err) {
		__atomic_fetch_add(&fam->no_routes, 1, __ATOMIC_RELAXED);
		return err;
	}
	if (f->kind == IP_KIND_BROADCAST && !(f->flags & FLOW_BROADCAST))
		return -EACCES;
	if (!netif_is_up(res.nif))
		return -ENETDOWN;
	err = choose_source(fam, f, &res);
	if (err)
		return err;
	pmtu = f->flags & FLOW_NO_PMTU ? 0 : ip_pmtu_get(&f->dst);
	mtu = fam->mtu ? min(res.mtu, fam->mtu(res.nif)) : res.mtu;
	f->mtu = pmtu && pmtu < mtu ? pmtu : mtu;
	f->next_hop = res.next_hop;
	f->ifindex = res.nif->index;
	f->features = res.nif->features;
	f->net_header = header_len(fam, f);
	f->headroom = res.nif->headroom + f->net_header;
	f->addr_sum = ~csum_fold(ip_pseudo_sum(&f->saddr, &f->dst, 0, 0));
	f->auto_label = 0;
	f->route_gen = gen;
	return 0;
}

/* The longest datagram of a family with its header. Under RCU. */
static u32 len_max(const struct flow *f)
{
	const struct ip_family *fam = ip_family_of(&f->dst);

	return fam && fam->max_len ? fam->max_len : IP_LEN_MAX;
}

static __noinline int check_long(const struct flow *f, u32 total)
{
	if (total > len_max(f))
		return -EMSGSIZE;
	if (f->flags & FLOW_GSO)
		return 0;
	return f->flags & (FLOW_DF | FLOW_WHOLE) ? -EMSGSIZE : 0;
}

static inline int check_size(const struct flow *f, u32 len)
{
	u32 total = len + f->net_header;

	return likely(total <= f->mtu) ? 0 : check_long(f, total);
}

/* f knows no way, or an old one. Under RCU. */
static __noinline int find_way(struct flow *f)
{
	struct ip_family *fam;
	int err;

	if (recall(f))
		return 0;
	fam = ip_family_of(&f->dst);
	if (!fam)
		return -EAFNOSUPPORT;
	err = flow_route(fam, f);
	if (!err)
		last_found[cpu_id()] = *f;
	return err;
}

/* The entry of f's neighbour; NULL: there is none, or it has left. Under RCU. */
static inline struct neigh *flow_neigh(const struct flow *f)
{
	return neigh_by_handle(f->neigh_slot, f->neigh_id);
}

/* The usual case: what f knows still holds, its neighbour's entry n and so the entry's interface
 * too, and both may be sent to at once. An interface that stops asking for addresses drops its
 * entries. Under RCU. */
static inline bool way_ready(const struct flow *f, struct neigh *n)
{
	return likely(n && f->route_gen == READ_ONCE(route_generation) &&
		      !READ_ONCE(n->nif->tx_full) && neigh_use(n));
}

/* Likewise for len bytes, and the interface is up. */
static inline bool flow_ready(const struct flow *f, struct neigh *n, u32 len)
{
	return likely(len + f->net_header <= f->mtu && way_ready(f, n) && netif_is_up(n->nif));
}

/* The whole of stage one but the buffer. Under RCU. */
static __noinline int flow_check(struct flow *f, u32 len, struct ip_waiter *w)
{
	struct netif *nif;
	bool park = f->flags & FLOW_PARK, found = f->route_gen != READ_ONCE(route_generation);
	int err;

	if (found) {
		err = find_way(f);
		if (err)
			return err;
		if (flow_ready(f, flow_neigh(f), len))
			return 0;
	}
	nif = netif_by_index(f->ifindex);
	if (unlikely(!nif || !netif_is_up(nif)))
		return -ENETDOWN;
	err = check_size(f, len);
	if (err)
		return err;
	if (unlikely(READ_ONCE(nif->tx_full))) {
		if (!w)
			return park ? -ENOBUFS : -EAGAIN;
		if (wait_for_ring(nif, w))
			return -EAGAIN;
	}
	if (f->kind != IP_KIND_UNICAST || !netif_resolves(nif))
		return 0;
	err = neigh_check(nif, f, w, park);
	if (found && !err)
		last_found[cpu_id()] = *f; /* with its neighbour */
	return err;
}

static inline int check(struct flow *f, u32 len, struct ip_waiter *w)
{
	int err;

	rcu_read_lock();
	err = flow_ready(f, flow_neigh(f), len) ? 0 : flow_check(f, len, w);
	rcu_read_unlock();
	return err;
}

int ip_flow_check(struct flow *f, u32 len, struct ip_waiter *w)
{
	return check(f, len, w);
}
EXPORT(ip_flow_check);

struct pkt *ip_reserve(struct flow *f, u32 len, struct ip_waiter *w)
{
	int err = check(f, len, w);
	struct pkt *p;

	if (err)
		return ERR_PTR(err);
	p = pkt_alloc(f->flags & FLOW_CONTROL ? PKT_POOL_CONTROL : PKT_POOL_TX, ip_headroom(f),
		      len);
	return p ? p : ERR_PTR(-ENOBUFS);
}
EXPORT(ip_reserve);

/* ---- stage two ---- */

/* The world has changed since the reservation: the way again, and no waiting any more. The source
 * stays: the caller's checksum counts on it. */
static int reroute(struct ip_family *fam, struct flow *f, const struct pkt *p)
{
	struct ip_addr wanted = f->src;
	int err;

	f->src = f->saddr;
	err = flow_route(fam, f);
	f->src = wanted;
	/* what is cut below fits, or is found out there */
	return err || p->gso_size ? err : check_size(f, p->len);
}

/* The way is another one now, or p came with less headroom than it needs. Under RCU. */
static __noinline int commit_any(struct flow *f, struct pkt *p)
{
	struct ip_family *fam = ip_family_of(&f->dst);
	struct netif *nif;
	int err = fam ? 0 : -EAFNOSUPPORT;

	if (!err && unlikely(f->route_gen != READ_ONCE(route_generation)))
		err = reroute(fam, f, p);
	nif = err ? NULL : netif_by_index(f->ifindex);
	if (unlikely(!nif)) {
		ip_drop(p, DROP_STALE_FLOW);
		return err ? err : -ENETDOWN;
	}
	if (unlikely(pkt_headroom(p) < f->headroom)) {
		p = pkt_writable(p, f->headroom);
		if (!p) {
			ip_drop_count(DROP_NO_MEMORY);
			return -ENOBUFS;
		}
	}
	return fam->output(nif, f, p);
}

/* p, which has its network header, to n, whose link address is known. Under RCU. */
static __always_inline int send_to(struct neigh *n, struct pkt *p)
{
	struct netif *nif = n->nif;
	u32 len = nif->link->header_len;

	p->net_off = pkt_headroom(p);
	p->ethertype = n->ethertype;
	neigh_copy_header(n, pkt_push_asked(p, len), len);
	return netif_send(nif, p);
}

/* What f knows holds, and n is its neighbour. Under RCU. */
static __always_inline int send_by(struct neigh *n, struct flow *f, struct pkt *p)
{
	struct ip_family *fam = rcu_dereference(ip_families[n->af]);

	if (unlikely(!fam))
		return commit_any(f, p);
	return likely(fam->prepend(n->nif, f, p)) ? send_to(n, p) : fam->output(n->nif, f, p);
}

/* Under RCU. */
static inline int commit(struct flow *f, struct pkt *p)
{
	struct neigh *n = flow_neigh(f);

	if (unlikely(!n || !neigh_has_address(READ_ONCE(n->state)) ||
		     f->route_gen != READ_ONCE(route_generation) || pkt_headroom(p) < f->headroom))
		return commit_any(f, p);
	return send_by(n, f, p);
}

int ip_commit(struct flow *f, struct pkt *p)
{
	int err;

	rcu_read_lock();
	err = commit(f, p);
	rcu_read_unlock();
	return err;
}
EXPORT(ip_commit);

/* No neighbour is known, as where none is needed, or not well enough. Another way might have
 * another source, which p counts on. */
static __noinline int send_now_any(struct flow *f, struct pkt *p)
{
	if (f->route_gen != READ_ONCE(route_generation) || flow_check(f, p->len, NULL))
		return -EAGAIN;
	return ip_commit(f, p);
}

int ip_send_now(struct flow *f, struct pkt *p)
{
	struct neigh *n = flow_neigh(f);

	return likely(way_ready(f, n)) ? send_by(n, f, p) : send_now_any(f, p);
}
EXPORT(ip_send_now);

/* RFC 1112 6.1: a group's member hears what its own host sends to the group; likewise
 * broadcasts. */
static void copy_to_self(struct netif *nif, const struct flow *f, const struct pkt *p,
			 u16 ethertype)
{
	bool multicast = f->kind == IP_KIND_MULTICAST;
	struct pkt *copy;

	if (nif->flags & IFF_LOOPBACK)
		return;
	if (multicast && ((f->flags & FLOW_NO_LOOP) || !ip_group_find(nif, &f->dst)))
		return;
	copy = pkt_copy(p, PKT_POOL_RX, 0);
	if (!copy) {
		ip_drop_count(DROP_NO_MEMORY);
		return;
	}
	copy->ethertype = ethertype;
	loopback_return(nif, copy, multicast ? PKT_MULTICAST : PKT_BROADCAST);
}

int ip_output_here(struct netif *nif, struct flow *f, struct pkt *p)
{
	const struct ip_family *fam = ip_family_of(&f->dst);

	p->net_off = p->data - p->head;
	copy_to_self(nif, f, p, fam ? fam->ethertype : 0);
	pkt_free(p);
	return 0;
}
EXPORT(ip_output_here);

/* To several, to this host, or to a neighbour that is not known well enough. */
static __noinline int output_any(struct netif *nif, struct flow *f, struct pkt *p)
{
	const struct ip_family *fam = ip_family_of(&f->dst);
	u16 ethertype = fam ? fam->ethertype : 0;

	p->ethertype = ethertype;
	if (f->kind != IP_KIND_UNICAST && f->kind != IP_KIND_LOCAL)
		copy_to_self(nif, f, p, ethertype);
	return neigh_output(nif, ethertype, &f->next_hop, f->kind, &f->saddr, p);
}

int ip_output_link(struct netif *nif, struct flow *f, struct pkt *p)
{
	struct neigh *n;

	p->net_off = p->data - p->head;
	n = flow_neigh(f);
	if (unlikely(!n || n->nif != nif || !neigh_push_header(n, p)))
		return output_any(nif, f, p);
	p->ethertype = n->ethertype;
	return netif_send_any(nif, p);
}
EXPORT(ip_output_link);
