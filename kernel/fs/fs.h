/* SPDX-License-Identifier: MIT */
/* fs.h - the inside of the VFS: names (entries), places (paths), mounts, supers, open files.
 * Lock order: mount_mutex, rename_mutex, inode->lock (ancestor first, else by address), then the
 * spinlocks: a bucket of the name hash (two by address), mount_lock, tree_lock. */
#pragma once

#include <core/proc.h>
#include <core/vfs.h>
#include <weft/alloc.h>
#include <weft/list.h>
#include <weft/seqfile.h>
#include <weft/string.h>

#define NAME_MAX 255
#define MAX_LINKS 40 /* symbolic links in one walk, as Linux */
#define MAX_FILE_SIZE 0x7fffffffffffll

/* ---- supers: one file system's instance ---- */
#define MAGIC_TMPFS 0x01021994
#define MAGIC_PROC 0x9fa0
#define MAGIC_SYSFS 0x62656572
#define MAGIC_DEVPTS 0x1cd1
#define MAGIC_ANON 0x09041934
#define MAGIC_PIPE 0x50495045
#define MAGIC_SOCK 0x534f434b

struct super {
	/* fixed once made */
	struct refcount refs;  /* mounts, and one for ever of those the kernel keeps */
	struct refcount holds; /* refs as a whole, and each inode: when the struct goes */
	const char *type;
	u64 dev, magic;
	struct entry *root;	   /* NULL: anonymous objects, never mounted */
	u64 max_pages, max_inodes; /* 0: no bound */
	/* counters */
	struct atomic64 next_ino, pages, inodes;
};

struct fs_type {
	const char *name;
	/* A mountable super with a reference, and the entry its mount starts at. ERR_PTR. */
	struct super *(*get)(const char *opts, struct entry **root);
	struct list_head node;
};

struct super *super_new(const char *type, u64 magic);
struct super *super_get(struct super *s);
void super_put(struct super *s);

/* ---- inodes ---- */
/* A fresh inode with one reference, owned by the caller (fsuid, fsgid), times now. NULL. */
struct inode *inode_new(struct super *s, u32 mode);
struct inode *inode_get(struct inode *ino);
void inode_touch(struct inode *ino);	/* mtime and ctime */
void inode_accessed(struct inode *ino); /* atime, relative */
void inode_changed(struct inode *ino);	/* ctime */
u8 mode_to_dtype(u32 mode);
/* Who asks: fsuid and groups of the caller; kernel threads are root. */
struct asker {
	u32 uid, gid;
	const struct cred *cred; /* for supplementary groups; NULL: none */
};
struct asker asker_now(void);
struct asker asker_real(void); /* access(2): the real ids */
bool asker_in_group(const struct asker *a, u32 gid);
int inode_permission_for(const struct asker *a, struct inode *ino, int want);
bool caller_owns(const struct inode *ino); /* owner or root */
bool caller_is_root(void);
int inode_deny_write(struct inode *ino); /* 0, -ETXTBSY */
int inode_get_write(struct inode *ino);
void inode_put_write(struct inode *ino);
void inode_allow_write(struct inode *ino);
int inode_truncate(struct inode *ino, u64 size); /* checks, lock, times */
/* May it become so large? setrlimit(2), RLIMIT_FSIZE: 0, or -EFBIG and SIGXFSZ. ino->lock held. */
int inode_check_growth(const struct inode *ino, u64 size);
void inode_drop_privileges(struct inode *ino); /* written by a user: set-id bits go */

/* ---- entries: the tree of names. A linked entry is held by the tree ---- */
#define ENTRY_DELETED BIT(0) /* was unlinked */
#define ENTRY_LOOSE BIT(1)   /* made by a lookup or anonymous; never in the tree */

