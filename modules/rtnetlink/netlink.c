/* SPDX-License-Identifier: MIT */
/* netlink.c - netlink sockets: their names (port ids), groups, queues. A message written is handled
 * at once, by the writer; its answers wait in the socket's own queue, a dump part by part. */
#include "netlink.h"

#include "socket.h"

#include <weft/alloc.h>
#include <weft/random.h>
#include <weft/sched.h>

#define WRITE_MAX (64u * 1024)

static struct spinlock all_lock = SPINLOCK_INIT;
static LIST_HEAD(all); /* of struct nl_sock */

/* ---- names ---- */

/* all_lock held. */
static bool pid_taken(u32 pid)
{
	struct nl_sock *ns;

	list_for_each_entry(ns, &all, all_node) {
		if (ns->pid == pid)
			return true;
	}
	return false;
}

static int take_pid(struct nl_sock *ns, u32 pid)
{
	int err = 0;

	spin_lock(&all_lock);
	if (pid_taken(pid))
		err = -EADDRINUSE;
	else
		ns->pid = pid;
	spin_unlock(&all_lock);
	return err;
}

/* As on Linux: the process id, or for further sockets something above all process ids. */
static void autobind(struct nl_sock *ns)
{
	u32 pid = current_pid();

	if (ns->pid)
		return;
	while (!pid || take_pid(ns, pid))
		pid = 0x80000000u | random_u32();
}

static int netlink_bind(struct socket *s, const u8 *name, u32 len)
{
	struct nl_sock *ns = nl_of(s);
	struct sockaddr_nl sa;
	int err;

	if (len < sizeof(sa))
		return -EINVAL;
	memcpy(&sa, name, sizeof(sa));
	if (sa.nl_family != AF_NETLINK || (ns->pid && sa.nl_pid && sa.nl_pid != ns->pid))
		return -EINVAL;
	if (!ns->pid && sa.nl_pid) {
		err = take_pid(ns, sa.nl_pid);
		if (err)
			return err;
	}
	autobind(ns);
	spin_lock(&all_lock);
	ns->groups = (ns->groups & ~0xffffffffull) | sa.nl_groups;
	spin_unlock(&all_lock);
	return 0;
}

static int netlink_connect(struct socket *s, const u8 *name, u32 len, bool nonblock)
{
	struct nl_sock *ns = nl_of(s);
	struct sockaddr_nl sa;

	if (len < sizeof(sa.nl_family))
		return -EINVAL;
	memcpy(&sa, name, min(len, (u32)sizeof(sa)));
	if (sa.nl_family == AF_UNSPEC) {
		ns->peer_pid = 0;
		return 0;
	}
	if (sa.nl_family != AF_NETLINK || len < sizeof(sa))
		return -EINVAL;
	autobind(ns);
	ns->peer_pid = sa.nl_pid;
	return 0;
}

static int netlink_name(struct socket *s, u8 *name, u32 *len, bool peer)
{
	const struct nl_sock *ns = nl_of(s);
	struct sockaddr_nl sa = { .nl_family = AF_NETLINK };

	sa.nl_pid = peer ? ns->peer_pid : ns->pid;
	sa.nl_groups = peer ? 0 : (u32)ns->groups;
	memcpy(name, &sa, sizeof(sa));
	*len = sizeof(sa);
	return 0;
}

/* ---- queues ---- */

/* Which group a queued packet came to, 0: an answer. */
static u32 *group_of(struct pkt *p)
{
	return (u32 *)p->cb;
}

static void overrun(struct nl_sock *ns)
{
	ip_drop_count(DROP_SOCKET_FULL);
	if (!READ_ONCE(ns->no_enobufs))
		socket_set_error(ns->s, ENOBUFS);
}

int nl_queue(struct nl_sock *ns, struct pkt *p)
{
	*group_of(p) = 0;
	if (!socket_queue(ns->s, p))
		return 0;
	overrun(ns);
	return 0;
}

