/* SPDX-License-Identifier: MIT */
/* unix.c - requests about AF_UNIX sockets: all in some states, or one by its inode. */
#include "sock_diag.h"

#include <weft/unix.h>

static u8 state_of(const struct unix_info *i)
{
	return i->listening ? DIAG_STATE_LISTEN :
	       i->connected ? DIAG_STATE_ESTABLISHED :
			      DIAG_STATE_CLOSE;
}

static bool message(struct nl_out *o, const struct unix_info *i, u32 show)
{
	struct unix_diag_msg m = {
		.udiag_family = AF_UNIX,
		.udiag_type = i->type,
		.udiag_state = state_of(i),
		.udiag_ino = i->s->ino,
	};
	struct unix_diag_vfs vfs = { i->path_ino, i->path_dev };
	struct unix_diag_rqlen queued = { i->rqueue, i->wqueue };

	put_cookie(m.udiag_cookie, diag_cookie(i->s));
	nl_begin(o, SOCK_DIAG_BY_FAMILY, &m, sizeof(m));
	if ((show & UDIAG_SHOW_NAME) && i->name_len)
		nl_put(o, UNIX_DIAG_NAME, i->name, i->name_len);
	if ((show & UDIAG_SHOW_VFS) && i->path_ino)
		nl_put(o, UNIX_DIAG_VFS, &vfs, sizeof(vfs));
	if ((show & UDIAG_SHOW_PEER) && i->peer_ino)
		nl_put_u32(o, UNIX_DIAG_PEER, i->peer_ino);
	if ((show & UDIAG_SHOW_ICONS) && i->listening)
		nl_put(o, UNIX_DIAG_ICONS, i->waiting, i->nr_waiting * sizeof(*i->waiting));
	if (show & UDIAG_SHOW_RQLEN)
		nl_put(o, UNIX_DIAG_RQLEN, &queued, sizeof(queued));
	if (show & UDIAG_SHOW_MEMINFO)
		put_memory(o, UNIX_DIAG_MEMINFO, i->s);
	nl_put_u8(o, UNIX_DIAG_SHUTDOWN, i->shutdown);
	if (show & UDIAG_SHOW_UID)
		nl_put_u32(o, UNIX_DIAG_UID, i->s->uid);
	return nl_end(o);
}

/* ---- all ---- */

/* What a dump keeps of its request: nl_dump.body is that long. */
struct kept {
	u8 family, protocol;
	u16 pad;
	u32 states, ino, show;
};

static int start(struct nl_dump *d, const struct nl_request *rq, u32 len)
{
	_Static_assert(sizeof(struct kept) == NL_BODY_MAX, "the whole of it");
	return len < sizeof(struct unix_diag_req) ? -EINVAL : 0;
}

static void tell(const struct unix_info *i, void *arg)
{
	struct nl_dump *d = arg;
	struct kept req;

	memcpy(&req, d->body, sizeof(req));
	if (!(req.states & 1u << state_of(i)) || !nl_dump_next(d))
		return;
	if (message(&d->out, i, req.show))
		d->pos++;
}

static void dump(struct nl_dump *d)
{
	unix_for_each(tell, d);
}

/* ---- one ---- */

struct search {
	struct unix_diag_req req;
	struct nl_out *out;
	int err;
};

static void look(const struct unix_info *i, void *arg)
{
	struct search *s = arg;
	u64 cookie = get_cookie(s->req.udiag_cookie);

	if (s->req.udiag_ino != (u32)i->s->ino)
		return;
	if (cookie != ~0ull && cookie != diag_cookie(i->s)) {
		s->err = -ESTALE;
		return;
	}
	s->err = message(s->out, i, s->req.udiag_show) ? 0 : -EMSGSIZE;
}

static int show_one(const struct nl_request *rq, struct nl_out *out)
{
	struct search s = { .out = out, .err = -ENOENT };

	memcpy(&s.req, rq->body, sizeof(s.req));
	if (!s.req.udiag_ino)
		return -EINVAL;
	unix_for_each(look, &s);
	return s.err;
}

const struct nl_handler unix_show = {
	.body_len = sizeof(struct unix_diag_req),
	.answers = true,
	.doit = show_one,
	.dump = dump,
	.start = start,
};
