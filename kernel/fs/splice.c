/* SPDX-License-Identifier: MIT */
/* splice.c - pipes as buffers in the kernel: splice(2) between a pipe and anything, tee(2) between
 * two pipes, vmsplice(2) from and to user memory. A file's data is read straight into the pipe's
 * pages and written straight out of them. As on Linux the pipe stays locked while the other end is
 * read or written; pipe_poll does without that lock. */
#include "pipe.h"
#include "rw.h"

#include <core/syscall.h>

#define SPLICE_F_NONBLOCK 2u
#define SPLICE_F_KNOWN 15u /* MOVE, NONBLOCK, MORE, GIFT */
#define MAX_PIECES (PIPE_DEFAULT_PAGES + 1)

static void broken_pipe(void)
{
	signal_send_thread(current(), 13, NULL); /* SIGPIPE */
}

/* ---- waiting, the lock held before and after ---- */

/* 1: there is data, 0: nobody writes any more, or -EAGAIN, a signal. */
static int wait_for_data(struct pipe *p, bool wait)
{
	while (!pipe_used(p)) {
		int err;

		if (!p->writers)
			return 0;
		if (!wait)
			return -EAGAIN;
		mutex_unlock(&p->lock);
		err = wait_event_interruptible(&p->rd, pipe_used(p) || !READ_ONCE(p->writers));
		mutex_lock(&p->lock);
		if (err)
			return err;
	}
	return 1;
}

/* 0: there is room, or -EPIPE, -EAGAIN, a signal. */
static int wait_for_room(struct pipe *p, bool wait)
{
	int err = 0;

	while (p->readers && !pipe_room(p) && !err)
		err = pipe_wait_room(p, 1, wait);
	return p->readers ? err : -EPIPE;
}

/* ---- a pipe and something else ---- */

static long pipe_to_file(struct pipe *p, struct file *out, u64 *pos, size_t len, bool wait)
{
	struct iovec iov[MAX_PIECES];
	struct iov_iter it;
	u32 nr = 0;
	u64 at;
	long n;

	mutex_lock(&p->lock);
	n = wait_for_data(p, wait);
	if (n <= 0)
		goto unlock;
	len = min(len, (size_t)pipe_used(p));
	for (at = p->tail; len && nr < MAX_PIECES; nr++) {
		u32 off = at & (PAGE_SIZE - 1);
		size_t piece = min(len, PAGE_SIZE - off);

		iov[nr] = (struct iovec){ (u8 *)*pipe_slot(p, at) + off, piece };
		at += piece;
		len -= piece;
	}
	iter_init(&it, iov, nr, true);
	n = transfer(out, &it, pos, true);
	if (n > 0)
		pipe_consume(p, n);
unlock:
	mutex_unlock(&p->lock);
	if (n > 0)
		pipe_wake(&p->wr, POLLOUT | POLLWRNORM);
	return n;
}

/* Pages behind what came in go back: they were only for the case that more came. */
static void give_back(struct pipe *p, u64 end)
{
	for (u64 at = ALIGN_UP(p->head, PAGE_SIZE); at < end; at += PAGE_SIZE) {
		void **slot = pipe_slot(p, at);

		pages_free(*slot, 0);
		*slot = NULL;
	}
}

static long file_to_pipe(struct file *in, u64 *pos, struct pipe *p, size_t len, bool wait)
{
	struct iovec iov[MAX_PIECES];
	struct iov_iter it;
	u32 nr = 0;
	u64 at;
	long n;

	mutex_lock(&p->lock);
	n = wait_for_room(p, wait);
	if (n)
		goto unlock;
	len = min(len, (size_t)pipe_room(p));
	for (at = p->head; len && nr < MAX_PIECES && !pipe_ensure_page(p, at); nr++) {
		u32 off = at & (PAGE_SIZE - 1);
		size_t piece = min(len, PAGE_SIZE - off);

		iov[nr] = (struct iovec){ (u8 *)*pipe_slot(p, at) + off, piece };
		at += piece;
		len -= piece;
	}
	iter_init(&it, iov, nr, true);
	n = nr ? transfer(in, &it, pos, false) : -ENOMEM;
	if (n > 0)
		WRITE_ONCE(p->head, p->head + n);
	give_back(p, at);
unlock:
	mutex_unlock(&p->lock);
	if (n > 0)
		pipe_wake(&p->rd, POLLIN | POLLRDNORM);
	else if (n == -EPIPE)
		broken_pipe();
	return n;
}

/* ---- two pipes ---- */

static void lock_both(struct pipe *a, struct pipe *b)
{
	mutex_lock(a < b ? &a->lock : &b->lock);
	mutex_lock(a < b ? &b->lock : &a->lock);
}

static void unlock_both(struct pipe *a, struct pipe *b)
{
	mutex_unlock(&a->lock);
	mutex_unlock(&b->lock);
}

/* Copies what is there and fits; -ENOMEM. Both locked. */
static long copy_between(struct pipe *from, struct pipe *to, size_t len)
{
	u64 at = from->tail;

	while (len && at != from->head && pipe_room(to)) {
		u32 off = at & (PAGE_SIZE - 1), to_off = to->head & (PAGE_SIZE - 1);
		size_t n = min(len, (size_t)(from->head - at));

		n = min(n, (size_t)(PAGE_SIZE - max(off, to_off)));
		n = min(n, (size_t)pipe_room(to));
		if (pipe_ensure_page(to, to->head))
			return at != from->tail ? (long)(at - from->tail) : -ENOMEM;
		memcpy((u8 *)*pipe_slot(to, to->head) + to_off, (u8 *)*pipe_slot(from, at) + off,
		       n);
		WRITE_ONCE(to->head, to->head + n);
		at += n;
		len -= n;
	}
	return (long)(at - from->tail);
}

