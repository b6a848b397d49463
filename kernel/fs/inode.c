/* SPDX-License-Identifier: MIT */
/* inode.c - supers and inodes: making them, counting them, who may do what with them. An inode dies
 * with its last reference (names, open files); what its contents need then is its evict callback's.
 */
#include "fs.h"

#include <core/vm.h>
#include <uapi/signal.h>
#include <weft/time.h>

static struct atomic next_dev = ATOMIC_INIT(0);

struct super *super_new(const char *type, u64 magic)
{
	struct super *s = kzalloc(sizeof(*s));

	if (!s)
		return NULL;
	refcount_set(&s->refs, 1);
	refcount_set(&s->holds, 1);
	s->type = type;
	s->magic = magic;
	s->dev = makedev(0, atomic_inc(&next_dev));
	return s;
}

struct super *super_get(struct super *s)
{
	refcount_inc(&s->refs);
	return s;
}

static void super_drop_hold(struct super *s)
{
	if (refcount_dec_and_test(&s->holds))
		kfree(s);
}

void super_put(struct super *s)
{
	if (!refcount_dec_and_test(&s->refs))
		return;
	if (s->root)
		entry_destroy_tree(s->root);
	super_drop_hold(s);
}

/* ---- who asks ---- */

static const struct asker kernel_asker;

struct asker asker_now(void)
{
	struct proc *p = current() ? current_proc() : NULL;

	if (!p)
		return kernel_asker;
	return (struct asker){ p->cred.fsuid, p->cred.fsgid, &p->cred };
}

struct asker asker_real(void)
{
	struct asker a = asker_now();

	if (a.cred) {
		a.uid = a.cred->uid;
		a.gid = a.cred->gid;
	}
	return a;
}

bool asker_in_group(const struct asker *a, u32 gid)
{
	u32 i;

	if (a->gid == gid)
		return true;
	for (i = 0; a->cred && i < a->cred->ngroups; i++) {
		if (a->cred->groups[i] == gid)
			return true;
	}
	return false;
}

int inode_permission_for(const struct asker *a, struct inode *ino, int want)
{
	u32 mode = READ_ONCE(ino->mode);

	if (a->uid == 0) {
		/* root may all but execute what nobody may */
		if ((want & 1) && !S_ISDIR(mode) && !(mode & 0111))
			return -EACCES;
		return 0;
	}
	if (a->uid == ino->uid)
		mode >>= 6;
	else if (asker_in_group(a, ino->gid))
		mode >>= 3;
	return (want & ~mode & 7) ? -EACCES : 0;
}

int inode_permission(struct inode *ino, int want)
{
	struct asker a = asker_now();

	return inode_permission_for(&a, ino, want);
}

bool caller_is_root(void)
{
	return asker_now().uid == 0;
}

bool caller_owns(const struct inode *ino)
{
	u32 uid = asker_now().uid;

	return uid == 0 || uid == ino->uid;
}

/* ---- life ---- */

struct inode *inode_new(struct super *s, u32 mode)
{
	struct asker a = asker_now();
	struct inode *ino;
	s64 n = atomic64_add(&s->inodes, 1);

	if (s->max_inodes && (u64)n > s->max_inodes)
		goto no_room;
	ino = kzalloc(sizeof(*ino));
	if (!ino)
		goto no_room;
	refcount_set(&ino->refs, 1);
	mutex_init(&ino->lock);
	ino->ino = (u64)atomic64_add(&s->next_ino, 1);
	ino->mode = mode;
	ino->uid = a.uid;
	ino->gid = a.gid;
	ino->nlink = 1;
	refcount_inc(&s->holds);
	ino->super = s;
	ino->atime_ns = ino->mtime_ns = ino->ctime_ns = ktime_get_real();
	return ino;
no_room:
	atomic64_add(&s->inodes, -1);
	return NULL;
}

struct inode *inode_get(struct inode *ino)
{
	refcount_inc(&ino->refs);
	return ino;
}

