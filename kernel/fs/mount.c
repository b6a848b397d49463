/* SPDX-License-Identifier: MIT */
/* mount.c - which tree hangs where. One name space for all; a mount on a mount's root covers it. A
 * mount is busy while anybody else holds a path in it; MNT_DETACH takes it out of the tree at once
 * and lets the last path free it. */
#include "fs.h"

#include <core/syscall.h>

#define MNT_FORCE 1
#define MNT_DETACH 2
#define MNT_EXPIRE 4
#define UMOUNT_NOFOLLOW 8

static struct spinlock mount_lock = SPINLOCK_INIT;
static DEFINE_MUTEX(mount_mutex);
static LIST_HEAD(mounts);	 /* guarded by mount_lock */
static struct mount *root_mount; /* fixed after mount_init */
static struct spinlock types_lock = SPINLOCK_INIT;
static LIST_HEAD(types);
static int next_id; /* guarded by mount_mutex */

struct mount *mount_get(struct mount *m)
{
	refcount_inc(&m->refs);
	return m;
}

void mount_put(struct mount *m)
{
	while (m && refcount_dec_and_test(&m->refs)) {
		struct mount *parent = m->parent;

		if (m->mountpoint)
			entry_put(m->mountpoint);
		entry_put(m->root);
		super_put(m->super);
		kfree(m->source);
		kfree(m);
		m = parent;
	}
}

/* Takes the references on super and root. NULL: they are dropped. mount_mutex held. */
static struct mount *mount_new(struct super *s, struct entry *root, const char *source, u32 flags)
{
	struct mount *m = kzalloc(sizeof(*m));

	if (m)
		m->source = kstrdup(source && *source ? source : "none");
	if (!m || !m->source) {
		kfree(m);
		entry_put(root);
		super_put(s);
		return NULL;
	}
	refcount_set(&m->refs, 1);
	m->id = ++next_id;
	m->super = s;
	m->root = root;
	m->flags = flags & MS_KEPT;
	return m;
}

void mount_lock_tree(void)
{
	spin_lock(&mount_lock);
	spin_lock(&tree_lock);
}

void mount_unlock_tree(void)
{
	spin_unlock(&tree_lock);
	spin_unlock(&mount_lock);
}

/* ---- moving between mounts ---- */

static struct mount *mounted_on(const struct path *p)
{
	struct mount *m;

	list_for_each_entry(m, &mounts, node) {
		if (m->mountpoint == p->entry && m->parent == p->mnt)
			return m;
	}
	return NULL;
}

void mount_descend(struct path *p)
{
	while (unlikely(READ_ONCE(p->entry->nr_mounts))) {
		struct path below = *p;
		struct mount *m;

		spin_lock(&mount_lock);
		m = mounted_on(p);
		if (m)
			mount_get(m);
		spin_unlock(&mount_lock);
		if (!m)
			return;
		p->mnt = m;
		p->entry = entry_get(m->root);
		path_put(&below);
	}
}

bool mount_ascend(struct path *p)
{
	struct path up = { 0 };

	if (p->entry != p->mnt->root)
		return false;
	spin_lock(&mount_lock);
	if (p->mnt->parent) {
		up.mnt = mount_get(p->mnt->parent);
		up.entry = entry_get(p->mnt->mountpoint);
	}
	spin_unlock(&mount_lock);
	if (!up.mnt)
		return false;
	path_put(p);
	*p = up;
	return true;
}

int mount_want_write(const struct path *p)
{
	return p->mnt && (READ_ONCE(p->mnt->flags) & MS_RDONLY) ? -EROFS : 0;
}

void mount_root_path(struct path *out)
{
	out->mnt = mount_get(root_mount);
	out->entry = entry_get(root_mount->root);
	mount_descend(out);
}

/* Calls fn for each mount without a lock: each is held while fn looks at it. */
void mount_for_each(bool (*fn)(void *arg, struct mount *m), void *arg)
{
	struct mount *m = NULL, *next;

	mutex_lock(&mount_mutex);
	for (;;) {
		spin_lock(&mount_lock);
		next = m ? list_next_entry(m, node) : list_first_entry(&mounts, struct mount, node);
		spin_unlock(&mount_lock);
		if (&next->node == &mounts || fn(arg, next))
			break;
		m = next;
	}
	mutex_unlock(&mount_mutex);
}

/* ---- attaching and detaching; mount_mutex held ---- */

/* Takes over the caller's reference on m; the place is referenced anew. */
static void attach(struct mount *m, const struct path *where)
{
	struct path p = path_get(where);

	spin_lock(&mount_lock);
	m->parent = p.mnt;
	m->mountpoint = p.entry;
	p.entry->nr_mounts++;
	m->attached = true;
	list_add_tail(&m->node, &mounts);
	spin_unlock(&mount_lock);
}

