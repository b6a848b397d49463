/* SPDX-License-Identifier: MIT */
/* mcastopt.c - the socket options that join and leave groups (RFC 3678): IPv4's, IPv6's and those
 * that know no family, each with a layout of its own, become requests of one kind. */
#include "mcast.h"

/* ---- layouts ---- */

static bool is_any_option(int opt)
{
	return opt >= MCAST_JOIN_GROUP && opt <= MCAST_MSFILTER;
}

/* Each level has numbers of its own, but for those that know no address family. */
static enum mcast_action action_of(int level, int opt)
{
	if (level == SOL_IPV6 && !is_any_option(opt))
		return opt == IPV6_ADD_MEMBERSHIP  ? MCAST_ACT_JOIN :
		       opt == IPV6_DROP_MEMBERSHIP ? MCAST_ACT_LEAVE :
						     MCAST_ACT_NONE;
	switch (opt) {
	case IP_ADD_MEMBERSHIP:
	case MCAST_JOIN_GROUP:
		return MCAST_ACT_JOIN;
	case IP_DROP_MEMBERSHIP:
	case MCAST_LEAVE_GROUP:
		return MCAST_ACT_LEAVE;
	case IP_ADD_SOURCE_MEMBERSHIP:
	case MCAST_JOIN_SOURCE_GROUP:
		return MCAST_ACT_JOIN_SOURCE;
	case IP_DROP_SOURCE_MEMBERSHIP:
	case MCAST_LEAVE_SOURCE_GROUP:
		return MCAST_ACT_LEAVE_SOURCE;
	case IP_BLOCK_SOURCE:
	case MCAST_BLOCK_SOURCE:
		return MCAST_ACT_BLOCK;
	case IP_UNBLOCK_SOURCE:
	case MCAST_UNBLOCK_SOURCE:
		return MCAST_ACT_UNBLOCK;
	case IP_MSFILTER:
	case MCAST_MSFILTER:
		return MCAST_ACT_FILTER;
	default:
		return MCAST_ACT_NONE;
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
static int parse_any(const u8 *p, u32 len, bool with_source, struct mcast_request *r)
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
static int parse_v4(const u8 *p, u32 len, bool with_source, struct mcast_request *r)
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
static int parse_v6(const u8 *p, u32 len, struct mcast_request *r)
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
	struct mcast_request r;
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
	if (h->nr > mcast_sources_allowed(&h->r.group))
		return -ENOBUFS;
	if (len < h->at + 8 + h->nr * h->size)
		return -EINVAL;
	f = mcast_filter_new(h->mode, h->nr);
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

/* ---- the options ---- */

/* A group of the level's version, and a source of the same. */
static int check_request(const struct mcast_request *r, int level, bool with_source)
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
	enum mcast_action action = action_of(level, opt);
	bool with_source = action >= MCAST_ACT_JOIN_SOURCE && action <= MCAST_ACT_UNBLOCK;
	struct filter_head h = { .r = { .address = ip_addr_any(AF_INET) } };
	struct ip_filter *f = NULL;
	int err;

	if (action == MCAST_ACT_NONE)
		return -ENOPROTOOPT;
	if (is->s->type == SOCK_STREAM)
		return -EPROTO;
	if (action == MCAST_ACT_FILTER) {
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
	err = f ? mcast_replace(is, &h.r, f) : mcast_act(is, action, &h.r);
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
	const struct ip_filter *f;
	int err;

	if (action_of(level, opt) != MCAST_ACT_FILTER)
		return -ENOPROTOOPT;
	err = parse_filter_head(opt, val, *len, &h);
	if (err)
		return err;
	netif_lock();
	f = mcast_filter(is, &h.r);
	err = f ? put_filter(&h, f, val, len) : -EADDRNOTAVAIL;
	netif_unlock();
	return err;
}
