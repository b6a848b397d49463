/* SPDX-License-Identifier: MIT */
/* addr.c - IP addresses as RTM_*ADDR tells and changes them. For IPv4 IFA_LOCAL is the address and
 * IFA_ADDRESS the peer's or the same; for IPv6 IFA_ADDRESS is the address unless there is a
 * peer. */
#include "rtnetlink.h"

#include <weft/net/proto.h>
#include <weft/time.h>

#define FOREVER 0xffffffffu
/* Of cstamp and tstamp: hundredths of a second since boot. */
#define STAMP_NS (10 * NSEC_PER_MSEC)

/* ---- telling ---- */

static const struct {
	u32 mine, theirs;
} flag_names[] = {
	{ IFADDR_TENTATIVE, IFA_F_TENTATIVE },	 { IFADDR_SECONDARY, IFA_F_SECONDARY },
	{ IFADDR_DEPRECATED, IFA_F_DEPRECATED }, { IFADDR_PERMANENT, IFA_F_PERMANENT },
	{ IFADDR_OPTIMISTIC, IFA_F_OPTIMISTIC }, { IFADDR_DADFAILED, IFA_F_DADFAILED },
	{ IFADDR_TEMPORARY, IFA_F_TEMPORARY },	 { IFADDR_NODAD, IFA_F_NODAD },
};

static u32 flags_of(const struct ifaddr *a)
{
	u32 flags = 0;

	for (u32 i = 0; i < ARRAY_SIZE(flag_names); i++) {
		if (a->flags & flag_names[i].mine)
			flags |= flag_names[i].theirs;
	}
	/* of those that were made here Linux does not say it: their prefixes have routes of their
	 * own */
	if ((a->flags & IFADDR_NOPREFIXROUTE) && !(a->flags & IFADDR_AUTOCONF))
		flags |= IFA_F_NOPREFIXROUTE;
	return flags;
}

/* Seconds left of a lifetime. */
static u32 left(u64 until, u64 now)
{
	if (!until)
		return FOREVER;
	return until > now ? (until - now) / NSEC_PER_SEC : 0;
}

static struct ifa_cacheinfo life_of(const struct ifaddr *a)
{
	u64 now = ktime_get();

	return (struct ifa_cacheinfo){
		.ifa_prefered = left(a->preferred_until, now),
		.ifa_valid = left(a->valid_until, now),
		.cstamp = a->created / STAMP_NS,
		.tstamp = a->updated / STAMP_NS,
	};
}

/* netif_lock held. */
void addr_message(struct nl_out *o, const struct ifaddr *a, u16 type)
{
	bool peer = !ip_addr_is_any(&a->peer) && !ip_addr_eq(&a->peer, &a->addr);
	struct ifa_cacheinfo life = life_of(a);
	struct ifaddrmsg body = {
		.ifa_family = a->af,
		.ifa_prefixlen = a->plen,
		.ifa_flags = flags_of(a),
		.ifa_scope = a->scope,
		.ifa_index = a->nif->index,
	};

	nl_begin(o, type, &body, sizeof(body));
	nl_put_addr(o, IFA_ADDRESS, peer ? &a->peer : &a->addr, a->af);
	if (a->af == AF_INET || peer)
		nl_put_addr(o, IFA_LOCAL, &a->addr, a->af);
	if (!ip_addr_is_any(&a->broadcast))
		nl_put_addr(o, IFA_BROADCAST, &a->broadcast, a->af);
	if (a->af == AF_INET)
		nl_put_str(o, IFA_LABEL, a->label);
	nl_put_u32(o, IFA_FLAGS, flags_of(a));
	nl_put(o, IFA_CACHEINFO, &life, sizeof(life));
}

static void dump_family(struct nl_dump *d, u16 af)
{
	struct netif *nif;
	struct ifaddr *a;

	netif_for_each(nif) {
		if (!netif_present(nif))
			continue;
		ifaddr_for_each(a, nif) {
			if (a->af != af || !nl_dump_next(d))
				continue;
			addr_message(&d->out, a, RTM_NEWADDR);
			nl_dump_end(d);
		}
	}
}

/* Linux tells all addresses of a family before those of the next, and programs show that order. */
static void dump_addrs(struct nl_dump *d)
{
	static const u16 families[] = { AF_INET, AF_INET6 };

	netif_lock();
	for (u32 i = 0; i < ARRAY_SIZE(families); i++) {
		/* without their family addresses are asleep */
		if ((!d->family || d->family == families[i]) && ip_family_find(families[i]))
			dump_family(d, families[i]);
	}
	netif_unlock();
}

/* ---- changing ---- */

/* Flags that a user may set; those of more than eight bits have their own attribute. */
static int parse_flags(const struct nl_request *rq, u32 flags, struct ifaddr *want)
{
	int err = nl_get_u32(&rq->attr[IFA_FLAGS], &flags);

	if (err || want->af != AF_INET6)
		return err;
	if (flags & IFA_F_NODAD)
		want->flags |= IFADDR_NODAD;
	if (flags & IFA_F_OPTIMISTIC)
		want->flags |= IFADDR_OPTIMISTIC;
	if (flags & IFA_F_NOPREFIXROUTE)
		want->flags |= IFADDR_NOPREFIXROUTE;
	/* it makes no temporary addresses beside a user's own */
	return flags & IFA_F_MANAGETEMPADDR ? -EOPNOTSUPP : 0;
}

