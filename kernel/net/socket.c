/* SPDX-License-Identifier: MIT */
/* socket.c - the life of a socket: made by its family, reached through a file, and closed once, by
 * the last close(2) or when its protocol is taken away. Every call into a family holds the socket's
 * lock, or is inside its door while it does not. The struct outlives both by a grace period and
 * until its last packet is gone. */
#define LOG_NAME "socket: "
#include <core/module.h>
#include <core/proc.h>
#include <core/vfs.h>
#include <weft/alloc.h>
#include <weft/printk.h>
#include <weft/rcu.h>
#include <weft/string.h>

#include "socket_internal.h"

#define KILL_PATIENCE (800 * NSEC_PER_MSEC)

/* all open sockets; guarded by sockets_lock */
static struct spinlock sockets_lock = SPINLOCK_INIT;
static LIST_HEAD(sockets);
static u32 nr_sockets;		 /* likewise */
static DEFINE_MUTEX(walk_mutex); /* one walk over them at a time */
static u32 visits;		 /* guarded by walk_mutex */

/* ---- memory ---- */

static struct socket *socket_alloc(u16 family, u16 type, int protocol)
{
	struct socket *s = kzalloc(sizeof(*s));

	if (!s)
		return NULL;
	s->family = family;
	s->type = type;
	s->protocol = protocol;
	mutex_init(&s->lock);
	spin_init(&s->rx_lock);
	list_init(&s->rx);
	list_init(&s->notices);
	wait_queue_init(&s->wait);
	door_init(&s->door);
	atomic_set(&s->tx_bytes, 1);
	s->rx_looks = 1;
	s->rcvbuf = socket_sysctls.rmem_default;
	s->sndbuf = socket_sysctls.wmem_default;
	s->rcvlowat = 1;
	s->linger = -1;
	s->peek_off = -1;
	s->uid = current_uid();
	return s;
}

static bool socket_hold(struct socket *s, struct module *m)
{
	bool ok = module_hold_started(m, &s->ref, "socket");

	s->ref.pid = current_pid();
	return ok;
}

static void socket_free_rcu(struct rcu_head *h)
{
	struct socket *s = container_of(h, struct socket, rcu);

	socket_purge(s); /* what came between close and the grace period */
	socket_filter_free(s);
	kfree(s);
}

void socket_free_late(struct socket *s)
{
	call_rcu(&s->rcu, socket_free_rcu);
}

/* One of the shares in tx_bytes is given back; after the last s is gone. */
static void socket_unref(struct socket *s, int n)
{
	if (atomic_sub(&s->tx_bytes, n) == 0)
		socket_free_late(s);
}

static __noinline void drop_packets(struct socket *s)
{
	LIST_HEAD(gone);

	spin_lock(&s->rx_lock);
	list_splice_tail(&s->rx, &gone);
	s->rx_bytes = 0;
	spin_unlock(&s->rx_lock);
	while (!list_empty(&gone)) {
		struct pkt *p = list_first_entry(&gone, struct pkt, node);

		list_del(&p->node);
		pkt_free(p);
	}
}

void socket_purge(struct socket *s)
{
	/* Nobody queues any more, but for poll context just now, and that is why it is called again
	 * after the grace period. */
	if (!list_empty(&s->rx))
		drop_packets(s);
	if (unlikely(!list_empty(&s->notices)))
		socket_notices_drop(s);
}

/* ---- making ---- */

static void socket_publish(struct socket *s)
{
	spin_lock(&sockets_lock);
	list_add_tail(&s->all_node, &sockets);
	nr_sockets++;
	spin_unlock(&sockets_lock);
}

u32 socket_count(void)
{
	return READ_ONCE(nr_sockets);
}
EXPORT(socket_count);

static struct socket_family *family_find(int family)
{
	struct socket_family *f = socket_family_enter(family);

	if (!f) {
		request_module("net-pf-%d", family);
		f = socket_family_enter(family);
	}
	return f;
}

struct socket *socket_create(int family, int type, int protocol)
{
	struct socket_family *f;
	struct socket *s;
	int err;

