/* SPDX-License-Identifier: MIT */
/* locks.c - advisory locks on files: POSIX record locks, owned by a process (its descriptor table)
 * and gone at its first close of the file, and flock(2) locks, owned by an open file. */
#include "fs.h"

#include <core/syscall.h>

#define F_GETLK 5
#define F_SETLKW 7
#define F_RDLCK 0
#define F_WRLCK 1
#define F_UNLCK 2
#define LOCK_SH 1
#define LOCK_EX 2
#define LOCK_NB 4
#define LOCK_UN 8
#define MAX_LOCKS 1024 /* on one file: ENOLCK beyond */
#define TO_END (~0ull)

struct user_flock {
	s16 type, whence;
	s32 pad;
	s64 start, len;
	s32 pid, pad2;
};

struct file_lock {
	struct list_head node;
	void *owner; /* descriptor table, or the open file for flock */
	int pid;
	bool flock, write;
	u64 start, last; /* inclusive */
};

/* Made with an inode's first lock, gone with the inode. */
struct lock_list {
	struct mutex lock;
	/* guarded by lock */
	struct list_head locks;
	u32 nr;
	/* who waits for a lock looks again at each change */
	struct wait_queue wait;
	u32 changes;
};

static struct lock_list *list_of(struct inode *ino)
{
	struct lock_list *l = smp_load_acquire(&ino->locks), *none = NULL;

	if (l)
		return l;
	l = kzalloc(sizeof(*l));
	if (!l)
		return NULL;
	mutex_init(&l->lock);
	list_init(&l->locks);
	wait_queue_init(&l->wait);
	if (!__atomic_compare_exchange_n(&ino->locks, &none, l, false, __ATOMIC_ACQ_REL,
					 __ATOMIC_ACQUIRE)) {
		kfree(l);
		return none;
	}
	return l;
}

void locks_free(struct inode *ino)
{
	kfree(ino->locks);
}

static bool overlaps(const struct file_lock *x, const struct file_lock *y)
{
	return x->flock == y->flock && x->start <= y->last && y->start <= x->last;
}

static struct file_lock *find_conflict(struct lock_list *l, const struct file_lock *want)
{
	struct file_lock *have;

	list_for_each_entry(have, &l->locks, node) {
		if (have->owner != want->owner && overlaps(have, want) &&
		    (have->write || want->write))
			return have;
	}
	return NULL;
}

static void drop(struct lock_list *l, struct file_lock *k)
{
	list_del(&k->node);
	l->nr--;
	kfree(k);
}

/* Frees the owner's locks in the range, keeping what sticks out. spare: for a hole in the middle of
 * one; set to NULL when it was used. */
static void cut(struct lock_list *l, const struct file_lock *range, struct file_lock **spare)
{
	struct file_lock *k, *tmp;

	list_for_each_entry_safe(k, tmp, &l->locks, node) {
		if (k->owner != range->owner || !overlaps(k, range))
			continue;
		if (k->start < range->start && k->last > range->last) {
			**spare = *k;
			(*spare)->start = range->last + 1;
			k->last = range->start - 1;
			list_add(&(*spare)->node, &k->node);
			l->nr++;
			*spare = NULL;
			return;
		}
		if (k->start < range->start)
			k->last = range->start - 1;
		else if (k->last > range->last)
			k->start = range->last + 1;
		else
			drop(l, k);
	}
}

static void changed(struct lock_list *l)
{
	WRITE_ONCE(l->changes, l->changes + 1);
	wake_up_all(&l->wait);
}

/* Sets want (or with unlock frees its range). -EAGAIN when another owner is in the way. */
static int try_set(struct lock_list *l, const struct file_lock *want, bool unlock)
{
	struct file_lock *spare = kmalloc(sizeof(*spare)), *mine = kmalloc(sizeof(*mine));
	int err = 0;

	mutex_lock(&l->lock);
	if (!spare || !mine || (!unlock && l->nr + 2 > MAX_LOCKS)) {
		err = -ENOLCK;
	} else if (!unlock && find_conflict(l, want)) {
		err = -EAGAIN;
	} else {
		cut(l, want, &spare);
		if (!unlock) {
			*mine = *want;
			list_add_tail(&mine->node, &l->locks);
			l->nr++;
			mine = NULL;
		}
		changed(l);
	}
	mutex_unlock(&l->lock);
	kfree(spare);
	kfree(mine);
	return err;
}

