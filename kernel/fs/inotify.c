/* SPDX-License-Identifier: MIT */
/* inotify.c - watching files and directories, inotify(7): what happens to them is queued as events
 * in instances behind descriptors. A watch holds its inode, but no name and no mount: with the last
 * name, or the file system, it ends. Locks: tree_lock, then watch_lock, then an instance's lock;
 * what a watch held is let go after them. */
#include "inotify.h"

#include <core/syscall.h>

#define FIONREAD 0x541b
#define WD_BUCKETS 64
#define NAME_ROOM (NAME_MAX + 1)
#define WATCH_FLAGS (IN_EXCL_UNLINK | IN_ONESHOT) /* kept with a watch */
#define MASK_KNOWN                                                                               \
	(IN_ALL_EVENTS | IN_UNMOUNT | IN_Q_OVERFLOW | IN_IGNORED | IN_ONLYDIR | IN_DONT_FOLLOW | \
	 IN_MASK_ADD | IN_MASK_CREATE | IN_ISDIR | WATCH_FLAGS)

/* struct inotify_event with its longest name. */
struct user_event {
	s32 wd;
	u32 mask, cookie, len;
	char name[NAME_ROOM];
};

struct event {
	struct list_head node;
	s32 wd;
	u32 mask, cookie;
	u32 name_len; /* without the 0; 0: no name */
	char name[];
};

/* What one user has of the things that are limited. */
struct user {
	struct list_head node;
	u32 uid;
	int instances, watches;
};

struct inotify {
	/* fixed */
	struct user *user;
	u32 max_events;
	struct wait_queue wait;
	/* guarded by watch_lock */
	struct hlist_head wds[WD_BUCKETS];
	int last_wd;
	/* guarded by lock */
	struct spinlock lock;
	struct list_head events;
	u32 nr_events;
	u32 bytes;	       /* as read */
	struct event overflow; /* its node is empty while it is not queued */
};

struct watch {
	/* fixed */
	struct inotify *owner;
	struct inode *inode; /* reference */
	int wd;
	/* guarded by watch_lock */
	u32 mask; /* events and WATCH_FLAGS */
	struct hlist_node inode_node, wd_node;
	struct watch *next; /* among those that ended */
};

/* Guards the watches of all inodes and instances, inode.watched but for WATCHED_NAME's coming (see
 * mark_children), and the users. */
static struct spinlock watch_lock = SPINLOCK_INIT;
static LIST_HEAD(users);
static struct atomic next_cookie;
static const struct file_ops inotify_fops;

static int max_watches, max_instances = 128, max_queued = 16384;

/* ---- queues ---- */

/* Names are filled up with zeros to a multiple of the event's size. */
static u32 event_size(const struct event *e)
{
	u32 head = offsetof(struct user_event, name);

	return head + (e->name_len ? ALIGN_UP(e->name_len + 1, head) : 0);
}

static void enqueue(struct inotify *in, struct event *e)
{
	list_add_tail(&e->node, &in->events);
	in->nr_events++;
	in->bytes += event_size(e);
}

/* What says the same as the last one that waits is not said again. */
static bool said(struct inotify *in, const struct event *e)
{
	const struct event *last;

	if (list_empty(&in->events))
		return false;
	last = list_last_entry(&in->events, struct event, node);
	return last->mask == e->mask && last->wd == e->wd && last->name_len == e->name_len &&
	       !memcmp(last->name, e->name, e->name_len);
}

static void post(struct inotify *in, int wd, u32 mask, u32 cookie, const char *name)
{
	size_t len = name ? strlen(name) : 0;
	struct event *e = kmalloc(sizeof(*e) + len);
	bool news = true;

	if (e) {
		*e = (struct event){ .wd = wd, .mask = mask, .cookie = cookie, .name_len = len };
		memcpy(e->name, name ? name : "", len);
	}
	spin_lock(&in->lock);
	if (e && in->nr_events < in->max_events) {
		news = !said(in, e);
		if (news) {
			enqueue(in, e);
			e = NULL;
		}
	} else if (list_empty(&in->overflow.node)) {
		enqueue(in, &in->overflow);
	} else {
		news = false;
	}
	spin_unlock(&in->lock);
	kfree(e);
	if (news)
		wake_up_key(&in->wait, POLLIN | POLLRDNORM);
}

