/* SPDX-License-Identifier: MIT */
/* packet.c - requests about AF_PACKET sockets: all of them. Programs that filter are shown to root
 * alone. */
#include "sock_diag.h"

#include <weft/filter.h>
#include <weft/sched.h>

#define FILTER_TOLD 256 /* instructions: a longer one would not fit into a part */

/* What a dump keeps of its request: nl_dump.body is that long. */
struct kept {
	u8 family, protocol;
	u16 pad;
	u32 ino, show, cookie;
};

static int start(struct nl_dump *d, const struct nl_request *rq, u32 len)
{
	struct diag_table *t;

	_Static_assert(sizeof(struct kept) == NL_BODY_MAX, "as much as there is");
	if (len < sizeof(struct packet_diag_req) || rq->body[1])
		return -EINVAL;
	t = diag_enter(AF_PACKET, 0);
	if (!t)
		return -ENOENT;
	diag_leave(t);
	return 0;
}

/* An empty one says that there may be one. */
static void put_filter(struct nl_out *o, const struct socket *s, bool root)
{
	const struct sock_filter *prog;
	u32 n;

	if (!root) {
		nl_put(o, PACKET_DIAG_FILTER, NULL, 0);
		return;
	}
	rcu_read_lock();
	prog = socket_filter_program(s, &n);
	if (prog && n <= FILTER_TOLD)
		nl_put(o, PACKET_DIAG_FILTER, prog, n * sizeof(*prog));
	rcu_read_unlock();
}

static bool message(struct nl_out *o, const struct diag_sock *d, u32 show)
{
	const struct diag_packet *p = d->packet;
	struct packet_diag_msg m = {
		.pdiag_family = AF_PACKET,
		.pdiag_type = d->type,
		.pdiag_num = p->protocol,
		.pdiag_ino = d->ino,
	};
	struct packet_diag_info info = {
		.pdi_index = p->ifindex,
		.pdi_version = p->version,
		.pdi_reserve = p->reserve,
		.pdi_flags = p->flags,
	};

	put_cookie(m.pdiag_cookie, d->cookie);
	nl_begin(o, SOCK_DIAG_BY_FAMILY, &m, sizeof(m));
	if (show & PACKET_SHOW_INFO) {
		nl_put(o, PACKET_DIAG_INFO, &info, sizeof(info));
		nl_put_u32(o, PACKET_DIAG_UID, d->uid);
	}
	if (show & PACKET_SHOW_MCLIST)
		nl_put(o, PACKET_DIAG_MCLIST, p->members, p->nr_members * sizeof(*p->members));
	if ((show & PACKET_SHOW_RING_CFG) && p->ring)
		nl_put(o, PACKET_DIAG_RX_RING, p->ring, sizeof(*p->ring));
	if (show & PACKET_SHOW_MEMINFO)
		nl_put(o, PACKET_DIAG_MEMINFO, d->mem, sizeof(d->mem));
	if (show & PACKET_SHOW_FILTER)
		put_filter(o, d->s, !require_root());
	return nl_end(o);
}

static bool tell(struct diag_walk *w, const struct diag_sock *d)
{
	struct nl_dump *dump = w->arg;
	struct kept req;

	memcpy(&req, dump->body, sizeof(req));
	return message(&dump->out, d, req.show);
}

/* A bucket of that table is one socket: pos is the next. */
static void dump_all(struct nl_dump *d)
{
	struct diag_walk w = { .bucket = d->pos, .fn = tell, .arg = d };
	struct diag_table *t = diag_enter(AF_PACKET, 0);

	if (!t)
		return;
	t->walk(&w);
	diag_leave(t);
	d->pos = w.bucket;
}

const struct nl_handler packet_show = {
	.body_len = sizeof(struct packet_diag_req),
	.answers = true,
	.dump = dump_all,
	.start = start,
};
