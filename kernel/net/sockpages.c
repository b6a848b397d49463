/* SPDX-License-Identifier: MIT */
/* sockpages.c - memory that a family shares with the programs that map it. It outlives the family's
 * module and the socket, as long as a mapping is there. */
#include <weft/alloc.h>
#include <weft/arch.h>
#include <weft/string.h>

#include "socket_internal.h"

static void pages_give_back(struct socket_pages *sp)
{
	for (u32 i = 0; i < sp->nr; i++)
		pages_free(sp->page[i], 0);
	kfree(sp);
}

struct socket_pages *socket_pages_alloc(u32 nr)
{
	struct socket_pages *sp = kmalloc(sizeof(*sp) + nr * sizeof(sp->page[0]));

	if (!sp)
		return NULL;
	refcount_set(&sp->refs, 1);
	for (sp->nr = 0; sp->nr < nr; sp->nr++) {
		u8 *page = pages_alloc(0);

		if (!page) {
			pages_give_back(sp);
			return NULL;
		}
		memset(page, 0, PAGE_SIZE);
		sp->page[sp->nr] = page;
	}
	return sp;
}
EXPORT(socket_pages_alloc);

void socket_pages_put(struct socket_pages *sp)
{
	if (refcount_dec_and_test(&sp->refs))
		pages_give_back(sp);
}
EXPORT(socket_pages_put);
