/* SPDX-License-Identifier: MIT */
/* send.c - the user's bytes are copied once, into the packets that will be sent, without the
 * connection's lock; then they are queued and sent under it. What is queued is charged to the
 * socket by true size until it is acknowledged; the bound grows with the congestion window. */
#include "tcp.h"

#define BATCH_MAX 16		      /* packets that are filled before they are queued together */
#define RETRY_NS (10 * NSEC_PER_MSEC) /* when the packet pool is empty */
#define SNDBUF_INITIAL 87040	      /* ten segments and their buffers, twice; Linux's figure */

/* ---- room ---- */

static bool buffer_full(const struct tcp_conn *tc)
{
	return socket_tx_bytes(tc->is.s) >= READ_ONCE(tc->sndbuf);
}

static u32 unsent(const struct tcp_conn *tc)
{
	return READ_ONCE(tc->write_seq) - READ_ONCE(tc->snd_nxt);
}

static u32 notsent_limit(const struct tcp_conn *tc)
{
	return tc->notsent_lowat ? tc->notsent_lowat : (u32)tcp_sysctls.notsent_lowat;
}

/* May another packet be filled? One may where nothing is queued. */
static bool has_room(const struct tcp_conn *tc)
{
	return !socket_tx_bytes(tc->is.s) ||
	       (!buffer_full(tc) && unsent(tc) < notsent_limit(tc) && tcp_memory_allows_tx(tc));
}

/* A third of the buffer is free: whoever is woken has something to do. */
bool tcp_writable(const struct tcp_conn *tc)
{
	u32 used = socket_tx_bytes(tc->is.s), size = READ_ONCE(tc->sndbuf);

	if (!used)
		return true; /* as has_room() */
	return used < size && size - used >= used / 2 && (u64)unsent(tc) * 2 < notsent_limit(tc) &&
	       tcp_memory_allows_tx(tc);
}

/* Two congestion windows, one on its way and one to come, in buffers that are not quite full. */
static void grow_buffer(struct tcp_conn *tc)
{
	u32 want = max(3u * tc->cc.cwnd, (u32)SNDBUF_INITIAL);

	want = min(want, (u32)tcp_sysctls.wmem[2]);
	if (tc->sndbuf_locked || tcp_memory_pressure || want <= tc->sndbuf)
		return;
	WRITE_ONCE(tc->sndbuf, want);
	if (tc->is.s)
		WRITE_ONCE(tc->is.s->sndbuf, want);
}

bool tcp_sndbuf_grow(struct tcp_conn *tc)
{
	if (likely(!tc->tx_waiting) || !tc->is.s)
		return false;
	grow_buffer(tc);
	if (!tcp_writable(tc))
		return false;
	tc->tx_waiting = false;
	return true;
}

/* 0: look again. What is queued goes out although more was announced: it would wait for us, and we
 * for it. */
static int wait_for_room(struct tcp_conn *tc, u32 flags, u64 deadline)
{
	bool room;

	spin_lock(&tc->lock);
	grow_buffer(tc);
	tc->tx_waiting = true;
	smp_mb();
	room = has_room(tc);
	if (!room && tcp_in(tc, TCP_CAN_SEND)) {
		tcp_push(tc);
		tcp_flush(tc);
	}
	spin_unlock(&tc->lock);
	if (room)
		return 0;
	return flags & MSG_DONTWAIT ? -EAGAIN : socket_wait(tc->is.s, deadline);
}

/* Whoever got EAGAIN waits to be told (edge triggered epoll), but without anything on its way no
 * ACK will do that. */
static void promise_room(struct tcp_conn *tc, u64 at)
{
	spin_lock(&tc->lock);
	tc->tx_waiting = true;
	if (tcp_in(tc, TCP_CAN_SEND) &&
	    (!tc->deadline[TCP_TIMER_PACE] || tc->deadline[TCP_TIMER_PACE] > at))
		tcp_timer_set(tc, TCP_TIMER_PACE, at);
	spin_unlock(&tc->lock);
}

/* No buffer to be had anywhere: others give theirs back. */
static int wait_for_memory(struct tcp_conn *tc, u32 flags, u64 deadline)
{
	u64 soon = ktime_get() + RETRY_NS;
	int err;

	if (flags & MSG_DONTWAIT) {
		promise_room(tc, soon);
		return -EAGAIN;
	}
	err = socket_wait(tc->is.s, deadline ? min(deadline, soon) : soon);
	if (err == -EAGAIN && (!deadline || ktime_get() < deadline))
		return 0;
	return err == -EINTR && !deadline ? -ERESTARTSYS : err;
}

/* ---- filling ---- */

/* Packets of one call on their way to the queue. */
struct filling {
	struct list_head packets;
	struct pkt *tail; /* the queue's last packet, with a reference, and how much was added */
	u32 tail_added;
	u32 nr;
};

static u32 copy_in(struct pkt *p, u32 n, struct iov_iter *from)
{
	long got = iter_copy_from(p->data + p->len, n, from);

	return got > 0 ? got : 0;
}