/* The first event, taken out; NULL: none, -EINVAL: no room for it. */
static struct event *take(struct inotify *in, size_t room)
{
	struct event *e;

	spin_lock(&in->lock);
	e = list_first_entry_or_null(&in->events, struct event, node);
	if (e && event_size(e) > room) {
		e = ERR_PTR(-EINVAL);
	} else if (e) {
		list_del(&e->node);
		list_init(&e->node);
		in->nr_events--;
		in->bytes -= event_size(e);
	}
	spin_unlock(&in->lock);
	return e;
}

static long copy_out(const struct event *e, struct iov_iter *to)
{
	struct user_event u = { .wd = e->wd, .mask = e->mask, .cookie = e->cookie };
	u32 size = event_size(e);

	u.len = size - offsetof(struct user_event, name);
	memcpy(u.name, e->name, e->name_len);
	return iter_copy_to(&u, size, to) == size ? (long)size : -EFAULT;
}

/* ---- watches; watch_lock held ---- */

static struct hlist_head *wd_bucket(struct inotify *in, int wd)
{
	return &in->wds[(u32)wd % WD_BUCKETS];
}

static struct watch *watch_of_wd(struct inotify *in, int wd)
{
	struct watch *w;

	hlist_for_each_entry(w, wd_bucket(in, wd), wd_node) {
		if (w->wd == wd)
			break;
	}
	return w;
}

static struct watch *watch_of_inode(struct inotify *in, struct inode *ino)
{
	struct watch *w;

	hlist_for_each_entry(w, &ino->watches, inode_node) {
		if (w->owner == in)
			break;
	}
	return w;
}

/* Numbers are not given out again before all others were. */
static int new_wd(struct inotify *in)
{
	do {
		in->last_wd = in->last_wd == 0x7fffffff ? 1 : in->last_wd + 1;
	} while (watch_of_wd(in, in->last_wd));
	return in->last_wd;
}

/* Takes a watch out of everything; bury() frees it after the lock. */
static void unlink_watch(struct watch *w, struct watch **dead)
{
	hlist_del(&w->inode_node);
	hlist_del(&w->wd_node);
	if (!w->inode->watches.first)
		__atomic_and_fetch(&w->inode->watched, ~(u32)WATCHED_SELF, __ATOMIC_RELAXED);
	w->owner->user->watches--;
	w->next = *dead;
	*dead = w;
}

/* The same, and says so. */
static void end_watch(struct watch *w, struct watch **dead)
{
	post(w->owner, w->wd, IN_IGNORED, 0, NULL);
	unlink_watch(w, dead);
}

static void bury(struct watch *dead)
{
	while (dead) {
		struct watch *next = dead->next;

		inode_put(dead->inode);
		kfree(dead);
		dead = next;
	}
}

/* Tells the watchers of target. skip: flags of watches that do not want to hear it. */
static void deliver(struct inode *target, u32 mask, const char *name, u32 cookie, u32 skip,
		    struct watch **dead)
{
	struct hlist_node *n = target->watches.first;

	while (n) {
		struct watch *w = container_of(n, struct watch, inode_node);

		n = n->next;
		if (!((w->mask | IN_UNMOUNT) & mask & ~IN_ISDIR) || w->mask & skip)
			continue;
		post(w->owner, w->wd, mask, cookie, name);
		if (w->mask & IN_ONESHOT)
			end_watch(w, dead);
	}
}

/* ---- what the VFS tells ---- */

u32 inotify_next_cookie(void)
{
	return (u32)atomic_inc(&next_cookie);
}

/* As on Linux, the ends of a directory and its moves do not say that it is one. */
static u32 with_kind(const struct inode *ino, u32 mask)
{
	return S_ISDIR(ino->mode) && !(mask & (IN_DELETE_SELF | IN_MOVE_SELF)) ? mask | IN_ISDIR :
										 mask;
}

void inotify_inode_event(struct inode *ino, u32 mask)
{
	struct watch *dead = NULL;

	spin_lock(&watch_lock);
	deliver(ino, with_kind(ino, mask), NULL, 0, 0, &dead);
	spin_unlock(&watch_lock);
	bury(dead);
}

