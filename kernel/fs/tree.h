/* SPDX-License-Identifier: MIT */
/* tree.h - the common ground of /proc and /sys: text files, and trees that the kernel fills by
 * path. */
#pragma once

#include "fs.h"

/* ---- text.c ---- */
/* Opens f as text that fill prints; fops built from the other three. fill: 0 or a negative errno,
 * which the reader gets. */
int text_open(struct file *f, int (*fill)(struct inode *ino, struct seq *s));
long text_read(struct file *f, struct iov_iter *to, u64 *pos);
s64 text_seek(struct file *f, s64 off, int whence);
void text_release(struct file *f);

/* ---- tree.c ---- */
struct tree {
	const char *type;
	u64 magic;
	const struct inode_ops *root_ops; /* NULL: as all its directories */
	const struct file_ops *root_fops;
	struct mutex lock; /* serialises changes of the tree */
	/* guarded by lock; fixed once made */
	struct super *super;
};

int tree_ready(struct tree *t); /* makes it at first use; -ENOMEM */
int tree_add(struct tree *t, struct procfile *f, struct module *owner, const char *kind);
void tree_remove(struct tree *t, struct procfile *f);
int tree_link(struct tree *t, const char *path, const char *target);
/* A link whose text depends on who asks; ops has a readlink. */
int tree_special(struct tree *t, const char *path, u32 mode, const struct inode_ops *ops);
int tree_mkdir(struct tree *t, const char *path);
void tree_delete(struct tree *t, const char *path);
int tree_mount(struct tree *t, struct super **super, struct entry **root);
/* Write callbacks take at most this much, as a whole. */
#define TREE_WRITE_MAX 4095
/* A user's text, terminated, without its last newline; kfree it. ERR_PTR(-EINVAL: too long,
 * -ENOMEM). */
char *text_from_iter(struct iov_iter *from, size_t *len);

/* ---- who gets what from whom ---- */
extern struct tree proc_tree;
struct inode *proc_pid_lookup(struct inode *dir, const char *name);
int proc_pid_readdir(struct file *f, void *ctx,
		     bool (*emit)(void *ctx, const char *name, u64 ino, u8 type, u64 next_pos));
#define PID_POS (1ull << 32) /* positions in /proc from here on are process ids */
int proc_top_init(void);
int sysfs_init(void);
int syscpu_init(void); /* syscpu.c */
