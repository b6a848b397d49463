/* SPDX-License-Identifier: MIT */
/* epoll.c - standing interest in many files. An item hangs on its file's wait queues for as long as
 * it is there; a wake-up puts it on the ready list, and epoll_wait asks the ready ones only. A
 * file's last close removes its items: they hold no reference. Locks: teardown, then an instance's
 * lock (an outer one before those it watches), then link_lock or ready_lock. */
#include "poll.h"

#include <core/syscall.h>

#define EPOLL_CTL_ADD 1
#define EPOLL_CTL_DEL 2
#define EPOLL_CTL_MOD 3
#define EPOLLEXCLUSIVE BIT(28)
#define EPOLLWAKEUP BIT(29)
#define EPOLLONESHOT BIT(30)
#define EPOLLET BIT(31)
#define PRIVATE_BITS (EPOLLEXCLUSIVE | EPOLLWAKEUP | EPOLLONESHOT | EPOLLET)
#define EXCLUSIVE_BITS \
	(POLLIN | POLLOUT | POLLERR | POLLHUP | EPOLLEXCLUSIVE | EPOLLWAKEUP | EPOLLET)
#define MAX_DEPTH 5
#define FIRST_BUCKETS 16

struct user_event {
	u32 events;
	u64 data;
} __packed;

struct eventpoll {
	struct mutex lock;
	/* guarded by lock */
	struct hlist_head *bucket;
	u32 nr_buckets, nr_items;
	/* guarded by ready_lock, taken with interrupts off */
	struct spinlock ready_lock;
	struct list_head ready;
	struct wait_queue wait, poll_wait; /* epoll_wait callers; those who watch this instance */
	u32 above; /* the longest chain that ever ended here; guarded by nesting */
};

struct hook {
	struct wait_entry wait;
	struct wait_queue *queue;
	struct epitem *item;
	struct hook *next;
};

struct epitem {
	/* fixed */
	struct eventpoll *ep;
	struct file *file; /* no reference */
	int fd;
	/* guarded by ep->lock; events is read by wake-ups */
	u32 events;
	struct hlist_node hash_node;
	u64 data;
	struct hook *hooks;
	struct hook first; /* most files have one queue */
	/* guarded by ready_lock; only who holds ep->lock as well takes it off the list */
	struct list_head ready_node;
	bool on_ready;
	/* guarded by link_lock */
	struct list_head file_node;
};

struct hang_table {
	struct poll_table pt; /* first */
	struct epitem *item;
	bool failed;
};

static DEFINE_MUTEX(teardown); /* an instance's end against a file's end */
static DEFINE_MUTEX(nesting);  /* instances that watch instances */
static struct spinlock link_lock = SPINLOCK_INIT;
static const struct file_ops epoll_fops;

/* ---- ready list ---- */

static inline void make_ready_locked(struct epitem *item)
{
	if (item->on_ready)
		return;
	item->on_ready = true;
	list_add_tail(&item->ready_node, &item->ep->ready);
}

static void make_ready(struct epitem *item)
{
	struct eventpoll *ep = item->ep;
	unsigned long flags = spin_lock_irqsave(&ep->ready_lock);

	make_ready_locked(item);
	spin_unlock_irqrestore(&ep->ready_lock, flags);
}

/* No hook is left. ep->lock held. */
static void make_unready(struct epitem *item)
{
	unsigned long flags = spin_lock_irqsave(&item->ep->ready_lock);

	if (item->on_ready) {
		item->on_ready = false;
		list_del(&item->ready_node);
	}
	spin_unlock_irqrestore(&item->ep->ready_lock, flags);
}

/* The first one, off the list; NULL: none. Whoever wakes it from here on makes it ready again, and
 * what woke it before is seen by asking it now. Both locks held. */
static inline struct epitem *take_ready_locked(struct eventpoll *ep)
{
	struct epitem *item = list_first_entry_or_null(&ep->ready, struct epitem, ready_node);

	if (item) {
		list_del(&item->ready_node);
		item->on_ready = false;
	}
	return item;
}

/* True: one of the epoll_wait callers was woken. Who was woken before and did not run yet is not
 * woken again: another one is. */
