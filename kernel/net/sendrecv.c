/* SPDX-License-Identifier: MIT */
/* sendrecv.c - the calls that move messages: sendto, recvfrom, sendmsg, recvmsg and their plural
 * forms. They turn Linux's structs into struct msg and back; what is written back to the user is
 * written last, after the family is done. */
#include <core/syscall.h>
#include <core/vfs.h>
#include <weft/alloc.h>
#include <weft/poller.h>
#include <weft/string.h>
#include <weft/time.h>

#include "socket_internal.h"
#include "sockuser.h"

#define IOV_ON_STACK 8
#define IOV_MAX 1024
#define TRANSFER_MAX 0x7ffff000u /* Linux's MAX_RW_COUNT */
#define MMSG_MAX 1024
#define MMSG_SIZE (sizeof(struct user_msghdr) + 8) /* then msg_len and padding */

/* ---- one buffer ---- */

static u32 call_flags(const struct file *f, u64 flags)
{
	return (u32)flags | (f->flags & O_NONBLOCK ? MSG_DONTWAIT : 0);
}

static size_t clamp_len(u64 len)
{
	return min(len, (u64)TRANSFER_MAX);
}

/* One piece: no list to walk. */
static void iter_one(struct iov_iter *it, struct iovec *iov, u64 base, u64 len)
{
	iov->base = (void *)base;
	iov->len = clamp_len(len);
	it->iov = iov;
	it->nr = 1;
	it->offset = 0;
	it->count = iov->len;
	it->kernel = false;
}

SYSCALL(44, sendto)
{
	u8 name[SOCKADDR_MAX];
	struct iovec iov;
	struct msg m;
	struct file *file;
	struct socket *s;
	bool put;
	long ret = socket_from_fd((int)a, &file, &s, &put);

	if (ret)
		return ret;
	m.name = NULL;
	m.name_len = 0;
	m.control = NULL;
	m.control_len = m.control_used = 0;
	m.flags = call_flags(file, d);
	iter_one(&m.iter, &iov, b, c);
	if (e) {
		ret = socket_name_from_user(name, e, (u32)f);
		m.name = name;
		m.name_len = (u32)f;
	}
	if (!ret)
		ret = socket_sendmsg(s, &m);
	fd_return(file, put);
	return ret;
}

SYSCALL(45, recvfrom)
{
	u8 name[SOCKADDR_MAX];
	struct iovec iov;
	struct msg m;
	struct file *file;
	struct socket *s;
	bool put;
	long ret = socket_from_fd((int)a, &file, &s, &put);

	if (ret)
		return ret;
	m.name = NULL;
	m.name_len = 0;
	m.control = NULL;
	m.control_len = m.control_used = 0;
	m.flags = call_flags(file, d);
	iter_one(&m.iter, &iov, b, c);
	if (e)
		m.name = name;
	ret = socket_recvmsg(s, &m);
	if (ret >= 0 && e) {
		int err = socket_name_to_user(e, f, name, m.name_len);

		ret = err ? err : ret;
	}
	fd_return(file, put);
	return ret;
}

/* ---- struct msghdr ---- */

/* A user's message in kernel terms; small ones take no other memory. */
struct message {
	struct user_msghdr user;
	struct msg m;
	struct iovec *iov;
	struct iovec iov_stack[IOV_ON_STACK];
	u8 name[SOCKADDR_MAX];
};

static int import_iov(struct message *mm)
{
	u64 n = mm->user.iov_len, total = 0, i;

	mm->iov = mm->iov_stack;
	if (n > IOV_MAX)
		return -EMSGSIZE;
	if (n > IOV_ON_STACK) {
		mm->iov = kmalloc(n * sizeof(struct iovec));
		if (!mm->iov) {
			mm->iov = mm->iov_stack;
			return -ENOMEM;
		}
	}
	if (n &&
	    copy_from_user(mm->iov, (const void __user *)mm->user.iov, n * sizeof(struct iovec)))
		return -EFAULT;
	for (i = 0; i < n; i++) {
		if ((s64)mm->iov[i].len < 0)
			return -EINVAL;
		mm->iov[i].len = min(mm->iov[i].len, (size_t)(TRANSFER_MAX - total));
		total += mm->iov[i].len;
	}
	iter_init(&mm->m.iter, mm->iov, n, false);
	return 0;
}

static int import_control(struct message *mm, bool send)
{
	u64 len = mm->user.control_len;

	if (!mm->user.control || !len)
		return 0;
	if (len > SOCK_CONTROL_MAX) {
		if (send)
			return -ENOBUFS;
		len = SOCK_CONTROL_MAX;
	}
	mm->m.control = kmalloc(len);
	if (!mm->m.control)
		return -ENOMEM;
	mm->m.control_len = len;
	if (send && copy_from_user(mm->m.control, (const void __user *)mm->user.control, len))
		return -EFAULT;
	return 0;
}

