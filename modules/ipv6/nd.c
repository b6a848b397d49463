/* SPDX-License-Identifier: MIT */
/* nd.c - neighbour discovery messages that come in (RFC 4861 6.1, 7.1, 8.1): nothing from beyond
 * the link, nothing in fragments (RFC 6980), nothing malformed gets past here. Solicitations are
 * answered, what stations say of themselves goes to the neighbour cache, which knows what to
 * believe, and routers' messages to those concerned. */
#define LOG_NAME "ipv6: "
#include "ipv6.h"

#include <weft/printk.h>
#include <weft/seqfile.h>

/* ---- counters ---- */

static const char *const counter_names[ND_COUNTERS] = {
	[ND_SOLICITATIONS_SENT] = "solicitations_sent",
	[ND_DAD_CHECKS] = "dad_checks",
	[ND_DAD_DUPLICATES] = "dad_duplicates",
	[ND_DAD_LOOPS] = "dad_loops",
	[ND_CONFLICTS] = "conflicts",
	[ND_REDIRECTS_SENT] = "redirects_sent",
};
static u64 counters[ND_COUNTERS];

void nd_count(enum nd_counter c)
{
	__atomic_add_fetch(&counters[c], 1, __ATOMIC_RELAXED);
}

static int show(struct seq *s)
{
	for (u32 i = 0; i < ND_COUNTERS; i++)
		seq_printf(s, "%-20s %lu\n", counter_names[i], READ_ONCE(counters[i]));
	return 0;
}

static struct procfile nd_file = { .path = "net/weft/nd", .mode = 0444, .show = show };

/* ---- options ---- */

static const u8 **place_of(struct nd_options *o, u8 type)
{
	switch (type) {
	case ND_OPT_SOURCE_LL:
		return &o->source_ll;
	case ND_OPT_TARGET_LL:
		return &o->target_ll;
	case ND_OPT_MTU:
		return &o->mtu;
	case ND_OPT_REDIRECTED:
		return &o->redirected;
	case ND_OPT_NONCE:
		return &o->nonce;
	default:
		return NULL;
	}
}

int nd_options_parse(const u8 *at, u32 len, struct nd_options *o)
{
	*o = (struct nd_options){ .start = at, .end = at + len };
	while (len) {
		const u8 **place;
		u32 n;

		if (len < 8)
			return DROP_NEIGH_MALFORMED;
		n = at[1] * 8;
		if (!n || n > len)
			return DROP_NEIGH_MALFORMED;
		/* of those that come once the first counts */
		place = place_of(o, at[0]);
		if (place && !*place)
			*place = at;
		at += n;
		len -= n;
	}
	return 0;
}

/* The address in a link-layer address option of nif's kind, NULL: none there. False: no station of
 * such a link has it; answered to, it might be everybody's. */
static bool ll_of(const struct netif *nif, const u8 *option, const u8 **hw)
{
	u32 n = nif->link->addr_len;

	*hw = NULL;
	if (!option)
		return true;
	if (!n || option[1] * 8u != ALIGN_UP(2 + n, 8))
		return false;
	*hw = option + 2;
	return nif->link->valid_addr(*hw);
}

/* ---- solicitations ---- */

static bool is_solicited_node(const struct ip_addr *a)
{
	return a->b[0] == 0xff && a->b[1] == 2 && !a->w[1] && a->w[2] == htonl(1) &&
	       a->b[12] == 0xff;
}

static u32 router_flag(const struct netif *nif)
{
	return ipv6_is_router(nif) ? ND_NA_ROUTER : 0;
}

/* RFC 4861 7.2.4; hw is where the asker says to be, so an answer costs the cache nothing. An
 * address in use before it is known to be unique overrides nobody (RFC 4429 3.3). */
