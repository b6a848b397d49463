/* SPDX-License-Identifier: MIT */
/* diag.c - the tables of sockets that transports and packet sockets register, found by family and
 * protocol, and what every socket can tell of itself. */
#include "ip.h"

#include <weft/net/diag.h>
#include <weft/net/sock.h>

#define DOOR_TIMEOUT_NS (2 * NSEC_PER_SEC)

static DEFINE_MUTEX(tables_lock);
static LIST_HEAD(tables); /* tables_lock to change, RCU to read */
static struct siphash_key cookie_key;

/* ---- the tables ---- */

static struct diag_table *find(u16 family, u8 protocol)
{
	struct diag_table *t;

	list_for_each_entry(t, &tables, node) {
		if (t->family == family && t->protocol == protocol)
			return t;
	}
	return NULL;
}

struct diag_table *diag_enter(u16 family, u8 protocol)
{
	struct diag_table *t;

	rcu_read_lock();
	t = find(family == AF_INET6 ? AF_INET : family, protocol);
	if (t && !door_enter(&t->door))
		t = NULL;
	rcu_read_unlock();
	return t;
}
EXPORT(diag_enter);

static void undo(struct ledger_entry *e)
{
	diag_unregister(container_of(e, struct diag_table, ledger));
}

int diag_register_owner(struct diag_table *t, struct module *owner)
{
	int err = 0;

	mutex_lock(&tables_lock);
	if (find(t->family, t->protocol)) {
		err = -EEXIST;
	} else {
		t->owner = owner;
		door_init(&t->door);
		ledger_add(&t->ledger, owner, "socket table", t->name, undo);
		list_add_tail(&t->node, &tables);
	}
	mutex_unlock(&tables_lock);
	return err;
}
EXPORT(diag_register_owner);

void diag_unregister(struct diag_table *t)
{
	mutex_lock(&tables_lock);
	if (t->node.next)
		list_del_rcu(&t->node);
	mutex_unlock(&tables_lock);
	ledger_remove(&t->ledger);
	while (door_close(&t->door, DOOR_TIMEOUT_NS))
		pr_warn("%s: somebody still looks at its sockets\n", t->name);
	t->node.next = NULL;
}
EXPORT(diag_unregister);

/* ---- what every socket can tell ---- */

u64 diag_cookie(const void *p)
{
	return siphash(&p, sizeof(p), &cookie_key);
}
EXPORT(diag_cookie);

void diag_from_socket(struct diag_sock *d, const struct socket *s)
{
	memset(d, 0, sizeof(*d));
	d->s = s;
	d->family = s->family;
	d->type = s->type;
	d->state = DIAG_STATE_CLOSE;
	d->shutdown = READ_ONCE(s->shut);
	d->cookie = diag_cookie(s);
	d->ino = s->ino;
	d->uid = s->uid;
	d->ifindex = READ_ONCE(s->bound_if);
	d->mark = READ_ONCE(s->mark);
	d->rqueue = READ_ONCE(s->rx_bytes);
	d->wqueue = socket_tx_bytes(s);
	d->mem[SK_MEMINFO_RMEM_ALLOC] = d->rqueue;
	d->mem[SK_MEMINFO_RCVBUF] = READ_ONCE(s->rcvbuf);
	d->mem[SK_MEMINFO_WMEM_ALLOC] = d->wqueue;
	d->mem[SK_MEMINFO_SNDBUF] = READ_ONCE(s->sndbuf);
	d->mem[SK_MEMINFO_DROPS] = READ_ONCE(s->rx_drops);
}
EXPORT(diag_from_socket);

void diag_from_inet(struct diag_sock *d, const struct inet_sock *is)
{
	diag_from_socket(d, is->s);
	d->is = is;
	d->laddr = is->laddr;
	d->raddr = is->raddr;
	d->lport = is->lport;
	d->rport = is->rport;
	if (!ip_addr_is_any(&is->raddr))
		d->state = DIAG_STATE_ESTABLISHED;
}
EXPORT(diag_from_inet);

/* ---- ending datagram sockets ---- */

struct ending {
	u64 cookie;
	int err;
};

/* s is pinned; its family takes nothing away from it under its lock. */
static void end_one(struct socket *s, void *arg)
{
	static const u8 nobody[sizeof(struct sockaddr)] = { AF_UNSPEC };
	struct ending *en = arg;

	if (diag_cookie(s) != en->cookie)
		return;
	mutex_lock(&s->lock);
	if (!s->closed && s->priv) {
		en->err = 0;
		s->ops->connect(s, nobody, sizeof(nobody), false);
		socket_set_error(s, ECONNABORTED);
	}
	mutex_unlock(&s->lock);
}

int diag_destroy_datagram(struct module *m, const struct diag_sock *which)
{
	struct ending en = { which->cookie, -ENOENT };

	socket_for_each(m, end_one, &en);
	return en.err;
}
EXPORT(diag_destroy_datagram);

void diag_init(void)
{
	random_bytes(&cookie_key, sizeof(cookie_key));
}
