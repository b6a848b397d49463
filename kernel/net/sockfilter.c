/* SPDX-License-Identifier: MIT */
/* sockfilter.c - SO_ATTACH_FILTER and its like: a program is copied, checked and hung on the
 * socket, where packets find it under RCU. Only sockets whose family asks for the verdict take
 * one. */
#include <weft/alloc.h>
#include <weft/filter.h>
#include <weft/string.h>

#include "socket_internal.h"

struct socket_filter {
	struct rcu_head rcu;
	u32 len; /* instructions */
	struct sock_filter prog[];
};

static void filter_free_rcu(struct rcu_head *h)
{
	kfree(container_of(h, struct socket_filter, rcu));
}

/* NULL takes the present one off. */
static void filter_change(struct socket *s, struct socket_filter *f)
{
	struct socket_filter *old = s->filter;

	rcu_assign_pointer(s->filter, f);
	if (old)
		call_rcu(&old->rcu, filter_free_rcu);
}

static int filter_attach(struct socket *s, const void *val, u32 len)
{
	struct sock_fprog user;
	struct socket_filter *f;
	size_t bytes;
	int err;

	if (len != sizeof(user))
		return -EINVAL;
	memcpy(&user, val, sizeof(user));
	if (s->filter_locked)
		return -EPERM;
	if (!user.len || user.len > BPF_MAXINSNS || !user.filter)
		return -EINVAL;
	bytes = user.len * sizeof(struct sock_filter);
	f = kmalloc(sizeof(*f) + bytes);
	if (!f)
		return -ENOMEM;
	f->len = user.len;
	err = copy_from_user(f->prog, (const void __user *)user.filter, bytes);
	if (!err)
		err = filter_check(f->prog, user.len);
	if (err) {
		kfree(f);
		return err;
	}
	filter_change(s, f);
	return 0;
}

int socket_filter_setsockopt(struct socket *s, int opt, const void *val, u32 len)
{
	int on;

	if (!s->filters)
		return opt == SO_DETACH_FILTER ? -ENOENT : -ENOPROTOOPT;
	switch (opt) {
	case SO_ATTACH_FILTER:
		return filter_attach(s, val, len);
	case SO_DETACH_FILTER:
		if (!s->filter)
			return -ENOENT;
		if (s->filter_locked)
			return -EPERM;
		filter_change(s, NULL);
		return 0;
	default: /* SO_LOCK_FILTER */
		if (len < sizeof(on))
			return -EINVAL;
		memcpy(&on, val, sizeof(on));
		if (s->filter_locked && !on)
			return -EPERM;
		s->filter_locked = on != 0;
		return 0;
	}
}

void socket_filter_free(struct socket *s)
{
	kfree(s->filter);
	s->filter = NULL;
}

const struct sock_filter *socket_filter_program(const struct socket *s, u32 *n)
{
	const struct socket_filter *f = rcu_dereference(s->filter);

	*n = f ? f->len : 0;
	return f ? f->prog : NULL;
}
EXPORT(socket_filter_program);

u32 socket_filter_run(const struct socket *s, const struct filter_view *v)
{
	const struct socket_filter *f = rcu_dereference(s->filter);

	return f ? filter_run(f->prog, v) : ~0u;
}
EXPORT(socket_filter_run);
