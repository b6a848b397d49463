/* SPDX-License-Identifier: MIT */
/* sockcall.c - the BSD calls that make, name, connect and configure sockets (Linux numbers and
 * errnos). Addresses and option values are copied across the user border here; families see kernel
 * memory. */
#include <core/syscall.h>
#include <core/vfs.h>
#include <weft/alloc.h>
#include <weft/arch.h>
#include <weft/string.h>

#include "sockuser.h"
#include "socket_internal.h"

#define TYPE_FLAGS (SOCK_NONBLOCK | SOCK_CLOEXEC)
#define TYPE_MAX 10 /* SOCK_PACKET */
#define OPTION_MAX (64 * 1024)
#define OPTION_ON_STACK 64

/* ---- names ---- */

int socket_name_from_user(u8 *name, u64 user, u64 len)
{
	memset(name, 0, SOCKADDR_MAX);
	if ((int)len < 0 || len > SOCKADDR_MAX)
		return -EINVAL;
	return len ? copy_from_user(name, (const void __user *)user, len) : 0;
}

int socket_name_to_user(u64 user, u64 user_len, const u8 *name, u32 len)
{
	s64 room = arch_get_user32((const u32 __user *)user_len);
	u32 n;

	if (unlikely(room < 0))
		return room;
	if ((int)room < 0)
		return -EINVAL;
	n = min(min((u32)room, len), (u32)SOCKADDR_MAX);
	if (n && arch_copy_to_user((void __user *)user, name, n))
		return -EFAULT;
	return arch_put_user32((u32 __user *)user_len, len);
}

static bool is_nonblocking(const struct file *f)
{
	return f->flags & O_NONBLOCK;
}

/* ---- making ---- */

static int type_check(u64 type)
{
	u64 flags = type & ~(u64)SOCK_TYPE_MASK;

	if ((flags & ~(u64)TYPE_FLAGS) || (type & SOCK_TYPE_MASK) > TYPE_MAX)
		return -EINVAL;
	return 0;
}

static u32 fd_flags(u64 flags)
{
	return flags & SOCK_CLOEXEC ? O_CLOEXEC : 0;
}

/* A descriptor for a new socket, which is closed when there is none. */
static int socket_install(struct socket *s, u64 flags)
{
	struct file *f = socket_file(s, flags);
	int fd;

	if (IS_ERR(f))
		return PTR_ERR(f);
	fd = fd_install(f, fd_flags(flags));
	if (fd < 0)
		file_put(f);
	return fd; /* another thread may have closed it already: s is no longer ours */
}

SYSCALL(41, socket)
{
	int family = a, type = b & SOCK_TYPE_MASK;
	struct socket *s;

	if (type_check((u32)b))
		return -EINVAL;
	/* the old name of packet sockets */
	if (family == AF_INET && type == SOCK_PACKET)
		family = AF_PACKET;
	s = socket_create(family, type, (int)c);
	if (IS_ERR(s))
		return PTR_ERR(s);
	return socket_install(s, b);
}

static int pair_connect(struct socket *s0, struct socket *s1)
{
	int err;

	if (!socket_inside(s0))
		return -ECONNABORTED;
	err = s0->ops && s0->ops->pair ? s0->ops->pair(s0, s1) : -EOPNOTSUPP;
	socket_outside(s0);
	return err;
}

SYSCALL(53, socketpair)
{
	int type = b & SOCK_TYPE_MASK, fds[2], err;
	struct socket *s0, *s1;

	if (type_check((u32)b))
		return -EINVAL;
	s0 = socket_create((int)a, type, (int)c);
	if (IS_ERR(s0))
		return PTR_ERR(s0);
	s1 = socket_create((int)a, type, (int)c);
	if (IS_ERR(s1)) {
		socket_close(s0);
		return PTR_ERR(s1);
	}
	err = pair_connect(s0, s1);
	if (err) {
		socket_close(s0);
		socket_close(s1);
		return err;
	}
	fds[0] = socket_install(s0, b);
	if (fds[0] < 0) {
		socket_close(s1);
		return fds[0];
	}
	fds[1] = socket_install(s1, b);
	err = fds[1] < 0 ? fds[1] : copy_to_user((void __user *)d, fds, sizeof(fds));
	if (err) {
		fd_close(fds[0]);
		if (fds[1] >= 0)
			fd_close(fds[1]);
	}
	return err;
}

/* ---- naming and connecting ---- */

typedef int (*name_fn)(struct file *f, struct socket *s, const u8 *name, u32 len);

static int do_bind(struct file *f, struct socket *s, const u8 *name, u32 len)
{
	return s->ops && s->ops->bind ? s->ops->bind(s, name, len) : -EOPNOTSUPP;
}

static int do_connect(struct file *f, struct socket *s, const u8 *name, u32 len)
{
	return s->ops && s->ops->connect ? s->ops->connect(s, name, len, is_nonblocking(f)) :
					   -EOPNOTSUPP;
}

