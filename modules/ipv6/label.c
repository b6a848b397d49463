/* SPDX-License-Identifier: MIT */
/* label.c - the labels that IPv6 addresses have before anybody changes them: RFC 6724 2.1's, with
 * the numbers that Linux gives them, and apart from all else ORCHIDs (RFC 4843) and the former
 * 6bone. */
#include "ipv6.h"

#include <weft/net/addrlabel.h>

static const struct addr_label defaults[] = {
	{ .prefix.b = { [15] = 1 }, .plen = 128, .label = 0 },
	{ .prefix.b = { [10] = 0xff, [11] = 0xff }, .plen = 96, .label = 4 },
	{ .plen = 96, .label = 3 },
	{ .prefix.b = { 0x20, 0x01 }, .plen = 32, .label = 6 },
	{ .prefix.b = { 0x20, 0x01, 0x00, 0x10 }, .plen = 28, .label = 7 },
	{ .prefix.b = { 0x20, 0x02 }, .plen = 16, .label = 2 },
	{ .prefix.b = { 0x3f, 0xfe }, .plen = 16, .label = 12 },
	{ .prefix.b = { 0xfe, 0xc0 }, .plen = 10, .label = 11 },
	{ .prefix.b = { 0xfc }, .plen = 7, .label = 5 },
	{ .plen = 0, .label = 1 },
};

int ipv6_label_init(void)
{
	int err = 0;

	netif_lock();
	for (u32 n = 0; n < ARRAY_SIZE(defaults) && !err; n++)
		err = addr_label_set(&defaults[n], true);
	if (err)
		addr_label_flush(0);
	netif_unlock();
	return err;
}

void ipv6_label_exit(void)
{
	netif_lock();
	addr_label_flush(0);
	netif_unlock();
}
