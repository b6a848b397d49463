/* SPDX-License-Identifier: MIT */
/* mcast.c - a socket's multicast groups and what it wants of them, and the question whether a
 * received packet is wanted. Memberships change under the socket's lock and netif_lock and are read
 * under RCU. */
#include "mcast.h"

struct membership {
	struct list_head node; /* in inet_sock.memberships */
	struct rcu_head rcu;
	struct ip_addr group;
	u32 ifindex;
	const struct ip_filter *filter; /* replaced whole */
};

static int max_memberships = 20, max_sources = 10; /* a socket, a membership: Linux's defaults */

/* Linux bounds IPv6's by the memory they take. */
#define MAX_MEMBERSHIPS_V6 1024
int inet_max_sources_v6 = 64; /* net/ipv6/mld_max_msf: the family's */
EXPORT(inet_max_sources_v6);

u32 mcast_sources_allowed(const struct ip_addr *group)
{
	return READ_ONCE(*(ip_addr_is_v4(group) ? &max_sources : &inet_max_sources_v6));
}

static u32 memberships_allowed(const struct ip_addr *group)
{
	return ip_addr_is_v4(group) ? (u32)READ_ONCE(max_memberships) : MAX_MEMBERSHIPS_V6;
}

static struct membership *find(const struct inet_sock *is, const struct ip_addr *group, u32 ifindex)
{
	struct membership *m;

	list_for_each_entry(m, &is->memberships, node) {
		if ((!ifindex || m->ifindex == ifindex) && ip_addr_eq(&m->group, group))
			return m;
	}
	return NULL;
}

bool inet_wants_group(const struct inet_sock *is, const struct ip_rx *rx)
{
	const struct membership *m;
	const struct ip_filter *f;

	m = find(is, &rx->dst, rx->ifindex);
	if (!m)
		return inet_settings(is, &rx->dst)->flags & INET_MCAST_ALL;
	f = rcu_dereference(m->filter);
	return ip_filter_has(f, &rx->src) == (f->mode == MCAST_INCLUDE);
}
EXPORT(inet_wants_group);

/* ---- changing; netif_lock held ---- */

static void membership_free_rcu(struct rcu_head *h)
{
	kfree(container_of(h, struct membership, rcu));
}

static void filter_free_rcu(struct rcu_head *h)
{
	kfree(container_of(h, struct ip_filter, rcu));
}

static void filter_put(const struct ip_filter *f)
{
	struct ip_filter *own = (struct ip_filter *)f;

	if (f != &ip_filter_any)
		call_rcu(&own->rcu, filter_free_rcu);
}

/* A parked interface still counts its members. */
static struct netif *any_netif(u32 index)
{
	struct netif *nif;

	netif_for_each(nif) {
		if (nif->index == index)
			return nif;
	}
	return NULL;
}

static void leave(struct inet_sock *is, struct membership *m)
{
	struct netif *nif = any_netif(m->ifindex);

	if (nif)
		ip_group_change(nif, &m->group, m->filter, NULL);
	is->nr_memberships--;
	list_del_rcu(&m->node);
	filter_put(m->filter);
	call_rcu(&m->rcu, membership_free_rcu);
}

/* f is the membership's from here on, unless this fails. */
static int set_filter(struct membership *m, const struct ip_filter *f)
{
	struct netif *nif = any_netif(m->ifindex);
	const struct ip_filter *old = m->filter;
	int err = nif ? ip_group_change(nif, &m->group, old, f) : -ENODEV;

	if (err)
		return err;
	rcu_assign_pointer(m->filter, f);
	filter_put(old);
	return 0;
}

static struct netif *request_netif(const struct inet_sock *is, const struct mcast_request *r)
{
	struct route_result res;
	struct ifaddr *a;
	u32 index = r->ifindex;

	if (!index && !ip_addr_is_any(&r->address)) {
		a = ifaddr_find(NULL, &r->address);
		return a ? a->nif : NULL;
	}
	if (!index)
		index = is->s->bound_if ? is->s->bound_if : inet_settings(is, &r->group)->mcast_if;
	if (index)
		return netif_by_index(index);
	return route_lookup(&r->group, 0, &res) ? NULL : res.nif;
}

static int join(struct inet_sock *is, const struct mcast_request *r, const struct ip_filter *f)
{
	struct netif *nif = request_netif(is, r);
	struct membership *m;
	int err;

	if (!nif)
		return -ENODEV;
	if (find(is, &r->group, nif->index))
		return -EADDRINUSE;
	if (is->nr_memberships >= memberships_allowed(&r->group))
		return -ENOBUFS;
	m = kmalloc(sizeof(*m));
	if (!m)
		return -ENOMEM;
	err = ip_group_change(nif, &r->group, NULL, f);
	if (err) {
		kfree(m);
		return err;
	}
	m->group = r->group;
	m->ifindex = nif->index;
	m->filter = f;
	is->nr_memberships++;
	list_add_tail(&m->node, &is->memberships);
	return 0;
}

