/* SPDX-License-Identifier: MIT */
/* slaac.c - stateless address autoconfiguration (RFC 4862): the link-local address, one address for
 * each autonomous prefix, their lifetimes. The interface identifier is the hardware's (RFC 4291
 * appendix A), or opaque and stable for each prefix (RFC 7217), with a secret that was set or
 * drawn. */
#define LOG_NAME "ipv6: "
#include "ipv6.h"

#include <weft/net/ifaddr.h>
#include <weft/printk.h>
#include <weft/random.h>

/* addr_gen_mode, Linux's numbers */
#define GEN_EUI64 0
#define GEN_NONE 1
#define GEN_STABLE 2
#define GEN_RANDOM 3

#define IID_LEN 64	/* bits, of every interface identifier here (RFC 7136) */
#define TWO_HOURS 7200	/* RFC 4862 5.5.3 e */
#define IDGEN_RETRIES 3 /* RFC 7217 7 */
#define RESERVED_TRIES 8

static struct ip_addr host_secret; /* for whom none was set; drawn when first needed */

/* RFC 5453, as the IANA registry has them: identifiers that no station may choose. */
static bool is_reserved(const u8 *iid)
{
	static const u8 isatap_like[5] = { 0x02, 0x00, 0x5e, 0xff, 0xfe };
	static const u8 anycast[7] = { 0xfd, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	static const u8 zero[8];

	return !memcmp(iid, zero, 8) || !memcmp(iid, isatap_like, 5) ||
	       (!memcmp(iid, anycast, 7) && iid[7] >= 0x80);
}

/* RFC 4291 appendix A, RFC 2464 4. False: the link has no such addresses. */
static bool iid_hardware(const struct netif *nif, u8 *iid)
{
	const u8 *mac = nif->mac;

	if (nif->link->addr_len == 8) {
		memcpy(iid, mac, 8);
	} else if (nif->link->addr_len == 6) {
		memcpy(iid, mac, 3);
		iid[3] = 0xff;
		iid[4] = 0xfe;
		memcpy(iid + 5, mac + 3, 3);
	} else {
		return false;
	}
	iid[0] ^= 2;
	return true;
}

/* RFC 8981 3.3.1 */
void slaac_random_iid(u8 iid[8])
{
	do {
		random_bytes(iid, 8);
	} while (is_reserved(iid));
}

static const struct ip_addr *secret_of(struct ipv6_if *i)
{
	if (!ip_addr_is_any(&i->secret))
		return &i->secret;
	if (i->conf.addr_gen_mode != GEN_RANDOM && !ip_addr_is_any(&ipv6_default_secret))
		return &ipv6_default_secret;
	if (ip_addr_is_any(&host_secret))
		random_bytes(&host_secret, sizeof(host_secret));
	return &host_secret;
}

/* RFC 7217 5: RID = F(Prefix, Net_Iface, Network_ID, DAD_Counter, secret_key), with SipHash, a
 * keyed pseudorandom function, as F. Net_Iface is the hardware address, which outlives names and
 * drivers; there is no Network_ID. */
static void iid_stable(struct ipv6_if *i, const struct ip_addr *prefix, u8 *iid)
{
	struct {
		u8 prefix[8], mac[LINK_ADDR_MAX];
		u32 name_hash, dad_count;
	} input = { .dad_count = i->dad_count };
	struct siphash_key key;
	u64 rid;

	memcpy(&key, secret_of(i), sizeof(key));
	memcpy(input.prefix, prefix->b, 8);
	memcpy(input.mac, i->nif->mac, i->nif->link->addr_len);
	for (const char *c = i->nif->pattern; *c; c++)
		input.name_hash = input.name_hash * 31 + (u8)*c;
	for (u32 n = 0; n < RESERVED_TRIES; n++) {
		rid = siphash(&input, sizeof(input), &key);
		memcpy(iid, &rid, 8);
		if (!is_reserved(iid))
			return;
		/* RFC 7217 5, 3: as after a duplicate */
		input.dad_count += 0x100;
	}
}

static struct ip_addr make(struct ipv6_if *i, const struct ip_addr *prefix)
{
	struct ip_addr a = *prefix;

	if (i->conf.addr_gen_mode >= GEN_STABLE || !iid_hardware(i->nif, a.b + 8))
		iid_stable(i, prefix, a.b + 8);
	return a;
}

/* ---- link-local ---- */

static const struct ip_addr link_local_prefix = { .b = { 0xfe, 0x80 } };

static const struct ifaddr *own_link_local(const struct netif *nif)
{
	const struct ifaddr *a;

	ifaddr_for_each(a, nif) {
		if (a->af == AF_INET6 && (a->flags & IFADDR_AUTOCONF) &&
		    ip_addr_is_link_local(&a->addr))
			return a;
	}
	return NULL;
}

void slaac_link_local(struct ipv6_if *i)
{
	struct netif *nif = i->nif;
	struct ip_addr a;
	int err;

	if ((nif->flags & IFF_LOOPBACK) || i->off || i->conf.addr_gen_mode == GEN_NONE ||
	    own_link_local(nif))
		return;
	a = make(i, &link_local_prefix);
	err = ipv6_addr_set(nif, &a, IID_LEN, IFADDR_AUTOCONF | IFADDR_PERMANENT, ~0u, ~0u);
	if (err)
		pr_warn("%s: no link-local address: error %d\n", nif->name, -err);
}

/* ---- autonomous prefixes ---- */

/* RFC 4862 5.5.3 e: who forges an advertisement cannot take an address away soon. What stays, stays
 * to the nanosecond: rounded, it could be worn down by many. */
static void refresh(struct ifaddr *a, u32 preferred, u32 valid)
{
	u64 now = ktime_get(), until = ipv6_lifetime(valid, now);
	u64 least = now + TWO_HOURS * NSEC_PER_SEC, left = a->valid_until;

	if (valid <= TWO_HOURS && (!left || until <= left))
		until = left && left <= least ? left : least;
	ifaddr_change(a, a->flags, ipv6_lifetime(preferred, now), until);
}

struct ifaddr *slaac_find(const struct netif *nif, const struct ip_addr *prefix)
{
	struct ifaddr *a;

	ifaddr_for_each(a, nif) {
		if (a->af == AF_INET6 && (a->flags & IFADDR_AUTOCONF) &&
		    !(a->flags & IFADDR_TEMPORARY) && ip_addr_in_prefix(&a->addr, prefix, IID_LEN))
			return a;
	}
	return NULL;
}

bool slaac_room(const struct ipv6_if *i)
{
	const struct ifaddr *a;
	int n = 0;

	ifaddr_for_each(a, i->nif)
		n += a->af == AF_INET6;
	return !i->conf.max_addresses || n < i->conf.max_addresses;
}

void slaac_prefix(struct ipv6_if *i, const struct ip_addr *prefix, u8 plen, u32 preferred,
		  u32 valid)
{
	struct ifaddr *a = slaac_find(i->nif, prefix);
	struct ip_addr addr;

	if (plen != 128 - IID_LEN || preferred > valid)
		return;
	if (a) {
		refresh(a, preferred, valid);
	} else {
		if (!valid || !i->conf.autoconf || i->conf.addr_gen_mode == GEN_NONE ||
		    !slaac_room(i))
			return;
		addr = make(i, prefix);
		/* the prefix is on link as far as its L bit says, not for the address's sake (RFC
		 * 5942 4) */
		if (ipv6_addr_set(i->nif, &addr, plen, IFADDR_AUTOCONF | IFADDR_NOPREFIXROUTE,
				  preferred, valid))
			return;
		a = ifaddr_find(i->nif, &addr);
	}
	if (a)
		temp_refresh(i, a, preferred, ipv6_seconds_left(a->valid_until, ktime_get()));
}

/* RFC 7217 6: another identifier, a few times. */
void slaac_retry(struct ipv6_if *i, const struct ip_addr *duplicate)
{
	struct ifaddr *a = ifaddr_find(i->nif, duplicate);
	struct ip_addr prefix = ip_addr_prefix(duplicate, IID_LEN), next;
	u64 now = ktime_get();
	u32 flags, preferred, valid;

	if (!a)
		return;
	flags = a->flags & (IFADDR_AUTOCONF | IFADDR_PERMANENT | IFADDR_NOPREFIXROUTE);
	preferred = ipv6_seconds_left(a->preferred_until, now);
	valid = ipv6_seconds_left(a->valid_until, now);
	if (i->dad_count >= IDGEN_RETRIES) {
		pr_err("%s: every address tried is in use: given up\n", i->nif->name);
		ifaddr_change(a, a->flags | IFADDR_TENTATIVE | IFADDR_DADFAILED, a->preferred_until,
			      a->valid_until);
		return;
	}
	ifaddr_del(a);
	i->dad_count++;
	next = make(i, &prefix);
	if (ipv6_addr_set(i->nif, &next, IID_LEN, flags, preferred, valid))
		pr_warn("%s: no address in place of a duplicate\n", i->nif->name);
}
