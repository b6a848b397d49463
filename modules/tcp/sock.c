/* SPDX-License-Identifier: MIT */
/* sock.c - a TCP socket's calls beside moving data: names, connect, listen, accept, shutdown,
 * close, readiness, ioctls. What they answer in which state is Linux's, errno for errno. */
#include "ports.h"
#include "stamp.h"

#include <weft/sched.h>

#define FIONREAD 0x541b
#define SIOCOUTQ 0x5411
#define SIOCATMARK 0x8905
#define SIOCOUTQNSD 0x894b

/* tcp_conn.phase */
#define PHASE_UNCONNECTED 0
#define PHASE_CONNECTING 1 /* the SYN left; connect has not told how it ended */
#define PHASE_CONNECTED 2

#define HANDSHAKE (TCP_STATE_BIT(TCP_SYN_SENT) | TCP_STATE_BIT(TCP_SYN_RECV))
#define FIN_UNACKED                                                                                \
	(TCP_STATE_BIT(TCP_SYN_RECV) | TCP_STATE_BIT(TCP_FIN_WAIT1) | TCP_STATE_BIT(TCP_CLOSING) | \
	 TCP_STATE_BIT(TCP_LAST_ACK))

void tcp_wake(struct tcp_conn *tc, u32 poll_events)
{
	if (tc->is.s)
		socket_wake(tc->is.s, poll_events);
}

/* ---- names ---- */

static int tcp_bind(struct socket *s, const u8 *name, u32 len)
{
	struct tcp_conn *tc = tcp_of(s);
	struct ip_addr addr, before = tc->is.laddr;
	u16 port;
	int err;

	err = inet_bind_address(&tc->is, name, len, &addr, &port);
	if (err)
		return err;
	if (port && inet_port_privileged(port) && require_root())
		return -EACCES;
	/* a port that connect chose went with the connection */
	if (tc->state != TCP_CLOSE || tc->end.port)
		return -EINVAL;
	tc->is.laddr = addr;
	err = port || !(tc->is.flags & INET_BIND_NO_PORT) ? tcp_bind_port(tc, port) : 0;
	if (err)
		tc->is.laddr = before;
	else
		tc->addr_bound = !ip_addr_is_any(&addr);
	return err;
}

static int tcp_name(struct socket *s, u8 *name, u32 *len, enum socket_name which)
{
	struct tcp_conn *tc = tcp_of(s);

	if (which == SOCKET_NAME_PEER &&
	    tcp_in(tc, TCP_STATE_BIT(TCP_CLOSE) | TCP_STATE_BIT(TCP_SYN_SENT)))
		return -ENOTCONN;
	return inet_name(&tc->is, name, len, which != SOCKET_NAME_OWN);
}

/* ---- connect ---- */

static int peer_address(struct tcp_conn *tc, const u8 *name, u32 len, struct inet_peer *peer)
{
	int err = inet_peer_address(&tc->is, name, len, peer);

	if (err)
		return err;
	if (ip_addr_is_multicast(&peer->addr))
		return -ENETUNREACH;
	return inet_connect_scope(&tc->is, peer);
}

/* Route and source for a flow to the peer. */
static int find_flow(struct tcp_conn *tc, const struct inet_peer *peer)
{
	struct inet_sock *is = &tc->is;
	struct flow f;
	int err;

	is->rport = peer->port;
	is->flow_label = peer->flow_label;
	inet_flow_init(is, &f, &peer->addr);
	f.proto = IPPROTO_TCP;
	f.flags |= FLOW_BROADCAST | FLOW_PARK;
	err = ip_flow_check(&f, 0, NULL);
	/* a neighbour that does not answer and a full ring are matters of the moment */
	if (err && err != -EHOSTUNREACH && err != -EAGAIN && err != -ENOBUFS)
		return err;
	if (!f.route_gen)
		return err ? err : -ENETUNREACH;
	if (f.kind == IP_KIND_BROADCAST || f.kind == IP_KIND_MULTICAST)
		return -ENETUNREACH;
	if (ip_addr_is_any(&is->laddr))
		is->laddr = f.saddr;
	is->raddr = peer->addr;
	is->flow = f;
	tcp_flow_fill(tc, &is->flow);
	return 0;
}

