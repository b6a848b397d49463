/* SPDX-License-Identifier: MIT */
/* mld.h - the listener's side of MLD, both versions (RFC 2710, RFC 9777), inside: the numbers and
 * settings of <weft/net/listener.h>'s machine for IPv6. */
#pragma once

#include "ipv6.h"

#include <weft/net/listener.h>
#include <weft/seqfile.h>

enum mld_type {
	MLD_QUERY = 130,
	MLD_REPORT = 131,
	MLD_DONE = 132,
	MLD_V2_REPORT = 143,
};

#define MLD_HEADER 24	/* of version 1, group and all */
#define MLD_V2_QUERY 28 /* without sources */

extern struct listener_proto mld_listener;

/* RFC 9777 6: groups that nobody is told of. */
bool mld_is_silent(const struct ip_addr *group);

/* ---- mld_input.c ---- */
int mld_input(struct pkt *p, struct ip_rx *rx);

/* ---- mld_show.c: /proc/net/igmp6 and mcfilter6 ---- */
int mld_show_init(void);
void mld_show_exit(void);
