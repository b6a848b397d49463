/* SPDX-License-Identifier: MIT */
/* pkt_internal.h - what the files of the packet pools share. */
#pragma once

#include <weft/pkt.h>

/* Changes a pool's budget. Process context. */
void pkt_limit_set(enum pkt_pool pool, s64 bytes);

void pkt_show_init(void); /* /proc and sysctls; after vfs_init */

/* Is the room in front of p's data somebody else's too? */
static inline bool pkt_shared(const struct pkt *p)
{
	const struct pkt *root = p;

	if (refcount_read(&p->refs) != 1)
		return true;
	if (unlikely(pkt_is_clone(p)))
		root = p->owner_priv;
	return (READ_ONCE(root->share) >> 1) != (root != p);
}

/* Length, layers, checksum, segments, cb of p for c, whose headroom is longer by shift. */
void pkt_copy_fields(struct pkt *c, const struct pkt *p, u16 shift);

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