void inode_put(struct inode *ino)
{
	if (!ino || !refcount_dec_and_test(&ino->refs))
		return;
	if (ino->ops && ino->ops->evict)
		ino->ops->evict(ino);
	locks_free(ino);
	atomic64_add(&ino->super->inodes, -1);
	super_drop_hold(ino->super);
	kfree(ino);
}

u64 inode_dev(const struct inode *ino)
{
	return ino->super->dev;
}

/* ---- times ---- */

void inode_touch(struct inode *ino)
{
	ino->mtime_ns = ino->ctime_ns = ktime_get_real();
}

void inode_changed(struct inode *ino)
{
	ino->ctime_ns = ktime_get_real();
}

/* As Linux's relatime: only when the old one says nothing any more. */
void inode_accessed(struct inode *ino)
{
	u64 now;

	if (ino->atime_ns > ino->mtime_ns && ino->atime_ns > ino->ctime_ns)
		return;
	now = ktime_get_real();
	if (now != ino->atime_ns)
		ino->atime_ns = now;
}

u8 mode_to_dtype(u32 mode)
{
	return (mode & S_IFMT) >> 12; /* DT_* are S_IF* shifted */
}

/* ---- writers against running programs ---- */

int inode_get_write(struct inode *ino)
{
	int v = atomic_read(&ino->writers);

	do {
		if (v < 0)
			return -ETXTBSY;
	} while (!__atomic_compare_exchange_n(&ino->writers.v, &v, v + 1, true, __ATOMIC_SEQ_CST,
					      __ATOMIC_RELAXED));
	return 0;
}

void inode_put_write(struct inode *ino)
{
	atomic_dec(&ino->writers);
}

int inode_deny_write(struct inode *ino)
{
	int v = atomic_read(&ino->writers);

	do {
		if (v > 0)
			return -ETXTBSY;
	} while (!__atomic_compare_exchange_n(&ino->writers.v, &v, v - 1, true, __ATOMIC_SEQ_CST,
					      __ATOMIC_RELAXED));
	return 0;
}

void inode_allow_write(struct inode *ino)
{
	atomic_inc(&ino->writers);
}

void inode_drop_privileges(struct inode *ino)
{
	u32 mode = ino->mode;

	if (!(mode & (S_ISUID | S_ISGID)) || caller_is_root())
		return;
	mode &= ~S_ISUID;
	/* set-group-id without group execute is an old mark for mandatory locks */
	if (mode & 010)
		mode &= ~S_ISGID;
	ino->mode = mode;
}

int inode_check_growth(const struct inode *ino, u64 size)
{
	struct proc *p = current() ? current_proc() : NULL;

	if (!p || size <= ino->size || size <= p->rlim[RLIMIT_FSIZE].cur)
		return 0;
	signal_send_thread(current(), SIGXFSZ, NULL);
	return -EFBIG;
}

int inode_truncate(struct inode *ino, u64 size)
{
	u64 old;
	int err;

	if (S_ISDIR(ino->mode))
		return -EISDIR;
	if (!S_ISREG(ino->mode))
		return -EINVAL;
	if (!ino->ops || !ino->ops->truncate)
		return -EPERM;
	if (size > MAX_FILE_SIZE)
		return -EFBIG;
	mutex_lock(&ino->lock);
	old = ino->size;
	err = inode_check_growth(ino, size);
	if (!err)
		err = ino->ops->truncate(ino, size);
	if (!err) {
		inode_drop_privileges(ino);
		inode_touch(ino);
	}
	mutex_unlock(&ino->lock);
	if (!err && size < old)
		vm_file_cut(ino, size);
	return err;
}

int inode_readlink(struct inode *ino, char *buf, size_t size)
{
	if (!S_ISLNK(ino->mode) || !ino->ops || !ino->ops->readlink)
		return -EINVAL;
	inode_accessed(ino);
	return ino->ops->readlink(ino, buf, size);
}
