/* SPDX-License-Identifier: MIT */
/* diag.c - packet sockets as ss(8) asks for them: bindings, memberships, rings. */
#include <weft/alloc.h>
#include <weft/net/diag.h>
#include <weft/string.h>

#include "packet.h"

#define MEMBERS_TOLD 16 /* of one socket */

struct telling {
	struct diag_sock sock;
	struct diag_packet packet;
	struct packet_diag_ring ring;
	struct packet_diag_mclist members[MEMBERS_TOLD];
};

static void tell_members(struct telling *t, const struct packet_sock *ps)
{
	const struct packet_member *m;
	u32 n = 0;

	list_for_each_entry(m, &ps->members, node) {
		struct packet_diag_mclist *told = &t->members[n];

		if (n == MEMBERS_TOLD)
			break;
		told->pdmc_index = m->nif->index;
		told->pdmc_count = m->users;
		told->pdmc_type = m->type;
		told->pdmc_alen = m->addr_len;
		memcpy(told->pdmc_addr, m->addr, min(m->addr_len, (u16)sizeof(m->addr)));
		n++;
	}
	t->packet.members = t->members;
	t->packet.nr_members = n;
}

/* ps->s is locked. */
static void tell(struct telling *t, const struct packet_sock *ps)
{
	memset(t, 0, sizeof(*t));
	diag_from_socket(&t->sock, ps->s);
	t->sock.packet = &t->packet;
	t->packet.protocol = ps->protocol;
	t->packet.ifindex = ps->ifindex;
	t->packet.version = ps->version;
	t->packet.reserve = ps->reserve;
	t->packet.flags = (ps->listening ? PDI_RUNNING : 0) | (ps->auxdata ? PDI_AUXDATA : 0) |
			  (ps->origdev ? PDI_ORIGDEV : 0);
	if (ps->ring) {
		packet_ring_describe(ps->ring, &t->ring);
		t->packet.ring = &t->ring;
	}
	tell_members(t, ps);
}

struct walking {
	struct diag_walk *w;
	struct telling *t;
	u32 at; /* sockets seen; a bucket holds one */
	bool done;
};

static void visit(struct socket *s, void *arg)
{
	struct walking *wk = arg;
	bool open;

	if (wk->done || wk->at++ < wk->w->bucket)
		return;
	mutex_lock(&s->lock);
	open = !s->closed && s->priv;
	if (open)
		tell(wk->t, packet_of(s));
	mutex_unlock(&s->lock);
	if (open && !wk->w->fn(wk->w, &wk->t->sock))
		wk->done = true;
	else
		wk->w->bucket++;
}

/* Without memory there is nothing to be told. */
static void walk(struct diag_walk *w)
{
	struct walking wk = { .w = w, .t = kmalloc(sizeof(*wk.t)) };

	if (!wk.t)
		return;
	socket_for_each(THIS_MODULE, visit, &wk);
	kfree(wk.t);
}

struct diag_table packet_diag = { .name = "packet", .family = AF_PACKET, .walk = walk };