static void answer(struct netif *nif, const struct ifaddr *a, const struct ip_rx *rx, const u8 *hw)
{
	bool unknown = ip_addr_is_any(&rx->src);
	u8 ll[ND_LL_MAX];
	struct nd_message m = {
		.src = &a->addr,
		.dst = unknown ? &ipv6_all_nodes : &rx->src,
		.target = &a->addr,
		.hw = hw,
		.options = ll,
		.type = ND_NA,
		.flags = router_flag(nif) | (unknown ? 0 : ND_NA_SOLICITED) |
			 (a->flags & IFADDR_OPTIMISTIC ? 0 : ND_NA_OVERRIDE),
	};

	m.options_len = nd_put_ll(nif, ll, ND_OPT_TARGET_LL);
	nd_send_message(nif, &m);
}

/* Answers to all nodes are one a question of any forger's: so many a second. */
#define GROUP_ANSWERS_PER_S 50

static struct spinlock group_lock = SPINLOCK_INIT;
static u64 group_full_at; /* ktime, guarded by group_lock */

static bool may_answer_all(void)
{
	u64 now = ktime_get(), from;
	bool may;

	spin_lock(&group_lock);
	from = max(group_full_at, now);
	may = from < now + NSEC_PER_SEC;
	if (may)
		group_full_at = from + NSEC_PER_SEC / GROUP_ANSWERS_PER_S;
	spin_unlock(&group_lock);
	return may;
}

/* nif's address that this is, if it is in use; what turned out to be somebody else's is his. */
static const struct ifaddr *own(const struct netif *nif, const struct ip_addr *addr)
{
	const struct ifaddr *a = ifaddr_find(nif, addr);

	if (!a || (a->flags & IFADDR_DADFAILED) ||
	    (a->flags & (IFADDR_TENTATIVE | IFADDR_OPTIMISTIC)) == IFADDR_TENTATIVE)
		return NULL;
	return a;
}

/* For an address that is not this host's, or not its alone. */
static int answer_for(struct netif *nif, struct pkt *p, const struct ip_rx *rx,
		      const struct ip_addr *target, const u8 *hw)
{
	bool unknown = ip_addr_is_any(&rx->src);

	if (!proxy_speaks_for(nif, target))
		return ip_drop(p, DROP_NEIGH_NOT_MINE);
	if (unknown && !may_answer_all())
		return ip_drop(p, DROP_RATE_LIMIT);
	if (hw)
		neigh_update(nif, &rx->src, hw, NEIGH_UPDATE_CREATE | NEIGH_UPDATE_OVERRIDE);
	/* RFC 4861 7.2.7: asked by multicast, others may answer as well, and shall not all at
	 * once */
	proxy_answer(nif, target, &rx->src, hw, !ip_rx_is_group(rx));
	pkt_free(p);
	return IP_TAKEN;
}

static int solicitation(struct netif *nif, struct pkt *p, const struct ip_rx *rx,
			const struct ip_addr *target, const struct nd_options *o)
{
	bool unknown = ip_addr_is_any(&rx->src);
	const struct ifaddr *a;
	const u8 *hw;

	/* 7.1.1 */
	if (ip_addr_is_multicast(target) || !ll_of(nif, o->source_ll, &hw) ||
	    (unknown && (hw || !is_solicited_node(&rx->dst))))
		return ip_drop(p, DROP_NEIGH_MALFORMED);
	if (!unknown && own(nif, &rx->src))
		return ip_drop(p, DROP_NEIGH_CONFLICT);
	/* RFC 4862 5.4.3: who has an address and asks for one that is being checked only looks for
	 * its owner */
	if (unknown && dad_heard(nif, target, ND_NS, o->nonce))
		return ip_drop(p, DROP_NEIGH_CONFLICT);
	a = own(nif, target);
	if (!a)
		return answer_for(nif, p, rx, target, hw);
	if (unknown && !may_answer_all())
		return ip_drop(p, DROP_RATE_LIMIT);
	if (hw)
		neigh_update(nif, &rx->src, hw, NEIGH_UPDATE_CREATE | NEIGH_UPDATE_OVERRIDE);
	answer(nif, a, rx, hw);
	pkt_free(p);
	return IP_TAKEN;
}

