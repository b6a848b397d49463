/* SPDX-License-Identifier: MIT */
/* igmp.h - the host side of IGMP, all three versions (RFC 1112 appendix I, RFC 2236, RFC 9776),
 * inside: the numbers and settings of <weft/net/listener.h>'s machine for IPv4. */
#pragma once

#include "ipv4.h"

#include <weft/net/listener.h>
#include <weft/seqfile.h>

#define IGMP_HEADER 8

enum igmp_type {
	IGMP_QUERY = 0x11,
	IGMP_V1_REPORT = 0x12,
	IGMP_V2_REPORT = 0x16,
	IGMP_V2_LEAVE = 0x17,
	IGMP_V3_REPORT = 0x22,
};

#define IGMP_ALL_HOSTS 0xe0000001 /* 224.0.0.1 */

extern struct listener_proto igmp_listener;

/* ---- igmp_input.c ---- */
int igmp_input(struct pkt *p, struct ip_rx *rx);

/* ---- igmp_show.c: /proc/net/igmp and mcfilter ---- */
int igmp_show_init(void);
void igmp_show_exit(void);
