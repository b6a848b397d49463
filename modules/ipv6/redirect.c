/* SPDX-License-Identifier: MIT */
/* redirect.c - a router says that another router, or the destination itself, is nearer (RFC 4861
 * 8). In: what is well formed goes, as an error about the packet that it quotes, to the transport,
 * which knows whether that packet was sent; the IP core then believes the first hop in use and
 * nobody else. Out: this host as a router tells senders of its own link, seldom. */
#include "ipv6.h"

#include <weft/random.h>

#define QUOTE_MIN 8		   /* of the transport: its ports */
#define REDIRECTED_HEADER 8	   /* of the option in front of the quoted packet */
#define MESSAGE (IPV6_HEADER + 40) /* and the fixed part of the message */

/* ---- in ---- */

/* The packet in the option, as a transport wants it. */
static bool describe(const struct nd_options *o, struct ip_error *e, const u8 **quote, u32 *len)
{
	struct ip_quote q;
	const u8 *packet;
	u32 n;

	if (!o->redirected)
		return false;
	packet = o->redirected + REDIRECTED_HEADER;
	n = o->redirected[1] * 8 - REDIRECTED_HEADER;
	if (ipv6_quote(packet, n, &q) || n - q.transport < QUOTE_MIN ||
	    !ip_addr_eq(&q.dst, &e->remote) || route_classify(&q.src) != ROUTE_LOCAL)
		return false;
	e->proto = q.proto;
	e->local = q.src;
	*quote = packet + q.transport;
	*len = n - q.transport;
	return true;
}

int redirect_input(struct pkt *p, const struct ip_rx *rx, const struct nd_options *o)
{
	const struct ipv6_conf *conf = ipv6_conf(p->nif);
	struct ip_error e = {
		.kind = IP_ERR_REDIRECT,
		.icmp_type = ND_REDIRECT,
		.ifindex = p->nif->index,
		.offender = rx->src,
	};
	const u8 *quote;
	u32 len;

	memcpy(&e.gateway, p->data + 8, sizeof(e.gateway));
	memcpy(&e.remote, p->data + 24, sizeof(e.remote));
	e.on_link = ip_addr_eq(&e.gateway, &e.remote);
	/* 8.1 */
	if (!ip_addr_is_link_local(&rx->src) || ip_addr_is_multicast(&e.remote) ||
	    (!e.on_link && !ip_addr_is_link_local(&e.gateway)))
		return ip_drop(p, DROP_NEIGH_MALFORMED);
	if (o->target_ll && o->target_ll[1] * 8u == ALIGN_UP(2u + p->nif->link->addr_len, 8))
		e.gateway_hw = o->target_ll + 2;
	if (ip_rx_is_group(rx))
		return ip_drop(p, DROP_BAD_DEST);
	if (!READ_ONCE(conf->accept_redirects) || ipv6_is_router(p->nif))
		return ip_drop(p, DROP_REDIRECT);
	if (!describe(o, &e, &quote, &len))
		return ip_drop(p, DROP_BAD_QUOTE);
	ip_deliver_error(&e, quote, len);
	pkt_free(p);
	return IP_TAKEN;
}

/* ---- out ---- */

#define SENDERS 64
#define INTERVAL_NS NSEC_PER_SEC /* between two to one sender */

static struct spinlock limit_lock = SPINLOCK_INIT;
static u64 quiet_until[SENDERS]; /* guarded by limit_lock; by a hash of the sender */
static struct siphash_key limit_key;

void nd_redirect_init(void)
{
	random_bytes(&limit_key, sizeof(limit_key));
}

/* RFC 4861 8.2: at most so often. Who does not listen is forwarded for ever. */
static bool allowed(const struct ip_addr *sender)
{
	u64 *until = &quiet_until[siphash(sender, sizeof(*sender), &limit_key) % SENDERS];
	u64 now = ktime_get();
	bool ok;

	spin_lock(&limit_lock);
	ok = *until <= now;
	if (ok)
		*until = now + INTERVAL_NS;
	spin_unlock(&limit_lock);
	return ok;
}

/* Is a, who sent us something over nif, there himself? */
static bool is_neighbour(const struct netif *nif, const struct ip_addr *a)
{
	struct route_result res;

	if (ip_addr_is_multicast(a) || ip_addr_is_any(a))
		return false;
	return ip_addr_is_link_local(a) ||
	       (!route_lookup(a, nif->index, &res) && res.type == ROUTE_UNICAST && !res.gatewayed &&
		res.nif == nif);
}

void redirect_send(struct netif *nif, const struct pkt *p, const struct ip_addr *target)
{
	const u8 *h = pkt_at(p, p->net_off);
	u32 len = p->data + p->len - h, n = sizeof(struct ip_addr);
	u8 options[sizeof(struct ip_addr) + ND_LL_MAX + REDIRECTED_HEADER];
	const struct ifaddr *own = ipv6_link_local(nif);
	struct ip_addr sender, dst;
	struct neigh_info info;

	if (len < IPV6_HEADER || !own || !netif_resolves(nif))
		return;
	memcpy(&sender, h + 8, sizeof(sender));
	memcpy(&dst, h + 24, sizeof(dst));
	if (ip_addr_is_multicast(&dst) || !is_neighbour(nif, &sender) ||
	    (!ip_addr_is_link_local(target) && !ip_addr_eq(target, &dst)) || !allowed(&sender))
		return;
	memcpy(options, &dst, sizeof(dst));
	if (!neigh_get_info(nif, target, &info) && neigh_has_address(info.state))
		n += nd_put_hw(nif, options + n, ND_OPT_TARGET_LL, info.hw);
	/* as much as fits (8.2), in units of 8 bytes */
	len = min(len, (u32)IPV6_MIN_MTU - MESSAGE - (n - 16) - REDIRECTED_HEADER) & ~7u;
	memset(options + n, 0, REDIRECTED_HEADER);
	options[n] = ND_OPT_REDIRECTED;
	options[n + 1] = (REDIRECTED_HEADER + len) / 8;
	nd_count(ND_REDIRECTS_SENT);
	nd_send_message(nif, &(struct nd_message){
				     .src = &own->addr,
				     .dst = &sender,
				     .type = ND_REDIRECT,
				     .target = target,
				     .options = options,
				     .options_len = n + REDIRECTED_HEADER,
				     .more = h,
				     .more_len = len,
			     });
}
