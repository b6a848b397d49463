/* SPDX-License-Identifier: MIT */
/* mcast.c - a socket's multicast groups and what it wants of them: the options of RFC 3678, both
 * the IPv4 ones and those that know no protocol, and the question whether a received packet is
 * wanted. Memberships change under the socket's lock and netif_lock and are read under RCU. */
#include "ip.h"

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

static u32 sources_allowed(const struct ip_addr *group)
{
	return READ_ONCE(*(ip_addr_is_v4(group) ? &max_sources : &inet_max_sources_v6));
}

static u32 memberships_allowed(const struct ip_addr *group)
{
	return ip_addr_is_v4(group) ? (u32)READ_ONCE(max_memberships) : MAX_MEMBERSHIPS_V6;
}

/* What all requests come down to. */
struct request {
	struct ip_addr group, source;
	struct ip_addr address; /* of the interface, unless ifindex says it; any: by route */
	u32 ifindex;
};

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

static struct netif *request_netif(const struct inet_sock *is, const struct request *r)
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

static int join(struct inet_sock *is, const struct request *r, const struct ip_filter *f)
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
static struct membership *request_membership(const struct inet_sock *is, const struct request *r)
{
	bool named = r->ifindex || !ip_addr_is_any(&r->address);
	struct netif *nif = named ? request_netif(is, r) : NULL;

	if (named && !nif)
		return NULL;
	return find(is, &r->group, nif ? nif->index : 0);
}

static struct ip_filter *filter_new(u8 mode, u32 nr)
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
	if (add && nr >= sources_allowed(&m->group))
		return -ENOBUFS;
	if (!add && nr == 1 && mode == MCAST_INCLUDE) {
		leave(is, m);
		return 0;
	}
	f = filter_new(mode, nr + (add ? 1 : -1));
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

static int join_source(struct inet_sock *is, const struct request *r)
{
	struct ip_filter *f = filter_new(MCAST_INCLUDE, 1);
	int err;

	if (!f)
		return -ENOMEM;
	f->source[0] = r->source;
	err = join(is, r, f);
	if (err)
		kfree(f);
	return err;
}

static int change_source(struct inet_sock *is, const struct request *r, u8 mode, bool add)
{
	struct membership *m = request_membership(is, r);

	if (!m && add && mode == MCAST_INCLUDE)
		return join_source(is, r);
	return m ? edit_source(is, m, &r->source, mode, add) : -EINVAL;
}

/* ---- the options' layouts ---- */

enum action { JOIN, LEAVE, JOIN_SOURCE, LEAVE_SOURCE, BLOCK, UNBLOCK, FILTER, NO_ACTION };

static bool is_any_option(int opt)
{
	return opt >= MCAST_JOIN_GROUP && opt <= MCAST_MSFILTER;
}

/* Each level has numbers of its own, but for those that know no address family. */
static enum action action_of(int level, int opt)
{
	if (level == SOL_IPV6 && !is_any_option(opt))
		return opt == IPV6_ADD_MEMBERSHIP  ? JOIN :
		       opt == IPV6_DROP_MEMBERSHIP ? LEAVE :
						     NO_ACTION;
	switch (opt) {
	case IP_ADD_MEMBERSHIP:
	case MCAST_JOIN_GROUP:
		return JOIN;
	case IP_DROP_MEMBERSHIP:
	case MCAST_LEAVE_GROUP:
		return LEAVE;
	case IP_ADD_SOURCE_MEMBERSHIP:
	case MCAST_JOIN_SOURCE_GROUP:
		return JOIN_SOURCE;
	case IP_DROP_SOURCE_MEMBERSHIP:
	case MCAST_LEAVE_SOURCE_GROUP:
		return LEAVE_SOURCE;
	case IP_BLOCK_SOURCE:
	case MCAST_BLOCK_SOURCE:
		return BLOCK;
	case IP_UNBLOCK_SOURCE:
	case MCAST_UNBLOCK_SOURCE:
		return UNBLOCK;
	case IP_MSFILTER:
	case MCAST_MSFILTER:
		return FILTER;
	default:
		return NO_ACTION;
	}
}

