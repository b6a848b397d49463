/* SPDX-License-Identifier: MIT */
/* init.c - brings the VFS up: the supers of nameless objects, the root file system, the types that
 * can be mounted. */
#include "inotify.h"
#include "tree.h"

static int make_supers(void)
{
	anon_super = super_new("anon_inodefs", MAGIC_ANON);
	pipe_super = super_new("pipefs", MAGIC_PIPE);
	sock_super = super_new("sockfs", MAGIC_SOCK);
	return anon_super && pipe_super && sock_super ? 0 : -ENOMEM;
}

static int mount_root(void)
{
	struct super *s = ramfs_new("rootfs", MAGIC_TMPFS);
	struct mem_stats mem;
	int err;

	if (!s)
		return -ENOMEM;
	mem_stats_get(&mem);
	/* the boot image's pages count, and may be more than half of a small machine */
	s->max_pages = mem.total_pages / 4 * 3;
	s->max_inodes = mem.total_pages;
	err = mount_init(s);
	super_put(s);
	return err;
}

int vfs_init(void)
{
	int err = make_supers();

	if (!err)
		err = mount_root();
	if (err)
		return err;
	fs_type_register(&tmpfs_type);
	err = devfs_init();
	if (!err)
		err = proc_top_init();
	if (!err)
		err = sysfs_init();
	if (!err)
		err = syscpu_init();
	if (!err)
		err = inotify_setup();
	return err;
}