struct entry {
	struct refcount refs;
	u32 hash;
	u32 flags;	      /* guarded by tree_lock */
	u32 nr_mounts;	      /* guarded by mount_lock */
	struct inode *inode;  /* fixed */
	struct entry *parent; /* reference; NULL: a root. Guarded by tree_lock, as is name */
	char *name;
	struct hlist_node hash_node; /* guarded by the bucket's lock */
	/* guarded by the directory's inode->lock */
	struct list_head sibling, children;
	u64 cookie, next_cookie; /* position in its directory; next one to give out */
	char short_name[24];
};

struct entry *entry_get(struct entry *e);
void entry_put(struct entry *e);
struct entry *entry_new_root(struct inode *ino); /* takes a reference of its own on ino; NULL */
struct entry *entry_new_loose(struct entry *dir, const char *name, struct inode *ino);
/* Name in a directory, with a reference. ERR_PTR(-ENOENT ...). Takes dir's lock only when the file
 * system answers look-ups itself. */
struct entry *entry_lookup(struct entry *dir, const char *name);
/* The same for a caller that holds dir's lock. */
struct entry *entry_lookup_locked(struct entry *dir, const char *name);
/* dir's lock held. -EEXIST, -ENOMEM, -ENOENT (dir was removed). out may be NULL. */
int entry_link(struct entry *dir, const char *name, struct inode *ino, struct entry **out);
void entry_unlink(struct entry *e);
/* Both directories' locks held; takes the place of victim (may be NULL), which is unlinked.
 * -ENOMEM. */
int entry_move(struct entry *e, struct entry *newdir, const char *newname, struct entry *victim);
/* Swaps the places of two entries. */
int entry_exchange(struct entry *a, struct entry *b);
struct entry *entry_parent(struct entry *e);		  /* with a reference; of a root itself */
bool entry_is_inside(struct entry *e, struct entry *dir); /* e is dir or below; rename_mutex held */
void entry_destroy_tree(struct entry *root);		  /* nobody else looks at it any more */
/* Linked children from position pos on, for readdir callbacks. False: emit had enough. */
bool entry_readdir(struct entry *dir, u64 pos, void *ctx,
		   bool (*emit)(void *ctx, const char *name, u64 ino, u8 type, u64 next_pos));
extern struct spinlock tree_lock;

/* ---- places ---- */
struct path {
	struct mount *mnt; /* NULL for anonymous objects */
	struct entry *entry;
};

struct dentry {
	struct refcount refs;
	struct path path;
};

struct path path_get(const struct path *p);
void path_put(struct path *p);			 /* empties p */
struct dentry *dentry_new(const struct path *p); /* its own references; NULL */
struct path dentry_to_path(struct dentry *d);	 /* referenced */
int entry_print(struct entry *e, char *buf,
		size_t size); /* from its file system's root; size >= 2 */
int path_print(const struct path *p, char *buf, size_t size); /* as dentry_path */
static inline bool path_same(const struct path *a, const struct path *b)
{
	return a->mnt == b->mnt && a->entry == b->entry;
}

/* ---- mounts ---- */
#define MS_RDONLY 1
#define MS_NOSUID 2
#define MS_NODEV 4
#define MS_NOEXEC 8
#define MS_REMOUNT 32
#define MS_NOATIME 1024
#define MS_BIND 4096
#define MS_MOVE 8192
#define MS_REC 16384
#define MS_PROPAGATION (BIT(17) | BIT(18) | BIT(19) | BIT(20))
#define MS_RELATIME BIT(21)
#define MS_KEPT (MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME)

struct mount {
	struct refcount refs; /* the tree one, each path one, each child one */
	int id;
	struct super *super;
	struct entry *root;
	char *source;
	u32 flags; /* MS_KEPT bits; word read without a lock */
	/* guarded by mount_lock; changed under mount_mutex */
	struct mount *parent; /* NULL: root or detached */
	struct entry *mountpoint;
	struct list_head node; /* all attached, in order of mounting */
	bool attached;
};

