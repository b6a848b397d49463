/* SPDX-License-Identifier: MIT */
/* echo.c - what messages of both IP versions have in common: checksums, the reply to an echo
 * request, where in an error the quoted packet ends. */
#include "icmp.h"

#include <weft/bytes.h>
#include <weft/string.h>

#define QUOTE_MIN 128 /* RFC 4884 5: of a quote with extensions behind it */

void icmp_finish(u8 *h, u32 len, const struct ip_addr *src, const struct ip_addr *dst)
{
	u32 pseudo = 0;
	u16 sum;

	if (!ip_addr_is_v4(dst))
		pseudo = ip_pseudo_sum(src, dst, IPPROTO_ICMPV6, len);
	put_be16(h + 2, 0);
	sum = csum_fold(csum_partial(h, len, pseudo));
	memcpy(h + 2, &sum, sizeof(sum));
}

/* The checksum of a message of which only the first word changed from old to new (RFC 1624 eqn. 3).
 * It cannot tell a sum of 0, which only a message of zeros has, from 0xffff: 0xffff fits both. */
static void patch_checksum(u8 *h, u16 old, u16 new)
{
	u32 sum = (u16)~get_be16(h + 2) + (u16)~old + new;

	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	put_be16(h + 2, sum == 0xffff ? 0xffff : ~sum);
}

int icmp_echo_reply(struct pkt *p, const struct ip_rx *rx, struct flow *f, u8 reply)
{
	bool turned;
	u8 *h;

	if (ip_flow_check(f, p->len, NULL))
		return ip_drop(p, DROP_NO_ROUTE);
	/* the pseudo header of IPv6 is the same with its ends exchanged */
	turned = ip_addr_is_v4(&f->dst) || ip_addr_eq(&f->saddr, &rx->dst);
	p = pkt_writable(p, f->headroom);
	if (!p)
		return ip_drop(NULL, DROP_NO_MEMORY);
	h = p->data;
	if (turned)
		patch_checksum(h, h[0] << 8, reply << 8);
	h[0] = reply;
	if (!turned)
		icmp_finish(h, p->len, &f->saddr, &f->dst);
	p->csum = PKT_CSUM_NONE;
	p->gso_size = 0;
	ip_commit(f, p);
	return IP_TAKEN;
}

u32 icmp_quote_len(u32 len, u8 words, u32 word)
{
	u32 said = words * word;

	return said >= QUOTE_MIN && said < len ? said : len;
}
