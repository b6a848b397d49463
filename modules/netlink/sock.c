/* SPDX-License-Identifier: MIT */
/* sock.c - netlink sockets: their names (port ids), groups, queues. A message written is handled at
 * once, by the writer; its answers wait in the socket's own queue, a dump part by part. */
#include "internal.h"

#include <weft/alloc.h>
#include <weft/net/drop.h>
#include <weft/random.h>
#include <weft/sched.h>

#define WRITE_MAX (64u * 1024)
#define MAX_PROTOCOLS 32 /* Linux's MAX_LINKS: beyond it nobody is asked */

static struct spinlock all_lock = SPINLOCK_INIT;
static LIST_HEAD(all); /* of struct nl_sock */

/* ---- names ---- */

/* Each protocol has names of its own. all_lock held. */
static bool pid_taken(const struct netlink_proto *np, u32 pid)
{
	struct nl_sock *ns;

	list_for_each_entry(ns, &all, all_node) {
		if (ns->pid == pid && ns->proto == np)
			return true;
	}
	return false;
}

static int take_pid(struct nl_sock *ns, u32 pid)
{
	int err = 0;

	spin_lock(&all_lock);
	if (pid_taken(ns->proto, pid))
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

/* Those that a protocol has, as bits. */
static u64 groups_of(const struct netlink_proto *np)
{
	return np->nr_groups == NL_GROUPS_MAX ? ~0ull : BIT64(np->nr_groups) - 1;
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
	ns->groups = (ns->groups & ~0xffffffffull) | (sa.nl_groups & groups_of(ns->proto));
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

static int netlink_name(struct socket *s, u8 *name, u32 *len, enum socket_name which)
{
	bool peer = which != SOCKET_NAME_OWN;
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

void nl_queue(struct nl_sock *ns, struct pkt *p)
{
	*group_of(p) = 0;
	if (socket_queue(ns->s, p))
		overrun(ns);
}

static bool joined(const struct nl_sock *ns, const struct netlink_proto *np, u32 group)
{
	return ns->proto == np && (ns->groups >> (group - 1) & 1);
}

bool netlink_has_listeners(struct netlink_proto *np, u32 group)
{
	struct nl_sock *ns;
	bool any = false;

	spin_lock(&all_lock);
	list_for_each_entry(ns, &all, all_node)
		any |= joined(ns, np, group);
	spin_unlock(&all_lock);
	return any;
}
EXPORT(netlink_has_listeners);

void netlink_missed(struct netlink_proto *np, u32 group)
{
	struct nl_sock *ns;

	spin_lock(&all_lock);
	list_for_each_entry(ns, &all, all_node) {
		if (joined(ns, np, group))
			overrun(ns);
	}
	spin_unlock(&all_lock);
}
EXPORT(netlink_missed);

void netlink_broadcast(struct netlink_proto *np, struct nl_out *o, u32 group)
{
	struct nl_sock *ns;

	spin_lock(&all_lock);
	list_for_each_entry(ns, &all, all_node) {
		struct pkt *copy;

		if (!joined(ns, np, group))
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
EXPORT(netlink_broadcast);

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
	nl_receive(ns, data, len);
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
	if (!group || group > ns->proto->nr_groups)
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
	case NETLINK_EXT_ACK:
		return &ns->ext_ack;
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
	nl_dump_stop(ns);
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

static struct netlink_proto *find_or_load(int number)
{
	struct netlink_proto *np = netlink_proto_enter(number);

	if (np)
		return np;
	request_module("net-pf-%d-proto-%d", AF_NETLINK, number);
	return netlink_proto_enter(number);
}

static int create(struct socket *s, struct netlink_proto *np)
{
	struct nl_sock *ns;
	int err;

	/* first the hold: a socket once made could not be taken back */
	err = socket_set_owner(s, np->owner);
	if (err)
		return err;
	ns = kzalloc(sizeof(*ns));
	if (!ns)
		return -ENOMEM;
	ns->s = s;
	ns->proto = np;
	s->priv = ns;
	s->ops = &netlink_ops;
	spin_lock(&all_lock);
	list_add_tail(&ns->all_node, &all);
	spin_unlock(&all_lock);
	return 0;
}

int netlink_create(struct socket *s)
{
	struct netlink_proto *np;
	int err;

	if (s->type != SOCK_RAW && s->type != SOCK_DGRAM)
		return -ESOCKTNOSUPPORT;
	np = s->protocol >= 0 && s->protocol < MAX_PROTOCOLS ? find_or_load(s->protocol) : NULL;
	if (!np)
		return -EPROTONOSUPPORT;
	err = create(s, np);
	door_leave(&np->door);
	return err;
}

/* ---- all ---- */

void netlink_for_each(void (*fn)(const struct netlink_info *i, void *arg), void *arg)
{
	struct nl_sock *ns;

	spin_lock(&all_lock);
	list_for_each_entry(ns, &all, all_node) {
		struct netlink_info i = {
			.s = ns->s,
			.protocol = ns->proto->number,
			.pid = ns->pid,
			.peer_pid = ns->peer_pid,
			.groups = ns->groups,
			.dumping = ns->dump.handler,
			.pktinfo = ns->pktinfo,
			.broadcast_error = ns->broadcast_error,
			.no_enobufs = ns->no_enobufs,
			.cap_ack = ns->cap_ack,
		};

		fn(&i, arg);
	}
	spin_unlock(&all_lock);
}
EXPORT(netlink_for_each);

static void show_line(const struct netlink_info *i, void *arg)
{
	struct seq *seq = arg;

	/* no address of ours is shown; the inode tells sockets apart */
	seq_printf(seq, "%016x %-3d %-10u %08x %-8u %-8u %-5d %-8d %-8u %-8lu\n", 0, i->protocol,
		   i->pid, (u32)i->groups, READ_ONCE(i->s->rx_bytes), 0, i->dumping, 2,
		   READ_ONCE(i->s->rx_drops), i->s->ino);
}

void netlink_show(struct seq *seq)
{
	seq_puts(seq, "sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    "
		      "Drops    Inode\n");
	netlink_for_each(show_line, seq);
}