/* The membership that a request means; where it names no interface, the first of that group. */
static struct membership *request_membership(const struct inet_sock *is,
					     const struct mcast_request *r)
{
	bool named = r->ifindex || !ip_addr_is_any(&r->address);
	struct netif *nif = named ? request_netif(is, r) : NULL;

	if (named && !nif)
		return NULL;
	return find(is, &r->group, nif ? nif->index : 0);
}

struct ip_filter *mcast_filter_new(u8 mode, u32 nr)
{
	struct ip_filter *f = kzalloc(sizeof(*f) + nr * sizeof(f->source[0]));

	if (f) {
		f->mode = mode;
		f->nr = nr;
	}
	return f;
}

/* The filter with one source more, or less. */
static int edit_source(struct inet_sock *is, struct membership *m, const struct ip_addr *source,
		       u8 mode, bool add)
{
	const struct ip_filter *old = m->filter;
	u32 nr = old->mode == mode ? old->nr : 0, kept = 0;
	struct ip_filter *f;
	int err;

	/* as on Linux, a filter without sources may change its mode */
	if (old->mode != mode && (old->nr || !add))
		return -EINVAL;
	if (ip_filter_has(old, source) == add)
		return -EADDRNOTAVAIL;
	if (add && nr >= mcast_sources_allowed(&m->group))
		return -ENOBUFS;
	if (!add && nr == 1 && mode == MCAST_INCLUDE) {
		leave(is, m);
		return 0;
	}
	f = mcast_filter_new(mode, nr + (add ? 1 : -1));
	if (!f)
		return -ENOMEM;
	for (u32 i = 0; i < nr; i++) {
		if (!ip_addr_eq(&old->source[i], source))
			f->source[kept++] = old->source[i];
	}
	if (add)
		f->source[kept] = *source;
	err = set_filter(m, f);
	if (err)
		kfree(f);
	return err;
}

static int join_source(struct inet_sock *is, const struct mcast_request *r)
{
	struct ip_filter *f = mcast_filter_new(MCAST_INCLUDE, 1);
	int err;

	if (!f)
		return -ENOMEM;
	f->source[0] = r->source;
	err = join(is, r, f);
	if (err)
		kfree(f);
	return err;
}

static int change_source(struct inet_sock *is, const struct mcast_request *r, u8 mode, bool add)
{
	struct membership *m = request_membership(is, r);

	if (!m && add && mode == MCAST_INCLUDE)
		return join_source(is, r);
	return m ? edit_source(is, m, &r->source, mode, add) : -EINVAL;
}

/* ---- what the options ask for ---- */

int mcast_act(struct inet_sock *is, enum mcast_action action, const struct mcast_request *r)
{
	struct membership *m;

	switch (action) {
	case MCAST_ACT_JOIN:
		return join(is, r, &ip_filter_any);
	case MCAST_ACT_LEAVE:
		m = request_membership(is, r);
		if (!m)
			return -EADDRNOTAVAIL;
		leave(is, m);
		return 0;
	case MCAST_ACT_JOIN_SOURCE:
	case MCAST_ACT_LEAVE_SOURCE:
		return change_source(is, r, MCAST_INCLUDE, action == MCAST_ACT_JOIN_SOURCE);
	default:
		return change_source(is, r, MCAST_EXCLUDE, action == MCAST_ACT_BLOCK);
	}
}

int mcast_replace(struct inet_sock *is, const struct mcast_request *r, struct ip_filter *f)
{
	struct membership *m = request_membership(is, r);
	int err = m ? 0 : -EINVAL;

	if (m && f->mode == MCAST_INCLUDE && !f->nr) {
		leave(is, m);
		kfree(f);
		return 0;
	}
	if (!err)
		err = set_filter(m, f);
	if (err)
		kfree(f);
	return err;
}

const struct ip_filter *mcast_filter(const struct inet_sock *is, const struct mcast_request *r)
{
	const struct membership *m = request_membership(is, r);

	return m ? m->filter : NULL;
}

void inet_leave_groups(struct inet_sock *is, u16 af)
{
	struct membership *m, *next;

	if (list_empty(&is->memberships))
		return;
	netif_lock();
	list_for_each_entry_safe(m, next, &is->memberships, node) {
		if (!af || ip_addr_family(&m->group) == af)
			leave(is, m);
	}
	netif_unlock();
}

static struct sysctl sysctls[] = {
	{ .path = "net/ipv4/igmp_max_memberships", .value = &max_memberships, .max = 1000 },
	{ .path = "net/ipv4/igmp_max_msf", .value = &max_sources, .max = 250 },
};

int mcast_init(void)
{
	return sysctl_add_all(sysctls, ARRAY_SIZE(sysctls));
}

void mcast_exit(void)
{
	sysctl_remove_all(sysctls, ARRAY_SIZE(sysctls));
}
