/* SPDX-License-Identifier: MIT */
/* raw.c - SOCK_RAW of both families, for root: every datagram of one protocol number before its
 * transport sees it, and datagrams of any number out, with or without their network header. An IPv4
 * reader gets the header too, an IPv6 reader does not (RFC 3542 3). */
#include "ip.h"

#include <weft/net/diag.h>
#include <weft/net/mib.h>
#include <weft/sched.h>

struct raw_sock {
	struct inet_sock is;	/* first: s->priv */
	struct hlist_node node; /* raw_lock to change, RCU to read */
	struct rcu_head rcu;
	u32 icmp_filter[8]; /* bit n: type n is not wanted; IPv4's has the first 32 */
	s32 checksum;	    /* IPV6_CHECKSUM: where in the data it stands, -1: nowhere */
	s32 alert;	    /* the router alert it wants of what is passed on, -1: none */
	bool alert_told;    /* what was last said of that was not 0, which is what Linux tells */
	u8 proto;
};

static struct spinlock raw_lock = SPINLOCK_INIT;
struct hlist_head raw_socks[256]; /* by protocol */
static u32 nr_raw[2];		  /* of each family; guarded by raw_lock */

static struct raw_sock *raw_of(const struct socket *s)
{
	return s->priv;
}

static u32 raw_index(const struct socket *s)
{
	return s->family == AF_INET6;
}

/* ---- receiving ---- */

static bool filtered(const struct raw_sock *rs, const struct pkt *p)
{
	u8 type = p->len ? p->data[0] : 0;

	if (rs->proto == IPPROTO_ICMP && type > 31)
		return false;
	return rs->icmp_filter[type / 32] & BIT(type % 32);
}

static bool raw_wants(const struct raw_sock *rs, const struct pkt *p, const struct ip_rx *rx,
		      u16 af)
{
	const struct inet_sock *is = &rs->is;

	if (is->s->family != af || !inet_accepts(is, rx))
		return false;
	if (!ip_addr_is_any(&is->laddr) && !ip_addr_eq(&is->laddr, &rx->dst))
		return false;
	if (!ip_addr_is_any(&is->raddr) && !ip_addr_eq(&is->raddr, &rx->src))
		return false;
	return !filtered(rs, p);
}

/* RFC 3542 3.1: what the kernel checks for its reader. */
static bool checksum_good(const struct raw_sock *rs, const struct pkt *p, const struct ip_rx *rx)
{
	u32 sum;

	if (rs->checksum < 0 || p->csum == PKT_CSUM_OK)
		return true;
	sum = ip_pseudo_sum(&rx->src, &rx->dst, rx->proto, p->len);
	return csum_fold(csum_partial(p->data, p->len, sum)) == 0;
}

static void raw_queue(struct raw_sock *rs, struct pkt *p)
{
	if (!inet_filter(&rs->is, p, pkt_headroom(p)))
		ip_drop(p, DROP_SOCKET_FILTER);
	else if (socket_queue(rs->is.s, p))
		ip_drop_count(DROP_SOCKET_FULL);
}

bool raw_deliver(struct pkt *p, struct ip_rx *rx)
{
	u16 af = ip_addr_family(&rx->dst);
	struct raw_sock *rs;
	bool seen = false;

	hlist_for_each_entry(rs, &raw_socks[rx->proto], node) {
		struct pkt *copy;

		if (!raw_wants(rs, p, rx, af))
			continue;
		seen = true;
		if (!checksum_good(rs, p, rx)) {
			WRITE_ONCE(rs->is.s->rx_drops, rs->is.s->rx_drops + 1);
			continue;
		}
		copy = pkt_copy(p, PKT_POOL_RX, p->data - p->head);
		if (!copy) {
			ip_drop_count(DROP_NO_MEMORY);
			continue;
		}
		if (af == AF_INET)
			pkt_push(copy, rx->header_len);
		raw_queue(rs, copy);
	}
	return seen;
}

/* ---- router alerts in what is passed on ---- */