int nl_dump_continue(struct nl_sock *ns)
{
	struct nl_dump *d = &ns->dump;
	bool made;

	made = nl_out_init(&d->out, PKT_POOL_CONTROL, NL_PART_SIZE);
	if (made) {
		d->out.seq = ns->dump_seq;
		d->out.pid = ns->pid;
		nl_dump_part(d);
	}
	/* no memory, or an entry that no part can hold */
	if (!made || !d->out.p->len) {
		if (made)
			pkt_free(d->out.p);
		d->handler = NULL;
		return -ENOBUFS;
	}
	if (d->told_done)
		d->handler = NULL;
	return nl_queue(ns, d->out.p);
}

bool netlink_has_listeners(u32 group)
{
	struct nl_sock *ns;
	bool any = false;

	spin_lock(&all_lock);
	list_for_each_entry(ns, &all, all_node)
		any |= ns->groups >> (group - 1) & 1;
	spin_unlock(&all_lock);
	return any;
}

void netlink_missed(u32 group)
{
	struct nl_sock *ns;

	spin_lock(&all_lock);
	list_for_each_entry(ns, &all, all_node) {
		if (ns->groups >> (group - 1) & 1)
			overrun(ns);
	}
	spin_unlock(&all_lock);
}

void netlink_broadcast(struct nl_out *o, u32 group)
{
	struct nl_sock *ns;

	spin_lock(&all_lock);
	list_for_each_entry(ns, &all, all_node) {
		struct pkt *copy;

		if (!(ns->groups >> (group - 1) & 1))
			continue;
		copy = pkt_copy(o->p, PKT_POOL_CONTROL, 0);
		if (!copy) {
			overrun(ns);
			continue;
		}
		*group_of(copy) = group;
		if (socket_queue(ns->s, copy))
			overrun(ns);
	}
	spin_unlock(&all_lock);
	pkt_free(o->p);
}

/* ---- messages ---- */

static int check_destination(const struct nl_sock *ns, const struct msg *m)
{
	struct sockaddr_nl sa = { .nl_pid = ns->peer_pid };

	if (m->name) {
		if (m->name_len < sizeof(sa))
			return -EINVAL;
		memcpy(&sa, m->name, sizeof(sa));
		if (sa.nl_family != AF_NETLINK)
			return -EINVAL;
	}
	/* only the kernel is spoken to, and only it speaks to groups */
	if (sa.nl_groups)
		return -EPERM;
	return sa.nl_pid ? -ECONNREFUSED : 0;
}

static long netlink_send(struct socket *s, struct msg *m, size_t len)
{
	struct nl_sock *ns = nl_of(s);
	u8 *data;
	int err;

	if (m->flags & MSG_OOB)
		return -EOPNOTSUPP;
	err = check_destination(ns, m);
	if (err)
		return err;
	autobind(ns);
	if (len > WRITE_MAX || len + 32 > s->sndbuf)
		return -EMSGSIZE;
	if (!len)
		return 0;
	data = kmalloc(len);
	if (!data)
		return -ENOBUFS;
	if (iter_copy_from(data, len, &m->iter) != (long)len) {
		kfree(data);
		return -EFAULT;
	}
	nl_receive(s, data, len);
	kfree(data);
	return len;
}

static long netlink_recv(struct socket *s, struct msg *m, size_t len)
{
	struct sockaddr_nl sa = { .nl_family = AF_NETLINK };
	struct nl_sock *ns = nl_of(s);
	struct pkt *p;
	u32 group;
	long n;

	if (m->flags & MSG_OOB)
		return -EOPNOTSUPP;
	p = socket_dequeue(s, m->flags);
	if (!p)
		return 0;
	if (IS_ERR(p))
		return PTR_ERR(p);
	group = *group_of(p);
	sa.nl_groups = group && group <= 32 ? BIT(group - 1) : 0;
	if (m->name) {
		memcpy(m->name, &sa, sizeof(sa));
		m->name_len = sizeof(sa);
	}
	if (ns->pktinfo)
		msg_put_control(m, SOL_NETLINK, NETLINK_PKTINFO, &group, sizeof(group));
	if (!(m->flags & MSG_PEEK) && ns->dump.handler && nl_dump_continue(ns))
		socket_set_error(s, ENOBUFS);
	n = socket_copy_datagram(s, m, p, 0, len);
	pkt_free(p);
	return n;
}

