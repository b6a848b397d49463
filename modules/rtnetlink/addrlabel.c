/* SPDX-License-Identifier: MIT */
/* addrlabel.c - the policy table of RFC 6724 as RTM_*ADDRLABEL tells and changes it, for `ip
 * addrlabel`. There is one for IPv6 only, in which IPv4 has its mapped addresses. */
#include "rtnetlink.h"

#include <weft/net/addrlabel.h>
#include <weft/net/proto.h>

static void message(struct nl_out *o, const struct addr_label *l, u8 plen)
{
	struct ifaddrlblmsg body = {
		.ifal_family = AF_INET6,
		.ifal_prefixlen = plen,
		.ifal_index = l->ifindex,
	};

	nl_begin(o, RTM_NEWADDRLABEL, &body, sizeof(body));
	nl_put(o, IFAL_ADDRESS, l->prefix.b, sizeof(l->prefix.b));
	nl_put_u32(o, IFAL_LABEL, l->label);
}

static void dump_one(const struct addr_label *l, void *arg)
{
	struct nl_dump *d = arg;

	if (!nl_dump_next(d))
		return;
	message(&d->out, l, l->plen);
	nl_dump_end(d);
}

static void dump_labels(struct nl_dump *d)
{
	netif_lock();
	if (!d->family || d->family == AF_INET6)
		addr_label_for_each(dump_one, d);
	netif_unlock();
}

static int parse(const struct nl_request *rq, struct addr_label *l)
{
	const struct nl_attr *addr = &rq->attr[IFAL_ADDRESS];
	struct ifaddrlblmsg body;

	memcpy(&body, rq->body, sizeof(body));
	if (body.ifal_family != AF_INET6 || body.ifal_prefixlen > 128 || !addr->data ||
	    addr->len != sizeof(l->prefix))
		return -EINVAL;
	*l = (struct addr_label){
		.plen = body.ifal_prefixlen,
		.ifindex = body.ifal_index,
		.label = ADDR_LABEL_NONE,
	};
	memcpy(&l->prefix, addr->data, sizeof(l->prefix));
	return nl_get_u32(&rq->attr[IFAL_LABEL], &l->label);
}

static int get(const struct nl_request *rq, struct nl_out *o)
{
	struct addr_label l;
	int err = parse(rq, &l);

	if (err)
		return err;
	rcu_read_lock();
	l.label = addr_label_find(&l.prefix, l.ifindex);
	rcu_read_unlock();
	if (l.label == ADDR_LABEL_NONE)
		return -ESRCH;
	message(o, &l, l.plen);
	nl_end(o);
	return 0;
}

/* netif_lock held. */
static int check(const struct addr_label *l)
{
	if (!ip_family_find(AF_INET6))
		return -EAFNOSUPPORT;
	return l->ifindex && !netif_by_index(l->ifindex) ? -EINVAL : 0;
}

static int add(const struct nl_request *rq, struct nl_out *o)
{
	struct addr_label l;
	int err = parse(rq, &l);

	if (!err && !rq->attr[IFAL_LABEL].data)
		err = -EINVAL;
	if (err)
		return err;
	netif_lock();
	err = check(&l);
	if (!err)
		err = addr_label_set(&l, rq->h.nlmsg_flags & NLM_F_REPLACE);
	netif_unlock();
	return err;
}

static int del(const struct nl_request *rq, struct nl_out *o)
{
	struct addr_label l;
	int err = parse(rq, &l);

	if (err)
		return err;
	netif_lock();
	err = check(&l);
	if (!err)
		err = addr_label_del(&l);
	netif_unlock();
	return err;
}

const struct nl_handler label_get = {
	.body_len = sizeof(struct ifaddrlblmsg),
	.answers = true,
	.doit = get,
	.dump = dump_labels,
};
const struct nl_handler label_new = { .body_len = sizeof(struct ifaddrlblmsg), .doit = add };
const struct nl_handler label_delete = { .body_len = sizeof(struct ifaddrlblmsg), .doit = del };