void inotify_name_event(struct inode *dir, u32 mask, const char *name, struct inode *ino,
			u32 cookie)
{
	struct watch *dead = NULL;

	spin_lock(&watch_lock);
	deliver(dir, with_kind(ino, mask), name, cookie, 0, &dead);
	if (dir->watches.first)
		__atomic_or_fetch(&ino->watched, WATCHED_NAME, __ATOMIC_RELAXED);
	spin_unlock(&watch_lock);
	bury(dead);
}

/* Those of the directory first. tree_lock keeps parent and name as they are. That the mark was for
 * nothing is certain only where e is its inode's one name. */
static void entry_event(struct entry *e, u32 mask, u32 skip)
{
	struct inode *ino = e->inode, *dir;
	struct watch *dead = NULL;

	mask = with_kind(ino, mask);
	spin_lock(&tree_lock);
	spin_lock(&watch_lock);
	dir = ino->watched & WATCHED_NAME && e->parent ? e->parent->inode : NULL;
	if (!(e->flags & ENTRY_DELETED))
		skip = 0;
	if (dir && dir->watches.first)
		deliver(dir, mask, e->name, 0, skip, &dead);
	else if (!(e->flags & ENTRY_DELETED) && (S_ISDIR(ino->mode) || ino->nlink < 2))
		__atomic_and_fetch(&ino->watched, ~(u32)WATCHED_NAME, __ATOMIC_RELAXED);
	deliver(ino, mask, NULL, 0, skip, &dead);
	spin_unlock(&watch_lock);
	spin_unlock(&tree_lock);
	bury(dead);
}

void inotify_entry_event(struct entry *e, u32 mask)
{
	entry_event(e, mask, 0);
}

void inotify_file_event(struct file *f, u32 mask)
{
	if (f->flags & O_PATH)
		return;
	if (f->dentry)
		entry_event(f->dentry->path.entry, mask, IN_EXCL_UNLINK);
	else
		inotify_inode_event(f->inode, mask);
}

void inotify_end(struct inode *ino, u32 mask)
{
	struct watch *dead = NULL;

	spin_lock(&watch_lock);
	deliver(ino, with_kind(ino, mask), NULL, 0, 0, &dead);
	while (ino->watches.first)
		end_watch(container_of(ino->watches.first, struct watch, inode_node), &dead);
	spin_unlock(&watch_lock);
	bury(dead);
}

/* ---- inotify_add_watch, inotify_rm_watch ---- */

/* A watch that is there takes the new mask: its number, -EEXIST. watch_lock held. */
static int change_watch(struct watch *w, u32 mask)
{
	if (mask & IN_MASK_CREATE)
		return -EEXIST;
	w->mask = (mask & IN_MASK_ADD ? w->mask : 0) | (mask & (IN_ALL_EVENTS | WATCH_FLAGS));
	return w->wd;
}

/* Its number, -ENOSPC. watch_lock held. */
static int link_watch(struct inotify *in, struct watch *w, struct inode *ino, u32 mask)
{
	if (in->user->watches >= READ_ONCE(max_watches))
		return -ENOSPC;
	in->user->watches++;
	w->owner = in;
	w->inode = inode_get(ino);
	w->mask = mask & (IN_ALL_EVENTS | WATCH_FLAGS);
	w->wd = new_wd(in);
	hlist_add_head(&w->inode_node, &ino->watches);
	hlist_add_head(&w->wd_node, wd_bucket(in, w->wd));
	__atomic_or_fetch(&ino->watched, WATCHED_SELF, __ATOMIC_RELAXED);
	return w->wd;
}

/* What a watched directory names says from now on what is done to it; the directory's lock is held.
 * Without watch_lock, for it may be much: entry_event clears a mark only under a directory that has
 * no watch, and this one has. */
static void mark_children(struct entry *dir)
{
	struct entry *e;

	list_for_each_entry(e, &dir->children, sibling)
		__atomic_or_fetch(&e->inode->watched, WATCHED_NAME, __ATOMIC_RELAXED);
}