static bool tell_waiters(struct eventpoll *ep)
{
	bool woken = wake_up(&ep->wait);

	if (unlikely(wait_queue_active(&ep->poll_wait))) /* its barrier does for both */
		wake_up_key(&ep->poll_wait, POLLIN | POLLRDNORM);
	return woken;
}

static bool has_ready(struct eventpoll *ep)
{
	return !list_empty(&ep->ready);
}

/* What was off the list for a moment, or left over, may have let a waiter go to sleep. */
static void pass_on(struct eventpoll *ep)
{
	smp_mb();
	if (has_ready(ep) && wait_queue_active(&ep->wait))
		wake_up(&ep->wait);
}

static bool item_woken(struct wait_entry *w, u32 key)
{
	struct epitem *item = container_of(w, struct hook, wait)->item;
	u32 events = READ_ONCE(item->events);

	if (!(events & ~PRIVATE_BITS) || (key && !(key & events)))
		return false;
	make_ready(item);
	return tell_waiters(item->ep) || !w->exclusive;
}

/* ---- items ---- */

static void item_hang(struct poll_table *pt, struct wait_queue *q)
{
	struct hang_table *t = (struct hang_table *)pt;
	struct hook *h = t->item->hooks ? kzalloc(sizeof(*h)) : &t->item->first;

	if (!h) {
		t->failed = true;
		return;
	}
	h->wait.wake = item_woken;
	h->wait.exclusive = t->item->events & EPOLLEXCLUSIVE;
	h->queue = q;
	h->item = t->item;
	h->next = t->item->hooks;
	t->item->hooks = h;
	wait_add(q, &h->wait);
}

static struct hlist_head *bucket_of(struct eventpoll *ep, const struct file *f, int fd)
{
	u32 h = ((u32)((uintptr_t)f >> 6) ^ (u32)fd) * 2654435761u;

	return &ep->bucket[(h >> 16) & (ep->nr_buckets - 1)];
}

static struct epitem *find_item(struct eventpoll *ep, const struct file *f, int fd)
{
	struct epitem *item;

	hlist_for_each_entry(item, bucket_of(ep, f, fd), hash_node) {
		if (item->file == f && item->fd == fd)
			return item;
	}
	return NULL;
}

/* Keeps the buckets short; without memory they get longer. */
static void grow(struct eventpoll *ep)
{
	u32 old_nr = ep->nr_buckets, i;
	struct hlist_head *old = ep->bucket, *bigger;

	if (ep->nr_items < 2 * old_nr)
		return;
	bigger = kcalloc(4 * old_nr, sizeof(*bigger));
	if (!bigger)
		return;
	ep->bucket = bigger;
	ep->nr_buckets = 4 * old_nr;
	for (i = 0; i < old_nr; i++) {
		while (old[i].first) {
			struct epitem *item = container_of(old[i].first, struct epitem, hash_node);

			hlist_del(&item->hash_node);
			hlist_add_head(&item->hash_node, bucket_of(ep, item->file, item->fd));
		}
	}
	kfree(old);
}

/* ep->lock held. The file's list comes last: an empty one tells file_put that no hook is left. */
static void remove_item(struct epitem *item)
{
	while (item->hooks) {
		struct hook *h = item->hooks;

		item->hooks = h->next;
		wait_del(h->queue, &h->wait);
		if (h != &item->first)
			kfree(h);
	}
	make_unready(item);
	hlist_del(&item->hash_node);
	item->ep->nr_items--;
	spin_lock(&link_lock);
	list_del(&item->file_node);
	spin_unlock(&link_lock);
	kfree(item);
}

static u32 ask_item(struct epitem *item, struct poll_table *pt)
{
	return file_poll(item->file, pt) & item->events & ~PRIVATE_BITS;
}