/* Linux asks IPv4's where their protocol is, IPv6's of IPPROTO_RAW. */
static struct hlist_head *alert_socks(const struct ip_rx *rx)
{
	return &raw_socks[ip_addr_is_v4(&rx->dst) ? rx->proto : IPPROTO_RAW];
}

static bool wants_alert(const struct raw_sock *rs, const struct ip_rx *rx, u16 value)
{
	u32 bound = READ_ONCE(rs->is.s->bound_if);

	return READ_ONCE(rs->alert) == value && (!bound || bound == rx->ifindex) &&
	       rs->is.s->family == ip_addr_family(&rx->dst);
}

bool ip_alert_wanted(const struct ip_rx *rx, u16 value)
{
	struct raw_sock *rs;

	hlist_for_each_entry(rs, alert_socks(rx), node) {
		if (wants_alert(rs, rx, value))
			return true;
	}
	return false;
}
EXPORT(ip_alert_wanted);

int ip_deliver_alert(struct pkt *p, u16 value)
{
	const struct ip_rx *rx = ip_rx_const(p);
	struct raw_sock *rs;

	hlist_for_each_entry(rs, alert_socks(rx), node) {
		struct pkt *copy;

		if (!wants_alert(rs, rx, value))
			continue;
		copy = pkt_copy(p, PKT_POOL_RX, pkt_headroom(p));
		if (copy)
			raw_queue(rs, copy);
		else
			ip_drop_count(DROP_NO_MEMORY);
	}
	pkt_free(p);
	return IP_TAKEN;
}
EXPORT(ip_deliver_alert);

void raw_error(const struct ip_error *e, const u8 *quote, u32 quote_len)
{
	u16 af = ip_addr_family(&e->remote);
	struct raw_sock *rs;

	hlist_for_each_entry(rs, &raw_socks[e->proto], node) {
		struct inet_sock *is = &rs->is;

		if (is->s->family != af ||
		    (!ip_addr_is_any(&is->laddr) && !ip_addr_eq(&is->laddr, &e->local)) ||
		    (!ip_addr_is_any(&is->raddr) && !ip_addr_eq(&is->raddr, &e->remote)))
			continue;
		if (e->kind == IP_ERR_TOO_BIG &&
		    inet_settings(is, &e->remote)->pmtudisc < IP_PMTUDISC_INTERFACE)
			ip_pmtu_update(&e->remote, e->info);
		inet_error(is, e, 0, quote, quote_len);
	}
}

/* ---- sending ---- */

/* RFC 3542 3.1: ICMPv6's checksum, or that of whatever asked for it, over all of p. */
static int fill_checksum(const struct raw_sock *rs, const struct flow *f, struct pkt *p)
{
	u16 field = 0;
	u32 sum;

	if (rs->checksum < 0 || ip_addr_is_v4(&f->dst) || (f->flags & FLOW_HDRINCL))
		return 0;
	if ((u32)rs->checksum + 2 > p->len)
		return -EINVAL;
	memcpy(p->data + rs->checksum, &field, sizeof(field));
	sum = ip_pseudo_sum(&f->saddr, &f->dst, f->proto, p->len);
	field = csum_fold(csum_partial(p->data, p->len, sum));
	if (!field)
		field = 0xffff;
	memcpy(p->data + rs->checksum, &field, sizeof(field));
	return 0;
}

/* Which protocol a send means: the name that an AF_INET6 one bears may say it in place of a port
 * (rawv6). What stood there at connect is nobody's business: traceroutes put a port. */
static int protocol_of(const struct raw_sock *rs, const struct msg *m, u16 port)
{
	if (rs->is.s->family != AF_INET6 || !m->name_len || !port)
		return rs->proto;
	if (port > 255 || (port != rs->proto && rs->proto != IPPROTO_RAW))
		return -EINVAL;
	return port;
}