static struct mount *child_of(struct mount *m)
{
	struct mount *c;

	list_for_each_entry(c, &mounts, node) {
		if (c->parent == m)
			return c;
	}
	return NULL;
}

/* Out of the tree; what it held there is put. */
static void detach_one(struct mount *m)
{
	struct path up;

	spin_lock(&mount_lock);
	up.mnt = m->parent;
	up.entry = m->mountpoint;
	m->parent = NULL;
	m->mountpoint = NULL;
	m->attached = false;
	up.entry->nr_mounts--;
	list_del(&m->node);
	spin_unlock(&mount_lock);
	path_put(&up);
	mount_put(m);
}

/* With everything mounted below, leaves first. */
static void detach_tree(struct mount *top)
{
	for (;;) {
		struct mount *m = top, *c;

		spin_lock(&mount_lock);
		while ((c = child_of(m)))
			m = c;
		spin_unlock(&mount_lock);
		detach_one(m);
		if (m == top)
			return;
	}
}

/* ---- types ---- */

void fs_type_register(struct fs_type *t)
{
	spin_lock(&types_lock);
	list_add_tail(&t->node, &types);
	spin_unlock(&types_lock);
}

static struct fs_type *type_find(const char *name)
{
	struct fs_type *t;

	spin_lock(&types_lock);
	list_for_each_entry(t, &types, node) {
		if (!strcmp(t->name, name))
			break;
	}
	spin_unlock(&types_lock);
	return &t->node == &types ? NULL : t; /* types are never taken away */
}

void fs_types_show(struct seq *s)
{
	struct fs_type *t;

	list_for_each_entry(t, &types, node)
		seq_printf(s, "nodev\t%s\n", t->name);
}

/* ---- mount(2) ---- */

static int mount_new_fs(const char *source, const struct path *where, const char *type, u32 flags,
			const char *opts)
{
	struct fs_type *t = type ? type_find(type) : NULL;
	struct entry *root;
	struct super *s;
	struct mount *m;

	if (!t)
		return -ENODEV;
	if (!S_ISDIR(where->entry->inode->mode))
		return -ENOTDIR;
	s = t->get(opts ? opts : "", &root);
	if (IS_ERR(s))
		return PTR_ERR(s);
	if (where->entry == where->mnt->root && root == where->entry) {
		entry_put(root); /* the same again on the same place */
		super_put(s);
		return -EBUSY;
	}
	m = mount_new(s, root, source, flags);
	if (!m)
		return -ENOMEM;
	attach(m, where);
	return 0;
}

static int mount_bind(const char *source, const struct path *where)
{
	struct path from;
	struct mount *m;
	int err = path_lookup(AT_FDCWD, source, WALK_FOLLOW, &from);

	if (err)
		return err;
	if (!from.mnt || (READ_ONCE(from.entry->flags) & ENTRY_LOOSE))
		err = -EINVAL;
	else if (S_ISDIR(from.entry->inode->mode) != S_ISDIR(where->entry->inode->mode))
		err = -ENOTDIR;
	if (!err) {
		m = mount_new(super_get(from.mnt->super), entry_get(from.entry), from.mnt->source,
			      from.mnt->flags);
		err = m ? 0 : -ENOMEM;
		if (m)
			attach(m, where);
	}
	path_put(&from);
	return err;
}

static bool is_mount_root(const struct path *p)
{
	return p->mnt && p->entry == p->mnt->root;
}

/* Is where inside the mount m, in one of those below it? */
static bool below(struct mount *m, const struct path *where)
{
	struct mount *at;

	for (at = where->mnt; at; at = at->parent) {
		if (at == m)
			return true;
	}
	return false;
}

static int mount_move(const char *source, const struct path *where)
{
	struct path from, old;
	int err = path_lookup(AT_FDCWD, source, WALK_FOLLOW, &from);

	if (err)
		return err;
	if (!is_mount_root(&from) || !from.mnt->attached || from.mnt == root_mount)
		err = -EINVAL;
	else if (below(from.mnt, where))
		err = -ELOOP;
	else if (S_ISDIR(from.entry->inode->mode) != S_ISDIR(where->entry->inode->mode))
		err = -ENOTDIR;
	if (!err) {
		struct path place = path_get(where);

		spin_lock(&mount_lock);
		old = (struct path){ from.mnt->parent, from.mnt->mountpoint };
		old.entry->nr_mounts--;
		from.mnt->parent = place.mnt;
		from.mnt->mountpoint = place.entry;
		place.entry->nr_mounts++;
		spin_unlock(&mount_lock);
		path_put(&old);
	}
	path_put(&from);
	return err;
}