static long call_with_name(u64 fd, u64 user, u64 user_len, name_fn fn)
{
	u8 name[SOCKADDR_MAX];
	struct file *f;
	struct socket *s;
	bool put;
	long err = socket_from_fd((int)fd, &f, &s, &put);

	if (err)
		return err;
	err = socket_name_from_user(name, user, (u32)user_len);
	if (!err && (u32)user_len < sizeof(u16))
		err = -EINVAL;
	if (!err)
		err = socket_enter(s);
	if (!err) {
		err = fn(f, s, name, (u32)user_len);
		socket_leave(s);
	}
	fd_return(f, put);
	return err;
}

SYSCALL(49, bind)
{
	return call_with_name(a, b, c, do_bind);
}

SYSCALL(42, connect)
{
	return call_with_name(a, b, c, do_connect);
}

SYSCALL(50, listen)
{
	int backlog = (u32)b > (u32)socket_sysctls.somaxconn ? socket_sysctls.somaxconn : (int)b;
	struct file *file;
	struct socket *s;
	bool put;
	long err = socket_from_fd((int)a, &file, &s, &put);

	if (err)
		return err;
	err = socket_enter(s);
	if (!err) {
		err = s->ops && s->ops->listen ? s->ops->listen(s, backlog) : -EOPNOTSUPP;
		if (!err)
			s->listening = true;
		socket_leave(s);
	}
	fd_return(file, put);
	return err;
}

static long socket_name(struct socket *s, u8 *name, u32 *len, enum socket_name which)
{
	long err = socket_enter(s);

	if (err)
		return err;
	*len = SOCKADDR_MAX;
	memset(name, 0, SOCKADDR_MAX);
	err = s->ops && s->ops->name ? s->ops->name(s, name, len, which) : -EOPNOTSUPP;
	socket_leave(s);
	return err;
}

static long call_name(u64 fd, u64 user, u64 user_len, enum socket_name which)
{
	u8 name[SOCKADDR_MAX];
	struct file *f;
	struct socket *s;
	bool put;
	u32 len;
	long err = socket_from_fd((int)fd, &f, &s, &put);

	if (err)
		return err;
	err = socket_name(s, name, &len, which);
	if (!err)
		err = socket_name_to_user(user, user_len, name, len);
	fd_return(f, put);
	return err;
}

SYSCALL(51, getsockname)
{
	return call_name(a, b, c, SOCKET_NAME_OWN);
}

SYSCALL(52, getpeername)
{
	return call_name(a, b, c, SOCKET_NAME_PEER);
}

/* ---- accept ---- */

static long accept_into(struct socket *s, struct socket *child, bool nonblock)
{
	long err = socket_enter(s);

	if (err)
		return err;
	err = s->ops && s->ops->accept ? s->ops->accept(s, child, nonblock) : -EOPNOTSUPP;
	socket_leave(s);
	return err;
}

/* Servers ask until there is nothing more: that shall not cost a socket. */
static bool nothing_to_accept(struct file *f, struct socket *s)
{
	return is_nonblocking(f) && READ_ONCE(s->listening) &&
	       !(socket_file_ops.poll(f, NULL) & (POLLIN | POLLERR | POLLHUP));
}

/* Everything that may fail is had before a connection is taken off the queue. */
static long do_accept(struct file *f, struct socket *s, u64 user, u64 user_len, u64 flags)
{
	u8 name[SOCKADDR_MAX];
	struct socket *child;
	struct file *child_file;
	u32 len;
	long err;
	int fd;

	if (nothing_to_accept(f, s))
		return -EAGAIN;
	child = socket_create_child(s);
	if (IS_ERR(child))
		return PTR_ERR(child);
	child_file = socket_file(child, flags);
	if (IS_ERR(child_file))
		return PTR_ERR(child_file);
	fd = fd_reserve(fd_flags(flags));
	if (fd < 0) {
		file_put(child_file);
		return fd;
	}
	err = accept_into(s, child, is_nonblocking(f));
	if (!err && user) {
		err = socket_name(child, name, &len, SOCKET_NAME_ACCEPTED);
		if (err)
			err = -ECONNABORTED;
		else
			err = socket_name_to_user(user, user_len, name, len);
	}
	if (err) {
		fd_unreserve(fd);
		file_put(child_file);
		return err;
	}
	child->ref.fd = fd;
	fd_fill(fd, child_file);
	return fd;
}

static long call_accept(u64 fd, u64 user, u64 user_len, u64 flags)
{
	struct file *f;
	struct socket *s;
	bool put;
	long ret;

	if (flags & ~(u64)TYPE_FLAGS)
		return -EINVAL;
	ret = socket_from_fd((int)fd, &f, &s, &put);
	if (ret)
		return ret;
	ret = do_accept(f, s, user, user_len, flags);
	fd_return(f, put);
	return ret;
}

SYSCALL(43, accept)
{
	return call_accept(a, b, c, 0);
}

SYSCALL(288, accept4)
{
	return call_accept(a, b, c, (u32)d);
}

