/* SPDX-License-Identifier: MIT */
/* inet.c - requests about sockets of AF_INET and AF_INET6: all that pass a filter, one by its
 * addresses and ports, and the end of one. A dump keeps the bucket it is in and how many of it are
 * done, so sockets that come and go meanwhile may be told twice or missed, but none stalls it. */
#include "sock_diag.h"

#include <weft/alloc.h>
#include <weft/sched.h>

struct query {
	struct inet_diag_req_v2 req;
	bool root;
	u32 bucket, done; /* told, or not wanted, of this bucket */
	u32 code_len;
	u8 code[];
};

/* ---- what is wanted ---- */

static struct diag_table *table_enter(const struct inet_diag_req_v2 *req)
{
	return diag_enter(req->sdiag_family, req->sdiag_protocol);
}

static bool wanted(const struct query *q, const struct diag_sock *d)
{
	const struct inet_diag_sockid *id = &q->req.id;

	if (d->state >= 32 || !(q->req.idiag_states & 1u << d->state))
		return false;
	if (id->idiag_sport && id->idiag_sport != htons(d->lport))
		return false;
	if (id->idiag_dport && id->idiag_dport != htons(d->rport))
		return false;
	return !q->code_len || filter_match(q->code, q->code_len, d);
}

/* The attributes behind the fixed part; -ENOENT: of a protocol whose number no packet has. */
static int parse_attrs(struct inet_diag_req_v2 *req, const u8 *p, u32 len, struct nl_attr *code)
{
	struct nl_attr attr[NL_ATTRS];
	u32 protocol = req->sdiag_protocol;
	int err = nl_parse(p, len, attr);

	if (!err)
		err = nl_get_u32(&attr[INET_DIAG_REQ_PROTOCOL], &protocol);
	if (err)
		return err;
	if (protocol > 255)
		return -ENOENT;
	req->sdiag_protocol = protocol;
	*code = attr[INET_DIAG_REQ_BYTECODE];
	return 0;
}

/* ---- dumps ---- */

static int start(struct nl_dump *dump, const struct nl_request *rq, u32 len)
{
	struct inet_diag_req_v2 req;
	bool root = !require_root();
	struct diag_table *t;
	struct nl_attr code;
	struct query *q;
	int err;

	if (len < sizeof(req))
		return -EINVAL;
	memcpy(&req, rq->body, sizeof(req));
	err = parse_attrs(&req, rq->body + sizeof(req), len - sizeof(req), &code);
	if (!err && code.data)
		err = filter_verify(code.data, code.len, root);
	if (err)
		return err;
	t = table_enter(&req);
	if (!t)
		return -ENOENT;
	diag_leave(t);
	q = kmalloc(sizeof(*q) + code.len);
	if (!q)
		return -ENOMEM;
	*q = (struct query){ .req = req, .root = root, .code_len = code.len };
	if (code.len)
		memcpy(q->code, code.data, code.len);
	dump->priv = q;
	return 0;
}

static void done(struct nl_dump *dump)
{
	kfree(dump->priv);
}

struct telling {
	struct query *q;
	struct nl_out *out;
	u32 seen; /* of q's bucket */
};

static bool tell(struct diag_walk *w, const struct diag_sock *d)
{
	struct telling *t = w->arg;
	struct query *q = t->q;

	if (w->bucket != q->bucket) {
		q->bucket = w->bucket;
		q->done = t->seen = 0;
	}
	if (t->seen++ < q->done)
		return true;
	if (wanted(q, d) && !inet_message(t->out, d, q->req.idiag_ext, q->root))
		return false;
	q->done++;
	return true;
}

static void dump_all(struct nl_dump *dump)
{
	struct query *q = dump->priv;
	struct telling t = { q, &dump->out, 0 };
	struct diag_walk w = {
		.family = q->req.sdiag_family,
		.info = q->req.idiag_ext & 1u << (INET_DIAG_INFO - 1),
		.bucket = q->bucket,
		.fn = tell,
		.arg = &t,
	};
	struct diag_table *table = table_enter(&q->req);

	/* its module left: that was all */
	if (!table)
		return;
	table->walk(&w);
	diag_leave(table);
	if (w.bucket != q->bucket) {
		q->bucket = w.bucket;
		q->done = 0;
	}
}