	if (family < 0 || family >= AF_MAX)
		return ERR_PTR(-EAFNOSUPPORT);
	f = family_find(family);
	if (!f)
		return ERR_PTR(-EAFNOSUPPORT);
	s = socket_alloc(family, type, protocol);
	err = s ? 0 : -ENOMEM;
	if (s && !socket_hold(s, f->owner))
		err = -EAFNOSUPPORT;
	if (!err)
		err = f->create(s);
	door_leave(&f->door);
	if (err) {
		if (s)
			module_release(&s->ref);
		kfree(s);
		return ERR_PTR(err);
	}
	socket_publish(s);
	return s;
}

struct socket *socket_create_child(struct socket *s)
{
	struct socket *child = socket_alloc(s->family, s->type, s->protocol);

	if (!child)
		return ERR_PTR(-ENOMEM);
	if (!socket_hold(child, s->ref.module)) {
		kfree(child);
		return ERR_PTR(-ECONNABORTED);
	}
	/* as on Linux, an accepted socket starts with its listener's options */
	child->rcvbuf = s->rcvbuf;
	child->sndbuf = s->sndbuf;
	child->keepalive = s->keepalive;
	child->linger = s->linger;
	child->reuseaddr = s->reuseaddr;
	child->dontroute = s->dontroute;
	child->priority = s->priority;
	child->mark = s->mark;
	child->bound_if = s->bound_if;
	child->sndtimeo_ms = s->sndtimeo_ms;
	child->rcvtimeo_ms = s->rcvtimeo_ms;
	child->passcred = s->passcred;
	child->tells = s->tells;
	child->peek_off = s->peek_off;
	child->zerocopy = s->zerocopy;
	child->stamping = s->stamping;
	socket_publish(child);
	return child;
}

int socket_set_owner(struct socket *s, struct module *m)
{
	if (s->ref.module == m)
		return 0;
	/* The family's door is held by whoever calls create: its module stays meanwhile. */
	module_release(&s->ref);
	return socket_hold(s, m) ? 0 : -EAGAIN;
}
EXPORT(socket_set_owner);

struct file *socket_file(struct socket *s, u32 flags)
{
	struct file *f = file_anon("socket", S_IFSOCK | 0777, &socket_file_ops, s,
				   O_RDWR | (flags & SOCK_NONBLOCK));

	if (IS_ERR(f)) {
		socket_close(s);
		return f;
	}
	s->file = f;
	s->ino = file_ino(f);
	return f;
}

/* ---- the end ---- */

/* Linux: who ends does not linger over its sockets. */
static void stop_lingering(struct socket *s)
{
	const struct thread *t = current();

	if (s->linger > 0 && t && t->proc && READ_ONCE(t->proc->exiting))
		s->linger = -1;
}

/* Its lock held; given back. */
static void close_locked(struct socket *s)
{
	if (!s->closed) {
		s->closed = true;
		stop_lingering(s);
		if (s->ops && s->ops->close)
			s->ops->close(s);
	}
	mutex_unlock(&s->lock);
	socket_purge(s);
	module_release(&s->ref);
}

void socket_close(struct socket *s)
{
	spin_lock(&sockets_lock);
	list_del(&s->all_node);
	nr_sockets--;
	spin_unlock(&sockets_lock);
	mutex_lock(&s->lock);
	close_locked(s);
	socket_unref(s, 1);
}

static bool lock_in_time(struct socket *s, u64 end)
{
	while (!mutex_trylock(&s->lock)) {
		if (ktime_get() >= end)
			return false;
		sleep_ns(NSEC_PER_MSEC);
	}
	return true;
}

void socket_kill(struct socket *s)
{
	u64 end = ktime_get() + 2 * KILL_PATIENCE;

	WRITE_ONCE(s->dead, true);
	__atomic_add_fetch(&s->wake_seq, 1, __ATOMIC_SEQ_CST);
	wake_up_all(&s->wait);
	/* first those who wait without the lock: they take it again before they leave */
	if (door_close(&s->door, KILL_PATIENCE) || !lock_in_time(s, end)) {
		pr_warn("a call into a %s socket of pid %d does not end\n",
			module_name(s->ref.module), s->ref.pid);
		return;
	}
	close_locked(s);
}
EXPORT(socket_kill);

/* ---- all sockets of a module ---- */