static void forget_peer(struct tcp_conn *tc)
{
	struct inet_sock *is = &tc->is;

	is->raddr = ip_addr_any(is->s->family);
	is->rport = 0;
	if (!tc->addr_bound)
		is->laddr = ip_addr_any(is->s->family);
	if (!(tc->end.bind & TCP_BIND_EXPLICIT))
		is->lport = 0;
	flow_reset(&is->flow);
}

/* With TCP_FASTOPEN_CONNECT the SYN waits for the first data when it may carry some. send holds it
 * for certain, and knows later. */
static void first_syn(struct tcp_conn *tc, bool hold)
{
	bool fast = (hold || tc->fastopen_connect) && tcp_fastopen_begin(tc);

	if (hold || fast)
		tc->fastopen |= TCP_FO_HELD;
	else
		tcp_send_syn(tc);
}

/* From a closed socket, fresh or used before, to SYN-SENT. */
static int start_connecting(struct tcp_conn *tc, const u8 *name, u32 len, bool hold)
{
	struct socket *s = tc->is.s;
	struct inet_peer peer;
	int err;

	err = peer_address(tc, name, len, &peer);
	if (err)
		return err;
	spin_lock(&tc->lock);
	tcp_rxq_purge(tc);
	tcp_conn_reset(tc);
	spin_unlock(&tc->lock);
	forget_peer(tc);
	spin_lock(&s->rx_lock);
	s->shut = 0;
	s->error = 0;
	spin_unlock(&s->rx_lock);
	err = find_flow(tc, &peer);
	if (!err)
		err = tcp_bind_tuple(tc);
	if (!err) {
		spin_lock(&tc->lock);
		tcp_connect_start(tc);
		first_syn(tc, hold);
		tcp_flush(tc);
		spin_unlock(&tc->lock);
	}
	if (err)
		forget_peer(tc);
	return err;
}

static void disconnect(struct tcp_conn *tc)
{
	if (tc->listen)
		tcp_listen_stop(tc);
	spin_lock(&tc->lock);
	if (tc->state != TCP_CLOSE)
		tcp_abort(tc, ECONNRESET);
	tcp_rxq_purge(tc);
	tcp_conn_reset(tc);
	spin_unlock(&tc->lock);
	forget_peer(tc);
	tc->phase = PHASE_UNCONNECTED;
	if (!(tc->end.bind & TCP_BIND_EXPLICIT))
		tcp_release_port(&tc->end);
}

/* Sleeps until the handshake is over. */
static int wait_connected(struct tcp_conn *tc, u64 deadline)
{
	int err = 0;

	while (!err && tcp_in(tc, HANDSHAKE))
		err = socket_wait(tc->is.s, deadline);
	return err;
}

/* What a call that began with a SYN on its way tells in the end. */
static int finish_connecting(struct tcp_conn *tc, int told, bool nonblock)
{
	struct socket *s = tc->is.s;
	int err;

	if (tcp_in(tc, HANDSHAKE)) {
		if (nonblock)
			return told;
		err = wait_connected(tc, socket_deadline(s, true));
		if (err)
			return err == -EAGAIN ? told : err;
	}
	if (tc->state == TCP_CLOSE) {
		tc->phase = PHASE_UNCONNECTED;
		err = socket_take_error(s);
		return err ? err : -ECONNABORTED;
	}
	tc->phase = PHASE_CONNECTED;
	return 0;
}

static int begin_connecting(struct tcp_conn *tc, const u8 *name, u32 len, bool hold)
{
	int err;

	if (tc->state != TCP_CLOSE)
		return -EISCONN;
	err = start_connecting(tc, name, len, hold);
	if (!err)
		tc->phase = PHASE_CONNECTING;
	return err;
}

