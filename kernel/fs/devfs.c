/* SPDX-License-Identifier: MIT */
/* devfs.c - character devices by number, and the tree of their names that a devtmpfs mount shows.
 * The tree exists whether it is mounted or not; devpts is its directory pts. */
#include "inotify.h"

struct super *devfs_super;

static struct super *devpts_super;
static DEFINE_MUTEX(devices_mutex);
static LIST_HEAD(devices); /* of struct chrdev, guarded by devices_mutex */

static u32 dev_major(u64 dev)
{
	return dev >> 8 & 0xfff;
}

static u32 dev_minor(u64 dev)
{
	return (dev & 0xff) | (dev >> 12 & ~0xffu);
}

/* ---- devices ---- */

static struct chrdev *find_device(u64 rdev)
{
	u32 major = dev_major(rdev), minor = dev_minor(rdev);
	struct chrdev *c;

	list_for_each_entry(c, &devices, node) {
		if (c->major == major && minor >= c->minor &&
		    minor - c->minor < max(c->nr_minors, 1u))
			return c;
	}
	return NULL;
}

int chrdev_register(struct chrdev *c)
{
	int err = 0;

	mutex_lock(&devices_mutex);
	if (find_device(makedev(c->major, c->minor)))
		err = -EEXIST;
	else
		list_add_tail(&c->node, &devices);
	mutex_unlock(&devices_mutex);
	/* devfs_init names those that came before it */
	if (!err && devfs_super && c->name && c->nr_minors <= 1)
		err = devfs_add(c->name, S_IFCHR | c->mode, makedev(c->major, c->minor));
	return err;
}

void chrdev_for_each(void (*fn)(void *arg, const struct chrdev *c), void *arg)
{
	struct chrdev *c;

	mutex_lock(&devices_mutex);
	list_for_each_entry(c, &devices, node)
		fn(arg, c);
	mutex_unlock(&devices_mutex);
}

int chrdev_open(struct inode *ino, struct file *f)
{
	struct chrdev *c;

	mutex_lock(&devices_mutex);
	c = find_device(ino->rdev);
	mutex_unlock(&devices_mutex);
	if (!c)
		return -ENXIO;
	f->ops = c->fops;
	return c->open ? c->open(ino, f) : 0;
}

/* ---- names ---- */

/* The directory of a path below root, made as needed, with a reference; *last is the name in it. */
static struct entry *make_parents(struct entry *root, const char *path, const char **last)
{
	struct entry *dir = entry_get(root);
	const char *slash;

	while ((slash = strchr(path, '/'))) {
		char name[NAME_MAX + 1];
		size_t n = slash - path;
		struct entry *next;
		int err = 0;

		if (!n || n > NAME_MAX) {
			entry_put(dir);
			return ERR_PTR(-EINVAL);
		}
		memcpy(name, path, n);
		name[n] = 0;
		path = slash + 1;
		mutex_lock(&dir->inode->lock);
		next = entry_lookup_locked(dir, name);
		if (IS_ERR(next))
			err = ramfs_mkdir(dir, name, 0755, &next);
		mutex_unlock(&dir->inode->lock);
		entry_put(dir);
		if (!err && !S_ISDIR(next->inode->mode)) {
			entry_put(next);
			err = -ENOTDIR;
		}
		if (err)
			return ERR_PTR(err);
		dir = next;
	}
	*last = path;
	return dir;
}

static int add_inode(const char *name, struct inode *ino)
{
	struct entry *dir;
	const char *last;
	int err;

	dir = make_parents(devfs_super->root, name, &last);
	if (IS_ERR(dir))
		return PTR_ERR(dir);
	mutex_lock(&dir->inode->lock);
	err = entry_link(dir, last, ino, NULL);
	if (!err) {
		inode_touch(dir->inode);
		inotify_name(dir->inode, IN_CREATE, last, ino);
	}
	mutex_unlock(&dir->inode->lock);
	entry_put(dir);
	return err;
}

int devfs_add(const char *name, u32 mode, u64 rdev)
{
	struct inode *ino;
	int err;

	if (!devfs_super)
		return -ENODEV;
	if (!(mode & S_IFMT))
		mode |= S_IFCHR;
	ino = ramfs_inode(devfs_super, mode, rdev);
	if (!ino)
		return -ENOMEM;
	err = add_inode(name, ino);
	inode_put(ino);
	return err;
}

void devfs_remove(const char *name)
{
	struct entry *dir, *e;
	const char *last;

	if (!devfs_super)
		return;
	dir = make_parents(devfs_super->root, name, &last);
	if (IS_ERR(dir))
		return;
	mutex_lock(&dir->inode->lock);
	e = entry_lookup_locked(dir, last);
	/* only what it made: root may have put something else there */
	if (!IS_ERR(e) && S_ISCHR(e->inode->mode)) {
		entry_unlink(e);
		e->inode->nlink = 0;
		inode_touch(dir->inode);
		inotify_name(dir->inode, IN_DELETE, last, e->inode);
	}
	mutex_unlock(&dir->inode->lock);
	if (!IS_ERR(e))
		entry_put(e);
	entry_put(dir);
}

static void devfs_link(const char *name, const char *target)
{
	struct inode *root = devfs_super->root->inode, *ino;

	if (root->ops->symlink(root, name, target, &ino))
		return;
	add_inode(name, ino);
	inode_put(ino);
}

/* ---- mounting ---- */

static struct super *devtmpfs_get(const char *opts, struct entry **root)
{
	*root = entry_get(devfs_super->root);
	return super_get(devfs_super);
}

/* A devpts mount starts at the directory pts of the device tree. */
static struct super *devpts_get(const char *opts, struct entry **root)
{
	struct entry *pts = entry_lookup(devfs_super->root, "pts");

	if (IS_ERR(pts))
		return ERR_PTR(PTR_ERR(pts));
	*root = pts;
	return super_get(devpts_super);
}

static struct fs_type devtmpfs_type = { .name = "devtmpfs", .get = devtmpfs_get };
static struct fs_type devpts_type = { .name = "devpts", .get = devpts_get };

int devfs_init(void)
{
	struct entry *root, *dir = NULL;
	struct chrdev *c;
	int err;

	devfs_super = ramfs_new("devtmpfs", MAGIC_TMPFS);
	devpts_super = super_new("devpts", MAGIC_DEVPTS);
	if (!devfs_super || !devpts_super)
		return -ENOMEM;
	root = devfs_super->root;
	mutex_lock(&root->inode->lock);
	err = ramfs_mkdir(root, "pts", 0755, NULL);
	if (!err)
		err = ramfs_mkdir(root, "shm", 0755, &dir);
	mutex_unlock(&root->inode->lock);
	if (err)
		return err;
	dir->inode->mode = S_IFDIR | S_ISVTX | 0777;
	entry_put(dir);
	devfs_link("fd", "/proc/self/fd");
	devfs_link("stdin", "/proc/self/fd/0");
	devfs_link("stdout", "/proc/self/fd/1");
	devfs_link("stderr", "/proc/self/fd/2");
	mutex_lock(&devices_mutex);
	list_for_each_entry(c, &devices, node) {
		if (c->name && c->nr_minors <= 1)
			devfs_add(c->name, S_IFCHR | c->mode, makedev(c->major, c->minor));
	}
	mutex_unlock(&devices_mutex);
	fs_type_register(&devtmpfs_type);
	fs_type_register(&devpts_type);
	return 0;
}