int do_mount(const char *source, const char *target, const char *type, u32 flags, const char *opts)
{
	struct path where;
	int err;

	if ((flags & 0xffff0000u) == 0xc0ed0000u) /* the magic number of old callers */
		flags &= 0xffff;
	err = path_lookup(AT_FDCWD, target, WALK_FOLLOW, &where);
	if (err)
		return err;
	mutex_lock(&mount_mutex);
	if (!where.mnt || !where.mnt->attached || (READ_ONCE(where.entry->flags) & ENTRY_LOOSE)) {
		err = -EINVAL;
	} else if (flags & MS_REMOUNT) {
		err = is_mount_root(&where) ? 0 : -EINVAL;
		if (!err)
			where.mnt->flags = flags & MS_KEPT;
	} else if (flags & MS_PROPAGATION) {
		err = is_mount_root(&where) ? 0 : -EINVAL; /* one name space: nothing spreads */
	} else if (READ_ONCE(where.entry->flags) & ENTRY_DELETED) {
		err = -ENOENT;
	} else if (flags & MS_BIND) {
		err = source ? mount_bind(source, &where) : -EINVAL;
	} else if (flags & MS_MOVE) {
		err = source ? mount_move(source, &where) : -EINVAL;
	} else {
		err = mount_new_fs(source, &where, type, flags, opts);
	}
	mutex_unlock(&mount_mutex);
	path_put(&where);
	return err;
}

int vfs_mount(const char *type, const char *path)
{
	return do_mount(type, path, type, 0, NULL);
}

/* A string argument that may be absent. 0, -EFAULT, -ENOMEM ... */
static int string_from_user(u64 user, char **out)
{
	int err;

	*out = NULL;
	if (!user)
		return 0;
	*out = path_buf_get();
	if (!*out)
		return -ENOMEM;
	err = path_from_user(*out, user, true);
	if (err) {
		path_buf_put(*out);
		*out = NULL;
	}
	return err;
}

SYSCALL(165, mount)
{
	char *source = NULL, *target = NULL, *type = NULL, *opts = NULL;
	int err = require_root();

	if (err)
		return err;
	err = string_from_user(a, &source);
	if (!err)
		err = string_from_user(b, &target);
	if (!err)
		err = string_from_user(c, &type);
	/* data is the file system's own: text for all of ours, and only for a new mount */
	if (!err && !(d & (MS_REMOUNT | MS_BIND | MS_MOVE | MS_PROPAGATION)))
		err = string_from_user(e, &opts);
	if (!err)
		err = target ? do_mount(source, target, type, (u32)d, opts) : -EFAULT;
	path_buf_put(source);
	path_buf_put(target);
	path_buf_put(type);
	path_buf_put(opts);
	return err;
}

/* ---- umount2(2) ---- */

static int do_umount(struct path *p, u32 flags)
{
	struct mount *m = p->mnt;
	bool has_child;

	if (!is_mount_root(p) || !m->attached)
		return -EINVAL;
	if (m == root_mount)
		return -EBUSY;
	if (flags & MNT_DETACH) {
		detach_tree(m);
		return 0;
	}
	spin_lock(&mount_lock);
	has_child = child_of(m) != NULL;
	spin_unlock(&mount_lock);
	/* one reference is the tree's, one the caller's path */
	if (has_child || refcount_read(&m->refs) > 2)
		return -EBUSY;
	detach_one(m);
	return 0;
}

SYSCALL(166, umount2)
{
	struct path p;
	int err = require_root();

	if (err)
		return err;
	if (b & ~(u64)(MNT_FORCE | MNT_DETACH | MNT_EXPIRE | UMOUNT_NOFOLLOW))
		return -EINVAL;
	err = path_lookup_user(AT_FDCWD, a, b & UMOUNT_NOFOLLOW ? 0 : WALK_FOLLOW, &p);
	if (err)
		return err;
	mutex_lock(&mount_mutex);
	err = do_umount(&p, (u32)b);
	mutex_unlock(&mount_mutex);
	path_put(&p);
	return err;
}

int mount_init(struct super *rootfs)
{
	mutex_lock(&mount_mutex);
	root_mount = mount_new(super_get(rootfs), entry_get(rootfs->root), "rootfs", 0);
	if (root_mount) {
		root_mount->attached = true;
		list_add_tail(&root_mount->node, &mounts);
	}
	mutex_unlock(&mount_mutex);
	return root_mount ? 0 : -ENOMEM;
}
