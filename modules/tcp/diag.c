/* SPDX-License-Identifier: MIT */
/* diag.c - what TCP tells of its ends, connections, half-open ones and TIME-WAITs alike: for
 * /proc/net/tcp, and as a table for ss(8), which may also end them. */
#include <weft/net/diag.h>

#include "listen.h"
#include "table.h"
#include "timewait.h"

/* ---- telling ---- */

static u64 left(u64 when, u64 now)
{
	return when > now ? when - now : 0;
}

static void timer_of(const struct tcp_conn *tc, struct diag_sock *d, u64 now)
{
	static const struct {
		u8 id, shown;
	} order[] = {
		{ TCP_TIMER_RETRANS, DIAG_TIMER_RETRANS },
		{ TCP_TIMER_PERSIST, DIAG_TIMER_PERSIST },
		{ TCP_TIMER_KEEPALIVE, DIAG_TIMER_KEEPALIVE },
		{ TCP_TIMER_LINGER, DIAG_TIMER_KEEPALIVE },
	};

	for (u32 i = 0; i < ARRAY_SIZE(order); i++) {
		u64 when = tc->deadline[order[i].id];

		if (!when)
			continue;
		d->timer = order[i].shown;
		d->timer_left_ns = left(when, now);
		d->retrans = d->timer == DIAG_TIMER_RETRANS ? tc->backoff : tc->keep_probes;
		return;
	}
}

static void describe_conn(const struct tcp_conn *tc, struct diag_sock *d, u64 now)
{
	if (tc->is.s)
		diag_from_socket(d, tc->is.s);
	d->is = &tc->is;
	d->state = tc->state;
	d->shutdown = tc->shutdown;
	d->port_bound = tc->end.bind & TCP_BIND_EXPLICIT;
	d->cong = tc->cc.algo ? tc->cc.algo->name : NULL;
	d->mem[SK_MEMINFO_RMEM_ALLOC] = tc->rx_bytes + tc->ofo_bytes;
	d->mem[SK_MEMINFO_RCVBUF] = tc->rcvbuf;
	d->mem[SK_MEMINFO_SNDBUF] = tc->sndbuf;
	d->mem[SK_MEMINFO_WMEM_QUEUED] = tc->txq_bytes;
	if (tc->listen) {
		d->rqueue = tc->listen->nr_accept;
		d->wqueue = tc->listen->backlog;
		return;
	}
	d->rqueue = tcp_readable(tc);
	d->wqueue = seq_max(tc->write_seq, tc->snd_nxt) - tc->snd_una; /* with a FIN */
	timer_of(tc, d, now);
}

void tcp_describe(struct tcp_end *e, struct diag_sock *d, u64 now)
{
	memset(d, 0, sizeof(*d));
	switch ((enum tcp_end_kind)e->kind) {
	case TCP_END_CONN:
		describe_conn(tcp_of_end(e), d, now);
		break;
	case TCP_END_REQUEST:
		d->state = TCP_SYN_RECV;
		d->timer = DIAG_TIMER_RETRANS;
		d->timer_left_ns = left(READ_ONCE(tcp_request_of(e)->deadline_ns), now);
		d->retrans = tcp_request_of(e)->retries;
		break;
	case TCP_END_TIMEWAIT:
		d->state = TCP_TIME_WAIT;
		d->timer = DIAG_TIMER_TIMEWAIT;
		d->timer_left_ns = left(READ_ONCE(tcp_timewait_of(e)->expires_ns), now);
		break;
	}
	d->family = e->family;
	d->type = SOCK_STREAM;
	d->cookie = diag_cookie(e);
	d->laddr = e->laddr;
	d->raddr = e->raddr;
	d->lport = e->lport;
	d->rport = e->rport;
	d->ifindex = e->bound_if;
}

struct telling {
	struct diag_walk *w;
	u64 now;
};

static bool tell(struct tcp_end *e, void *arg)
{
	struct tcp_conn *tc = e->kind == TCP_END_CONN ? tcp_of_end(e) : NULL;
	u64 info[TCP_INFO_SIZE / sizeof(u64)];
	struct telling *t = arg;
	struct diag_sock d;
	bool more;

	if (t->w->family && e->family != t->w->family)
		return true;
	if (tc)
		spin_lock(&tc->lock);
	tcp_describe(e, &d, t->now);
	if (tc && t->w->info) {
		tcp_fill_info(tc, info);
		d.info = info;
		d.info_len = sizeof(info);
	}
	more = t->w->fn(t->w, &d);
	if (tc)
		spin_unlock(&tc->lock);
	return more;
}

static void walk(struct diag_walk *w)
{
	struct telling t = { w, ktime_get() };

	tcp_walk(&w->bucket, tell, &t);
}

/* ---- ending ---- */

struct stopping {
	u64 cookie;
	int err;
};

/* A listener has its socket's lock over its own. */
static void stop_listener(struct socket *s, void *arg)
{
	struct stopping *st = arg;

	if (!st->err)
		return;
	mutex_lock(&s->lock);
	if (!s->closed && s->priv && diag_cookie(&tcp_of(s)->end) == st->cookie) {
		st->err = s->ops->shutdown(s, SHUT_RDWR);
		socket_set_error(s, ECONNABORTED);
	}
	mutex_unlock(&s->lock);
}

/* The end, with a reference; NULL: gone, or another one has its 4-tuple by now. */
static struct tcp_end *find(const struct diag_sock *d)
{
	struct tcp_end *e;

	rcu_read_lock();
	e = tcp_find(&d->laddr, d->lport, &d->raddr, d->rport, d->ifindex);
	if (e && (diag_cookie(e) != d->cookie || !tcp_end_get_not_zero(e)))
		e = NULL;
	rcu_read_unlock();
	return e;
}

static void end_conn(struct tcp_conn *tc)
{
	spin_lock(&tc->lock);
	tcp_abort(tc, ECONNABORTED);
	spin_unlock(&tc->lock);
}

static int destroy(const struct diag_sock *which)
{
	struct stopping st = { which->cookie, -ENOENT };
	struct tcp_end *e;

	if (which->state == TCP_LISTEN) {
		socket_for_each(THIS_MODULE, stop_listener, &st);
		return st.err;
	}
	e = find(which);
	if (!e)
		return -ENOENT;
	switch ((enum tcp_end_kind)e->kind) {
	case TCP_END_CONN:
		end_conn(tcp_of_end(e));
		break;
	case TCP_END_REQUEST:
		rcu_read_lock();
		tcp_request_fail(tcp_request_of(e));
		rcu_read_unlock();
		break;
	case TCP_END_TIMEWAIT:
		tcp_timewait_drop(e);
		break;
	}
	tcp_end_put(e);
	return 0;
}

static struct diag_table table = {
	.name = "tcp",
	.family = AF_INET,
	.protocol = IPPROTO_TCP,
	.walk = walk,
	.destroy = destroy,
};

int tcp_diag_init(void)
{
	return diag_register(&table);
}

void tcp_diag_exit(void)
{
	diag_unregister(&table);
}
