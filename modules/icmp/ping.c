/* SPDX-License-Identifier: MIT */
/* ping.c - SOCK_DGRAM sockets of protocol ICMP and ICMPv6: an unprivileged program may send echo
 * requests and gets the replies to them; the kernel owns the identifier. What it sends and reads is
 * the ICMP message without the IP header. */
#include "icmp.h"

#include <weft/bytes.h>
#include <weft/net/route.h>
#include <weft/net/sock.h>
#include <weft/random.h>
#include <weft/seqfile.h>
#include <weft/string.h>

#define BUCKETS 64
#define PAYLOAD_MAX (65535 - 20)
#define PAYLOAD6_MAX 65535

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

/* Each IP version has identifiers of its own. */
static struct ping_sock *find(u16 af, u16 ident)
{
	struct ping_sock *ps;

	hlist_for_each_entry(ps, &table[ident % BUCKETS], node) {
		if (ps->inet.lport == ident && ps->inet.s->family == af)
			return ps;
	}
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
		if (!ident || find(ps->inet.s->family, ident))
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
	if (ip_addr_family(&addr) != s->family)
		return -EADDRNOTAVAIL;
	err = take_ident(ps, port);
	if (!err)
		ps->inet.laddr = addr;
	return err;
}

static long ping_send(struct socket *s, struct msg *m, size_t len)
{
	struct ping_sock *ps = s->priv;
	bool v4 = s->family == AF_INET;
	struct flow f;
	struct pkt *p;
	u16 port;
	u8 *h;
	int err;

	if (len < ICMP_HEADER)
		return -EINVAL;
	if (len > (v4 ? PAYLOAD_MAX : PAYLOAD6_MAX))
		return -EMSGSIZE;
	if (!ps->inet.lport) {
		err = take_ident(ps, 0);
		if (err)
			return err;
	}
	err = inet_send_flow(&ps->inet, m, &f, &port);
	if (err)
		return err;
	/* as on Linux: a socket of ICMPv6 speaks no ICMP */
	if (ip_addr_family(&f.dst) != s->family || (ip_addr_needs_scope(&f.dst) && !f.oif))
		return -EINVAL;
	f.proto = s->protocol;
	p = inet_reserve(&ps->inet, &f, len, m->flags);
	if (IS_ERR(p))
		return PTR_ERR(p);
	h = pkt_put(p, len);
	err = -EFAULT;
	if (iter_copy_from(h, len, &m->iter) != (long)len)
		goto free;
	err = -EINVAL;
	if (h[0] != (v4 ? ICMP_ECHO : ICMP6_ECHO) || h[1] != 0)
		goto free;
	put_be16(h + 4, ps->inet.lport);
	icmp_finish(h, len, &f.saddr, &f.dst);
	if (v4)
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

bool ping_reply(struct pkt *p, struct ip_rx *rx)
{
	struct ping_sock *ps = find(ip_addr_family(&rx->dst), get_be16(p->data + 4));

	rx->sport = 0; /* recvfrom gives no port */
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
	u16 af = ip_addr_family(&e->remote);
	struct ping_sock *ps;

	if (quote_len < ICMP_HEADER || quote[0] != (af == AF_INET ? ICMP_ECHO : ICMP6_ECHO))
		return;
	ps = find(af, get_be16(quote + 4));
	if (!ps)
		return;
	if (e->kind == IP_ERR_REDIRECT)
		ip_redirect(e);
	else if (e->kind == IP_ERR_TOO_BIG)
		ip_pmtu_update(&e->remote, e->info);
	inet_error(&ps->inet, e, 0, quote, quote_len);
}

/* ---- /proc/net/icmp, icmp6 ---- */

static void show_address(struct seq *s, const struct ip_addr *a, u16 af, u32 port)
{
	if (af == AF_INET)
		seq_printf(s, "%08X:%04X ", a->w[3], port);
	else
		seq_printf(s, "%08X%08X%08X%08X:%04X ", a->w[0], a->w[1], a->w[2], a->w[3], port);
}

static void show_sock(struct seq *s, const struct ping_sock *ps, u32 sl)
{
	const struct inet_sock *is = &ps->inet;
	const struct socket *sock = is->s;

	seq_printf(s, "%5u: ", sl);
	show_address(s, &is->laddr, sock->family, is->lport);
	show_address(s, &is->raddr, sock->family, is->rport);
	/* the number that Linux shows for where the socket lies tells nothing here */
	seq_printf(s, "%02X %08X:%08X 00:00000000 00000000 %5u        0 %lu 2 %016lx %u\n",
		   ip_addr_is_any(&is->raddr) ? 7 : 1, socket_tx_bytes(sock), sock->rx_bytes,
		   sock->uid, sock->ino, 0ul, sock->rx_drops);
}

static int ping_show(struct seq *s)
{
	u16 af = (u16)(unsigned long)s->arg;
	struct ping_sock *ps;

	seq_puts(s, af == AF_INET ? "  sl  local_address rem_address  " :
				    "  sl  local_address                         "
				    "remote_address                       ");
	seq_puts(s, " st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer"
		    " drops\n");
	rcu_read_lock();
	for (u32 i = 0; i < BUCKETS; i++) {
		hlist_for_each_entry(ps, &table[i], node) {
			if (ps->inet.s->family == af)
				show_sock(s, ps, i);
		}
	}
	rcu_read_unlock();
	return 0;
}

static struct procfile files[] = {
	{ .path = "net/icmp", .mode = 0444, .show = ping_show, .arg = (void *)AF_INET },
	{ .path = "net/icmp6", .mode = 0444, .show = ping_show, .arg = (void *)AF_INET6 },
};

static struct sysctl range_sysctl = {
	.path = "net/ipv4/ping_group_range",
	.value = groups,
	.count = 2,
	.max = 0x7fffffff,
};

int ping_init(void)
{
	int err = sysctl_add(&range_sysctl);

	for (u32 i = 0; i < ARRAY_SIZE(files) && !err; i++)
		err = procfile_add(&files[i]);
	if (err)
		ping_exit();
	return err;
}

/* Also of those that init did not come to: that does nothing. */
void ping_exit(void)
{
	for (u32 i = 0; i < ARRAY_SIZE(files); i++)
		procfile_remove(&files[i]);
	sysctl_remove(&range_sysctl);
}