/* ---- options ---- */

static int change_group(struct nl_sock *ns, u32 group, bool join)
{
	if (!group || group > RTNLGRP_MAX)
		return -EINVAL;
	autobind(ns);
	spin_lock(&all_lock);
	if (join)
		ns->groups |= BIT64(group - 1);
	else
		ns->groups &= ~BIT64(group - 1);
	spin_unlock(&all_lock);
	return 0;
}

static bool *flag_option(struct nl_sock *ns, int opt)
{
	switch (opt) {
	case NETLINK_PKTINFO:
		return &ns->pktinfo;
	case NETLINK_BROADCAST_ERROR:
		return &ns->broadcast_error;
	case NETLINK_NO_ENOBUFS:
		return &ns->no_enobufs;
	case NETLINK_CAP_ACK:
		return &ns->cap_ack;
	default:
		return NULL;
	}
}

static int netlink_setsockopt(struct socket *s, int level, int opt, const void *val, u32 len)
{
	struct nl_sock *ns = nl_of(s);
	bool *flag = flag_option(ns, opt);
	u32 v;

	if (level != SOL_NETLINK)
		return -ENOPROTOOPT;
	if (len < sizeof(v))
		return -EINVAL;
	memcpy(&v, val, sizeof(v));
	if (opt == NETLINK_ADD_MEMBERSHIP || opt == NETLINK_DROP_MEMBERSHIP)
		return change_group(ns, v, opt == NETLINK_ADD_MEMBERSHIP);
	if (!flag)
		return -ENOPROTOOPT;
	WRITE_ONCE(*flag, v != 0);
	return 0;
}

static int netlink_getsockopt(struct socket *s, int level, int opt, void *val, u32 *len)
{
	const bool *flag = flag_option(nl_of(s), opt);
	int v;

	if (level != SOL_NETLINK || !flag)
		return -ENOPROTOOPT;
	if (*len < sizeof(v))
		return -EINVAL;
	v = *flag;
	*len = sizeof(v);
	memcpy(val, &v, sizeof(v));
	return 0;
}

/* ---- life ---- */

static void netlink_close(struct socket *s)
{
	struct nl_sock *ns = nl_of(s);

	spin_lock(&all_lock);
	list_del(&ns->all_node);
	spin_unlock(&all_lock);
	kfree(ns);
}

static const struct socket_ops netlink_ops = {
	.bind = netlink_bind,
	.connect = netlink_connect,
	.name = netlink_name,
	.send = netlink_send,
	.recv = netlink_recv,
	.setsockopt = netlink_setsockopt,
	.getsockopt = netlink_getsockopt,
	.close = netlink_close,
};

int netlink_create(struct socket *s)
{
	struct nl_sock *ns;

	if (s->type != SOCK_RAW && s->type != SOCK_DGRAM)
		return -ESOCKTNOSUPPORT;
	if (s->protocol != NETLINK_ROUTE)
		return -EPROTONOSUPPORT;
	ns = kzalloc(sizeof(*ns));
	if (!ns)
		return -ENOMEM;
	ns->s = s;
	s->priv = ns;
	s->ops = &netlink_ops;
	spin_lock(&all_lock);
	list_add_tail(&ns->all_node, &all);
	spin_unlock(&all_lock);
	return 0;
}

void netlink_show(struct seq *seq)
{
	struct nl_sock *ns;

	seq_puts(seq, "sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    "
		      "Drops    Inode\n");
	spin_lock(&all_lock);
	list_for_each_entry(ns, &all, all_node)
		seq_printf(seq, "%016x %-3d %-10u %08x %-8u %-8u %-5d %-8d %-8lu %-8lu\n", 0,
			   NETLINK_ROUTE, ns->pid, (u32)ns->groups, READ_ONCE(ns->s->rx_bytes), 0,
			   ns->dump.handler != NULL, 2, READ_ONCE(ns->s->rx_drops), ns->s->ino);
	spin_unlock(&all_lock);
}