/* ---- advertisements ---- */

/* RFC 4862 5.4.4: somebody says that our address is his, which DAD did not find. */
static int conflict(struct netif *nif, struct pkt *p, const struct ip_addr *target)
{
	char text[IP_ADDR_STRLEN];

	nd_count(ND_CONFLICTS);
	pr_warn_ratelimited("%s: another station advertises our %s\n", nif->name,
			    ip_addr_format(text, target));
	return ip_drop(p, DROP_NEIGH_CONFLICT);
}

/* RFC 9131 6.2: a router remembers who told it unasked, so that the first packet for him need not
 * wait. As set: never, always, only with an address in a prefix of this link. */
static bool takes_untracked(struct netif *nif, const struct ip_addr *target)
{
	int how = max(READ_ONCE(ipv6_conf_all.accept_untracked_na),
		      READ_ONCE(ipv6_conf(nif)->accept_untracked_na));
	struct route_result res;

	if (!how || !ipv6_is_router(nif))
		return false;
	return how == 1 || (!route_lookup(target, nif->index, &res) && !res.gatewayed &&
			    res.type == ROUTE_UNICAST && res.nif == nif);
}

static int advertisement(struct netif *nif, struct pkt *p, const struct ip_rx *rx,
			 const struct ip_addr *target, const struct nd_options *o)
{
	u32 said = get_be32(p->data + 4), flags = NEIGH_UPDATE_KNOWS_ROUTER;
	bool solicited = said & ND_NA_SOLICITED;
	const u8 *hw;
	int err;

	/* 7.1.2 */
	if (ip_addr_is_multicast(target) || !ll_of(nif, o->target_ll, &hw) ||
	    (solicited && ip_addr_is_multicast(&rx->dst)))
		return ip_drop(p, DROP_NEIGH_MALFORMED);
	if (dad_heard(nif, target, ND_NA, NULL))
		return ip_drop(p, DROP_NEIGH_CONFLICT);
	if (own(nif, target))
		return conflict(nif, p, target);
	if (!solicited && (READ_ONCE(ipv6_conf_all.drop_unsolicited_na) ||
			   READ_ONCE(ipv6_conf(nif)->drop_unsolicited_na)))
		return ip_drop(p, DROP_IGNORED);
	if (said & ND_NA_ROUTER)
		flags |= NEIGH_UPDATE_ROUTER;
	if (said & ND_NA_OVERRIDE)
		flags |= NEIGH_UPDATE_OVERRIDE;
	if (solicited)
		flags |= NEIGH_UPDATE_CONFIRM;
	err = neigh_update(nif, target, hw, flags);
	if (err == -ENOENT && hw && !solicited && takes_untracked(nif, target))
		err = neigh_update(nif, target, hw, flags | NEIGH_UPDATE_CREATE);
	if (err)
		return ip_drop(p, DROP_NEIGH_NOT_MINE);
	pkt_free(p);
	return IP_TAKEN;
}

/* ---- routers ---- */

/* RFC 4861 6.1.1, 6.2.6. The answer is a routing daemon's, who has heard it by a raw socket. */
static int router_solicitation(struct netif *nif, struct pkt *p, const struct ip_rx *rx,
			       const struct nd_options *o)
{
	bool unknown = ip_addr_is_any(&rx->src);
	const u8 *hw;

	if (!ll_of(nif, o->source_ll, &hw) || (unknown && hw))
		return ip_drop(p, DROP_NEIGH_MALFORMED);
	if (!ipv6_is_router(nif))
		return ip_drop(p, DROP_IGNORED);
	if (own(nif, &rx->src))
		return ip_drop(p, DROP_NEIGH_CONFLICT);
	if (!unknown)
		neigh_update(nif, &rx->src, hw,
			     NEIGH_UPDATE_CREATE | NEIGH_UPDATE_OVERRIDE |
				     NEIGH_UPDATE_KNOWS_ROUTER);
	pkt_free(p);
	return IP_TAKEN;
}

