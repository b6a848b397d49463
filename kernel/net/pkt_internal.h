/* SPDX-License-Identifier: MIT */
/* pkt_internal.h - what the files of the packet pools share. */
#pragma once

#include <weft/pkt.h>

/* Changes a pool's budget. Process context. */
void pkt_limit_set(enum pkt_pool pool, s64 bytes);

void pkt_show_init(void); /* /proc and sysctls; after vfs_init */

/* In the debug build each living packet is listed with the place that allocated it, freed memory is
 * poisoned, and a second free is a bug at once. */
#ifdef WEFT_DEBUG
void pkt_debug_alloc(struct pkt *p, const void *site);
void pkt_debug_free(struct pkt *p);
void pkt_debug_check(const struct pkt *p);
#else
static inline void pkt_debug_alloc(struct pkt *p, const void *site)
{
	(void)p;
	(void)site;
}

static inline void pkt_debug_free(struct pkt *p)
{
	(void)p;
}

static inline void pkt_debug_check(const struct pkt *p)
{
	(void)p;
}
#endif