static long raw_send(struct socket *s, struct msg *m, size_t len)
{
	struct inet_sock *is = &raw_of(s)->is;
	struct flow f;
	struct pkt *p;
	u16 port;
	int err;

	if (len > 0xffff)
		return inet_refuse_long(is, m);
	err = inet_send_flow(is, m, &f, &port);
	if (err)
		return err;
	err = protocol_of(raw_of(s), m, port);
	if (err < 0)
		return err;
	f.proto = err;
	if (is->flags & INET_HDRINCL) {
		f.flags |= FLOW_HDRINCL | FLOW_ANY_SOURCE | FLOW_DF; /* raw(7): not cut */
		f.flags &= ~(u32)FLOW_HOPS_0;
	}
	p = inet_reserve(is, &f, len, m->flags);
	if (IS_ERR(p))
		return PTR_ERR(p);
	p->trans_off = p->data - p->head;
	if (iter_copy_from(pkt_put(p, len), len, &m->iter) != (long)len) {
		pkt_free(p);
		return -EFAULT;
	}
	err = fill_checksum(raw_of(s), &f, p);
	if (err) {
		pkt_free(p);
		return err;
	}
	err = ip_commit(&f, p);
	/* as on Linux, a full queue below is a lost packet unless errors were asked for */
	if (err == -ENOBUFS && !inet_wants_errors(is, &f.dst))
		err = 0;
	return err ? err : (long)len;
}

/* ---- the rest of a socket's life ---- */

static int raw_bind(struct socket *s, const u8 *name, u32 len)
{
	struct ip_addr addr;
	u16 port;
	int err = inet_bind_address(&raw_of(s)->is, name, len, &addr, &port);

	if (!err)
		raw_of(s)->is.laddr = addr;
	return err;
}

/* ICMP_FILTER of either version: how long it is, 0: the option is another. *err: the protocol has
 * none. */
static u32 filter_len(const struct raw_sock *rs, int level, int opt, int *err)
{
	bool v6 = rs->is.s->family == AF_INET6;

	*err = 0;
	if (opt != ICMP_FILTER || level != (v6 ? SOL_ICMPV6 : SOL_RAW))
		return 0;
	if (rs->proto != (v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP))
		*err = -EOPNOTSUPP;
	return v6 ? sizeof(rs->icmp_filter) : sizeof(rs->icmp_filter[0]);
}

static bool is_checksum(const struct raw_sock *rs, int level, int opt)
{
	return rs->is.s->family == AF_INET6 && opt == IPV6_CHECKSUM &&
	       (level == SOL_IPV6 || level == SOL_RAW);
}

static int set_checksum(struct raw_sock *rs, int level, const void *val, u32 len)
{
	int v;

	if (len < sizeof(v))
		return -EINVAL;
	memcpy(&v, val, sizeof(v));
	/* RFC 3542 3.1: ICMPv6's is the kernel's matter; old programs ask for it where it is */
	if (rs->proto == IPPROTO_ICMPV6 && level == SOL_IPV6)
		return -EINVAL;
	if (v > 0 && (v & 1))
		return -EINVAL;
	rs->checksum = v < 0 ? -1 : v;
	return 0;
}

static bool is_alert(const struct socket *s, int level, int opt)
{
	return s->family == AF_INET6 ? level == SOL_IPV6 && opt == IPV6_ROUTER_ALERT :
				       level == SOL_IP && opt == IP_ROUTER_ALERT;
}

/* One value of IPv6's alerts, negative: none; of IPv4's, of which all have the value 0, yes or no.
 * The errnos are Linux's. */
static int set_alert(struct raw_sock *rs, const void *val, u32 len)
{
	bool v6 = rs->is.s->family == AF_INET6, told;
	int v;

	if (len < sizeof(v) && (v6 || !len))
		return -EINVAL;
	if (len < sizeof(v))
		v = *(const u8 *)val;
	else
		memcpy(&v, val, sizeof(v));
	if (v6 != (rs->proto == IPPROTO_RAW))
		return v6 ? -ENOPROTOOPT : -EINVAL;
	told = v;
	if (!v6)
		v = v ? 0 : -1;
	if (v >= 0 && rs->alert >= 0)
		return -EADDRINUSE;
	if (v < 0 && rs->alert < 0)
		return -ENOBUFS;
	rs->alert_told = told;
	WRITE_ONCE(rs->alert, v < 0 ? -1 : v);
	return 0;
}

