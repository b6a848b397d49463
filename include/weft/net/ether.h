/* SPDX-License-Identifier: MIT */
/* ether.h - EtherTypes (IEEE 802 numbers, IANA) and 48-bit addresses, for link types and
 * drivers. */
#pragma once

#include <weft/bytes.h>
#include <weft/string.h>

#define ETH_ALEN 6
#define ETH_HLEN 14
#define ETH_MTU 1500
#define ETH_ZLEN 60 /* shortest frame without its FCS: drivers pad to it */
#define ETH_FCS_LEN 4

#define ETH_P_ALL 0x0003 /* taps only */
#define ETH_P_IP 0x0800
#define ETH_P_ARP 0x0806
#define ETH_P_RARP 0x8035
#define ETH_P_8021Q 0x8100
#define ETH_P_8021AD 0x88a8
#define ETH_P_IPV6 0x86dd
#define ETH_P_802_3_MIN 0x0600 /* from here on the field is a type, below it is a length */

static inline bool eth_is_multicast(const u8 *a) /* broadcast included */
{
	return a[0] & 1;
}

static inline bool eth_is_broadcast(const u8 *a)
{
	return (a[0] & a[1] & a[2] & a[3] & a[4] & a[5]) == 0xff;
}

static inline bool eth_is_zero(const u8 *a)
{
	return (a[0] | a[1] | a[2] | a[3] | a[4] | a[5]) == 0;
}

/* An address that a station may have: not a group, not zero. */
static inline bool eth_is_valid(const u8 *a)
{
	return !eth_is_multicast(a) && !eth_is_zero(a);
}

static inline bool eth_eq(const u8 *a, const u8 *b)
{
	return get_be32(a) == get_be32(b) && get_be16(a + 4) == get_be16(b + 4);
}
