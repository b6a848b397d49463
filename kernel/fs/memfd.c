/* SPDX-License-Identifier: MIT */
/* memfd.c - memory behind a descriptor: memfd_create(2), a regular file that no directory names, on
 * a file system of its own without a bound. Sealing is refused, as by a kernel built without it. */
#include "fs.h"

#include <core/syscall.h>

#define MFD_CLOEXEC 1u
#define MAX_NAME 249

static DEFINE_MUTEX(making);
static struct super *memfd_super; /* made when first needed; guarded by making */

static struct super *get_super(void)
{
	mutex_lock(&making);
	if (!memfd_super)
		memfd_super = ramfs_new("tmpfs", MAGIC_TMPFS);
	mutex_unlock(&making);
	return memfd_super;
}

static struct file *memfd_file(const char *name)
{
	struct super *s = get_super();
	struct inode *ino = s ? ramfs_inode(s, S_IFREG | 0777, 0) : NULL;
	struct path p = { NULL, NULL };
	struct file *f = ERR_PTR(-ENOMEM);
	char *label;

	if (!ino)
		return f;
	label = kmalloc(MAX_NAME + 32);
	if (label) {
		snprintf(label, MAX_NAME + 32, "/memfd:%s (deleted)", name);
		p.entry = entry_new_loose(NULL, label, ino);
	}
	ino->nlink = 0;
	inode_put(ino);
	if (p.entry) {
		f = file_open_path(&p, O_RDWR | O_LARGEFILE);
		path_put(&p);
	}
	if (IS_ERR(f)) {
		kfree(label);
		return f;
	}
	to_vfile(f)->label = to_vfile(f)->own_label = label;
	return f;
}

SYSCALL(319, memfd_create)
{
	char name[MAX_NAME + 1];
	struct file *file;
	long n;
	int fd;

	if ((u32)b & ~MFD_CLOEXEC)
		return -EINVAL;
	n = arch_strncpy_from_user(name, (const char __user *)a, sizeof(name));
	if (n < 0)
		return n;
	if (n >= (long)sizeof(name))
		return -EINVAL;
	file = memfd_file(name);
	if (IS_ERR(file))
		return PTR_ERR(file);
	fd = fd_install(file, (u32)b & MFD_CLOEXEC ? O_CLOEXEC : 0);
	if (fd < 0)
		file_put(file);
	return fd;
}