static int add_item(struct eventpoll *ep, struct file *f, int fd, const struct user_event *ev)
{
	struct epitem *item = kzalloc(sizeof(*item));
	struct hang_table t = { .pt.queue = item_hang, .item = item };

	if (!item)
		return -ENOMEM;
	item->ep = ep;
	item->file = f;
	item->fd = fd;
	item->events = ev->events | POLLERR | POLLHUP;
	item->data = ev->data;
	list_init(&item->ready_node);
	grow(ep);
	hlist_add_head(&item->hash_node, bucket_of(ep, f, fd));
	ep->nr_items++;
	spin_lock(&link_lock);
	list_add_tail(&item->file_node, &to_vfile(f)->epitems);
	spin_unlock(&link_lock);
	if (ask_item(item, &t.pt)) {
		make_ready(item);
		tell_waiters(ep);
	}
	if (t.failed) {
		remove_item(item);
		return -ENOMEM;
	}
	return 0;
}

static int modify_item(struct epitem *item, const struct user_event *ev)
{
	if ((item->events | ev->events) & EPOLLEXCLUSIVE)
		return -EINVAL;
	WRITE_ONCE(item->events, ev->events | POLLERR | POLLHUP);
	item->data = ev->data;
	smp_mb(); /* a wake-up that saw the old events came before the question */
	if (ask_item(item, NULL)) {
		make_ready(item);
		tell_waiters(item->ep);
	}
	return 0;
}

/* ---- the instance as a file ---- */

/* Anything that is still ready? What is not any more leaves the list. All are asked: who was asked
 * wakes again (socket_queue()), and who watches edges here hears of each. */
static u32 epoll_poll(struct file *f, struct poll_table *pt)
{
	struct eventpoll *ep = f->priv;
	struct epitem *item, *last;
	unsigned long flags;
	u32 events = 0;

	poll_wait(pt, &ep->poll_wait);
	mutex_lock(&ep->lock);
	flags = spin_lock_irqsave(&ep->ready_lock);
	last = list_last_entry(&ep->ready, struct epitem, ready_node);
	while ((item = take_ready_locked(ep))) {
		spin_unlock_irqrestore(&ep->ready_lock, flags);
		if (ask_item(item, NULL)) {
			make_ready(item);
			events = POLLIN | POLLRDNORM;
		}
		flags = spin_lock_irqsave(&ep->ready_lock);
		if (item == last)
			break;
	}
	spin_unlock_irqrestore(&ep->ready_lock, flags);
	mutex_unlock(&ep->lock);
	if (events)
		pass_on(ep);
	return events;
}

static void epoll_release(struct file *f)
{
	struct eventpoll *ep = f->priv;
	u32 i;

	mutex_lock(&teardown);
	mutex_lock(&ep->lock);
	for (i = 0; i < ep->nr_buckets; i++) {
		while (ep->bucket[i].first)
			remove_item(container_of(ep->bucket[i].first, struct epitem, hash_node));
	}
	mutex_unlock(&ep->lock);
	mutex_unlock(&teardown);
	kfree(ep->bucket);
	kfree(ep);
}

void epoll_file_release(struct file *f)
{
	struct list_head *list = &to_vfile(f)->epitems;

	mutex_lock(&teardown);
	for (;;) {
		struct epitem *item;
		struct eventpoll *ep;

		spin_lock(&link_lock);
		item = list_first_entry_or_null(list, struct epitem, file_node);
		spin_unlock(&link_lock);
		if (!item)
			break;
		/* nobody but us removes it: no descriptor names the file, and instances end under
		 * teardown */
		ep = item->ep;
		mutex_lock(&ep->lock);
		remove_item(item);
		mutex_unlock(&ep->lock);
	}
	mutex_unlock(&teardown);
}

static const struct file_ops epoll_fops = {
	.poll = epoll_poll,
	.release = epoll_release,
};

