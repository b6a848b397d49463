/* SPDX-License-Identifier: MIT */
/* ports.c - who holds which local port, and who may hold it beside whom. Owners of a port are
 * listed at it; what bind(2) and listen(2) ask is answered from that list alone, connect(2) also
 * asks the table for a 4-tuple that nobody has. */
#include "ports.h"

#include "table.h"

#include <weft/alloc.h>

#define PORT_BUCKETS 2048
#define PORT_COUNTERS 256

/* One local port that somebody holds. */
struct tcp_port {
	struct hlist_node node;
	u16 number;
	u32 nr_explicit; /* owners that have it by bind(2) or listen(2) */
	struct list_head owners;
};

/* Guards all below, and of each end bind, uid, port and port_node. */
static struct spinlock port_lock = SPINLOCK_INIT;
static struct hlist_head ports[PORT_BUCKETS];
static u32 port_counters[PORT_COUNTERS];

static struct kmem_cache *port_cache;

/* ---- ports and owners: port_lock held ---- */

static struct hlist_head *port_bucket(u16 number)
{
	return &ports[number % PORT_BUCKETS];
}

static struct tcp_port *port_find(u16 number)
{
	struct tcp_port *tp;

	hlist_for_each_entry(tp, port_bucket(number), node) {
		if (tp->number == number)
			return tp;
	}
	return NULL;
}

static struct tcp_port *port_find_or_make(u16 number)
{
	struct tcp_port *tp = port_find(number);

	if (tp)
		return tp;
	tp = kmem_cache_zalloc(port_cache);
	if (!tp)
		return NULL;
	tp->number = number;
	list_init(&tp->owners);
	hlist_add_head(&tp->node, port_bucket(number));
	return tp;
}

static void port_drop_unused(struct tcp_port *tp)
{
	if (!list_empty(&tp->owners))
		return;
	hlist_del(&tp->node);
	kmem_cache_free(port_cache, tp);
}

static void owner_add(struct tcp_port *tp, struct tcp_end *e)
{
	e->port = tp;
	list_add_tail(&e->port_node, &tp->owners);
	if (e->bind & TCP_BIND_EXPLICIT)
		tp->nr_explicit++;
}

/* How e holds its port, if it has one, changes. */
static void owner_set_bind(struct tcp_end *e, u8 bind)
{
	if (e->port)
		e->port->nr_explicit +=
			!!(bind & TCP_BIND_EXPLICIT) - !!(e->bind & TCP_BIND_EXPLICIT);
	e->bind = bind;
}

static void owner_del(struct tcp_end *e)
{
	struct tcp_port *tp = e->port;

	if (!tp)
		return;
	e->port = NULL;
	list_del(&e->port_node);
	if (e->bind & TCP_BIND_EXPLICIT)
		tp->nr_explicit--;
	port_drop_unused(tp);
}

/* Linux's rules. With SO_REUSEADDR on both, only a listener keeps others away, so that a server can
 * start again over its old connections; with SO_REUSEPORT on both, one user's sockets share. Who
 * lets the system choose shares with nobody. */
static bool conflicts(const struct tcp_end *e, const struct tcp_end *other, bool chosen)
{
	u8 both = e->bind & other->bind;

	if (e == other || (e->bound_if && other->bound_if && e->bound_if != other->bound_if))
		return false;
	if (!tcp_end_covers(e, &other->laddr) && !tcp_end_covers(other, &e->laddr))
		return false;
	if (chosen)
		return true;
	if ((both & TCP_BIND_REUSEADDR) && !(other->bind & TCP_BIND_LISTEN))
		return false;
	return !(both & TCP_BIND_REUSEPORT) ||
	       (other->kind != TCP_END_TIMEWAIT && e->uid != other->uid);
}

static bool port_conflicts(const struct tcp_port *tp, const struct tcp_end *e, bool chosen)
{
	const struct tcp_end *other;

	list_for_each_entry(other, &tp->owners, port_node) {
		if (conflicts(e, other, chosen))
			return true;
	}
	return false;
}

/* Options may have been set since the last call. */
static u8 bind_flags(const struct tcp_conn *tc)
{
	const struct socket *s = tc->is.s;

	return (s->reuseaddr ? TCP_BIND_REUSEADDR : 0) | (s->reuseport ? TCP_BIND_REUSEPORT : 0) |
	       (tc->is.flags & INET_V6ONLY ? TCP_BIND_V6ONLY : 0);
}

static void end_from_socket(struct tcp_conn *tc, u8 more)
{
	struct tcp_end *e = &tc->end;

	owner_set_bind(e, bind_flags(tc) | more);
	e->uid = tc->is.s->uid;
	e->bound_if = tc->is.s->bound_if;
	e->laddr = tc->is.laddr;
}

/* ---- bind(2), listen(2) ---- */

/* A port that nobody has, or whose owners have other addresses (RFC 6056 3.3.1). */
static struct tcp_port *port_choose(const struct tcp_end *e, int *err)
{
	u16 low, high;
	u32 span, first;

	inet_port_range(&low, &high);
	span = high - low + 1;
	first = random_below(span);
	*err = -EADDRINUSE;
	for (u32 i = 0; i < span; i++) {
		u16 number = low + (first + i) % span;
		struct tcp_port *tp;

		if (inet_port_reserved(number))
			continue;
		tp = port_find(number);
		if (tp && port_conflicts(tp, e, true))
			continue;
		if (!tp)
			tp = port_find_or_make(number);
		*err = tp ? 0 : -ENOMEM;
		return tp;
	}
	return NULL;
}