/* Bytes go behind those that wait in the last packet. */
static u32 fill_tail(struct tcp_conn *tc, struct filling *f, struct iov_iter *from)
{
	u32 room = 0, n;

	spin_lock(&tc->lock);
	if (tcp_in(tc, TCP_CAN_SEND))
		f->tail = tcp_txq_tail(tc, &room);
	spin_unlock(&tc->lock);
	if (!f->tail)
		return 0;
	n = min((size_t)room, from->count);
	/* p->len is the queue's: the bytes count once tcp_txq_extend says so */
	f->tail_added = copy_in(f->tail, n, from);
	return f->tail_added;
}

static struct pkt *fill_packet(struct tcp_conn *tc, struct iov_iter *from)
{
	u32 headroom = tcp_tx_headroom(tc), n, room;
	struct pkt *p;

	n = min((size_t)tcp_tx_chunk(tc, from->count), from->count);
	/* a pool buffer has room for what comes later */
	room = max(n, (u32)PKT_BUF_SIZE - headroom);
	p = pkt_alloc(PKT_POOL_TX, headroom, room);
	if (!p)
		return ERR_PTR(-ENOBUFS);
	n = copy_in(p, n, from);
	if (!n) {
		pkt_free(p);
		return ERR_PTR(-EFAULT);
	}
	pkt_put(p, n);
	socket_charge_tx(tc->is.s, p);
	return p;
}

/* Bytes copied, or the error when there are none. */
static long fill(struct tcp_conn *tc, struct filling *f, struct iov_iter *from)
{
	size_t before = from->count;
	struct pkt *p;

	if (READ_ONCE(tc->tx_next) && fill_tail(tc, f, from) && !from->count)
		return before;
	while (from->count && f->nr < BATCH_MAX && has_room(tc)) {
		p = fill_packet(tc, from);
		if (IS_ERR(p)) {
			if (from->count == before)
				return PTR_ERR(p);
			break;
		}
		list_add_tail(&p->node, &f->packets);
		f->nr++;
	}
	return before - from->count;
}

/* ---- queueing ---- */

/* The last byte is the urgent one (RFC 6093). */
static void mark_urgent(struct tcp_conn *tc)
{
	tc->snd_up = tc->write_seq;
	tc->urgent_out = true;
}

/* Lock held. False: the connection went away, and the bytes with it. */
static bool queue_and_send(struct tcp_conn *tc, struct filling *f, u32 flags, bool last)
{
	bool push = last && !(flags & MSG_MORE), alive = tcp_in(tc, TCP_CAN_SEND);
	struct pkt *p;

	if (f->tail)
		tcp_txq_extend(tc, f->tail, alive ? f->tail_added : 0, push && !f->nr);
	while (!list_empty(&f->packets)) {
		p = list_first_entry(&f->packets, struct pkt, node);
		list_del(&p->node);
		if (alive)
			tcp_txq_append(tc, p, push && list_empty(&f->packets));
		else
			pkt_free(p);
	}
	if (!alive)
		return false;
	if ((flags & MSG_OOB) && last)
		mark_urgent(tc);
	tcp_output(tc);
	return true;
}

/* Moves what fits now. Bytes, 0: no room, or an error. */
static long send_some(struct tcp_conn *tc, struct msg *m)
{
	struct filling f = { .packets = LIST_HEAD_INIT(f.packets) };
	long n = fill(tc, &f, &m->iter);

	/* no byte was filled: the tail still has to be given back */
	if (n <= 0 && !f.tail)
		return n;
	/* the doorbell is left for after the lock: other CPUs have ACKs for it meanwhile */
	batch_begin();
	spin_lock(&tc->lock);
	if (!queue_and_send(tc, &f, m->flags, !m->iter.count) && n > 0)
		n = -EPIPE;
	if (unlikely(tc->todo))
		tcp_flush(tc);
	spin_unlock(&tc->lock);
	batch_finish();
	return n;
}

/* ---- the call ---- */

/* A connection that cannot take data now: 0 look again. */
static int not_ready(struct tcp_conn *tc, u32 flags, u64 deadline)
{
	bool wait, able;
	int err;

	/* the end comes with its error, and is not to be seen without */
	spin_lock(&tc->lock);
	err = socket_take_error(tc->is.s);
	able = tcp_in(tc, TCP_CAN_SEND) && !(tc->shutdown & 2);
	wait = tcp_in(tc, TCP_STATE_BIT(TCP_SYN_SENT) | TCP_STATE_BIT(TCP_SYN_RECV)) &&
	       !(tc->shutdown & 2);
	spin_unlock(&tc->lock);
	if (err)
		return err;
	if (!wait)
		return able ? 0 : -EPIPE;
	return flags & MSG_DONTWAIT ? -EAGAIN : socket_wait(tc->is.s, deadline);
}

static bool ready(const struct tcp_conn *tc)
{
	return likely(tcp_in(tc, TCP_CAN_SEND) && !(tc->shutdown & 2) &&
		      !READ_ONCE(tc->is.s->error));
}