static int add_watch(struct inotify *in, struct entry *e, u32 mask)
{
	struct inode *ino = e->inode;
	struct watch *fresh = kzalloc(sizeof(*fresh)), *w;
	bool isdir = S_ISDIR(ino->mode), is_new;
	int wd;

	if (!fresh)
		return -ENOMEM;
	if (isdir)
		mutex_lock(&ino->lock);
	spin_lock(&watch_lock);
	w = watch_of_inode(in, ino);
	wd = w ? change_watch(w, mask) : link_watch(in, fresh, ino, mask);
	is_new = !w && wd > 0;
	spin_unlock(&watch_lock);
	if (isdir) {
		if (is_new)
			mark_children(e);
		mutex_unlock(&ino->lock);
	}
	if (!is_new)
		kfree(fresh);
	return wd;
}

static int add_watch_at(struct inotify *in, u64 name, u32 mask)
{
	u32 walk = (mask & IN_DONT_FOLLOW ? 0 : WALK_FOLLOW) | (mask & IN_ONLYDIR ? WALK_DIR : 0);
	struct path p;
	int ret = path_lookup_user(AT_FDCWD, name, walk, &p);

	if (ret)
		return ret;
	ret = inode_permission(p.entry->inode, 4);
	if (!ret)
		ret = add_watch(in, p.entry, mask);
	path_put(&p);
	return ret;
}

static int rm_watch(struct inotify *in, int wd)
{
	struct watch *dead = NULL, *w;

	spin_lock(&watch_lock);
	w = watch_of_wd(in, wd);
	if (w)
		end_watch(w, &dead);
	spin_unlock(&watch_lock);
	bury(dead);
	return w ? 0 : -EINVAL;
}

SYSCALL(254, inotify_add_watch)
{
	u32 mask = (u32)c;
	struct file *file;
	long ret = -EINVAL;

	if (!(mask & MASK_KNOWN) || mask & ~MASK_KNOWN)
		return -EINVAL;
	file = fd_get((int)a);
	if (!file)
		return -EBADF;
	if (file->ops == &inotify_fops && (~mask & (IN_MASK_ADD | IN_MASK_CREATE)))
		ret = add_watch_at(file->priv, b, mask);
	file_put(file);
	return ret;
}

SYSCALL(255, inotify_rm_watch)
{
	struct file *file = fd_get((int)a);
	long ret = -EINVAL;

	if (!file)
		return -EBADF;
	if (file->ops == &inotify_fops)
		ret = rm_watch(file->priv, (int)b);
	file_put(file);
	return ret;
}

/* ---- instances ---- */

static long inotify_read(struct file *f, struct iov_iter *to, u64 *pos)
{
	struct inotify *in = f->priv;
	long total = 0, n;

	for (;;) {
		struct event *e = take(in, to->count);

		if (IS_ERR(e))
			return total ? total : PTR_ERR(e);
		if (e) {
			n = copy_out(e, to);
			if (e != &in->overflow)
				kfree(e);
			if (n < 0)
				return n;
			total += n;
			continue;
		}
		if (total || f->flags & O_NONBLOCK)
			return total ? total : -EAGAIN;
		n = wait_event_interruptible(&in->wait, READ_ONCE(in->nr_events));
		if (n)
			return n;
	}
}

static u32 inotify_poll(struct file *f, struct poll_table *pt)
{
	struct inotify *in = f->priv;

	poll_wait(pt, &in->wait);
	return READ_ONCE(in->nr_events) ? POLLIN | POLLRDNORM : 0;
}

static long inotify_ioctl(struct file *f, u32 cmd, unsigned long arg)
{
	struct inotify *in = f->priv;
	int n = (int)READ_ONCE(in->bytes);

	if (cmd != FIONREAD)
		return -ENOTTY;
	return copy_to_user((void __user *)arg, &n, sizeof(n));
}

/* The caller's record, one instance more; ERR_PTR(-EMFILE, -ENOMEM). */
static struct user *user_get(u32 uid)
{
	struct user *fresh = kzalloc(sizeof(*fresh)), *u, *found = NULL;