/* Both ends ready, each in its turn; 0, or what the call is to return (1: nobody writes). */
static int wait_for_both(struct pipe *from, struct pipe *to, bool wait)
{
	int ret;

	mutex_lock(&from->lock);
	ret = wait_for_data(from, wait);
	mutex_unlock(&from->lock);
	if (ret <= 0)
		return ret ? ret : 1;
	mutex_lock(&to->lock);
	ret = wait_for_room(to, wait);
	mutex_unlock(&to->lock);
	return ret;
}

static long pipe_to_pipe(struct pipe *from, struct pipe *to, size_t len, bool wait, bool consume)
{
	long n = 0;

	while (!n) {
		n = wait_for_both(from, to, wait);
		if (n)
			break;
		lock_both(from, to);
		/* others may have been faster at either end: then nothing is moved */
		n = to->readers ? copy_between(from, to, len) : -EPIPE;
		if (n > 0 && consume)
			pipe_consume(from, n);
		unlock_both(from, to);
		if (n > 0) {
			pipe_wake(&to->rd, POLLIN | POLLRDNORM);
			if (consume)
				pipe_wake(&from->wr, POLLOUT | POLLWRNORM);
			return n;
		}
	}
	if (n == -EPIPE)
		broken_pipe();
	return n == 1 ? 0 : n;
}

/* ---- the calls ---- */

static bool may_wait(const struct file *f, u32 flags)
{
	return !(flags & SPLICE_F_NONBLOCK) && !(f->flags & O_NONBLOCK);
}

/* The other end's offset: only where it has a position. */
static int offset_get(struct file *f, u64 uoff, u64 *pos)
{
	if (!uoff)
		return 0;
	if (!f->pos_lock)
		return -ESPIPE;
	if (copy_from_user(pos, (const void __user *)uoff, sizeof(*pos)))
		return -EFAULT;
	return (s64)*pos < 0 ? -EINVAL : 0;
}

static long do_splice(struct file *in, u64 uin, struct file *out, u64 uout, size_t len, u32 flags)
{
	struct pipe *from = pipe_of(in), *to = pipe_of(out);
	u64 pos, uoff = from ? uout : uin;
	long ret;

	if (!(to_vfile(in)->mode & FMODE_READ) || !(to_vfile(out)->mode & FMODE_WRITE))
		return -EBADF;
	if ((from && uin) || (to && uout))
		return -ESPIPE;
	if (from && to) {
		if (from == to)
			return -EINVAL;
		return pipe_to_pipe(from, to, len, may_wait(in, flags) && may_wait(out, flags),
				    true);
	}
	if ((!from && !to) || (from && out->flags & O_APPEND))
		return -EINVAL;
	ret = offset_get(from ? out : in, uoff, &pos);
	if (ret)
		return ret;
	ret = from ? pipe_to_file(from, out, uoff ? &pos : NULL, len, may_wait(in, flags)) :
		     file_to_pipe(in, uoff ? &pos : NULL, to, len, may_wait(out, flags));
	if (ret > 0 && uoff && copy_to_user((void __user *)uoff, &pos, sizeof(pos)))
		return -EFAULT;
	return ret;
}

static long do_tee(struct file *in, struct file *out, size_t len, u32 flags)
{
	struct pipe *from = pipe_of(in), *to = pipe_of(out);

	if (!(to_vfile(in)->mode & FMODE_READ) || !(to_vfile(out)->mode & FMODE_WRITE))
		return -EBADF;
	if (!from || !to || from == to)
		return -EINVAL;
	return pipe_to_pipe(from, to, len, may_wait(in, flags) && may_wait(out, flags), false);
}

SYSCALL(275, splice)
{
	struct file *in, *out;
	long ret = -EBADF;

	if ((u32)f & ~SPLICE_F_KNOWN)
		return -EINVAL;
	if (!e)
		return 0;
	in = fd_get((int)a);
	out = fd_get((int)c);
	if (in && out)
		ret = do_splice(in, b, out, d, min((size_t)e, MAX_RW), (u32)f);
	if (in)
		file_put(in);
	if (out)
		file_put(out);
	return ret;
}

SYSCALL(276, tee)
{
	struct file *in, *out;
	long ret = -EBADF;

	if ((u32)d & ~SPLICE_F_KNOWN)
		return -EINVAL;
	if (!c)
		return 0;
	in = fd_get((int)a);
	out = fd_get((int)b);
	if (in && out)
		ret = do_tee(in, out, min((size_t)c, MAX_RW), (u32)d);
	if (in)
		file_put(in);
	if (out)
		file_put(out);
	return ret;
}

SYSCALL(278, vmsplice)
{
	struct vectors v;
	struct file *file;
	long ret;

	if ((u32)d & ~SPLICE_F_KNOWN)
		return -EINVAL;
	file = fd_get((int)a);
	if (!file)
		return -EBADF;
	ret = pipe_of(file) ? vectors_get(&v, b, c) : -EBADF;
	if (!ret) {
		if (to_vfile(file)->mode & FMODE_WRITE)
			ret = pipe_write_iter(file, &v.it, may_wait(file, (u32)d));
		else
			ret = pipe_read_iter(file, &v.it, may_wait(file, (u32)d));
		vectors_put(&v);
	}
	file_put(file);
	return ret;
}