struct mount *mount_get(struct mount *m);
void mount_put(struct mount *m);
void mount_descend(struct path *p); /* to the top mount on this place */
bool mount_ascend(
	struct path *p); /* from a mount's root to its mount point; false at the very root */
int mount_want_write(const struct path *p); /* 0, -EROFS */
void mount_root_path(struct path *out);	    /* the root of everything, referenced */
void mount_lock_tree(void); /* mount_lock and tree_lock: names and mounts stand still */
void mount_unlock_tree(void);
void mount_for_each(bool (*fn)(void *arg, struct mount *m), void *arg);
int do_mount(const char *source, const char *target, const char *type, u32 flags, const char *opts);
void fs_type_register(struct fs_type *t);
void fs_types_show(struct seq *s);
int mount_init(struct super *rootfs);

/* ---- path walk ---- */
#define WALK_FOLLOW BIT(0) /* a final symbolic link is followed */
#define WALK_DIR BIT(1)	   /* the result must be a directory */
#define WALK_EMPTY BIT(2)  /* "" means dirfd itself */
/* openat2(2): what a walk may not do */
#define WALK_NO_XDEV BIT(3)  /* leave the mount it begins in: EXDEV */
#define WALK_NO_MAGIC BIT(4) /* links of /proc that are the object itself: ELOOP */
#define WALK_NO_LINKS BIT(5) /* any link: ELOOP */
#define WALK_BENEATH BIT(6)  /* leave dirfd: EXDEV */
#define WALK_IN_ROOT BIT(7)  /* see more than dirfd: that is the root */

enum last_type { LAST_NAME, LAST_DOT, LAST_DOTDOT, LAST_NONE };

/* A walk under way: walk_parent leaves `at` at the directory of the last component, whose name is
 * in `last`. With LAST_NONE there is no name left: `at` is the object. */
struct walk {
	struct path at, root;
	const char *rest;
	char *buf;
	u32 links, flags;
	struct mount *mnt; /* where it began; only compared */
	enum last_type last_type;
	bool slash; /* the last name was followed by a slash */
	char last[NAME_MAX + 1];
};

int walk_begin(struct walk *w, int dirfd, const char *name, u32 flags);
int walk_parent(struct walk *w);
int walk_child(struct walk *w, struct path *out);      /* looks the last component up */
int walk_into_link(struct walk *w, struct path *link); /* continues with its target; takes link */
void walk_end(struct walk *w);
int path_lookup(int dirfd, const char *name, u32 flags, struct path *out);
/* The same with a name in user space. */
int path_lookup_user(int dirfd, u64 name, u32 flags, struct path *out);
int inode_readlink(struct inode *ino, char *buf, size_t size);
void fs_root(struct path *out); /* the caller's root and working directory, referenced */
void fs_cwd(struct path *out);
u32 fs_umask(void);

/* ---- operations on names (dir.c); names are kernel strings ---- */
int do_mknod(int dirfd, const char *name, u32 mode, u64 rdev);
int do_mkdir(int dirfd, const char *name, u32 mode);
int do_symlink(const char *target, int dirfd, const char *name);
int do_link(int olddir, const char *oldname, int newdir, const char *newname, u32 flags);
int do_unlink(int dirfd, const char *name, bool isdir);
int do_rename(int olddir, const char *oldname, int newdir, const char *newname, u32 flags);
/* Makes a file in at, whose lock is held: 0 with a referenced entry. */
int create_locked(struct path *at, const char *name, u32 mode, u64 rdev, struct entry **out);

/* ---- open files ---- */
#define FMODE_READ BIT(0)
#define FMODE_WRITE BIT(1)

struct vfile {
	struct file f; /* first */
	struct mutex pos_mutex;
	u32 mode; /* FMODE_* */
	bool counts_writer, denies_write, has_flock;
	bool opened;	   /* its watchers are told when it is closed */
	const char *label; /* of an anonymous object: "pipe", "socket", "anon_inode:[eventfd]" */
	char *own_label;   /* the same when it is freed with the file */
	struct list_head epitems; /* guarded by epoll.c's link lock */
};
static inline struct vfile *to_vfile(struct file *f)
{
	return (struct vfile *)f;
}