int tcp_connect(struct socket *s, const u8 *name, u32 len, bool nonblock)
{
	struct tcp_conn *tc = tcp_of(s);
	int err, told = -EALREADY;
	u16 af;

	memcpy(&af, name, sizeof(af));
	if (af == AF_UNSPEC) {
		disconnect(tc);
		return 0;
	}
	if (tc->phase == PHASE_CONNECTED || tc->state == TCP_LISTEN || (tc->fastopen & TCP_FO_HELD))
		return -EISCONN;
	if (tc->phase == PHASE_UNCONNECTED) {
		err = begin_connecting(tc, name, len, false);
		/* who sends now is connected, as far as he can see */
		if (err || (tc->fastopen & TCP_FO_HELD))
			return err;
		told = -EINPROGRESS;
		/* over lo the answer may be there already: who does not wait hears of it later, as
		 * on Linux */
		if (nonblock)
			return told;
	}
	return finish_connecting(tc, told, nonblock);
}

int tcp_connect_held(struct socket *s, const u8 *name, u32 len, bool nonblock)
{
	struct tcp_conn *tc = tcp_of(s);

	if (tc->phase == PHASE_CONNECTING)
		return finish_connecting(tc, -EALREADY, nonblock);
	if (tc->phase == PHASE_CONNECTED || tc->state == TCP_LISTEN)
		return -EISCONN;
	return begin_connecting(tc, name, len, true);
}

int tcp_connect_release(struct socket *s, struct pkt *p, bool nonblock)
{
	struct tcp_conn *tc = tcp_of(s);

	spin_lock(&tc->lock);
	if (p && tcp_in(tc, HANDSHAKE | TCP_CAN_SEND))
		tcp_txq_append(tc, p, true);
	else if (p)
		pkt_free(p); /* it is over */
	if (tc->fastopen & TCP_FO_HELD)
		tcp_send_syn(tc);
	else
		tcp_output(tc); /* the peer called us at the same time */
	tcp_flush(tc);
	spin_unlock(&tc->lock);
	return finish_connecting(tc, -EINPROGRESS, nonblock);
}

/* ---- listen, accept ---- */

static int tcp_listen(struct socket *s, int backlog)
{
	struct tcp_conn *tc = tcp_of(s);

	if (tc->phase != PHASE_UNCONNECTED ||
	    !tcp_in(tc, TCP_STATE_BIT(TCP_CLOSE) | TCP_STATE_BIT(TCP_LISTEN)))
		return -EINVAL;
	if (tc->state == TCP_CLOSE) {
		spin_lock(&s->rx_lock);
		s->shut = 0;
		spin_unlock(&s->rx_lock);
		tc->shutdown = 0;
	}
	return tcp_listen_start(tc, backlog);
}

static const struct socket_ops tcp_ops;

/* The connection gets its socket. Options of SOL_SOCKET are the listener's, by the core. */
static void graft(struct tcp_conn *tc, struct socket *child)
{
	int err;

	spin_lock(&tc->lock);
	child->priv = tc;
	child->ops = child->stamping ? &tcp_stamping_ops : &tcp_ops;
	child->rcvbuf = tc->rcvbuf;
	child->sndbuf = tc->sndbuf;
	child->bound_if = tc->end.bound_if; /* where its peer's address means something */
	tc->is.s = child;
	tc->parent = NULL;
	tc->phase = PHASE_CONNECTED;
	err = tc->error;
	tc->error = 0;
	if (child->keepalive)
		tcp_keepalive_restart(tc);
	spin_unlock(&tc->lock);
	if (err)
		socket_set_error(child, err);
}

/* A wake-up wakes one of those that sleep in accept. */
static void next_accepter(struct tcp_conn *listener)
{
	if (listener->nr_accepting && tcp_accept_ready(listener))
		tcp_wake(listener, POLLIN | POLLRDNORM);
}