static int parse_life(const struct nl_attr *attr, struct ifaddr *want)
{
	struct ifa_cacheinfo life;
	u64 now = ktime_get();

	if (!attr->data)
		return 0;
	if (attr->len < sizeof(life))
		return -EINVAL;
	memcpy(&life, attr->data, sizeof(life));
	if (!life.ifa_valid || life.ifa_prefered > life.ifa_valid)
		return -EINVAL;
	if (life.ifa_valid != FOREVER) {
		want->valid_until = now + life.ifa_valid * NSEC_PER_SEC;
		want->flags &= ~(u32)IFADDR_PERMANENT;
	}
	if (life.ifa_prefered != FOREVER)
		want->preferred_until = now + life.ifa_prefered * NSEC_PER_SEC;
	return 0;
}

/* Which address it is, but for its interface. */
static int parse(const struct nl_request *rq, struct ifaddr *want, u32 *ifindex)
{
	struct ifaddrmsg body;
	u16 af;
	int err;

	memcpy(&body, rq->body, sizeof(body));
	af = body.ifa_family;
	if (af != AF_INET && af != AF_INET6)
		return -EAFNOSUPPORT;
	if (body.ifa_prefixlen > ip_plen_max(af))
		return -EINVAL;
	*want = (struct ifaddr){
		.af = af,
		.plen = body.ifa_prefixlen,
		.scope = body.ifa_scope,
		.flags = IFADDR_PERMANENT,
		.addr = ip_addr_any(af),
		.broadcast = ip_addr_any(af),
	};
	*ifindex = body.ifa_index;
	if (!rq->attr[IFA_LOCAL].data && (af == AF_INET || !rq->attr[IFA_ADDRESS].data))
		return -EINVAL;
	err = nl_get_addr(&rq->attr[IFA_ADDRESS], af, &want->addr);
	want->peer = want->addr;
	if (!err)
		err = nl_get_addr(&rq->attr[IFA_LOCAL], af, &want->addr);
	if (!err)
		err = nl_get_addr(&rq->attr[IFA_BROADCAST], af, &want->broadcast);
	if (!err)
		err = nl_get_name(&rq->attr[IFA_LABEL], want->label);
	if (ip_addr_is_any(&want->peer))
		want->peer = want->addr;
	return err;
}

/* What only an address that is to be has: whoever takes one away may say what he likes. */
static int parse_new(const struct nl_request *rq, struct ifaddr *want)
{
	struct ifaddrmsg body;
	int err;

	memcpy(&body, rq->body, sizeof(body));
	err = parse_flags(rq, body.ifa_flags, want);
	return err ? err : parse_life(&rq->attr[IFA_CACHEINFO], want);
}

/* What of an address a replacement may change. */
#define CHANGEABLE (IFADDR_PERMANENT | IFADDR_NOPREFIXROUTE | IFADDR_NODAD)

/* netif_lock held. An address that is there may get new lifetimes and flags. */
static int set(const struct ifaddr *want, u16 flags)
{
	struct ifaddr *a = ifaddr_find(want->nif, &want->addr);

	if (!a)
		return ifaddr_add(want);
	if ((flags & NLM_F_EXCL) || !(flags & NLM_F_REPLACE))
		return -EEXIST;
	ifaddr_change(
		a, (a->flags & ~(u32)(CHANGEABLE | IFADDR_AUTOCONF)) | (want->flags & CHANGEABLE),
		want->preferred_until, want->valid_until);
	return 0;
}

static int add(const struct nl_request *rq, struct nl_out *o)
{
	struct ifaddr want;
	u32 ifindex;
	int err = parse(rq, &want, &ifindex);

	if (!err)
		err = parse_new(rq, &want);
	if (err)
		return err;
	netif_lock();
	want.nif = netif_by_index(ifindex);
	if (!want.nif) {
		err = -ENODEV;
	} else {
		if (!want.label[0])
			strscpy(want.label, want.nif->name, IFNAMSIZ);
		err = set(&want, rq->h.nlmsg_flags);
	}
	netif_unlock();
	return err;
}

static int del(const struct nl_request *rq, struct nl_out *o)
{
	struct ifaddr want, *a = NULL;
	struct netif *nif;
	u32 ifindex;
	int err = parse(rq, &want, &ifindex);

	if (err)
		return err;
	netif_lock();
	nif = netif_by_index(ifindex);
	if (nif)
		a = ifaddr_find(nif, &want.addr);
	if (a && ((want.label[0] && strcmp(a->label, want.label)) ||
		  (rq->attr[IFA_ADDRESS].data && want.plen != a->plen)))
		a = NULL;
	if (a)
		ifaddr_del(a);
	netif_unlock();
	return !nif ? -ENODEV : a ? 0 : -EADDRNOTAVAIL;
}

const struct nl_handler addr_get = {
	.body_len = sizeof(struct ifaddrmsg),
	.answers = true,
	.dump = dump_addrs,
};
const struct nl_handler addr_new = { .body_len = sizeof(struct ifaddrmsg), .doit = add };
const struct nl_handler addr_del = { .body_len = sizeof(struct ifaddrmsg), .doit = del };
