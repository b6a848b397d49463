/* SPDX-License-Identifier: MIT */
/* unix_name.c - names of AF_UNIX sockets: paths, found by the inode they stand for, and abstract
 * names (a leading NUL), found by their bytes. */
#include <core/vfs.h>
#include <weft/alloc.h>
#include <weft/random.h>
#include <weft/string.h>

#include "unix.h"

static LIST_HEAD(bound); /* guarded by unix_lock */

static bool is_abstract(const u8 *name, u32 len)
{
	return len > 2 && !name[2];
}

static struct unix_sock *find_locked(const struct inode *inode, const u8 *name, u32 len)
{
	struct unix_sock *u;

	list_for_each_entry(u, &bound, bound_node) {
		if (inode ? u->inode == inode :
			    !u->inode && u->name_len == len && !memcmp(u->name, name, len))
			return u;
	}
	return NULL;
}

/* Gives u its name unless it is taken. */
static int name_take(struct unix_sock *u, struct inode *inode, const u8 *name, u32 len)
{
	int err = 0;

	spin_lock(&unix_lock);
	if (u->name_len) {
		err = -EINVAL;
	} else if (find_locked(inode, name, len)) {
		err = -EADDRINUSE;
	} else {
		memcpy(u->name, name, len);
		u->name_len = len;
		u->inode = inode;
		list_add_tail(&u->bound_node, &bound);
	}
	spin_unlock(&unix_lock);
	return err;
}

/* unix(7), autobind: a NUL and five hexadecimal digits. */
static int autobind(struct unix_sock *u)
{
	u8 name[2 + 7] = { AF_UNIX, 0 };
	u32 tries;
	int err = -ENOSPC;

	if (u->name_len)
		return 0;
	for (tries = 0; tries < 1000; tries++) {
		snprintf((char *)name + 3, 6, "%05x", random_u32() & 0xfffff);
		err = name_take(u, NULL, name, 8);
		if (err != -EADDRINUSE)
			break;
	}
	return err;
}

static int bind_path(struct unix_sock *u, const u8 *name, u32 len)
{
	u8 whole[UNIX_NAME_MAX] = { 0 };
	char *path = (char *)whole + 2;
	struct inode *inode;
	int err;

	memcpy(whole, name, len);
	err = vfs_mknod(path, S_IFSOCK | 0777, 0);
	if (err)
		return err == -EEXIST ? -EADDRINUSE : err;
	inode = vfs_inode_get(path);
	if (IS_ERR(inode))
		return PTR_ERR(inode);
	err = name_take(u, inode, whole, 2 + strlen(path) + 1);
	if (err)
		inode_put(inode);
	return err;
}

int unix_bind(struct socket *s, const u8 *name, u32 len)
{
	struct unix_sock *u = s->priv;

	if ((name[0] | name[1] << 8) != AF_UNIX || len > 2 + UNIX_PATH_MAX)
		return -EINVAL;
	if (len == 2)
		return autobind(u);
	if (u->name_len)
		return -EINVAL;
	return is_abstract(name, len) ? name_take(u, NULL, name, len) : bind_path(u, name, len);
}

void unix_unbind(struct unix_sock *u)
{
	struct inode *inode;

	spin_lock(&unix_lock);
	list_del(&u->bound_node);
	inode = u->inode;
	u->inode = NULL;
	spin_unlock(&unix_lock);
	if (inode)
		inode_put(inode);
}

static struct inode *path_inode(const u8 *name, u32 len)
{
	char path[UNIX_PATH_MAX + 1] = { 0 };
	struct inode *inode;
	int err;

	memcpy(path, name + 2, len - 2);
	inode = vfs_inode_get(path);
	if (IS_ERR(inode))
		return inode;
	err = !S_ISSOCK(inode->mode) ? -ECONNREFUSED : inode_permission(inode, 2);
	if (!err)
		return inode;
	inode_put(inode);
	return ERR_PTR(err);
}

struct unix_sock *unix_find(const u8 *name, u32 len, u16 type)
{
	struct inode *inode = NULL;
	struct unix_sock *u;

	if ((name[0] | name[1] << 8) != AF_UNIX || len <= 2 || len > 2 + UNIX_PATH_MAX)
		return ERR_PTR(-EINVAL);
	if (!is_abstract(name, len)) {
		inode = path_inode(name, len);
		if (IS_ERR(inode))
			return (struct unix_sock *)inode;
	}
	spin_lock(&unix_lock);
	u = find_locked(inode, name, len);
	if (u && u->type == type)
		unix_get(u);
	else /* for Linux the type is part of an abstract name */
		u = ERR_PTR(u && inode ? -EPROTOTYPE : -ECONNREFUSED);
	spin_unlock(&unix_lock);
	if (inode)
		inode_put(inode);
	return u;
}