/* ---- one ---- */

struct search {
	const struct inet_diag_req_v2 *req;
	struct ip_addr src, dst;
	bool wild; /* whoever would hear of that peer */
	bool found;
	/* what is done with it: a message in out, or a copy of its names in *copy */
	struct nl_out *out;
	bool root;
	struct diag_sock *copy;
};

static struct ip_addr address_of(const u32 from[4], u16 family)
{
	struct ip_addr a;

	if (family == AF_INET)
		return ip_addr_v4_be(from[0]);
	memcpy(a.b, from, sizeof(a.b));
	return a;
}

/* "Any" has a form for each family, and all mean the same. */
static bool same(const struct ip_addr *a, const struct ip_addr *b)
{
	return ip_addr_eq(a, b) || (ip_addr_is_any(a) && ip_addr_is_any(b));
}

static bool is_it(const struct search *s, const struct diag_sock *d)
{
	const struct inet_diag_sockid *id = &s->req->id;

	if (d->lport != ntohs(id->idiag_sport))
		return false;
	if (id->idiag_if && d->ifindex && id->idiag_if != d->ifindex)
		return false;
	if (!(id->idiag_cookie[0] == INET_DIAG_NOCOOKIE &&
	      id->idiag_cookie[1] == INET_DIAG_NOCOOKIE) &&
	    get_cookie(id->idiag_cookie) != d->cookie)
		return false;
	if (s->wild)
		return !d->rport && ip_addr_is_any(&d->raddr) &&
		       (ip_addr_is_any(&d->laddr) || ip_addr_eq(&d->laddr, &s->src));
	return d->rport == ntohs(id->idiag_dport) && same(&d->laddr, &s->src) &&
	       same(&d->raddr, &s->dst);
}

static bool look(struct diag_walk *w, const struct diag_sock *d)
{
	struct search *s = w->arg;

	if (!is_it(s, d))
		return true;
	s->found = true;
	if (s->copy)
		*s->copy = *d;
	else
		inet_message(s->out, d, s->req->idiag_ext, s->root);
	return false;
}

static void search(struct search *s, struct diag_table *t)
{
	struct diag_walk w = {
		.family = s->req->sdiag_family,
		.info = s->req->idiag_ext & 1u << (INET_DIAG_INFO - 1),
		.fn = look,
		.arg = s,
	};

	s->src = address_of(s->req->id.idiag_src, s->req->sdiag_family);
	s->dst = address_of(s->req->id.idiag_dst, s->req->sdiag_family);
	t->walk(&w);
}

static int show_one(const struct nl_request *rq, struct nl_out *out)
{
	struct inet_diag_req_v2 req;
	struct search s = { .req = &req, .out = out, .root = !require_root() };
	struct diag_table *t;

	memcpy(&req, rq->body, sizeof(req));
	t = table_enter(&req);
	if (!t)
		return -ENOENT;
	search(&s, t);
	if (!s.found) {
		s.wild = true;
		search(&s, t);
	}
	diag_leave(t);
	return s.found ? 0 : -ENOENT;
}

/* What is asked for here is meant: no other one is ended in its place. */
static int destroy_one(const struct nl_request *rq, struct nl_out *out)
{
	struct inet_diag_req_v2 req;
	struct diag_sock which;
	struct search s = { .req = &req, .copy = &which };
	struct diag_table *t;
	int err = -ENOENT;

	memcpy(&req, rq->body, sizeof(req));
	t = table_enter(&req);
	if (!t)
		return -ENOENT;
	search(&s, t);
	if (!t->destroy)
		err = -EOPNOTSUPP;
	else if (s.found)
		err = t->destroy(&which);
	diag_leave(t);
	return err;
}

const struct nl_handler inet_show = {
	.body_len = sizeof(struct inet_diag_req_v2),
	.answers = true,
	.doit = show_one,
	.dump = dump_all,
	.start = start,
	.done = done,
};

const struct nl_handler inet_destroy = {
	.body_len = sizeof(struct inet_diag_req_v2),
	.doit = destroy_one,
};