static int raw_setsockopt(struct socket *s, int level, int opt, const void *val, u32 len)
{
	struct raw_sock *rs = raw_of(s);
	int err;
	u32 size = filter_len(rs, level, opt, &err);

	if (err)
		return err;
	if (size) {
		memcpy(rs->icmp_filter, val, min(len, size));
		return 0;
	}
	if (is_checksum(rs, level, opt))
		return set_checksum(rs, level, val, len);
	if (is_alert(s, level, opt))
		return set_alert(rs, val, len);
	return inet_setsockopt(&rs->is, level, opt, val, len);
}

static int raw_getsockopt(struct socket *s, int level, int opt, void *val, u32 *len)
{
	struct raw_sock *rs = raw_of(s);
	int v, err;
	u32 size = filter_len(rs, level, opt, &err);

	if (err)
		return err;
	if (size) {
		*len = min(*len, size);
		memcpy(val, rs->icmp_filter, *len);
		return 0;
	}
	if (is_checksum(rs, level, opt))
		v = rs->checksum;
	else if (is_alert(s, level, opt))
		v = rs->alert_told;
	else
		return inet_getsockopt(&rs->is, level, opt, val, len);
	*len = min(*len, (u32)sizeof(v));
	memcpy(val, &v, *len);
	return 0;
}

static void raw_free_rcu(struct rcu_head *h)
{
	kfree(container_of(h, struct raw_sock, rcu));
}

static void raw_close(struct socket *s)
{
	struct raw_sock *rs = raw_of(s);

	spin_lock(&raw_lock);
	hlist_del(&rs->node);
	nr_raw[raw_index(s)]--;
	spin_unlock(&raw_lock);
	inet_sock_release(&rs->is);
	call_rcu(&rs->rcu, raw_free_rcu);
}

static const struct socket_ops raw_ops = {
	.bind = raw_bind,
	.connect = inet_op_connect,
	.name = inet_op_name,
	.send = raw_send,
	.recv = inet_op_recv,
	.poll = inet_op_poll,
	.shutdown = inet_op_shutdown,
	.setsockopt = raw_setsockopt,
	.getsockopt = raw_getsockopt,
	.close = raw_close,
};

int raw_create(struct socket *s)
{
	struct raw_sock *rs;
	int err = require_root();

	if (err)
		return err;
	if (!s->protocol)
		return -EPROTONOSUPPORT;
	rs = kzalloc(sizeof(*rs));
	if (!rs)
		return -ENOMEM;
	inet_sock_init(&rs->is, s);
	s->filters = true;
	rs->proto = s->protocol;
	rs->alert = -1;
	rs->checksum = s->family == AF_INET6 && rs->proto == IPPROTO_ICMPV6 ? 2 : -1;
	rs->is.lport = rs->proto; /* shown where others show a port */
	if (rs->proto == IPPROTO_RAW)
		rs->is.flags |= INET_HDRINCL;
	s->priv = rs;
	s->ops = &raw_ops;
	spin_lock(&raw_lock);
	hlist_add_head(&rs->node, &raw_socks[rs->proto]);
	nr_raw[raw_index(s)]++;
	spin_unlock(&raw_lock);
	return 0;
}

/* ---- /proc/net/raw, raw6 ---- */

static void show_address(struct seq *s, const struct ip_addr *a, u16 af, u32 port)
{
	if (af == AF_INET)
		seq_printf(s, "%08X:%04X ", a->w[3], port);
	else
		seq_printf(s, "%08X%08X%08X%08X:%04X ", a->w[0], a->w[1], a->w[2], a->w[3], port);
}