static struct tcp_port *port_wanted(const struct tcp_end *e, u16 want, int *err)
{
	struct tcp_port *tp = port_find_or_make(want);

	*err = tp ? 0 : -ENOMEM;
	if (tp && port_conflicts(tp, e, false)) {
		*err = -EADDRINUSE;
		return NULL;
	}
	return tp;
}

void tcp_bind_options(struct tcp_conn *tc)
{
	const u8 options = TCP_BIND_REUSEADDR | TCP_BIND_REUSEPORT | TCP_BIND_V6ONLY;

	spin_lock(&port_lock);
	tc->end.bind = (tc->end.bind & ~options) | bind_flags(tc);
	spin_unlock(&port_lock);
}

int tcp_bind_port(struct tcp_conn *tc, u16 want)
{
	struct tcp_end *e = &tc->end;
	struct tcp_port *tp;
	int err;

	spin_lock(&port_lock);
	owner_del(e);
	end_from_socket(tc, TCP_BIND_EXPLICIT);
	tp = want ? port_wanted(e, want, &err) : port_choose(e, &err);
	if (tp) {
		owner_add(tp, e);
		e->lport = tp->number;
		tc->is.lport = tp->number;
	} else {
		e->bind = 0;
	}
	spin_unlock(&port_lock);
	return err;
}

int tcp_port_listen(struct tcp_conn *tc)
{
	struct tcp_end *e = &tc->end;
	int err = 0;

	spin_lock(&port_lock);
	end_from_socket(tc, TCP_BIND_EXPLICIT | TCP_BIND_LISTEN);
	if (!e->port || port_conflicts(e->port, e, false)) {
		e->bind &= ~TCP_BIND_LISTEN;
		err = -EADDRINUSE;
	}
	spin_unlock(&port_lock);
	return err;
}

void tcp_port_listen_over(struct tcp_conn *tc)
{
	spin_lock(&port_lock);
	tc->end.bind &= ~TCP_BIND_LISTEN;
	spin_unlock(&port_lock);
}

bool tcp_port_share(struct tcp_end *e, const struct tcp_end *holder)
{
	bool held;

	spin_lock(&port_lock);
	held = holder->port != NULL;
	if (held) {
		e->bind = holder->bind & ~TCP_BIND_LISTEN;
		e->uid = holder->uid;
		owner_add(holder->port, e);
	}
	spin_unlock(&port_lock);
	return held;
}

void tcp_release_port(struct tcp_end *e)
{
	spin_lock(&port_lock);
	owner_del(e);
	e->bind = 0;
	spin_unlock(&port_lock);
}

/* ---- connect(2) ---- */

/* What the new connection takes over from the old one, so that segments of the two cannot be
 * confused (RFC 6191 2; RFC 9293 3.6.1). */
static void recycle(struct tcp_conn *tc, struct tcp_end *tw)
{
	if (!tw)
		return;
	tcp_timewait_inherit(tw, tc);
	tcp_timewait_drop(tw);
	tcp_end_put(tw); /* the table's */
	tcp_count(TCP_TWRecycled);
}

/* RFC 6056 3.3.3 and 3.3.4: from a keyed hash of the peer on, with counters of their own for groups
 * of peers. port_lock held. */
static int choose_tuple(struct tcp_end *e, struct tcp_end **tw)
{
	u32 offset = inet_port_offset(&e->laddr, &e->raddr, e->rport);
	u32 *counter = &port_counters[offset % PORT_COUNTERS];
	u32 span;
	u16 low, high;

	inet_port_range(&low, &high);
	span = high - low + 1;
	for (u32 i = 0; i < span; i++) {
		u16 number = low + (u32)((offset >> 8) + *counter + i) % span;
		struct tcp_port *tp = port_find(number);

		if ((tp && tp->nr_explicit) || inet_port_reserved(number))
			continue;
		e->lport = number;
		if (tcp_insert_active(e, tw))
			continue;
		*counter += i + 1;
		return 0;
	}
	e->lport = 0;
	return -EADDRNOTAVAIL;
}

int tcp_bind_tuple(struct tcp_conn *tc)
{
	struct tcp_end *e = &tc->end, *tw = NULL;
	struct tcp_port *tp;
	int err;

	tc->iss = 0;
	spin_lock(&port_lock);
	end_from_socket(tc, e->bind & TCP_BIND_EXPLICIT);
	e->raddr = tc->is.raddr;
	e->rport = tc->is.rport;
	err = e->port ? tcp_insert_active(e, &tw) : choose_tuple(e, &tw);
	if (!err && !e->port) {
		tp = port_find_or_make(e->lport);
		if (tp)
			owner_add(tp, e);
		else
			err = -ENOMEM;
	}
	spin_unlock(&port_lock);
	recycle(tc, tw);
	if (err) {
		tcp_unhash(e);
		if (!e->port)
			e->lport = 0;
		return err;
	}
	tc->is.lport = e->lport;
	return 0;
}

/* ---- module ---- */

int tcp_ports_init(void)
{
	port_cache = kmem_cache_create("tcp_port", sizeof(struct tcp_port), 8);
	return port_cache ? 0 : -ENOMEM;
}

void tcp_ports_exit(void)
{
	kmem_cache_destroy(port_cache);
}
