/* SPDX-License-Identifier: MIT */
/* sockerr.c - a socket's queue of errors (IP_RECVERR, recvmsg with MSG_ERRQUEUE): what ICMP said
 * about packets it sent, and sends that were too long for the path. The queue is bounded: what does
 * not fit is still told by SO_ERROR. */
#include "ip.h"

#define QUOTE_MAX 256

void inet_drop_errors(struct inet_sock *is)
{
	kfree(is->path_mtu);
	is->path_mtu = NULL;
}

/* ---- filling it ---- */

static struct inet_error *error_alloc(const u8 *quote, u32 quote_len)
{
	return socket_notice_alloc(sizeof(struct inet_error), quote,
				   min(quote_len, (u32)QUOTE_MAX));
}

/* ICMPv6's pointers are told too, as on Linux. */
static u32 error_info(const struct ip_error *e, bool v4)
{
	switch (e->kind) {
	case IP_ERR_TOO_BIG:
		return e->info;
	case IP_ERR_HEADER:
	case IP_ERR_NEXT_HEADER:
	case IP_ERR_OPTION:
	case IP_ERR_CHAIN:
		return v4 ? 0 : e->info;
	default:
		return 0;
	}
}

static void queue_remote(struct inet_sock *is, const struct ip_error *e, u16 remote_port,
			 const u8 *quote, u32 quote_len)
{
	struct inet_error *ie = error_alloc(quote, quote_len);
	bool v4 = ip_addr_is_v4(&e->remote);

	if (!ie)
		return;
	ie->n.ee = (struct sock_extended_err){
		.ee_errno = e->err,
		.ee_type = e->icmp_type,
		.ee_code = e->icmp_code,
		.ee_info = error_info(e, v4),
		.ee_origin = v4 ? SO_EE_ORIGIN_ICMP : SO_EE_ORIGIN_ICMP6,
	};
	ie->offender = e->offender;
	ie->remote = e->remote;
	ie->remote_port = remote_port;
	ie->ifindex = e->ifindex;
	ie->has_rx = e->rx;
	if (e->rx)
		ie->rx = *e->rx;
	socket_notice_queue(is->s, &ie->n, INET_ERRQ_MAX);
}

void inet_error(struct inet_sock *is, const struct ip_error *e, u16 remote_port, const u8 *quote,
		u32 quote_len)
{
	bool recverr = inet_wants_errors(is, &e->remote);

	if (!e->err || (!recverr && ip_addr_is_any(&is->raddr)))
		return;
	if (recverr)
		queue_remote(is, e, remote_port, quote, quote_len);
	if (recverr || e->fatal)
		socket_set_error(is->s, e->err);
}
EXPORT(inet_error);

static struct inet_error *too_long(const struct flow *f)
{
	struct inet_error *e = error_alloc(NULL, 0);

	if (!e)
		return NULL;
	e->n.ee = (struct sock_extended_err){
		.ee_errno = EMSGSIZE,
		.ee_origin = SO_EE_ORIGIN_LOCAL,
		.ee_info = f->mtu,
	};
	e->offender = ip_addr_any(ip_addr_family(&f->dst));
	e->remote = f->dst;
	e->remote_port = f->dport;
	e->ifindex = f->ifindex;
	return e;
}

void inet_error_too_long(struct inet_sock *is, const struct flow *f)
{
	struct inet_error *e = inet_wants_errors(is, &f->dst) ? too_long(f) : NULL;

	if (e)
		socket_notice_queue(is->s, &e->n, INET_ERRQ_MAX);
	/* RFC 3542 11.3: the last one is enough */
	if (!ip_addr_is_v4(&f->dst) && (is->v6.flags & INET_RECVPATHMTU)) {
		e = too_long(f);
		if (e) {
			kfree(is->path_mtu);
			is->path_mtu = e;
		}
	}
}

/* ---- reading it ---- */

static bool is_error(const struct inet_error *e)
{
	return e->n.ee.ee_origin <= SO_EE_ORIGIN_ICMP6;
}

/* The core's own notices are shorter. */
static bool has_rx(const struct inet_error *e)
{
	return e->n.ee.ee_origin != SO_EE_ORIGIN_ZEROCOPY && e->has_rx;
}

static void put_error(struct inet_sock *is, struct msg *m, const struct inet_error *e)
{
	u8 control[sizeof(struct sock_extended_err) + SOCKADDR_MAX] = { 0 };
	bool v4 = is->s->family == AF_INET;
	u16 af = v4 ? AF_INET : AF_INET6;
	u32 len = sizeof(e->n.ee);

	memcpy(control, &e->n.ee, sizeof(e->n.ee));
	if (e->n.ee.ee_origin != SO_EE_ORIGIN_LOCAL && (is_error(e) || has_rx(e)))
		len += ip_addr_to_sockaddr(control + len, af, &e->offender, 0, e->ifindex);
	else /* of family AF_UNSPEC: nobody */
		len += v4 ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
	msg_put_control(m, v4 ? SOL_IP : SOL_IPV6, v4 ? IP_RECVERR : IPV6_RECVERR, control, len);
}

long inet_recv_error(struct inet_sock *is, struct msg *m, size_t len)
{
	struct socket_notice *n = socket_notice_take(is->s);
	struct inet_error *e;
	long got;

	if (!n)
		return -EAGAIN;
	e = container_of(n, struct inet_error, n);
	got = iter_copy_to(n->data, min(len, (size_t)n->len), &m->iter);
	if (got >= 0) {
		if (n->stamp_ns)
			msg_put_sent_stamp(is->s, m, n->stamp_ns);
		if (m->name && is_error(e))
			m->name_len = ip_addr_to_sockaddr(m->name, is->s->family, &e->remote,
							  e->remote_port, e->ifindex);
		/* Linux: also of the message that told it, which is what tracepath counts hops by
		 */
		if (has_rx(e))
			inet_rx_control(is, m, &e->rx, NULL);
		put_error(is, m, e);
		m->flags |= MSG_ERRQUEUE | (len < n->len ? MSG_TRUNC : 0);
	}
	kfree(n);
	return got;
}
EXPORT(inet_recv_error);

/* struct ip6_mtuinfo of RFC 3542 11.3 */
struct mtu_info {
	struct sockaddr_in6 peer;
	u32 mtu;
};

bool inet_recv_path_mtu(struct inet_sock *is, struct msg *m)
{
	struct inet_error *e = is->path_mtu;
	u8 name[SOCKADDR_MAX];
	struct mtu_info info;

	if (!e || !(is->v6.flags & INET_RECVPATHMTU))
		return false;
	is->path_mtu = NULL;
	ip_addr_to_sockaddr(name, AF_INET6, &e->remote, e->remote_port, e->ifindex);
	memcpy(&info.peer, name, sizeof(info.peer));
	info.mtu = e->n.ee.ee_info;
	if (m->name) {
		memcpy(m->name, &info.peer, sizeof(info.peer));
		m->name_len = sizeof(info.peer);
	}
	msg_put_control(m, SOL_IPV6, IPV6_PATHMTU, &info, sizeof(info));
	kfree(e);
	return true;
}