static void show_sock(struct seq *s, const struct raw_sock *rs, u32 sl)
{
	const struct inet_sock *is = &rs->is;
	const struct socket *sock = is->s;

	/* the pointer column tells sockets apart, no more */
	seq_printf(s, "%4u: ", sl);
	show_address(s, &is->laddr, sock->family, rs->proto);
	show_address(s, &is->raddr, sock->family, 0);
	seq_printf(s, "07 %08X:%08X 00:00000000 00000000 %5u        0 %lu 2 %016lx %u\n",
		   socket_tx_bytes(sock), sock->rx_bytes, sock->uid, sock->ino, diag_cookie(sock),
		   sock->rx_drops);
}

static const char raw_title[] = "  sl  local_address rem_address  ";
static const char raw6_title[] = "  sl  local_address                         "
				 "remote_address                       ";

static int raw_show(struct seq *s)
{
	u16 af = (u16)(unsigned long)s->arg;
	struct raw_sock *rs;

	seq_puts(s, af == AF_INET ? raw_title : raw6_title);
	seq_puts(s, " st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer"
		    " drops\n");
	rcu_read_lock();
	for (u32 i = 0; i < ARRAY_SIZE(raw_socks); i++) {
		hlist_for_each_entry(rs, &raw_socks[i], node) {
			if (rs->is.s->family == af)
				show_sock(s, rs, i);
		}
	}
	rcu_read_unlock();
	return 0;
}

static struct procfile files[] = {
	{ .path = "net/raw", .mode = 0444, .show = raw_show, .arg = (void *)AF_INET },
	{ .path = "net/raw6", .mode = 0444, .show = raw_show, .arg = (void *)AF_INET6 },
};

/* ---- the same for programs that ask ---- */

static void raw_walk(struct diag_walk *w)
{
	struct diag_sock d;
	struct raw_sock *rs;
	bool more = true;

	rcu_read_lock();
	while (w->bucket < ARRAY_SIZE(raw_socks) && more) {
		hlist_for_each_entry(rs, &raw_socks[w->bucket], node) {
			if (w->family && rs->is.s->family != w->family)
				continue;
			diag_from_inet(&d, &rs->is);
			d.rport = 0;
			more = w->fn(w, &d);
			if (!more)
				break;
		}
		w->bucket += more;
	}
	rcu_read_unlock();
}

static int raw_destroy(const struct diag_sock *which)
{
	return diag_destroy_datagram(THIS_MODULE, which);
}

static struct diag_table raw_table = {
	.name = "raw",
	.family = AF_INET,
	.protocol = IPPROTO_RAW,
	.walk = raw_walk,
	.destroy = raw_destroy,
};

static void show_sockstat(struct seq *s)
{
	seq_printf(s, "RAW: inuse %u\n", READ_ONCE(nr_raw[0]));
}

static void show_sockstat6(struct seq *s)
{
	seq_printf(s, "RAW6: inuse %u\n", READ_ONCE(nr_raw[1]));
}

static struct ip_mib sockstat[] = {
	{ .name = "RAW", .file = IP_MIB_SOCKSTAT, .rank = 40, .show = show_sockstat },
	{ .name = "RAW6", .file = IP_MIB_SOCKSTAT6, .rank = 40, .show = show_sockstat6 },
};

int raw_init(void)
{
	int err = 0;

	for (u32 i = 0; i < ARRAY_SIZE(sockstat) && !err; i++)
		err = ip_mib_register(&sockstat[i]);
	for (u32 i = 0; i < ARRAY_SIZE(files) && !err; i++)
		err = procfile_add(&files[i]);
	if (!err)
		err = diag_register(&raw_table);
	if (err)
		raw_exit();
	return err;
}

/* Also of those that init did not come to: that does nothing. */
void raw_exit(void)
{
	diag_unregister(&raw_table);
	for (u32 i = 0; i < ARRAY_SIZE(files); i++)
		procfile_remove(&files[i]);
	for (u32 i = 0; i < ARRAY_SIZE(sockstat); i++)
		ip_mib_unregister(&sockstat[i]);
}