SYSCALL(48, shutdown)
{
	struct file *file;
	struct socket *s;
	bool put;
	long err = socket_from_fd((int)a, &file, &s, &put);

	if (err)
		return err;
	err = (u32)b > SHUT_RDWR ? -EINVAL : socket_enter(s);
	if (!err) {
		err = s->ops && s->ops->shutdown ? s->ops->shutdown(s, (int)b) : -EOPNOTSUPP;
		if (!err)
			s->shut |= (int)b + 1; /* 0, 1, 2 -> bits 1, 2, 3 */
		socket_leave(s);
		socket_wake(s, POLLIN | POLLOUT | POLLRDHUP | POLLHUP | POLLRDNORM | POLLWRNORM);
	}
	fd_return(file, put);
	return err;
}

/* ---- options ---- */

/* Options of the core's own that mean more to some families than a field. */
static bool is_told(int opt)
{
	switch (opt) {
	case SO_REUSEADDR:
	case SO_REUSEPORT:
	case SO_BROADCAST:
	case SO_DONTROUTE:
	case SO_KEEPALIVE:
	case SO_LINGER:
	case SO_SNDBUF:
	case SO_RCVBUF:
	case SO_SNDBUFFORCE:
	case SO_RCVBUFFORCE:
	case SO_RCVLOWAT:
	case SO_PRIORITY:
	case SO_NO_CHECK:
	case SO_MARK:
	case SO_BINDTODEVICE:
	case SO_BINDTOIFINDEX:
		return true;
	default:
		return false;
	}
}

static long set_option(struct socket *s, int level, int opt, const void *val, u32 len)
{
	long err = socket_enter(s);

	if (err)
		return err;
	err = -ENOIOCTLCMD;
	if (level == SOL_SOCKET)
		err = socket_setsockopt_core(s, opt, val, len);
	if (!err && is_told(opt) && s->ops && s->ops->setsockopt)
		s->ops->setsockopt(s, level, opt, val, len);
	if (err == -ENOIOCTLCMD)
		err = s->ops && s->ops->setsockopt ? s->ops->setsockopt(s, level, opt, val, len) :
						     -ENOPROTOOPT;
	socket_leave(s);
	return err;
}

static long get_option(struct socket *s, int level, int opt, void *val, u32 *len)
{
	long err = socket_enter(s);

	if (err)
		return err;
	err = -ENOIOCTLCMD;
	if (level == SOL_SOCKET)
		err = socket_getsockopt_core(s, opt, val, len);
	if (err == -ENOIOCTLCMD)
		err = s->ops && s->ops->getsockopt ? s->ops->getsockopt(s, level, opt, val, len) :
						     -ENOPROTOOPT;
	socket_leave(s);
	return err;
}

static void *option_buffer(u8 *small, u32 len)
{
	return len <= OPTION_ON_STACK ? small : kmalloc(len);
}

static void option_buffer_free(u8 *small, void *buf)
{
	if (buf != small)
		kfree(buf);
}

SYSCALL(54, setsockopt)
{
	u8 small[OPTION_ON_STACK] __aligned(8);
	u32 len = (u32)e;
	struct file *file;
	struct socket *s;
	bool put;
	void *val;
	long err = socket_from_fd((int)a, &file, &s, &put);

	if (err)
		return err;
	val = len > OPTION_MAX ? NULL : option_buffer(small, len);
	if (!val)
		err = len > OPTION_MAX ? -EINVAL : -ENOMEM;
	else if (len && copy_from_user(val, (const void __user *)d, len))
		err = -EFAULT;
	else
		err = set_option(s, (int)b, (int)c, val, len);
	if (err > 0)
		err = copy_to_user((void __user *)d, val, min(err, (long)len)) ? -EFAULT : 0;
	option_buffer_free(small, val);
	fd_return(file, put);
	return err;
}

SYSCALL(55, getsockopt)
{
	u8 small[OPTION_ON_STACK] __aligned(8);
	struct file *file;
	struct socket *s;
	bool put;
	void *val = NULL;
	int len;
	u32 got;
	long err = socket_from_fd((int)a, &file, &s, &put);

	if (err)
		return err;
	if (copy_from_user(&len, (const void __user *)e, sizeof(len)))
		err = -EFAULT;
	else if (len < 0)
		err = -EINVAL;
	if (!err) {
		got = min(len, OPTION_MAX);
		/* families may write a whole small value before they look at the length */
		val = option_buffer(small, max(got, (u32)OPTION_ON_STACK));
		if (!val)
			err = -ENOMEM;
	}
	if (!err) {
		memset(val, 0, max(got, (u32)OPTION_ON_STACK));
		/* in, out: some options take their argument from the buffer */
		if (got && copy_from_user(val, (const void __user *)d, got))
			err = -EFAULT;
	}
	if (!err)
		err = get_option(s, (int)b, (int)c, val, &got);
	if (!err && got && copy_to_user((void __user *)d, val, min(got, (u32)len)))
		err = -EFAULT;
	if (!err)
		err = copy_to_user((void __user *)e, &got, sizeof(got));
	option_buffer_free(small, val);
	fd_return(file, put);
	return err;
}