/* As much of the message as a SYN may carry, in a packet. NULL: none of it. */
static struct pkt *fill_syn(struct tcp_conn *tc, struct msg *m, u32 *len)
{
	u32 headroom = tcp_tx_headroom(tc), n;
	struct pkt *p;

	spin_lock(&tc->lock);
	n = tc->state == TCP_SYN_SENT ? tcp_fastopen_room(tc) : 0;
	spin_unlock(&tc->lock);
	*len = 0;
	n = min((size_t)min(n, (u32)PKT_BUF_SIZE - headroom), m->iter.count);
	p = n ? pkt_alloc(PKT_POOL_TX, headroom, PKT_BUF_SIZE - headroom) : NULL;
	if (!p)
		return NULL;
	*len = copy_in(p, n, &m->iter);
	pkt_put(p, *len);
	socket_charge_tx(tc->is.s, p);
	return p;
}

/* sendto(MSG_FASTOPEN) connects; its SYN waits for the data. */
static int connect_first(struct socket *s, const struct msg *m)
{
	u16 af = AF_UNSPEC;

	if (m->name_len >= sizeof(af))
		memcpy(&af, m->name, sizeof(af));
	if (!(tcp_sysctls.fastopen & 1) || (m->name_len >= sizeof(af) && af == AF_UNSPEC))
		return -EOPNOTSUPP;
	if (m->name_len < sizeof(af))
		return -EINVAL;
	return tcp_connect_held(s, m->name, m->name_len, m->flags & MSG_DONTWAIT);
}

/* RFC 7413 4.2.1 and A.2: sendto connects and sends, or the first send behind a connect that did
 * not (TCP_FASTOPEN_CONNECT). Bytes taken, or why not; 0: it is connected, and all is to be sent.
 */
static long send_first(struct socket *s, struct msg *m)
{
	struct tcp_conn *tc = tcp_of(s);
	struct pkt *p;
	u32 n;
	int err;

	if (!(tc->fastopen & TCP_FO_HELD)) {
		err = connect_first(s, m);
		if (err || !(tc->fastopen & TCP_FO_HELD))
			return err;
	}
	p = fill_syn(tc, m, &n);
	err = tcp_connect_release(s, p, m->flags & MSG_DONTWAIT);
	if (err == -EINPROGRESS && n)
		return n;
	return err ? err : (long)n;
}

/* What is no longer than a segment and finds nothing waiting before it: one packet, queued and
 * sent. 0: the long way has to see. */
static long send_short(struct tcp_conn *tc, struct msg *m, u32 len)
{
	u32 headroom = tcp_tx_headroom(tc);
	struct pkt *p;

	if (READ_ONCE(tc->tx_next) || !has_room(tc) || (m->flags & (MSG_MORE | MSG_OOB)))
		return 0;
	p = pkt_alloc(PKT_POOL_TX, headroom, max(len, (u32)PKT_BUF_SIZE - headroom));
	if (unlikely(!p))
		return 0;
	if (unlikely(iter_copy_from(p->data, len, &m->iter) != (long)len)) {
		pkt_free(p);
		return -EFAULT;
	}
	p->len = len;
	socket_charge_tx(tc->is.s, p);
	spin_lock(&tc->lock);
	if (likely(tcp_in(tc, TCP_CAN_SEND))) {
		tcp_txq_append(tc, p, true);
		tcp_output(tc);
	} else {
		pkt_free(p);
		len = 0;
	}
	if (unlikely(tc->todo))
		tcp_flush(tc);
	spin_unlock(&tc->lock);
	return len ? (long)len : socket_take_error(tc->is.s) ?: -EPIPE;
}

long tcp_send(struct socket *s, struct msg *m, size_t len)
{
	struct tcp_conn *tc = tcp_of(s);
	u64 deadline = socket_deadline(s, true);
	size_t done = 0;
	long n, err = 0;

	if (likely(len && len <= tc->mss && ready(tc) && !(m->flags & MSG_FASTOPEN))) {
		n = send_short(tc, m, len);
		if (likely(n))
			return n;
	}
	if (unlikely((m->flags & MSG_FASTOPEN) || (tc->fastopen & TCP_FO_HELD))) {
		n = send_first(s, m);
		/* the handshake goes on without the caller: the rest is for another call */
		if (n < 0 || tcp_in(tc, TCP_STATE_BIT(TCP_SYN_SENT) | TCP_STATE_BIT(TCP_SYN_RECV)))
			return n;
		done = n;
	}
	for (;;) {
		if (unlikely(!ready(tc))) {
			err = not_ready(tc, m->flags, deadline);
			if (err)
				break;
			continue;
		}
		if (done == len)
			break;
		n = send_some(tc, m);
		if (likely(n > 0)) {
			done += n;
			if (done == len)
				break;
			continue;
		}
		if (n == -ENOBUFS)
			err = wait_for_memory(tc, m->flags, deadline);
		else
			err = n ? n : wait_for_room(tc, m->flags, deadline);
		if (err)
			break;
	}
	return done ? (long)done : err;
}
