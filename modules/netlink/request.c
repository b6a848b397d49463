/* SPDX-License-Identifier: MIT */
/* request.c - what a program wrote, message by message: the protocol names who handles it, and the
 * acknowledgement or error is the one that Linux would send. Dumps, part by part. */
#include "internal.h"

#include <weft/net/drop.h>

/* ---- dumps ---- */

void nl_dump_stop(struct nl_sock *ns)
{
	const struct nl_handler *h = ns->dump.handler;

	ns->dump.handler = NULL;
	if (h && h->done)
		h->done(&ns->dump);
}

/* Fills d's packet with the next messages and, behind the last, the end. A changed table makes
 * readers ask again (NLM_F_DUMP_INTR). */
static void dump_part(struct nl_dump *d, const u32 *generation)
{
	int done = 0;

	d->seen = 0;
	d->out.full = false;
	d->out.flags = NLM_F_MULTI;
	if (generation && d->pos && d->generation != READ_ONCE(*generation))
		d->out.flags |= NLM_F_DUMP_INTR;
	d->handler->dump(d);
	if (d->out.full)
		return;
	nl_begin(&d->out, NLMSG_DONE, &done, sizeof(done));
	d->told_done = nl_end(&d->out);
}

int nl_dump_continue(struct nl_sock *ns)
{
	struct nl_dump *d = &ns->dump;
	bool made;

	made = nl_out_init(&d->out, PKT_POOL_CONTROL, NL_PART_SIZE);
	if (made) {
		d->out.seq = ns->dump_seq;
		d->out.pid = ns->pid;
		dump_part(d, ns->proto->generation);
	}
	/* no memory, or an entry that no part can hold */
	if (!made || !d->out.p->len) {
		if (made)
			pkt_free(d->out.p);
		nl_dump_stop(ns);
		return -ENOBUFS;
	}
	if (d->told_done)
		nl_dump_stop(ns);
	nl_queue(ns, d->out.p);
	return 0;
}

/* len bytes behind the header, at least the family. */
static int dump_start(struct nl_sock *ns, const struct nl_request *rq, u32 len,
		      const struct nl_handler *h)
{
	const u32 *generation = ns->proto->generation;
	struct nl_dump *d = &ns->dump;
	int err;

	if (d->handler)
		return -EBUSY;
	*d = (struct nl_dump){
		.family = rq->body[0],
		.generation = generation ? READ_ONCE(*generation) : 0,
	};
	memcpy(d->body, rq->body, min(len, (u32)sizeof(d->body)));
	err = h->start ? h->start(d, rq, len) : 0;
	if (err)
		return err;
	d->handler = h;
	ns->dump_seq = rq->h.nlmsg_seq;
	return nl_dump_continue(ns);
}

/* ---- one message ---- */

static int do_single(struct nl_sock *ns, struct nl_request *rq, const struct nl_handler *h)
{
	struct nl_out out = { 0 };
	int err = 0;

	if (h->answers) {
		if (!nl_out_init(&out, PKT_POOL_CONTROL, NL_PART_SIZE))
			return -ENOBUFS;
		out.seq = rq->h.nlmsg_seq;
		out.pid = ns->pid;
	}
	err = h->doit(rq, &out);
	if (!out.p)
		return err;
	if (!err && out.p->len) {
		nl_queue(ns, out.p);
		return 0;
	}
	pkt_free(out.p);
	return err ? err : -EMSGSIZE;
}

/* *dumped: the answer is a dump, whose end stands for the acknowledgement. */
static int handle(struct nl_sock *ns, struct nl_request *rq, u32 len, bool *dumped)
{
	const struct nl_handler *h;
	int err = -EOPNOTSUPP;

	h = ns->proto->find(rq, len, &err);
	if (!h)
		return err;
	if (h->answers && (rq->h.nlmsg_flags & NLM_F_DUMP)) {
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
	err = nl_parse(rq->body + h->body_len, len - h->body_len, rq->attr);
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

void nl_receive(struct nl_sock *ns, const u8 *data, u32 len)
{
	struct nl_request rq;

	while (len >= sizeof(rq.h)) {
		u32 step;

		memcpy(&rq.h, data, sizeof(rq.h));
		if (rq.h.nlmsg_len < sizeof(rq.h) || rq.h.nlmsg_len > len)
			return;
		receive_one(ns, data, &rq);
		step = min(NL_ALIGN(rq.h.nlmsg_len), len);
		data += step;
		len -= step;
	}
}