/* The next one not visited in this walk, pinned. Who was visited goes to the list's end, so that a
 * walk ends where it meets the first of them, and costs no more than there are sockets. */
static struct socket *socket_next(struct module *m, u32 walk)
{
	struct socket *s;

	spin_lock(&sockets_lock);
	while (!list_empty(&sockets)) {
		s = list_first_entry(&sockets, struct socket, all_node);
		if (s->visit == walk)
			break;
		s->visit = walk;
		list_move_tail(&s->all_node, &sockets);
		if (s->ref.module != m)
			continue;
		atomic_inc(&s->tx_bytes);
		spin_unlock(&sockets_lock);
		return s;
	}
	spin_unlock(&sockets_lock);
	return NULL;
}

void socket_for_each(struct module *m, void (*fn)(struct socket *s, void *arg), void *arg)
{
	struct socket *s;

	mutex_lock(&walk_mutex);
	visits++;
	while ((s = socket_next(m, visits))) {
		fn(s, arg);
		socket_unref(s, 1);
	}
	mutex_unlock(&walk_mutex);
}
EXPORT(socket_for_each);

struct holder_search {
	struct module *module;
	int pid;
};

static bool note_holder(void *arg, int fd, struct file *f)
{
	struct holder_search *hs = arg;
	struct socket *s = f->priv;

	if (f->ops == &socket_file_ops && s->ref.module == hs->module) {
		s->ref.pid = hs->pid;
		s->ref.fd = fd;
	}
	return false;
}

void socket_refresh_holders(struct module *m)
{
	struct holder_search hs = { .module = m };
	struct fd_table *files;
	struct proc *p;

	while ((p = proc_next_get(hs.pid))) {
		hs.pid = p->pid;
		files = proc_files_get(p);
		if (files) {
			fd_for_each(files, note_holder, &hs);
			fd_table_put(files);
		}
		proc_put(p);
	}
}

/* ---- the send buffer ---- */

void socket_tx_room(struct socket *s)
{
	WRITE_ONCE(s->tx_waiting, false);
	socket_wake(s, POLLOUT | POLLWRNORM);
}

static bool tx_has_room(struct socket *s, u32 need)
{
	u32 used = socket_tx_bytes(s);

	return !used || used + need <= READ_ONCE(s->sndbuf);
}

/* Says that somebody waits before it looks: either room is seen, or its freeing wakes. */
static bool tx_room_or_ask(struct socket *s, u32 need)
{
	if (tx_has_room(s, need))
		return true;
	WRITE_ONCE(s->tx_waiting, true);
	smp_mb();
	return tx_has_room(s, need);
}

struct pkt *socket_tx_alloc(struct socket *s, u32 flags, u32 headroom, u32 room)
{
	u64 deadline = socket_deadline(s, true);
	struct pkt *p;
	int err;

	for (;;) {
		err = socket_take_error(s);
		if (err)
			return ERR_PTR(err);
		if (s->shut & 2)
			return ERR_PTR(-EPIPE);
		if (tx_room_or_ask(s, headroom + room + sizeof(struct pkt)))
			break;
		if (flags & MSG_DONTWAIT)
			return ERR_PTR(-EAGAIN);
		err = socket_wait(s, deadline);
		if (err)
			return ERR_PTR(err);
	}
	p = pkt_alloc(PKT_POOL_TX, headroom, room);
	if (!p)
		return ERR_PTR(-ENOBUFS);
	socket_charge_tx(s, p);
	return p;
}
EXPORT(socket_tx_alloc);

u32 socket_poll_default(struct socket *s)
{
	u32 events = 0;
	bool empty;

	spin_lock(&s->rx_lock);
	s->rx_looks++;
	empty = list_empty(&s->rx);
	spin_unlock(&s->rx_lock);
	if (!empty || (s->shut & 1))
		events |= POLLIN | POLLRDNORM;
	if (s->shut & 1)
		events |= POLLRDHUP;
	if ((s->shut & 3) == 3)
		events |= POLLHUP;
	if (READ_ONCE(s->error) || socket_has_notice(s))
		events |= POLLERR;
	if (tx_room_or_ask(s, READ_ONCE(s->sndbuf) / 2))
		events |= POLLOUT | POLLWRNORM;
	return events;
}
EXPORT(socket_poll_default);