/* RFC 4861 6.1.2, 6.3.4. */
static int router_advertisement(struct netif *nif, struct pkt *p, const struct ip_rx *rx,
				const struct nd_options *o)
{
	const u8 *hw;

	if (!ip_addr_is_link_local(&rx->src) || !ll_of(nif, o->source_ll, &hw))
		return ip_drop(p, DROP_NEIGH_MALFORMED);
	if (!own(nif, &rx->src))
		neigh_update(nif, &rx->src, hw,
			     NEIGH_UPDATE_CREATE | NEIGH_UPDATE_OVERRIDE | NEIGH_UPDATE_ROUTER);
	router_advert(nif, p, rx);
	pkt_free(p);
	return IP_TAKEN;
}

/* ---- input ---- */

static const u8 fixed_len[] = { 8, 16, 24, 24, 40 }; /* from ND_RS on, RFC 4861 4.1 to 4.5 */

/* What all five have in common. 0 or the drop reason. */
static int check(const struct pkt *p, const struct ip_rx *rx, struct nd_options *o)
{
	u32 fixed = fixed_len[p->data[0] - ND_RS];

	/* a router would have taken one off */
	if (rx->ttl != 255)
		return DROP_NEIGH_DISTANT;
	/* RFC 6980 5: it evades whoever watches the link */
	if ((rx->flags & IP_RX_FRAGMENTED) && READ_ONCE(ipv6_conf(p->nif)->suppress_frag_ndisc))
		return DROP_NEIGH_FRAGMENT;
	if (p->len < fixed || p->data[1])
		return DROP_NEIGH_MALFORMED;
	return nd_options_parse(p->data + fixed, p->len - fixed, o);
}

static int nd_input(struct pkt *p, struct ip_rx *rx)
{
	struct netif *nif = p->nif;
	struct nd_options o;
	struct ip_addr target;
	int why;

	if (!p->len || p->data[0] < ND_RS || p->data[0] > ND_REDIRECT)
		return IP_DECLINED;
	why = check(p, rx, &o);
	if (why)
		return ip_drop(p, why);
	/* our own, come back to us, or on a link without neighbours */
	if (p->looped || !netif_resolves(nif) || !ipv6_if(nif))
		return ip_drop(p, DROP_NEIGH_NOT_MINE);
	switch (p->data[0]) {
	case ND_RS:
		return router_solicitation(nif, p, rx, &o);
	case ND_RA:
		return router_advertisement(nif, p, rx, &o);
	case ND_REDIRECT:
		return redirect_input(p, rx, &o);
	}
	memcpy(&target, p->data + 8, sizeof(target));
	if (p->data[0] == ND_NS)
		return solicitation(nif, p, rx, &target, &o);
	return advertisement(nif, p, rx, &target, &o);
}

static struct ip_proto nd_proto = {
	.name = "nd",
	.number = IPPROTO_ICMPV6,
	.af = AF_INET6,
	.input = nd_input,
};

int nd_init(void)
{
	int err = dad_init();

	if (err)
		return err;
	nd_redirect_init();
	proxy_init();
	err = procfile_add(&nd_file);
	if (err)
		goto dad;
	err = anycast_init();
	if (err)
		goto file;
	err = resolver_init();
	if (err)
		goto anycast;
	err = ip_proto_register(&nd_proto);
	if (err)
		goto resolver;
	return 0;
resolver:
	resolver_exit();
anycast:
	anycast_exit();
file:
	procfile_remove(&nd_file);
dad:
	proxy_exit();
	dad_exit();
	return err;
}

void nd_exit(void)
{
	ip_proto_unregister(&nd_proto);
	resolver_exit();
	anycast_exit();
	procfile_remove(&nd_file);
	proxy_exit();
	dad_exit();
}
