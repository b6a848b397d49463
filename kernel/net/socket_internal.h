/* SPDX-License-Identifier: MIT */
/* socket_internal.h - what the files of the socket layer share. */
#pragma once

#include <core/net.h>
#include <core/vfs.h>
#include <weft/socket.h>

#define SOCK_RCVBUF_MIN 2304 /* Linux's bounds, as reported (doubled) */
#define SOCK_SNDBUF_MIN 4608
#define SOCK_CONTROL_MAX (16u * 1024)

struct socket_sysctls {
	int rmem_default, wmem_default, rmem_max, wmem_max, somaxconn, optmem_max;
};
extern struct socket_sysctls socket_sysctls;

extern const struct file_ops socket_file_ops;

/* ---- socket.c ---- */
/* A socket of a family; ERR_PTR. Loads the family's module when it is not there. */
struct socket *socket_create(int family, int type, int protocol);
/* An empty one for accept, owned by the same module as s. */
struct socket *socket_create_child(struct socket *s);
/* The file's release, or the end of a socket that never got one. */
void socket_close(struct socket *s);
/* An open file for s; when it fails s is closed. ERR_PTR. */
struct file *socket_file(struct socket *s, u32 flags);
/* The socket of a descriptor, for the length of this call: the file is borrowed, fd_return() it.
 * -EBADF, -ENOTSOCK. */
static inline int socket_from_fd(int fd, struct file **file, struct socket **s, bool *put)
{
	struct file *f = fd_borrow(fd, put);

	if (unlikely(!f))
		return -EBADF;
	if (unlikely(f->ops != &socket_file_ops)) {
		fd_return(f, *put);
		return -ENOTSOCK;
	}
	*file = f;
	*s = f->priv;
	return 0;
}
static inline void socket_leave(struct socket *s)
{
	mutex_unlock(&s->lock);
}
/* Into the family: its lock, which keeps it there. -ECONNABORTED when the protocol was taken away.
 */
static inline int socket_enter(struct socket *s)
{
	mutex_lock(&s->lock);
	s->wake_seen = READ_ONCE(s->wake_seq);
	if (likely(!READ_ONCE(s->dead)))
		return 0;
	socket_leave(s);
	return -ECONNABORTED;
}
/* The same without the lock, through the door; socket_outside() when done. */
static inline bool socket_inside(struct socket *s)
{
	return likely(!READ_ONCE(s->dead)) && door_enter(&s->door);
}
static inline void socket_outside(struct socket *s)
{
	door_leave(&s->door);
}
void socket_purge(struct socket *s);
/* socknotice.c */
void socket_notices_drop(struct socket *s);
long socket_send_zerocopy(struct socket *s, struct msg *m); /* of a socket with SO_ZEROCOPY */
void socket_registry_init(void);

/* ---- sockopt.c ---- */
int socket_setsockopt_core(struct socket *s, int opt, const void *val, u32 len);
int socket_getsockopt_core(struct socket *s, int opt, void *val, u32 *len);

/* ---- sockfilter.c ---- */
int socket_filter_setsockopt(struct socket *s, int opt, const void *val, u32 len);
void socket_filter_free(struct socket *s); /* nobody runs it any more */

/* ---- sockmap.c ---- */
int socket_mmap(struct file *f, struct vma *v);

/* ---- sockmsg.c ---- */
long socket_sendmsg(struct socket *s, struct msg *m);
long socket_aborted(struct socket *s, const struct msg *m); /* -ECONNABORTED, perhaps a bit later */
static inline long socket_recvmsg(struct socket *s, struct msg *m)
{
	long ret;

	if (unlikely(socket_enter(s)))
		return socket_aborted(s, m);
	m->control_used = 0;
	ret = likely(s->ops && s->ops->recv) ? s->ops->recv(s, m, m->iter.count) : -EOPNOTSUPP;
	socket_leave(s);
	return ret;
}

/* ---- registry.c ---- */
struct socket_family *socket_family_enter(int family); /* through its door; NULL */
long socket_ioctl_registered(struct socket *s, u32 cmd,
			     unsigned long arg); /* -ENOIOCTLCMD: nobody */
u32 socket_netif_index(const char *name);	 /* 0: unknown */
int socket_netif_name(u32 index, char name[IFNAMSIZ]);