static long make_epoll(u32 flags)
{
	struct eventpoll *ep;
	struct file *f;
	int fd;

	if (flags & ~(u32)O_CLOEXEC)
		return -EINVAL;
	ep = kzalloc(sizeof(*ep));
	if (!ep)
		return -ENOMEM;
	ep->nr_buckets = FIRST_BUCKETS;
	ep->bucket = kcalloc(FIRST_BUCKETS, sizeof(*ep->bucket));
	mutex_init(&ep->lock);
	spin_init(&ep->ready_lock);
	list_init(&ep->ready);
	wait_queue_init(&ep->wait);
	wait_queue_init(&ep->poll_wait);
	f = ep->bucket ? file_anon("anon_inode:[eventpoll]", 0600, &epoll_fops, ep, O_RDWR) :
			 ERR_PTR(-ENOMEM);
	if (IS_ERR(f)) {
		kfree(ep->bucket);
		kfree(ep);
		return PTR_ERR(f);
	}
	fd = fd_install(f, flags);
	if (fd < 0)
		file_put(f);
	return fd;
}

/* ---- epoll_ctl ---- */

/* -ELOOP when from, at this depth, is or watches what, or the chain is too long: wake-ups recurse
 * along it. A chain may grow at either end, so each instance remembers its depth. */
static int check_loop(struct eventpoll *from, const struct eventpoll *what, u32 depth)
{
	struct epitem *item;
	int err = 0;
	u32 i;

	if (from == what || depth > MAX_DEPTH)
		return -ELOOP;
	from->above = max(from->above, depth);
	mutex_lock(&from->lock);
	for (i = 0; i < from->nr_buckets && !err; i++) {
		hlist_for_each_entry(item, &from->bucket[i], hash_node) {
			if (item->file->ops != &epoll_fops)
				continue;
			err = check_loop(item->file->priv, what, depth + 1);
			if (err)
				break;
		}
	}
	mutex_unlock(&from->lock);
	return err;
}

static int control_locked(struct eventpoll *ep, int op, struct file *f, int fd,
			  const struct user_event *ev)
{
	struct epitem *item = find_item(ep, f, fd);

	switch (op) {
	case EPOLL_CTL_ADD:
		return item ? -EEXIST : add_item(ep, f, fd, ev);
	case EPOLL_CTL_DEL:
		if (!item)
			return -ENOENT;
		remove_item(item);
		return 0;
	case EPOLL_CTL_MOD:
		return item ? modify_item(item, ev) : -ENOENT;
	default:
		return -EINVAL;
	}
}

static long control(struct file *epf, int op, struct file *f, int fd, const struct user_event *ev)
{
	bool nested = f->ops == &epoll_fops && op == EPOLL_CTL_ADD;
	struct eventpoll *ep;
	long err = 0;

	if (!f->ops || !f->ops->poll)
		return -EPERM; /* always ready: regular files, directories */
	if (epf == f || epf->ops != &epoll_fops)
		return -EINVAL;
	if (ev->events & EPOLLEXCLUSIVE && op == EPOLL_CTL_ADD &&
	    (f->ops == &epoll_fops || ev->events & ~EXCLUSIVE_BITS))
		return -EINVAL;
	ep = epf->priv;
	if (nested) {
		mutex_lock(&nesting);
		err = check_loop(f->priv, ep, ep->above + 1);
	}
	if (!err) {
		mutex_lock(&ep->lock);
		err = control_locked(ep, op, f, fd, ev);
		mutex_unlock(&ep->lock);
	}
	if (nested)
		mutex_unlock(&nesting);
	return err;
}

/* ---- epoll_wait ---- */

/* Asks item, which is off the ready list, and copies what it has to the user: 1, 0 or -EFAULT.
 * *stays: it is to be asked again at the next call. ep->lock held. */
static long hand_out(struct epitem *item, u64 uevent, bool *stays)
{
	struct user_event ev = { ask_item(item, NULL), item->data };

	*stays = false;
	if (!ev.events)
		return 0;
	if (copy_to_user((void __user *)uevent, &ev, sizeof(ev))) {
		*stays = true;
		return -EFAULT;
	}
	if (item->events & EPOLLONESHOT)
		WRITE_ONCE(item->events, item->events & PRIVATE_BITS);
	else
		*stays = !(item->events & EPOLLET);
	return 1;
}

/* Hands out what is ready: events copied, or a negative errno when none was. Each item once: what
 * wakes meanwhile, and what is level triggered, is for the next call. */