/* On failure message_free() is still due. */
static int message_import(struct message *mm, u64 user, bool send)
{
	int err;

	memset(&mm->m, 0, sizeof(mm->m));
	mm->iov = mm->iov_stack;
	if (copy_from_user(&mm->user, (const void __user *)user, sizeof(mm->user)))
		return -EFAULT;
	mm->m.name = mm->name;
	if (send && mm->user.name && mm->user.name_len) {
		u32 len = min(mm->user.name_len, (u32)SOCKADDR_MAX);

		err = (int)mm->user.name_len < 0 ?
			      -EINVAL :
			      socket_name_from_user(mm->name, mm->user.name, len);
		if (err)
			return err;
		mm->m.name_len = len;
	} else {
		memset(mm->name, 0, sizeof(mm->name));
		if (send)
			mm->m.name = NULL;
	}
	err = import_iov(mm);
	return err ? err : import_control(mm, send);
}

static void message_free(struct message *mm)
{
	if (mm->iov != mm->iov_stack)
		kfree(mm->iov);
	if (mm->m.control)
		kfree(mm->m.control);
}

static int put_field(u64 user, size_t offset, const void *value, size_t size)
{
	return copy_to_user((void __user *)(user + offset), value, size);
}

/* Name, control messages, lengths and flags of a received message. */
static int message_export(struct message *mm, u64 user)
{
	u32 flags = mm->m.flags &
		    (MSG_TRUNC | MSG_CTRUNC | MSG_EOR | MSG_OOB | MSG_ERRQUEUE | MSG_CMSG_CLOEXEC);
	u64 used = mm->m.control_used;
	int err = 0;

	if (mm->user.name) {
		u32 n = min(min(mm->m.name_len, mm->user.name_len), (u32)SOCKADDR_MAX);

		if (n && copy_to_user((void __user *)mm->user.name, mm->name, n))
			return -EFAULT;
		err = put_field(user, offsetof(struct user_msghdr, name_len), &mm->m.name_len,
				sizeof(mm->m.name_len));
	}
	if (!err && used)
		err = copy_to_user((void __user *)mm->user.control, mm->m.control, used);
	if (!err)
		err = put_field(user, offsetof(struct user_msghdr, control_len), &used,
				sizeof(used));
	if (!err)
		err = put_field(user, offsetof(struct user_msghdr, flags), &flags, sizeof(flags));
	return err;
}

static long send_one(struct file *f, struct socket *s, u64 user, u64 flags)
{
	struct message mm;
	long ret = message_import(&mm, user, true);

	mm.m.flags = call_flags(f, flags);
	if (!ret)
		ret = socket_sendmsg(s, &mm.m);
	message_free(&mm);
	return ret;
}

static long recv_one(struct file *f, struct socket *s, u64 user, u64 flags)
{
	struct message mm;
	long ret = message_import(&mm, user, false);
	int err;

	mm.m.flags = call_flags(f, flags);
	if (!ret) {
		ret = socket_recvmsg(s, &mm.m);
		err = ret >= 0 ? message_export(&mm, user) : 0;
		ret = err ? err : ret;
	}
	message_free(&mm);
	return ret;
}

SYSCALL(46, sendmsg)
{
	struct file *file;
	struct socket *s;
	bool put;
	long ret = socket_from_fd((int)a, &file, &s, &put);

	if (ret)
		return ret;
	ret = send_one(file, s, b, c);
	fd_return(file, put);
	return ret;
}

SYSCALL(47, recvmsg)
{
	struct file *file;
	struct socket *s;
	bool put;
	long ret = socket_from_fd((int)a, &file, &s, &put);

	if (ret)
		return ret;
	ret = recv_one(file, s, b, c);
	fd_return(file, put);
	return ret;
}

/* ---- several at once ---- */

/* msg_len of the i-th element. */
static int put_length(u64 user, u32 length)
{
	return put_field(user, sizeof(struct user_msghdr), &length, sizeof(length));
}

SYSCALL(307, sendmmsg)
{
	u32 i, n = min((u32)c, (u32)MMSG_MAX);
	struct file *file;
	struct socket *s;
	bool put;
	long ret = socket_from_fd((int)a, &file, &s, &put);

	if (ret)
		return ret;
	batch_begin();
	for (i = 0; i < n; i++) {
		u64 user = b + i * MMSG_SIZE;

		ret = send_one(file, s, user, d);
		if (ret >= 0)
			ret = put_length(user, ret);
		if (ret)
			break;
	}
	batch_finish();
	fd_return(file, put);
	return i ? (long)i : ret;
}

SYSCALL(299, recvmmsg)
{
	u32 i, n = min((u32)c, (u32)MMSG_MAX), flags = (u32)d;
	u64 deadline = 0;
	struct file *file;
	struct socket *s;
	bool put;
	long ret;

	if (e) {
		ret = timespec_from_user(e, &deadline);
		if (ret)
			return ret;
		deadline += ktime_get();
	}
	ret = socket_from_fd((int)a, &file, &s, &put);
	if (ret)
		return ret;
	for (i = 0; i < n; i++) {
		u64 user = b + i * MMSG_SIZE;

		ret = recv_one(file, s, user, flags & ~(u32)MSG_WAITFORONE);
		if (ret >= 0)
			ret = put_length(user, ret);
		if (ret)
			break;
		if (flags & MSG_WAITFORONE)
			flags |= MSG_DONTWAIT;
		/* Linux looks at the time-out only here, after a message */
		if (deadline && ktime_get() >= deadline) {
			i++;
			break;
		}
	}
	fd_return(file, put);
	return i ? (long)i : ret;
}