static u32 get_u32(const u8 *p)
{
	u32 v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static int get_sockaddr(const u8 *p, struct ip_addr *out)
{
	u32 scope;
	u16 port;

	return ip_addr_from_sockaddr(p, SOCKADDR_MAX, get_u32(p) & 0xffff, out, &port, &scope);
}

/* group_req: index, sockaddr at 8; group_source_req: a second one at 136. */
static int parse_any(const u8 *p, u32 len, bool with_source, struct request *r)
{
	int err;

	if (len < 8 + SOCKADDR_MAX + (with_source ? SOCKADDR_MAX : 0))
		return -EINVAL;
	r->ifindex = get_u32(p);
	err = get_sockaddr(p + 8, &r->group);
	if (!err && with_source)
		err = get_sockaddr(p + 8 + SOCKADDR_MAX, &r->source);
	return err;
}

/* ip_mreq: group, interface; ip_mreqn: and its index; ip_mreq_source: and the source instead. */
static int parse_v4(const u8 *p, u32 len, bool with_source, struct request *r)
{
	if (len < (with_source ? 12 : 8))
		return -EINVAL;
	r->group = ip_addr_v4_be(get_u32(p));
	r->address = ip_addr_v4_be(get_u32(p + 4));
	if (with_source)
		r->source = ip_addr_v4_be(get_u32(p + 8));
	else if (len >= 12)
		r->ifindex = get_u32(p + 8);
	return 0;
}

/* ipv6_mreq: group and index. */
static int parse_v6(const u8 *p, u32 len, struct request *r)
{
	if (len < 20)
		return -EINVAL;
	memcpy(r->group.b, p, 16);
	r->ifindex = get_u32(p + 16);
	return 0;
}

/* ip_msfilter: group, interface, mode, number, addresses; group_filter: index, group, mode, number,
 * sockaddrs. What comes before the sources. */
struct filter_head {
	struct request r;
	u32 mode, nr, size; /* size: of each source */
	u32 at;		    /* of the mode; the sources follow 8 bytes later */
};

static int parse_filter_head(int opt, const u8 *p, u32 len, struct filter_head *h)
{
	bool any = opt == MCAST_MSFILTER;
	int err = any ? parse_any(p, len, false, &h->r) : parse_v4(p, min(len, 8u), false, &h->r);

	h->at = any ? 8 + SOCKADDR_MAX : 8;
	h->size = any ? SOCKADDR_MAX : 4;
	if (err || len < h->at + 8)
		return -EINVAL;
	h->mode = get_u32(p + h->at);
	h->nr = get_u32(p + h->at + 4);
	return 0;
}

static int get_source(const struct filter_head *h, const u8 *p, struct ip_addr *out)
{
	int err = 0;

	if (h->size == 4)
		*out = ip_addr_v4_be(get_u32(p));
	else
		err = get_sockaddr(p, out);
	if (!err && ip_addr_family(out) != ip_addr_family(&h->r.group))
		err = -EINVAL;
	return err;
}

static int parse_filter(const struct filter_head *h, const u8 *p, u32 len, struct ip_filter **out)
{
	struct ip_filter *f;
	struct ip_addr a;
	int err = 0;

	if (h->mode > MCAST_INCLUDE)
		return -EINVAL;
	if (h->nr > sources_allowed(&h->r.group))
		return -ENOBUFS;
	if (len < h->at + 8 + h->nr * h->size)
		return -EINVAL;
	f = filter_new(h->mode, h->nr);
	if (!f)
		return -ENOMEM;
	f->nr = 0;
	p += h->at + 8;
	for (u32 i = 0; i < h->nr && !err; i++, p += h->size) {
		err = get_source(h, p, &a);
		if (!err && !ip_filter_has(f, &a))
			f->source[f->nr++] = a;
	}
	if (err)
		kfree(f);
	else
		*out = f;
	return err;
}

static int replace_filter(struct inet_sock *is, const struct request *r, struct ip_filter *f)
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

/* ---- the options ---- */

static int act(struct inet_sock *is, enum action action, const struct request *r)
{
	struct membership *m;

	switch (action) {
	case JOIN:
		return join(is, r, &ip_filter_any);
	case LEAVE:
		m = request_membership(is, r);
		if (!m)
			return -EADDRNOTAVAIL;
		leave(is, m);
		return 0;
	case JOIN_SOURCE:
	case LEAVE_SOURCE:
		return change_source(is, r, MCAST_INCLUDE, action == JOIN_SOURCE);
	default:
		return change_source(is, r, MCAST_EXCLUDE, action == BLOCK);
	}
}

/* A group of the level's version, and a source of the same. */
static int check_request(const struct request *r, int level, bool with_source)
{
	if (ip_addr_is_v4(&r->group) != (level == SOL_IP))
		return level == SOL_IP ? -EINVAL : -EADDRNOTAVAIL;
	if (!ip_addr_is_multicast(&r->group) ||
	    (with_source && ip_addr_family(&r->source) != ip_addr_family(&r->group)))
		return -EINVAL;
	return 0;
}

int inet_set_group_option(struct inet_sock *is, int level, int opt, const void *val, u32 len)
{
	enum action action = action_of(level, opt);
	bool with_source = action >= JOIN_SOURCE && action <= UNBLOCK;
	struct filter_head h = { .r = { .address = ip_addr_any(AF_INET) } };
	struct ip_filter *f = NULL;
	int err;

	if (action == NO_ACTION)
		return -ENOPROTOOPT;
	if (is->s->type == SOCK_STREAM)
		return -EPROTO;
	if (action == FILTER) {
		err = parse_filter_head(opt, val, len, &h);
		if (!err)
			err = parse_filter(&h, val, len, &f);
	} else {
		if (is_any_option(opt))
			err = parse_any(val, len, with_source, &h.r);
		else if (level == SOL_IPV6)
			err = parse_v6(val, len, &h.r);
		else
			err = parse_v4(val, len, with_source, &h.r);
	}
	if (err)
		return err;
	err = check_request(&h.r, level, with_source);
	if (err) {
		kfree(f);
		return err;
	}
	netif_lock();
	err = f ? replace_filter(is, &h.r, f) : act(is, action, &h.r);
	netif_unlock();
	return err;
}

/* As many sources as fit, and how many there are. */
static int put_filter(const struct filter_head *h, const struct ip_filter *f, u8 *p, u32 *len)
{
	u32 nr = min(f->nr, h->nr), mode = f->mode;
	u8 *to = p + h->at + 8;

	if (*len < h->at + 8 + nr * h->size)
		return -EINVAL;
	memcpy(p + h->at, &mode, sizeof(mode));
	memcpy(p + h->at + 4, &f->nr, sizeof(f->nr));
	for (u32 i = 0; i < nr; i++, to += h->size) {
		if (h->size == 4)
			memcpy(to, &f->source[i].w[3], 4);
		else
			ip_addr_to_sockaddr(to, ip_addr_family(&f->source[i]), &f->source[i], 0, 0);
	}
	*len = h->at + 8 + nr * h->size;
	return 0;
}

int inet_get_group_option(struct inet_sock *is, int level, int opt, void *val, u32 *len)
{
	struct filter_head h = { .r = { .address = ip_addr_any(AF_INET) } };
	struct membership *m;
	int err;

	if (action_of(level, opt) != FILTER)
		return -ENOPROTOOPT;
	err = parse_filter_head(opt, val, *len, &h);
	if (err)
		return err;
	netif_lock();
	m = request_membership(is, &h.r);
	err = m ? put_filter(&h, m->filter, val, len) : -EADDRNOTAVAIL;
	netif_unlock();
	return err;
}

void inet_leave_groups(struct inet_sock *is)
{
	struct membership *m, *next;

	if (list_empty(&is->memberships))
		return;
	netif_lock();
	list_for_each_entry_safe(m, next, &is->memberships, node)
		leave(is, m);
	netif_unlock();
}

static struct sysctl sysctls[] = {
	{ .path = "net/ipv4/igmp_max_memberships", .value = &max_memberships, .max = 1000 },
	{ .path = "net/ipv4/igmp_max_msf", .value = &max_sources, .max = 250 },
};

int mcast_init(void)
{
	int err = 0;

	for (u32 i = 0; i < ARRAY_SIZE(sysctls) && !err; i++)
		err = sysctl_add(&sysctls[i]);
	if (err)
		mcast_exit();
	return err;
}

/* Also of those that init did not come to: that does nothing. */
void mcast_exit(void)
{
	for (u32 i = 0; i < ARRAY_SIZE(sysctls); i++)
		sysctl_remove(&sysctls[i]);
}
