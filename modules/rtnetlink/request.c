/* SPDX-License-Identifier: MIT */
/* request.c - what a program wrote, message by message: who may ask it, which table answers, and
 * the acknowledgement or error that Linux would send. */
#include "netlink.h"

#include "socket.h"

#include <weft/sched.h>

#define RTM_BASE 16
#define KIND(type) ((type)&3)
#define KIND_GET 2

static const struct nl_handler *const handlers[] = {
	[RTM_NEWLINK - RTM_BASE] = &link_set,	    [RTM_DELLINK - RTM_BASE] = &link_del,
	[RTM_GETLINK - RTM_BASE] = &link_get,	    [RTM_SETLINK - RTM_BASE] = &link_set,
	[RTM_NEWADDR - RTM_BASE] = &addr_new,	    [RTM_DELADDR - RTM_BASE] = &addr_del,
	[RTM_GETADDR - RTM_BASE] = &addr_get,	    [RTM_NEWROUTE - RTM_BASE] = &route_new,
	[RTM_DELROUTE - RTM_BASE] = &route_delete,  [RTM_GETROUTE - RTM_BASE] = &route_get,
	[RTM_NEWNEIGH - RTM_BASE] = &neigh_new,	    [RTM_DELNEIGH - RTM_BASE] = &neigh_delete,
	[RTM_GETNEIGH - RTM_BASE] = &neigh_get,	    [RTM_NEWADDRLABEL - RTM_BASE] = &label_new,
	[RTM_GETADDRLABEL - RTM_BASE] = &label_get, [RTM_DELADDRLABEL - RTM_BASE] = &label_delete,
};

/* ---- dumps ---- */

/* Put last into each part; a changed table makes readers ask again (NLM_F_DUMP_INTR). */
void nl_dump_part(struct nl_dump *d)
{
	int done = 0;

	d->seen = 0;
	d->out.full = false;
	d->out.flags = NLM_F_MULTI;
	if (d->pos && d->generation != READ_ONCE(route_generation))
		d->out.flags |= NLM_F_DUMP_INTR;
	d->handler->dump(d);
	if (d->out.full)
		return;
	nl_begin(&d->out, NLMSG_DONE, &done, sizeof(done));
	d->told_done = nl_end(&d->out);
}

/* len bytes behind the header, at least the family. */
static int dump_start(struct nl_sock *ns, const struct nl_request *rq, u32 len,
		      const struct nl_handler *h)
{
	struct nl_dump *d = &ns->dump;

	if (d->handler)
		return -EBUSY;
	*d = (struct nl_dump){
		.handler = h,
		.family = rq->body[0],
		.generation = READ_ONCE(route_generation),
	};
	memcpy(d->body, rq->body, min(len, (u32)sizeof(d->body)));
	ns->dump_seq = rq->h.nlmsg_seq;
	return nl_dump_continue(ns);
}

/* ---- one message ---- */

static int do_single(struct nl_sock *ns, struct nl_request *rq, const struct nl_handler *h)
{
	struct nl_out out = { 0 };
	int err = 0;

	if (KIND(rq->h.nlmsg_type) == KIND_GET) {
		if (!nl_out_init(&out, PKT_POOL_CONTROL, NL_PART_SIZE))
			return -ENOBUFS;
		out.seq = rq->h.nlmsg_seq;
		out.pid = ns->pid;
	}
	err = h->doit(rq, &out);
	if (!out.p)
		return err;
	if (!err && out.p->len)
		return nl_queue(ns, out.p);
	pkt_free(out.p);
	return err ? err : -EMSGSIZE;
}

/* *dumped: the answer is a dump, whose end stands for the acknowledgement. */
static int handle(struct nl_sock *ns, struct nl_request *rq, u32 len, bool *dumped)
{
	u16 type = rq->h.nlmsg_type;
	const struct nl_handler *h;
	int err;

	if (type > RTM_MAX || (u32)(type - RTM_BASE) >= ARRAY_SIZE(handlers))
		return -EOPNOTSUPP;
	if (!len) /* Linux: not even a family, nothing to be said */
		return 0;
	if (KIND(type) != KIND_GET && require_root())
		return -EPERM;
	h = handlers[type - RTM_BASE];
	if (!h)
		return -EOPNOTSUPP;
	if (KIND(type) == KIND_GET && (rq->h.nlmsg_flags & NLM_F_DUMP)) {
		if (!h->dump)
			return -EOPNOTSUPP;
		err = dump_start(ns, rq, len, h);
		*dumped = !err;
		return err;
	}
	if (!h->doit)
		return -EOPNOTSUPP;
	if (len < h->body_len)
		return -EINVAL;
	len -= h->body_len;
	err = nl_parse(rq->body + h->body_len, len, rq->attr);
	return err ? err : do_single(ns, rq, h);
}

/* NLMSG_ERROR: the errno and the request that it answers, whole when it failed. */
static void answer(struct nl_sock *ns, const u8 *msg, const struct nlmsghdr *rh, int error)
{
	u32 quote = error && !ns->cap_ack ? rh->nlmsg_len : sizeof(*rh);
	struct nlmsghdr h = {
		.nlmsg_len = sizeof(h) + sizeof(error) + quote,
		.nlmsg_type = NLMSG_ERROR,
		.nlmsg_flags = error && ns->cap_ack ? NLM_F_CAPPED : 0,
		.nlmsg_seq = rh->nlmsg_seq,
		.nlmsg_pid = ns->pid,
	};
	struct pkt *p = pkt_alloc(PKT_POOL_CONTROL, 0, NL_ALIGN(h.nlmsg_len));
	u8 *at;

	if (!p) {
		socket_set_error(ns->s, ENOBUFS);
		return;
	}
	at = pkt_put(p, h.nlmsg_len);
	memcpy(at, &h, sizeof(h));
	memcpy(at + sizeof(h), &error, sizeof(error));
	memcpy(at + sizeof(h) + sizeof(error), msg, quote);
	nl_queue(ns, p);
}

static void receive_one(struct nl_sock *ns, const u8 *msg, struct nl_request *rq)
{
	bool dumped = false;
	int err = 0;

	rq->pid = ns->pid;
	rq->body = msg + sizeof(rq->h);
	/* control messages and answers are for others */
	if ((rq->h.nlmsg_flags & NLM_F_REQUEST) && rq->h.nlmsg_type >= NLMSG_MIN_TYPE)
		err = handle(ns, rq, rq->h.nlmsg_len - sizeof(rq->h), &dumped);
	if (err || (!dumped && (rq->h.nlmsg_flags & NLM_F_ACK)))
		answer(ns, msg, &rq->h, err);
}

void nl_receive(struct socket *s, const u8 *data, u32 len)
{
	struct nl_request rq;

	while (len >= sizeof(rq.h)) {
		u32 step;

		memcpy(&rq.h, data, sizeof(rq.h));
		if (rq.h.nlmsg_len < sizeof(rq.h) || rq.h.nlmsg_len > len)
			return;
		receive_one(nl_of(s), data, &rq);
		step = min(NL_ALIGN(rq.h.nlmsg_len), len);
		data += step;
		len -= step;
	}
}