struct vfile *vfile_new(u32 flags); /* one reference, no object; ERR_PTR(-ENFILE, -ENOMEM) */
/* Opens the object at a place. flags: O_*. ERR_PTR. Permission was checked by the caller. */
struct file *file_open_path(const struct path *p, u32 flags);
struct file *file_open_at(int dirfd, const char *name, u32 flags, u32 mode);
/* The same with WALK_* bits that restrict the way. */
struct file *file_open_how(int dirfd, const char *name, u32 flags, u32 mode, u32 how);
int file_to_path(struct file *f,
		 struct path *out); /* referenced; anonymous objects get a loose entry */
extern struct super *anon_super, *pipe_super, *sock_super;

s64 generic_seek(struct file *f, s64 off, int whence);
s64 seek_in(struct file *f, s64 off, int whence, u64 size);
long file_read_iter(struct file *f, struct iov_iter *to, u64 *pos);
long file_write_iter(struct file *f, struct iov_iter *from, u64 *pos);
u32 file_poll(struct file *f, struct poll_table *pt);
void file_lock_pos(struct file *f);
void file_unlock_pos(struct file *f);
void locks_release_owner(struct file *f, struct fd_table *owner); /* POSIX: at any close */
void locks_release_file(struct file *f);			  /* flock: last close */
void locks_free(struct inode *ino);
long pipe_resize(struct file *f, u64 bytes);
long pipe_size(struct file *f);
long fcntl_lock(struct file *f, u32 cmd, u64 arg);
void epoll_file_release(struct file *f);
struct fd_table *current_fds(void);			/* NULL: a kernel thread */
struct file *fd_table_file(struct fd_table *t, u32 fd); /* reference, NULL */
u32 fd_table_room(struct fd_table *t);
bool fd_cloexec(int fd);
int fd_set_cloexec(int fd, bool on);
int fd_dup_from(struct file *f, u64 min,
		u32 flags); /* lowest free from min on; takes its own reference */

/* ---- file systems ---- */
extern const struct inode_ops ramfs_dir_ops;
extern struct fs_type tmpfs_type;
struct super *ramfs_new(const char *type, u64 magic); /* with a root directory; NULL */
struct inode *ramfs_inode(struct super *s, u32 mode, u64 rdev);
int ramfs_mkdir(struct entry *dir, const char *name, u32 mode,
		struct entry **out); /* dir's lock held */
int fifo_open(struct inode *ino, struct file *f);
void fifo_evict(struct inode *ino);
extern const struct inode_ops special_ops; /* devices, FIFOs, socket names */
int chrdev_open(struct inode *ino, struct file *f);
void chrdev_for_each(void (*fn)(void *arg, const struct chrdev *c), void *arg);

/* Contents of a regular file in pages, holes allowed (filepages.c). */
struct file_pages;
struct file_pages *file_pages_new(struct super *s);
void file_pages_free(struct file_pages *fp);
struct page *file_pages_get(struct file_pages *fp, u64 index,
			    bool create); /* reference; NULL: a hole; ERR_PTR */
int file_pages_adopt(struct file_pages *fp, u64 index, struct page *p); /* takes the reference */
void file_pages_truncate(struct file_pages *fp,
			 u64 size); /* and clears the rest of the last page */
u64 file_pages_count(const struct file_pages *fp);
u64 inode_blocks(struct inode *ino); /* of 512 bytes */
int ramfs_fallocate(struct inode *ino, u32 mode, u64 off, u64 len);
extern const struct file_ops ramfs_file_ops;
extern const struct inode_ops ramfs_file_inode_ops;

extern const struct file_ops dir_fops; /* a directory whose names are all in the tree */
int devfs_init(void);
extern struct super *devfs_super;
