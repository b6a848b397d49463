/* SPDX-License-Identifier: MIT */
/* core/vfs.h - names, inodes, mounts and descriptor tables. All file systems are in memory, so the
 * dentry tree of ramfs-like ones is the truth; dynamic ones (proc) answer lookups. */
#pragma once

#include <weft/file.h>
#include <weft/list.h>
#include <weft/mutex.h>
#include <uapi/stat.h>

struct inode;
struct dentry;
struct super;
struct fs_type;

/* The tree of names itself (kernel/fs/entry.c) belongs to the VFS: create and symlink only make the
 * inode, link and unlink only allow it; the VFS then changes the tree, the link counts and the
 * times. */
struct inode_ops {
	/* These five with the directory's lock held; process context. Unset: EPERM (create:
	 * EACCES). */
	struct inode *(*lookup)(struct inode *dir,
				const char *name); /* of names not in the tree; reference,
						    * ERR_PTR(-ENOENT) */
	int (*create)(struct inode *dir, const char *name, u32 mode, u64 rdev, struct inode **out);
	int (*symlink)(struct inode *dir, const char *name, const char *target, struct inode **out);
	int (*link)(struct inode *dir, const char *name, struct inode *target);
	int (*unlink)(struct inode *dir, const char *name,
		      bool isdir);				    /* rename too: EXDEV apart */
	int (*readlink)(struct inode *ino, char *buf, size_t size); /* length */
	/* Magic links (/proc/self/exe, fd/N): gives the object itself. NULL: readlink's text. */
	int (*follow)(struct inode *ino, struct dentry **out);
	int (*truncate)(struct inode *ino, u64 size);
	int (*open)(struct inode *ino, struct file *f); /* may replace f->ops, set f->priv */
	struct page *(*page)(struct inode *ino, u64 index,
			     bool create); /* file pages for mmap; reference */
	int (*setattr)(struct inode *ino); /* veto of chmod/chown; NULL: allowed */
	void (*evict)(struct inode *ino);  /* last reference */
};

struct inode {
	struct refcount refs;
	u32 watched; /* WATCHED_*; 0: nobody wants to hear of it */
	u64 ino;
	u32 mode; /* S_IF* | permissions */
	u32 uid, gid, nlink;
	u64 rdev, size;
	u64 atime_ns, mtime_ns, ctime_ns;
	struct super *super;
	const struct inode_ops *ops;
	const struct file_ops *fops;
	struct mutex lock; /* contents, size, directory entries */
	void *priv;
	struct atomic writers;	   /* > 0: open for writing; < 0: programs run from it (ETXTBSY) */
	struct lock_list *locks;   /* POSIX and flock locks, kernel/fs/locks.c; NULL: none ever */
	struct hlist_head watches; /* kernel/fs/inotify.c's, as is watched */
};

/* Opaque outside kernel/fs: a counted handle on a place in the tree (holds its name, inode and
 * mount). */
struct dentry *dentry_get(struct dentry *d);
void dentry_put(struct dentry *d);
/* Absolute path as seen from the caller's root; " (deleted)" appended when unlinked. -ENAMETOOLONG.
 */
int dentry_path(struct dentry *d, char *buf, size_t size);

struct fs_context {
	struct refcount refs;
	struct spinlock lock;
	struct dentry *cwd, *root;
	u32 umask;
};
struct fs_context *fs_context_copy(struct fs_context *old); /* NULL old: at the root */
void fs_context_put(struct fs_context *fs);

struct fd_table;
struct fd_table *fd_table_copy(struct fd_table *old); /* NULL old: empty; NULL without memory */
struct fd_table *fd_table_get(struct fd_table *t);
struct fs_context *fs_context_get(struct fs_context *fs);
void fd_table_put(struct fd_table *t); /* last: closes all */
void fd_table_close_on_exec(struct fd_table *t);
struct file *fd_get(int fd); /* reference, NULL: EBADF */
/* The same for the length of a system call, without the reference where nobody else could close it
 * meanwhile. */
struct file *fd_borrow(int fd, bool *put);
static inline void fd_return(struct file *f, bool put)
{
	if (put)
		file_put(f);
}
int fd_install(
	struct file *f,
	u32 flags); /* lowest free; takes the reference; O_CLOEXEC; -EMFILE (then not taken) */
int fd_reserve(u32 flags); /* a number that shows as EBADF until filled */
void fd_fill(int fd, struct file *f);
void fd_unreserve(int fd);
int fd_close(int fd);
/* Calls fn for each open fd of a table until it returns true. For /proc and holders. */
void fd_for_each(struct fd_table *t, bool (*fn)(void *arg, int fd, struct file *f), void *arg);

int vfs_init(void);		  /* rootfs mounted, standard file systems known */
void timerfd_clock_was_set(void); /* timers on the settable clock look again */
int initramfs_unpack(const void *p,
		     size_t n); /* newc cpio, gzipped or not; archives may follow each other */
/* path: kernel string, resolved for the caller. ERR_PTR. */
struct file *vfs_open(const char *path, u32 flags, u32 mode);
struct file *vfs_open_exec(const char *path); /* regular, execute permission, else EACCES */
long vfs_read_at(struct file *f, void *buf, size_t n, u64 pos); /* kernel buffer */
struct inode *
vfs_inode_get(const char *path); /* what a path means, links followed; reference; ERR_PTR */
int vfs_mknod(const char *path, u32 mode, u64 rdev);
int vfs_mount(const char *type, const char *path);

/* Character devices: open by number finds these. Caller-owned. */
struct chrdev {
	u32 major, minor, nr_minors;
	const char *name; /* /dev name when nr_minors is 1: made in devtmpfs; NULL: none */
	u16 mode;
	/* May set f->ops and f->priv; -ENXIO ... */
	int (*open)(struct inode *ino, struct file *f);
	const struct file_ops *fops; /* used when open is NULL or left it */
	struct list_head node;
};
int chrdev_register(struct chrdev *c);
int devfs_add(const char *name, u32 mode, u64 rdev); /* further names: "pts/0", "console" */
void devfs_remove(const char *name);
static inline u64 makedev(u32 major, u32 minor)
{
	return (minor & 0xff) | ((u64)(major & 0xfff) << 8) | ((u64)(minor & ~0xffu) << 12);
}

/* A path for /proc/PID/maps and the like: of an open file, "label:[ino]" for anonymous ones. */
int file_path(const struct file *f, char *buf, size_t size); /* 0, -ENAMETOOLONG */

/* Permission of the caller on an inode: 4 read, 2 write, 1 execute. 0 or -EACCES. */
int inode_permission(struct inode *ino, int want);
void inode_put(struct inode *ino);
u64 inode_dev(const struct inode *ino); /* st_dev */