static int tcp_accept(struct socket *s, struct socket *child, bool nonblock)
{
	struct tcp_conn *listener = tcp_of(s), *tc;
	u64 deadline = socket_deadline(s, false);
	int err;

	for (;;) {
		if (listener->state != TCP_LISTEN)
			return -EINVAL;
		tc = tcp_accept_take(listener);
		if (tc)
			break;
		if (nonblock)
			return -EAGAIN;
		listener->nr_accepting++;
		err = socket_wait_one(s, deadline);
		listener->nr_accepting--;
		if (err) {
			next_accepter(listener);
			return err;
		}
	}
	next_accepter(listener);
	graft(tc, child);
	return 0;
}

/* ---- shutdown, close ---- */

static int tcp_shutdown(struct socket *s, int how)
{
	struct tcp_conn *tc = tcp_of(s);
	u8 bits = how + 1;
	int err = 0;

	if (tc->phase == PHASE_CONNECTING)
		tc->phase = tcp_in(tc, HANDSHAKE | TCP_STATE_BIT(TCP_CLOSE)) ? PHASE_UNCONNECTED :
									       PHASE_CONNECTED;
	if ((tc->state == TCP_LISTEN && (bits & 1)) || tc->state == TCP_SYN_SENT) {
		disconnect(tc);
		s->listening = false;
		return 0;
	}
	spin_lock(&tc->lock);
	tc->shutdown |= bits;
	if (tc->state == TCP_CLOSE)
		err = -ENOTCONN;
	else if (bits & 2)
		tcp_close_send(tc);
	tcp_flush(tc);
	/* whoever polls sees it whatever we answer */
	tcp_wake(tc, POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM | POLLRDHUP | POLLHUP);
	spin_unlock(&tc->lock);
	return err;
}

/* SO_LINGER with a time: close returns when the FIN is acknowledged, or after that time. */
static void linger(struct socket *s, struct tcp_conn *tc)
{
	u64 deadline;
	int err = 0;

	if (s->linger <= 0 || s->dead || tc->listen)
		return;
	deadline = ktime_get() + (u64)s->linger * NSEC_PER_SEC;
	spin_lock(&tc->lock);
	if (!tcp_readable(tc)) {
		tcp_close_send(tc);
		tcp_flush(tc);
	}
	spin_unlock(&tc->lock);
	while (!err && tcp_in(tc, FIN_UNACKED))
		err = socket_wait(s, deadline);
}

static void tcp_op_close(struct socket *s)
{
	struct tcp_conn *tc = tcp_of(s);

	if (!tc) /* accept found nothing for it */
		return;
	linger(s, tc);
	tcp_close(tc);
}

/* ---- readiness ---- */

/* Says that somebody waits before it looks: either room is seen, or the ACK that makes it wakes. */
static __noinline bool writable_or_ask(struct tcp_conn *tc)
{
	if (tcp_writable(tc))
		return true;
	WRITE_ONCE(tc->tx_waiting, true);
	smp_mb();
	return tcp_writable(tc);
}

static inline u32 data_events(struct tcp_conn *tc, u8 shut)
{
	int lowat = READ_ONCE(tc->is.s->rcvlowat);
	u32 events = 0, target = max(lowat, 1);

	/* the mark itself is no data, unless it is inline */
	if (tc->urgent_state && tc->rcv_up == tc->copied_seq && !tc->is.s->oobinline)
		target++;
	if (tcp_readable(tc) >= target && tc->state != TCP_SYN_SENT)
		events |= POLLIN | POLLRDNORM;
	if (tc->urgent_state == TCP_URGENT_VALID)
		events |= POLLPRI;
	if ((shut & 2) || !socket_tx_bytes(tc->is.s) || writable_or_ask(tc))
		events |= POLLOUT | POLLWRNORM;
	return events;
}

static u32 error_event(struct tcp_conn *tc, int err)
{
	return unlikely(err || inet_has_error(&tc->is)) ? POLLERR : 0;
}

