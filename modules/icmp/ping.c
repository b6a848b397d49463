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
static u32 group_low = 1, group_high;

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

static int ping_connect(struct socket *s, const u8 *name, u32 len, bool nonblock)
{
	struct ping_sock *ps = s->priv;

	return inet_connect_datagram(&ps->inet, name, len);
}

static int ping_name(struct socket *s, u8 *name, u32 *len, bool peer)
{
	struct ping_sock *ps = s->priv;

	return inet_name(&ps->inet, name, len, peer);
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

static long ping_recv(struct socket *s, struct msg *m, size_t len)
{
	struct ping_sock *ps = s->priv;
	struct pkt *p;
	long ret;

	if (m->flags & MSG_ERRQUEUE)
		return inet_recv_error(&ps->inet, m, len);
	p = socket_dequeue(s, m->flags);
	if (!p)
		return 0;
	if (IS_ERR(p))
		return PTR_ERR(p);
	if (m->name)
		m->name_len = ip_addr_to_sockaddr(m->name, s->family, &ip_rx(p)->src, 0, 0);
	inet_recv_control(&ps->inet, m, p);
	ret = socket_copy_datagram(s, m, p, 0, len);
	pkt_free(p);
	return ret;
}

static u32 ping_poll(struct socket *s)
{
	struct ping_sock *ps = s->priv;

	return inet_poll(&ps->inet);
}

static int ping_shutdown(struct socket *s, int how)
{
	struct ping_sock *ps = s->priv;

	return ip_addr_is_any(&ps->inet.raddr) ? -ENOTCONN : 0;
}

static int ping_setsockopt(struct socket *s, int level, int opt, const void *val, u32 len)
{
	struct ping_sock *ps = s->priv;

	return inet_setsockopt(&ps->inet, level, opt, val, len);
}

static int ping_getsockopt(struct socket *s, int level, int opt, void *val, u32 *len)
{
	struct ping_sock *ps = s->priv;

	return inet_getsockopt(&ps->inet, level, opt, val, len);
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
	.connect = ping_connect,
	.name = ping_name,
	.send = ping_send,
	.recv = ping_recv,
	.poll = ping_poll,
	.shutdown = ping_shutdown,
	.setsockopt = ping_setsockopt,
	.getsockopt = ping_getsockopt,
	.close = ping_close,
};

static bool may_ping(void)
{
	u32 gid = current_gid();

	return require_root() == 0 || (gid >= group_low && gid <= group_high);
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
	if (e->kind == IP_ERR_TOO_BIG)
		ip_pmtu_update(&e->remote, e->info);
	inet_error(&ps->inet, e, 0, quote, quote_len);
}

/* ---- /proc/sys/net/ipv4/ping_group_range: two numbers ---- */

static int show_range(struct seq *s)
{
	seq_printf(s, "%u\t%u\n", group_low, group_high);
	return 0;
}

static int write_range(void *arg, const char *text, size_t len)
{
	char first[16];
	size_t n = 0;
	int low, high;

	(void)arg;
	while (n < len && n < sizeof(first) - 1 && text[n] != ' ' && text[n] != '\t') {
		first[n] = text[n];
		n++;
	}
	first[n] = 0;
	while (n < len && (text[n] == ' ' || text[n] == '\t'))
		n++;
	if (kstrtoint(first, 10, &low) || kstrtoint(text + n, 10, &high) || low < 0 || high < 0)
		return -EINVAL;
	group_low = low;
	group_high = high;
	return 0;
}

static struct procfile range_file = {
	.path = "sys/net/ipv4/ping_group_range",
	.mode = 0644,
	.show = show_range,
	.write = write_range,
};

int ping_init(void)
{
	return procfile_add(&range_file);
}

void ping_exit(void)
{
	procfile_remove(&range_file);
}