static long send_events(struct eventpoll *ep, u64 uevents, long max)
{
	struct epitem *item, *last;
	long n = 0, got = 0;
	unsigned long flags;
	bool stays;

	mutex_lock(&ep->lock);
	flags = spin_lock_irqsave(&ep->ready_lock);
	last = list_last_entry(&ep->ready, struct epitem, ready_node);
	while (n < max && got >= 0 && (item = take_ready_locked(ep))) {
		spin_unlock_irqrestore(&ep->ready_lock, flags);
		got = hand_out(item, uevents + n * sizeof(struct user_event), &stays);
		n += got > 0;
		flags = spin_lock_irqsave(&ep->ready_lock);
		if (stays)
			make_ready_locked(item);
		if (item == last)
			break;
	}
	spin_unlock_irqrestore(&ep->ready_lock, flags);
	mutex_unlock(&ep->lock);
	pass_on(ep);
	return n ? n : min(got, 0l);
}

/* Of many waiters an event wakes one. One that leaves for another reason while something is ready
 * takes that with it. 0, -ETIMEDOUT, -ERESTARTSYS. */
static int wait_ready(struct eventpoll *ep, u64 deadline)
{
	int err = 0;

	while (!has_ready(ep) && !err) {
		struct sleeper s;

		sleep_prepare(&ep->wait, &s, true, true);
		if (!has_ready(ep))
			err = sleep_wait(&s, deadline, true);
		sleep_finish(&ep->wait, &s);
	}
	return has_ready(ep) ? 0 : err;
}

static long wait_events(struct file *f, u64 uevents, long max, u64 deadline, bool wait)
{
	struct eventpoll *ep = f->priv;

	if (f->ops != &epoll_fops || max <= 0 || max > 0x7fffffff / (long)sizeof(struct user_event))
		return -EINVAL;
	for (;;) {
		long n = has_ready(ep) ? send_events(ep, uevents, max) : 0;
		int err;

		if (n || !wait)
			return n;
		err = wait_ready(ep, deadline);
		if (err == -ETIMEDOUT)
			wait = false;
		else if (err)
			return -EINTR;
	}
}

static long do_wait(int epfd, u64 uevents, int max, u64 deadline, bool wait)
{
	bool put;
	struct file *f = fd_borrow(epfd, &put);
	long ret;

	if (!f)
		return -EBADF;
	ret = wait_events(f, uevents, max, deadline, wait);
	fd_return(f, put);
	return ret;
}

static long do_wait_ms(int epfd, u64 uevents, int max, int ms)
{
	return do_wait(epfd, uevents, max, ms > 0 ? deadline_in((u64)ms * NSEC_PER_MSEC) : 0,
		       ms != 0);
}

/* ---- the calls ---- */

SYSCALL(213, epoll_create)
{
	return (int)a <= 0 ? -EINVAL : make_epoll(0);
}

SYSCALL(291, epoll_create1)
{
	return make_epoll((u32)a);
}

SYSCALL(233, epoll_ctl)
{
	struct user_event ev = { 0 };
	struct file *epf, *file;
	bool put_ep, put;
	long ret = -EBADF;

	if ((int)b != EPOLL_CTL_DEL && copy_from_user(&ev, (const void __user *)d, sizeof(ev)))
		return -EFAULT;
	epf = fd_borrow((int)a, &put_ep);
	file = fd_borrow((int)c, &put);
	if (epf && file)
		ret = control(epf, (int)b, file, (int)c, &ev);
	if (file)
		fd_return(file, put);
	if (epf)
		fd_return(epf, put_ep);
	return ret;
}

SYSCALL(232, epoll_wait)
{
	return do_wait_ms((int)a, b, (int)c, (int)d);
}

SYSCALL(281, epoll_pwait)
{
	int err = sigmask_from_user(e, f);

	return err ? err : do_wait_ms((int)a, b, (int)c, (int)d);
}

SYSCALL(441, epoll_pwait2)
{
	u64 ns = 0;
	int err = d ? timespec_from_user(d, &ns) : 0;

	if (!err)
		err = sigmask_from_user(e, f);
	return err ? err : do_wait((int)a, b, (int)c, d ? deadline_in(ns) : 0, !d || ns);
}
