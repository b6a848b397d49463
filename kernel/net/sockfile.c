/* SPDX-License-Identifier: MIT */
/* sockfile.c - a socket as an open file: read, write, poll, ioctl, last close; and the start of the
 * socket layer with its sysctls. */
#include <core/module.h>
#include <uapi/stat.h>
#include <weft/printk.h>
#include <weft/seqfile.h>

#include "pkt_internal.h"
#include "socket_internal.h"

#define FIONREAD 0x541b
#define SIOCOUTQ 0x5411
#define FIOSETOWN 0x8901
#define SIOCSPGRP 0x8902
#define FIOGETOWN 0x8903
#define SIOCGPGRP 0x8904
#define SIOCATMARK 0x8905
#define SIOC_FIRST 0x8900
#define SIOC_LAST 0x89ff

struct socket_sysctls socket_sysctls = {
	.rmem_default = 212992,
	.wmem_default = 212992,
	.rmem_max = 212992,
	.wmem_max = 212992,
	.somaxconn = 4096,
	.optmem_max = 20480,
};

static struct sysctl sysctls[] = {
	{ .path = "net/core/rmem_default",
	  .value = &socket_sysctls.rmem_default,
	  .min = SOCK_RCVBUF_MIN,
	  .max = 0x3fffffff },
	{ .path = "net/core/wmem_default",
	  .value = &socket_sysctls.wmem_default,
	  .min = SOCK_SNDBUF_MIN,
	  .max = 0x3fffffff },
	{ .path = "net/core/rmem_max",
	  .value = &socket_sysctls.rmem_max,
	  .min = SOCK_RCVBUF_MIN,
	  .max = 0x3fffffff },
	{ .path = "net/core/wmem_max",
	  .value = &socket_sysctls.wmem_max,
	  .min = SOCK_SNDBUF_MIN,
	  .max = 0x3fffffff },
	{ .path = "net/core/somaxconn", .value = &socket_sysctls.somaxconn, .max = 65535 },
	{ .path = "net/core/optmem_max",
	  .value = &socket_sysctls.optmem_max,
	  .min = 1024,
	  .max = SOCK_CONTROL_MAX * 64 },
};

static u32 file_msg_flags(const struct file *f)
{
	return f->flags & O_NONBLOCK ? MSG_DONTWAIT : 0;
}

static long socket_read(struct file *f, struct iov_iter *to, u64 *pos)
{
	struct msg m = { .iter = *to, .flags = file_msg_flags(f) };
	long ret = socket_recvmsg(f->priv, &m);

	*to = m.iter;
	return ret;
}

static long socket_write(struct file *f, struct iov_iter *from, u64 *pos)
{
	struct msg m = { .iter = *from, .flags = file_msg_flags(f) };
	long ret = socket_sendmsg(f->priv, &m);

	*from = m.iter;
	return ret;
}

static u32 socket_poll(struct file *f, struct poll_table *pt)
{
	struct socket *s = f->priv;
	u32 events;

	poll_wait(pt, &s->wait);
	smp_mb(); /* on the queue before looking: see socket_wake() */
	if (!socket_inside(s))
		return POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM | POLLERR | POLLHUP | POLLRDHUP;
	events = s->ops && s->ops->poll ? s->ops->poll(s) : socket_poll_default(s);
	socket_outside(s);
	return events;
}

static int first_length(struct socket *s)
{
	struct pkt *p;
	int n;

	spin_lock(&s->rx_lock);
	p = list_first_entry_or_null(&s->rx, struct pkt, node);
	n = p ? p->len : 0;
	spin_unlock(&s->rx_lock);
	return n;
}

/* What every socket knows by itself. */
static long ioctl_generic(struct file *f, struct socket *s, u32 cmd, unsigned long arg)
{
	int v = 0;

	switch (cmd) {
	case FIONREAD:
		v = first_length(s);
		break;
	case SIOCOUTQ:
		v = socket_tx_bytes(s);
		break;
	case FIOGETOWN:
	case SIOCGPGRP:
		v = f->owner_pid;
		break;
	case SIOCATMARK:
		break;
	case FIOSETOWN:
	case SIOCSPGRP:
		if (copy_from_user(&v, (const void __user *)arg, sizeof(v)))
			return -EFAULT;
		f->owner_pid = v;
		return 0;
	default:
		/* "package not installed": the module that serves it is not loaded */
		return cmd >= SIOC_FIRST && cmd <= SIOC_LAST ? -ENOPKG : -ENOTTY;
	}
	return copy_to_user((void __user *)arg, &v, sizeof(v));
}

static long socket_ioctl(struct file *f, u32 cmd, unsigned long arg)
{
	struct socket *s = f->priv;
	long ret = -ENOIOCTLCMD;

	if (!socket_inside(s))
		return -ECONNABORTED;
	if (s->ops && s->ops->ioctl)
		ret = s->ops->ioctl(s, cmd, arg);
	socket_outside(s);
	if (ret == -ENOIOCTLCMD)
		ret = socket_ioctl_registered(s, cmd, arg);
	return ret == -ENOIOCTLCMD ? ioctl_generic(f, s, cmd, arg) : ret;
}

static void socket_release(struct file *f)
{
	socket_close(f->priv);
}

const struct file_ops socket_file_ops = {
	.read = socket_read,
	.write = socket_write,
	.poll = socket_poll,
	.ioctl = socket_ioctl,
	.mmap = socket_mmap,
	.release = socket_release,
};

void socket_init(void)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(sysctls); i++)
		sysctl_add(&sysctls[i]);
	pkt_show_init();
	pollers_start();
	unix_init();
}