	if (!fresh)
		return ERR_PTR(-ENOMEM);
	spin_lock(&watch_lock);
	list_for_each_entry(u, &users, node) {
		if (u->uid == uid)
			found = u;
	}
	if ((found ? found->instances : 0) >= READ_ONCE(max_instances)) {
		found = ERR_PTR(-EMFILE);
	} else if (found) {
		found->instances++;
	} else {
		found = fresh;
		fresh = NULL;
		found->uid = uid;
		found->instances = 1;
		list_add_tail(&found->node, &users);
	}
	spin_unlock(&watch_lock);
	kfree(fresh);
	return found;
}

static void user_put(struct user *u)
{
	bool last;

	spin_lock(&watch_lock);
	last = --u->instances == 0;
	if (last)
		list_del(&u->node);
	spin_unlock(&watch_lock);
	if (last)
		kfree(u);
}

static void inotify_free(struct inotify *in)
{
	struct event *e, *next;

	list_for_each_entry_safe(e, next, &in->events, node) {
		if (e != &in->overflow)
			kfree(e);
	}
	user_put(in->user);
	kfree(in);
}

/* Nobody can find the instance any more but what its watches tell. */
static void inotify_release(struct file *f)
{
	struct inotify *in = f->priv;

	for (u32 i = 0; i < WD_BUCKETS; i++) {
		struct hlist_head *b = &in->wds[i];
		struct watch *dead = NULL;

		spin_lock(&watch_lock);
		while (b->first)
			unlink_watch(container_of(b->first, struct watch, wd_node), &dead);
		spin_unlock(&watch_lock);
		bury(dead);
	}
	inotify_free(in);
}

static const struct file_ops inotify_fops = {
	.read = inotify_read,
	.poll = inotify_poll,
	.ioctl = inotify_ioctl,
	.release = inotify_release,
};

static struct inotify *inotify_new(void)
{
	struct inotify *in = kzalloc(sizeof(*in));
	struct user *u;

	if (!in)
		return ERR_PTR(-ENOMEM);
	u = user_get(current_proc()->cred.euid);
	if (IS_ERR(u)) {
		kfree(in);
		return ERR_PTR(PTR_ERR(u));
	}
	in->user = u;
	in->max_events = (u32)READ_ONCE(max_queued);
	wait_queue_init(&in->wait);
	spin_init(&in->lock);
	list_init(&in->events);
	list_init(&in->overflow.node);
	in->overflow.wd = -1;
	in->overflow.mask = IN_Q_OVERFLOW;
	return in;
}

static long make_inotify(u32 flags)
{
	struct inotify *in;
	struct file *f;
	int fd;

	if (flags & ~(u32)(O_NONBLOCK | O_CLOEXEC))
		return -EINVAL;
	in = inotify_new();
	if (IS_ERR(in))
		return PTR_ERR(in);
	f = file_anon("anon_inode:inotify", 0600, &inotify_fops, in,
		      O_RDONLY | (flags & O_NONBLOCK));
	if (IS_ERR(f)) {
		inotify_free(in);
		return PTR_ERR(f);
	}
	fd = fd_install(f, flags);
	if (fd < 0)
		file_put(f);
	return fd;
}

SYSCALL(253, inotify_init)
{
	return make_inotify(0);
}

SYSCALL(294, inotify_init1)
{
	return make_inotify((u32)a);
}

/* ---- settings ---- */

static struct sysctl settings[] = {
	{ .path = "fs/inotify/max_queued_events", .value = &max_queued, .max = 0x7fffffff },
	{ .path = "fs/inotify/max_user_instances", .value = &max_instances, .max = 0x7fffffff },
	{ .path = "fs/inotify/max_user_watches", .value = &max_watches, .max = 0x7fffffff },
};

/* As on Linux a user's watches, with an inode held by each, may take a hundredth of memory, but a
 * few thousand are always allowed. */
int inotify_setup(void)
{
	u64 cost = sizeof(struct watch) + 2 * sizeof(struct inode);
	struct mem_stats mem;
	int err = 0;

	mem_stats_get(&mem);
	max_watches = (int)min(max(mem.total_pages * (PAGE_SIZE / 100) / cost, 8192ul), 1048576ul);
	for (u32 i = 0; i < ARRAY_SIZE(settings) && !err; i++)
		err = sysctl_add(&settings[i]);
	return err;
}