/* As try_set, waiting when it is asked to. */
static int set_lock(struct inode *ino, const struct file_lock *want, bool unlock, bool wait)
{
	struct lock_list *l = list_of(ino);

	if (!l)
		return -ENOLCK;
	for (;;) {
		u32 seen = READ_ONCE(l->changes);
		int err = try_set(l, want, unlock);

		if (err != -EAGAIN || !wait)
			return err;
		err = wait_event_interruptible(&l->wait, READ_ONCE(l->changes) != seen);
		if (err)
			return err;
	}
}

/* ---- POSIX ---- */

static int range_from_user(struct file *f, const struct user_flock *u, struct file_lock *k)
{
	s64 base = u->whence == 0 ? 0 : u->whence == 1 ? (s64)f->pos : (s64)f->inode->size;
	s64 start, last;

	if (u->whence < 0 || u->whence > 2)
		return -EINVAL;
	if (__builtin_add_overflow(base, u->start, &start))
		return -EOVERFLOW;
	k->last = TO_END;
	if (u->len > 0) {
		if (__builtin_add_overflow(start, u->len - 1, &last))
			return -EOVERFLOW;
		k->last = (u64)last;
	} else if (u->len < 0) {
		k->last = (u64)(start - 1);
		start += u->len;
	}
	if (start < 0)
		return -EINVAL;
	k->start = (u64)start;
	return 0;
}

static long get_lock(struct file *f, struct user_flock *u, const struct file_lock *want)
{
	struct lock_list *l = smp_load_acquire(&f->inode->locks);
	struct file_lock *k;

	u->type = F_UNLCK;
	if (!l)
		return 0;
	mutex_lock(&l->lock);
	k = find_conflict(l, want);
	if (k) {
		u->type = k->write ? F_WRLCK : F_RDLCK;
		u->whence = 0;
		u->start = (s64)k->start;
		u->len = k->last == TO_END ? 0 : (s64)(k->last - k->start + 1);
		u->pid = k->pid;
	}
	mutex_unlock(&l->lock);
	return 0;
}

long fcntl_lock(struct file *f, u32 cmd, u64 arg)
{
	struct file_lock want = { .owner = current_fds(), .pid = current_pid() };
	struct user_flock u;
	long err;

	if (copy_from_user(&u, (const void __user *)arg, sizeof(u)))
		return -EFAULT;
	if (u.type < F_RDLCK || u.type > F_UNLCK)
		return -EINVAL;
	err = range_from_user(f, &u, &want);
	if (err)
		return err;
	want.write = u.type == F_WRLCK;
	if (cmd == F_GETLK) {
		if (u.type == F_UNLCK)
			return -EINVAL;
		get_lock(f, &u, &want);
		return copy_to_user((void __user *)arg, &u, sizeof(u));
	}
	if ((u.type == F_RDLCK && !(to_vfile(f)->mode & FMODE_READ)) ||
	    (u.type == F_WRLCK && !(to_vfile(f)->mode & FMODE_WRITE)))
		return -EBADF;
	return set_lock(f->inode, &want, u.type == F_UNLCK, cmd == F_SETLKW);
}

static void release(struct inode *ino, const struct file_lock *all)
{
	struct lock_list *l = smp_load_acquire(&ino->locks);
	struct file_lock *k, *tmp;
	bool any = false;

	if (!l)
		return;
	mutex_lock(&l->lock);
	list_for_each_entry_safe(k, tmp, &l->locks, node) {
		if (k->owner == all->owner && k->flock == all->flock) {
			drop(l, k);
			any = true;
		}
	}
	if (any)
		changed(l);
	mutex_unlock(&l->lock);
}

void locks_release_owner(struct file *f, struct fd_table *owner)
{
	release(f->inode, &(struct file_lock){ .owner = owner });
}

/* ---- flock ---- */

void locks_release_file(struct file *f)
{
	release(f->inode, &(struct file_lock){ .owner = f, .flock = true });
}

static long flock_file(struct file *f, u32 op)
{
	struct file_lock want = { .owner = f, .pid = current_pid(), .flock = true, .last = TO_END };
	u32 kind = op & ~(u32)LOCK_NB;

	if (kind != LOCK_SH && kind != LOCK_EX && kind != LOCK_UN)
		return -EINVAL;
	if (f->flags & O_PATH)
		return -EBADF;
	want.write = kind == LOCK_EX;
	to_vfile(f)->has_flock = true;
	return set_lock(f->inode, &want, kind == LOCK_UN, !(op & LOCK_NB));
}

SYSCALL(73, flock)
{
	struct file *file = fd_get((int)a);
	long ret;

	if (!file)
		return -EBADF;
	ret = flock_file(file, (u32)b);
	file_put(file);
	return ret;
}