static __noinline u32 poll_any(struct socket *s)
{
	struct tcp_conn *tc = tcp_of(s);
	u8 state = READ_ONCE(tc->state), shut = READ_ONCE(tc->shutdown);
	int err = READ_ONCE(s->error);
	u32 events = 0;

	if (state == TCP_LISTEN)
		return tcp_accept_ready(tc) ? POLLIN | POLLRDNORM : 0;
	if (state == TCP_CLOSE || err) {
		/* the end is seen whole, or not yet */
		spin_lock(&tc->lock);
		state = tc->state;
		shut = tc->shutdown;
		err = READ_ONCE(s->error);
		spin_unlock(&tc->lock);
	}
	if (shut == 3 || state == TCP_CLOSE)
		events |= POLLHUP;
	if (shut & 1)
		events |= POLLIN | POLLRDNORM | POLLRDHUP;
	if (state != TCP_SYN_SENT && state != TCP_SYN_RECV)
		events |= data_events(tc, shut);
	else if (READ_ONCE(tc->fastopen) & TCP_FO_HELD)
		events |= POLLOUT | POLLWRNORM; /* the SYN waits for it */
	return events | error_event(tc, err);
}

static u32 tcp_poll(struct socket *s)
{
	struct tcp_conn *tc = tcp_of(s);

	/* open in both directions, which most are that are asked */
	if (likely(READ_ONCE(tc->state) == TCP_ESTABLISHED && !READ_ONCE(tc->shutdown) &&
		   !READ_ONCE(s->error)))
		return data_events(tc, 0) | error_event(tc, 0);
	return poll_any(s);
}

/* ---- ioctls ---- */

static int queue_length(struct tcp_conn *tc, u32 cmd)
{
	if (cmd == SIOCATMARK)
		return tcp_at_mark(tc);
	if (tc->state == TCP_LISTEN)
		return -EINVAL;
	if (cmd == FIONREAD)
		return tcp_fionread(tc);
	if (tcp_in(tc, HANDSHAKE))
		return 0;
	/* a FIN that was sent counts, as on Linux: it is behind the last byte */
	return seq_max(tc->write_seq, tc->snd_nxt) - (cmd == SIOCOUTQ ? tc->snd_una : tc->snd_nxt);
}

static long tcp_ioctl(struct socket *s, u32 cmd, unsigned long arg)
{
	struct tcp_conn *tc = tcp_of(s);
	int n;

	if (cmd != FIONREAD && cmd != SIOCOUTQ && cmd != SIOCATMARK && cmd != SIOCOUTQNSD)
		return -ENOIOCTLCMD;
	spin_lock(&tc->lock);
	n = queue_length(tc, cmd);
	spin_unlock(&tc->lock);
	if (n < 0)
		return n;
	return copy_to_user((void __user *)arg, &n, sizeof(n));
}

static const struct socket_ops tcp_ops = {
	.bind = tcp_bind,
	.connect = tcp_connect,
	.listen = tcp_listen,
	.accept = tcp_accept,
	.name = tcp_name,
	.send = tcp_send,
	.recv = tcp_recv,
	.poll = tcp_poll,
	.shutdown = tcp_shutdown,
	.setsockopt = tcp_setsockopt,
	.getsockopt = tcp_getsockopt,
	.ioctl = tcp_ioctl,
	.close = tcp_op_close,
};

void tcp_sock_init(void)
{
	tcp_stamp_init(&tcp_ops);
}

int tcp_socket(struct socket *s)
{
	struct tcp_conn *tc;

	tcp_cc_prepare();
	tc = tcp_conn_new(s);
	if (!tc)
		return -ENOMEM;
	s->priv = tc;
	s->ops = &tcp_ops;
	s->protocol = IPPROTO_TCP;
	s->rcvbuf = tc->rcvbuf;
	s->sndbuf = tc->sndbuf;
	return 0;
}
