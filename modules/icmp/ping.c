/* SPDX-License-Identifier: MIT */
/* ping.c - SOCK_DGRAM sockets of protocol ICMP: an unprivileged program may send echo requests and
 * gets the replies to them; the kernel owns the identifier. What it sends and reads is the ICMP
 * message without the IP header. */
#include "icmp.h"

#include <weft/bytes.h>
#include <weft/net/route.h>
#include <weft/net/sock.h>
#include <weft/random.h>
#include <weft/seqfile.h>
#include <weft/string.h>

#define BUCKETS 64
#define PAYLOAD_MAX (65535 - 20)

struct ping_sock {
	struct inet_sock inet; /* first; lport is the identifier */
	struct hlist_node node;
	struct rcu_head rcu;
};

static struct hlist_head
	table[BUCKETS]; /* by identifier; written under table_lock, read under RCU */
static struct spinlock table_lock = SPINLOCK_INIT;

/* Groups that may have them, and root always. Linux's default is nobody: "1 0". */
static int groups[2] = { 1, 0 };

static struct ping_sock *find(u16 ident)
{
	struct ping_sock *ps;

	hlist_for_each_entry(ps, &table[ident % BUCKETS], node)
		if (ps->inet.lport == ident)
			return ps;
	return NULL;
}

/* Gives the socket an identifier: want, or a free one when that is 0. -EADDRINUSE. */
static int take_ident(struct ping_sock *ps, u16 want)
{
	u16 ident = want ? want : random_u32();
	u32 tries = want ? 1 : 65535;
	int err = -EADDRINUSE;

	spin_lock(&table_lock);
	for (; tries; tries--, ident++) {
		if (!ident || find(ident))
			continue;
		ps->inet.lport = ident;
		hlist_add_head(&ps->node, &table[ident % BUCKETS]);
		err = 0;
		break;
	}
	spin_unlock(&table_lock);
	return err;
}

static int ping_bind(struct socket *s, const u8 *name, u32 len)
{
	struct ping_sock *ps = s->priv;
	struct ip_addr addr;
	u16 port;
	int err;

	if (ps->inet.lport)
		return -EINVAL;
	err = inet_bind_address(&ps->inet, name, len, &addr, &port);
	if (err)
		return err;
	err = take_ident(ps, port);
	if (!err)
		ps->inet.laddr = addr;
	return err;
}

static long ping_send(struct socket *s, struct msg *m, size_t len)
{
	struct ping_sock *ps = s->priv;
	struct flow f;
	struct pkt *p;
	u16 port;
	u8 *h;
	int err;

	if (len < ICMP_HEADER)
		return -EINVAL;
	if (len > PAYLOAD_MAX)
		return -EMSGSIZE;
	if (!ps->inet.lport) {
		err = take_ident(ps, 0);
		if (err)
			return err;
	}
	err = inet_send_flow(&ps->inet, m, &f, &port);
	if (err)
		return err;
	f.proto = IPPROTO_ICMP;
	p = inet_reserve(&ps->inet, &f, len, m->flags);
	if (IS_ERR(p))
		return PTR_ERR(p);
	h = pkt_put(p, len);
	err = -EFAULT;
	if (iter_copy_from(h, len, &m->iter) != (long)len)
		goto free;
	err = -EINVAL;
	if (h[0] != ICMP_ECHO || h[1] != 0)
		goto free;
	put_be16(h + 4, ps->inet.lport);
	icmp_finish(h, len);
	icmp_count_out(ICMP_ECHO);
	err = ip_commit(&f, p);
	return err ? err : (long)len;
free:
	pkt_free(p);
	return err;
}

static void ping_free(struct rcu_head *h)
{
	kfree(container_of(h, struct ping_sock, rcu));
}

static void ping_close(struct socket *s)
{
	struct ping_sock *ps = s->priv;

	spin_lock(&table_lock);
	hlist_del(&ps->node);
	spin_unlock(&table_lock);
	/* poll context may still be looking at it, and at s */
	synchronize_rcu();
	inet_sock_release(&ps->inet);
	call_rcu(&ps->rcu, ping_free);
}

static const struct socket_ops ping_ops = {
	.bind = ping_bind,
	.connect = inet_op_connect,
	.name = inet_op_name,
	.send = ping_send,
	.recv = inet_op_recv,
	.poll = inet_op_poll,
	.shutdown = inet_op_shutdown,
	.setsockopt = inet_op_setsockopt,
	.getsockopt = inet_op_getsockopt,
	.close = ping_close,
};

static bool may_ping(void)
{
	u32 gid = current_gid();

	return require_root() == 0 || (gid >= (u32)groups[0] && gid <= (u32)groups[1]);
}

int ping_socket(struct socket *s)
{
	struct ping_sock *ps;

	if (!may_ping())
		return -EACCES;
	ps = kzalloc(sizeof(*ps));
	if (!ps)
		return -ENOMEM;
	inet_sock_init(&ps->inet, s);
	s->filters = true;
	s->ops = &ping_ops;
	s->priv = ps;
	return 0;
}

/* ---- poll context ---- */

bool ping_reply(struct pkt *p, const struct ip_rx *rx)
{
	struct ping_sock *ps = find(get_be16(p->data + 4));

	if (!ps || !inet_accepts(&ps->inet, rx))
		return false;
	if (!ip_addr_is_any(&ps->inet.raddr) && !ip_addr_eq(&ps->inet.raddr, &rx->src))
		return false;
	/* the packet goes no further than this, so a program may cut it */
	if (!inet_filter(&ps->inet, p, p->trans_off))
		return false;
	return socket_queue(ps->inet.s, pkt_get(p)) == 0;
}

void ping_error(const struct ip_error *e, const u8 *quote, u32 quote_len)
{
	struct ping_sock *ps;

	if (quote_len < ICMP_HEADER || quote[0] != ICMP_ECHO)
		return;
	ps = find(get_be16(quote + 4));
	if (!ps)
		return;
	if (e->kind == IP_ERR_REDIRECT)
		ip_redirect(e);
	else if (e->kind == IP_ERR_TOO_BIG)
		ip_pmtu_update(&e->remote, e->info);
	inet_error(&ps->inet, e, 0, quote, quote_len);
}

static struct sysctl range_sysctl = {
	.path = "net/ipv4/ping_group_range",
	.value = groups,
	.count = 2,
	.max = 0x7fffffff,
};

int ping_init(void)
{
	return sysctl_add(&range_sysctl);
}

void ping_exit(void)
{
	sysctl_remove(&range_sysctl);
}
