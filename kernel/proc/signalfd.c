/* SPDX-License-Identifier: MIT */
/* signalfd.c - signals read from a descriptor, signalfd(2). A read takes what is pending on the
 * calling thread and its process, like sigwaitinfo; so does everybody who inherited the descriptor,
 * each with his own signals. Hence one wait queue for all: whose signal it was the woken ask. */
#include "proc.h"

#include <core/vfs.h>
#include <weft/alloc.h>

struct signalfd {
	u64 mask; /* one word, read and written whole */
};

/* struct signalfd_siginfo, 128 bytes */
struct signalfd_info {
	u32 signo;
	s32 errn, code;
	u32 pid, uid;
	s32 fd;
	u32 tid, band, overrun, trapno;
	s32 status, value_int;
	u64 value_ptr, utime, stime, addr;
	u8 rest[48];
};

static struct wait_queue signalfd_wait = WAIT_QUEUE_INIT(signalfd_wait);

/* sig_lock held by the sender: who looked for the signal before it came is in the queue by now. */
void signalfd_notify_locked(void)
{
	if (wait_queue_active(&signalfd_wait))
		wake_up_key(&signalfd_wait, POLLIN | POLLRDNORM);
}

static u64 pending(const struct signalfd *s)
{
	struct thread *t = current();
	unsigned long flags = spin_lock_irqsave(&t->proc->sig_lock);
	u64 set = (t->sigpending | t->proc->sigpending) & READ_ONCE(s->mask);

	spin_unlock_irqrestore(&t->proc->sig_lock, flags);
	return set;
}

static int take(const struct signalfd *s, struct ksiginfo *info)
{
	struct thread *t = current();
	unsigned long flags = spin_lock_irqsave(&t->proc->sig_lock);
	int sig = signal_dequeue_locked(t, ~READ_ONCE(s->mask), info);

	signal_recalc_locked(t);
	spin_unlock_irqrestore(&t->proc->sig_lock, flags);
	return sig;
}

static void fill(struct signalfd_info *out, const struct ksiginfo *k)
{
	*out = (struct signalfd_info){
		.signo = (u32)k->signo,
		.errn = k->errn,
		.code = k->code,
		.pid = (u32)k->pid,
		.uid = k->uid,
	};
	if (k->code == SI_TIMER) { /* its two words are others here than in siginfo_t */
		out->tid = out->pid;
		out->overrun = out->uid;
		out->pid = out->uid = 0;
	}
	if (k->signo == SIGCHLD && k->code > 0) {
		out->status = k->status;
		/* clock ticks of 1/100 s, as in siginfo_t */
		out->utime = k->utime;
		out->stime = k->stime;
	} else if (k->code > 0 && k->code != SI_KERNEL) {
		out->addr = k->addr;
	} else {
		out->value_ptr = k->value;
		out->value_int = (s32)k->value;
	}
}

static long signalfd_read(struct file *f, struct iov_iter *to, u64 *pos)
{
	struct signalfd *s = f->priv;
	struct signalfd_info out;
	struct ksiginfo info;
	long total = 0, n;

	if (to->count < sizeof(out))
		return -EINVAL;
	while (to->count >= sizeof(out)) {
		if (!take(s, &info)) {
			if (total || f->flags & O_NONBLOCK)
				return total ? total : -EAGAIN;
			n = wait_event_interruptible(&signalfd_wait, pending(s));
			if (n)
				return n;
			continue;
		}
		fill(&out, &info);
		n = iter_copy_to(&out, sizeof(out), to);
		if (n != sizeof(out))
			return total ? total : -EFAULT;
		total += n;
	}
	return total;
}

static u32 signalfd_poll(struct file *f, struct poll_table *pt)
{
	poll_wait(pt, &signalfd_wait);
	return current()->proc && pending(f->priv) ? POLLIN | POLLRDNORM : 0;
}

static void signalfd_release(struct file *f)
{
	kfree(f->priv);
}

static const struct file_ops signalfd_fops = {
	.read = signalfd_read,
	.poll = signalfd_poll,
	.release = signalfd_release,
};

static long make_signalfd(u64 mask, u32 flags)
{
	struct signalfd *s = kzalloc(sizeof(*s));
	struct file *f;
	int fd;

	if (!s)
		return -ENOMEM;
	s->mask = mask;
	f = file_anon("anon_inode:[signalfd]", 0600, &signalfd_fops, s,
		      O_RDWR | (flags & O_NONBLOCK));
	if (IS_ERR(f)) {
		kfree(s);
		return PTR_ERR(f);
	}
	fd = fd_install(f, flags);
	if (fd < 0)
		file_put(f);
	return fd;
}

static long change_signalfd(int fd, u64 mask)
{
	struct file *f = fd_get(fd);
	long ret = fd;

	if (!f)
		return -EBADF;
	if (f->ops == &signalfd_fops) {
		WRITE_ONCE(((struct signalfd *)f->priv)->mask, mask);
		wake_up(&signalfd_wait);
	} else {
		ret = -EINVAL;
	}
	file_put(f);
	return ret;
}

static long do_signalfd(int fd, u64 umask, u64 size, u32 flags)
{
	u64 mask;

	if (flags & ~(u32)(O_CLOEXEC | O_NONBLOCK) || size != sizeof(mask))
		return -EINVAL;
	if (copy_from_user(&mask, uptr(umask), sizeof(mask)))
		return -EFAULT;
	mask &= ~(SIG_BIT(SIGKILL) | SIG_BIT(SIGSTOP));
	return fd == -1 ? make_signalfd(mask, flags) : change_signalfd(fd, mask);
}

SYSCALL(282, signalfd)
{
	return do_signalfd((int)a, b, c, 0);
}

SYSCALL(289, signalfd4)
{
	return do_signalfd((int)a, b, c, (u32)d);
}
