/* SPDX-License-Identifier: MIT */
/* netlink.c - requests about AF_NETLINK sockets: all, or those of one protocol. */
#include "sock_diag.h"

/* What a dump keeps of its request: nl_dump.body is that long. */
struct kept {
	u8 family, protocol;
	u16 pad;
	u32 ino, show, cookie;
};

static int start(struct nl_dump *d, const struct nl_request *rq, u32 len)
{
	_Static_assert(sizeof(struct kept) == NL_BODY_MAX, "as much as there is");
	return len < sizeof(struct netlink_diag_req) ? -EINVAL : 0;
}

static u32 flags_of(const struct netlink_info *i)
{
	return (i->dumping ? NDIAG_FLAG_CB_RUNNING : 0) | (i->pktinfo ? NDIAG_FLAG_PKTINFO : 0) |
	       (i->broadcast_error ? NDIAG_FLAG_BROADCAST_ERROR : 0) |
	       (i->no_enobufs ? NDIAG_FLAG_NO_ENOBUFS : 0) | (i->cap_ack ? NDIAG_FLAG_CAP_ACK : 0);
}

static void tell(const struct netlink_info *i, void *arg)
{
	struct netlink_diag_msg m = {
		.ndiag_family = AF_NETLINK,
		.ndiag_type = i->s->type,
		.ndiag_protocol = i->protocol,
		.ndiag_state = i->peer_pid ? DIAG_STATE_ESTABLISHED : DIAG_STATE_CLOSE,
		.ndiag_portid = i->pid,
		.ndiag_dst_portid = i->peer_pid,
		.ndiag_ino = i->s->ino,
	};
	struct nl_dump *d = arg;
	struct kept req;

	memcpy(&req, d->body, sizeof(req));
	if (req.protocol != NDIAG_PROTO_ALL && req.protocol != i->protocol)
		return;
	if (!nl_dump_next(d))
		return;
	put_cookie(m.ndiag_cookie, diag_cookie(i->s));
	nl_begin(&d->out, SOCK_DIAG_BY_FAMILY, &m, sizeof(m));
	if ((req.show & NDIAG_SHOW_GROUPS) && i->pid)
		nl_put(&d->out, NETLINK_DIAG_GROUPS, &i->groups, sizeof(i->groups));
	if (req.show & NDIAG_SHOW_MEMINFO)
		put_memory(&d->out, NETLINK_DIAG_MEMINFO, i->s);
	if (req.show & NDIAG_SHOW_FLAGS)
		nl_put_u32(&d->out, NETLINK_DIAG_FLAGS, flags_of(i));
	nl_dump_end(d);
}

static void dump(struct nl_dump *d)
{
	netlink_for_each(tell, d);
}

const struct nl_handler netlink_show_all = {
	.body_len = sizeof(struct netlink_diag_req),
	.answers = true,
	.dump = dump,
	.start = start,
};
