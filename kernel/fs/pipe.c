/* SPDX-License-Identifier: MIT */
/* pipe.c - pipes and FIFOs: a ring of pages between readers and writers. Pages come with the first
 * byte written to them and go when they are read empty. Writes of up to 4096 bytes are not mixed
 * with others' (POSIX PIPE_BUF). */
#include "pipe.h"

#include <core/syscall.h>

#define PIPE_BUF 4096ul
#define MAX_PAGES 256 /* F_SETPIPE_SZ up to 1 MiB */
#define FIONREAD 0x541b

static DEFINE_MUTEX(fifo_lock); /* guards inode->priv of FIFOs and pipe->refs */
static const struct file_ops pipe_fops;

static struct pipe *pipe_new(void)
{
	struct pipe *p = kzalloc(sizeof(*p));

	if (!p)
		return NULL;
	mutex_init(&p->lock);
	wait_queue_init(&p->rd);
	wait_queue_init(&p->wr);
	p->nr = PIPE_DEFAULT_PAGES;
	p->page = p->first_ring;
	return p;
}

static void pipe_free(struct pipe *p)
{
	u32 i;

	for (i = 0; i < p->nr; i++)
		pages_free(p->page[i], 0);
	if (p->page != p->first_ring)
		kfree(p->page);
	kfree(p);
}

/* ---- reading ---- */

void pipe_consume(struct pipe *p, size_t n)
{
	while (n) {
		void **slot = pipe_slot(p, p->tail);
		size_t piece = min(n, PAGE_SIZE - (p->tail & (PAGE_SIZE - 1)));

		WRITE_ONCE(p->tail, p->tail + piece);
		n -= piece;
		if (!(p->tail & (PAGE_SIZE - 1)) && pipe_used(p)) {
			pages_free(*slot, 0);
			*slot = NULL;
		}
	}
	if (!pipe_used(p)) {
		/* start over in the page that stays */
		WRITE_ONCE(p->tail, ALIGN_DOWN(p->tail - 1, PAGE_SIZE));
		WRITE_ONCE(p->head, p->tail);
	}
}

/* Takes what there is; bytes or -EFAULT. Lock held, not empty. */
static long take(struct pipe *p, struct iov_iter *to)
{
	long total = 0;

	while (to->count && pipe_used(p)) {
		u32 off = p->tail & (PAGE_SIZE - 1);
		size_t n = min((size_t)(PAGE_SIZE - off), (size_t)pipe_used(p));
		void **slot = pipe_slot(p, p->tail);
		long got = iter_copy_to((u8 *)*slot + off, min(n, to->count), to);

		if (got <= 0)
			return total ? total : got;
		total += got;
		pipe_consume(p, got);
	}
	return total;
}

long pipe_read_iter(struct file *f, struct iov_iter *to, bool wait)
{
	struct pipe *p = f->priv;
	long ret = 0;

	if (!to->count)
		return 0;
	mutex_lock(&p->lock);
	while (!pipe_used(p)) {
		if (!p->writers)
			goto out;
		if (!wait) {
			ret = -EAGAIN;
			goto out;
		}
		mutex_unlock(&p->lock);
		ret = wait_event_interruptible(&p->rd, pipe_used(p) || !READ_ONCE(p->writers));
		if (ret)
			return ret;
		mutex_lock(&p->lock);
	}
	ret = take(p, to);
out:
	mutex_unlock(&p->lock);
	if (ret > 0)
		pipe_wake(&p->wr, POLLOUT | POLLWRNORM);
	return ret;
}

static long pipe_read(struct file *f, struct iov_iter *to, u64 *pos)
{
	return pipe_read_iter(f, to, !(f->flags & O_NONBLOCK));
}

/* ---- writing ---- */

int pipe_ensure_page(struct pipe *p, u64 pos)
{
	void **slot = pipe_slot(p, pos);

	if (!*slot)
		*slot = pages_alloc(0);
	return *slot ? 0 : -ENOMEM;
}

/* Puts in what fits. Lock held. */
static long put(struct pipe *p, struct iov_iter *from)
{
	long total = 0;

	while (from->count && pipe_room(p)) {
		u32 off = p->head & (PAGE_SIZE - 1);
		size_t n = min((size_t)(PAGE_SIZE - off), (size_t)pipe_room(p));
		long got = pipe_ensure_page(p, p->head);

		if (!got)
			got = iter_copy_from((u8 *)*pipe_slot(p, p->head) + off,
					     min(n, from->count), from);
		if (got <= 0)
			return total ? total : got;
		total += got;
		WRITE_ONCE(p->head, p->head + got);
	}
	return total;
}

/* Room for all of a small write, memory included, or for some of a large one? 1, 0, -ENOMEM. */
static int can_put(struct pipe *p, size_t n)
{
	if (n > PIPE_BUF)
		return pipe_room(p) > 0;
	if (pipe_room(p) < n)
		return 0;
	return pipe_ensure_page(p, p->head) || pipe_ensure_page(p, p->head + n - 1) ? -ENOMEM : 1;
}

int pipe_wait_room(struct pipe *p, size_t n, bool wait)
{
	int err;

	if (!wait)
		return -EAGAIN;
	mutex_unlock(&p->lock);
	err = wait_event_interruptible(&p->wr, pipe_room(p) >= n || !READ_ONCE(p->readers));
	mutex_lock(&p->lock);
	return err;
}

long pipe_write_iter(struct file *f, struct iov_iter *from, bool wait)
{
	bool whole = from->count <= PIPE_BUF;
	struct pipe *p = f->priv;
	long total = 0, ret = 0;

	mutex_lock(&p->lock);
	while (from->count) {
		if (!p->readers) {
			ret = -EPIPE;
			break;
		}
		ret = can_put(p, whole ? from->count : PIPE_BUF + 1);
		if (ret > 0)
			ret = put(p, from);
		else if (!ret)
			ret = pipe_wait_room(p, whole ? from->count : 1, wait);
		if (ret < 0)
			break;
		total += ret;
		if (ret)
			pipe_wake(&p->rd, POLLIN | POLLRDNORM);
	}
	mutex_unlock(&p->lock);
	if (ret == -EPIPE)
		signal_send_thread(current(), 13, NULL); /* SIGPIPE */
	return total ? total : ret;
}

static long pipe_write(struct file *f, struct iov_iter *from, u64 *pos)
{
	return pipe_write_iter(f, from, !(f->flags & O_NONBLOCK));
}

/* ---- the rest ---- */

/* Without the lock, which splice(2) may hold for long: a hint that was wrong is followed by a
 * wake-up. */

static u32 pipe_poll(struct file *f, struct poll_table *pt)
{
	struct pipe *p = f->priv;
	u32 mode = to_vfile(f)->mode, events = 0;

	if (mode & FMODE_READ)
		poll_wait(pt, &p->rd);
	if (mode & FMODE_WRITE)
		poll_wait(pt, &p->wr);
	if (mode & FMODE_READ) {
		if (pipe_used(p))
			events |= POLLIN | POLLRDNORM;
		/* a FIFO that never had a writer is not hung up */
		if (!READ_ONCE(p->writers) && READ_ONCE(p->w_opens))
			events |= POLLHUP;
	}
	if (mode & FMODE_WRITE) {
		if (pipe_room(p) >= PIPE_BUF)
			events |= POLLOUT | POLLWRNORM;
		if (!READ_ONCE(p->readers))
			events |= POLLERR;
	}
	return events;
}

static long pipe_ioctl(struct file *f, u32 cmd, unsigned long arg)
{
	int n = (int)pipe_used(f->priv);

	if (cmd != FIONREAD)
		return -ENOTTY;
	return copy_to_user((void __user *)arg, &n, sizeof(n));
}

static void pipe_release(struct file *f)
{
	struct inode *ino = f->inode;
	struct pipe *p = f->priv;
	u32 mode = to_vfile(f)->mode;
	bool last;

	mutex_lock(&fifo_lock);
	mutex_lock(&p->lock);
	if (mode & FMODE_READ)
		p->readers--;
	if (mode & FMODE_WRITE)
		p->writers--;
	last = --p->refs == 0;
	mutex_unlock(&p->lock);
	if (last) {
		ino->priv = NULL; /* a FIFO's next opener finds an empty one */
	} else {
		/* under fifo_lock: without it the last one could free the pipe before this */
		wake_up_key(&p->rd, POLLIN | POLLHUP | POLLRDNORM);
		wake_up_key(&p->wr, POLLOUT | POLLERR | POLLWRNORM);
	}
	mutex_unlock(&fifo_lock);
	if (last)
		pipe_free(p);
}

static const struct file_ops pipe_fops = {
	.read = pipe_read,
	.write = pipe_write,
	.poll = pipe_poll,
	.ioctl = pipe_ioctl,
	.release = pipe_release,
};

struct pipe *pipe_of(struct file *f)
{
	return f->ops == &pipe_fops ? f->priv : NULL;
}

long pipe_size(struct file *f)
{
	struct pipe *p = pipe_of(f);

	return p ? (long)(READ_ONCE(p->nr) * PAGE_SIZE) : -EBADF;
}

/* Moves what is in the ring to the ring page[nr], which has room for it. Lock held. */
static void move_ring(struct pipe *p, void **page, u32 nr)
{
	u64 first = ALIGN_DOWN(p->tail, PAGE_SIZE), pos;
	u32 i;

	for (i = 0; i < p->nr; i++) {
		pos = first + i * PAGE_SIZE;
		if (pos < p->head)
			page[pos / PAGE_SIZE & (nr - 1)] = *pipe_slot(p, pos);
		else
			pages_free(*pipe_slot(p, pos), 0);
	}
	if (p->page != p->first_ring)
		kfree(p->page);
	p->page = page;
	WRITE_ONCE(p->nr, nr);
}

long pipe_resize(struct file *f, u64 bytes)
{
	struct pipe *p = pipe_of(f);
	u32 nr = 1;
	void **page;
	bool fits;

	if (!p)
		return -EBADF;
	if (bytes > MAX_PAGES * PAGE_SIZE)
		return caller_is_root() ? -EINVAL : -EPERM;
	while (nr * PAGE_SIZE < bytes)
		nr *= 2;
	page = kcalloc(nr, sizeof(*page));
	if (!page)
		return -ENOMEM;
	mutex_lock(&p->lock);
	fits = DIV_ROUND_UP(p->head, PAGE_SIZE) - p->tail / PAGE_SIZE <= nr;
	if (fits)
		move_ring(p, page, nr);
	mutex_unlock(&p->lock);
	if (!fits) {
		kfree(page);
		return -EBUSY;
	}
	pipe_wake(&p->wr, POLLOUT | POLLWRNORM);
	return (long)(nr * PAGE_SIZE);
}

/* ---- FIFOs: the pipe hangs on the inode while somebody has it open ---- */

/* Joins with one more reader or writer. *opens: how often the other end was opened before; *met: it
 * is open now, so that there is nothing to wait for, even if it closes at once. */
static struct pipe *fifo_attach(struct inode *ino, u32 mode, u32 *opens, bool *met)
{
	struct pipe *p;

	mutex_lock(&fifo_lock);
	p = ino->priv;
	if (!p)
		p = ino->priv = pipe_new();
	if (p) {
		mutex_lock(&p->lock);
		p->refs++;
		*opens = mode & FMODE_READ ? p->w_opens : p->r_opens;
		*met = mode & FMODE_READ ? p->writers : p->readers;
		if (mode & FMODE_READ) {
			p->readers++;
			p->r_opens++;
		}
		if (mode & FMODE_WRITE) {
			p->writers++;
			p->w_opens++;
		}
		mutex_unlock(&p->lock);
	}
	mutex_unlock(&fifo_lock);
	return p;
}

int fifo_open(struct inode *ino, struct file *f)
{
	u32 mode = to_vfile(f)->mode, seen;
	bool met;
	struct pipe *p = fifo_attach(ino, mode, &seen, &met);
	int err = 0;

	if (!p)
		return -ENOMEM;
	f->ops = &pipe_fops;
	f->priv = p;
	wake_up_all(&p->rd);
	wake_up_all(&p->wr);
	/* a pipe without a name (opened again through /proc/PID/fd) waits for nobody */
	if (met || mode == (FMODE_READ | FMODE_WRITE) || ino->super == pipe_super)
		return 0;
	if (mode == FMODE_READ && !(f->flags & O_NONBLOCK))
		err = wait_event_interruptible(&p->rd, READ_ONCE(p->w_opens) != seen);
	else if (mode == FMODE_WRITE)
		err = f->flags & O_NONBLOCK ?
			      -ENXIO :
			      wait_event_interruptible(&p->wr, READ_ONCE(p->r_opens) != seen);
	if (err)
		pipe_release(f);
	return err;
}

void fifo_evict(struct inode *ino)
{
	/* every open file held the inode: the pipe is gone already */
}

/* ---- pipe(2) ---- */

static const struct inode_ops pipe_inode_ops = { .open = fifo_open };

static struct file *pipe_end(struct inode *ino, u32 flags)
{
	struct path p = { NULL, entry_new_loose(NULL, "pipe", ino) };
	struct file *f;

	if (!p.entry)
		return ERR_PTR(-ENOMEM);
	f = file_open_path(&p, flags);
	path_put(&p);
	return f;
}

static int pipe_files(struct file **rd, struct file **wr, u32 flags)
{
	struct inode *ino = inode_new(pipe_super, S_IFIFO | 0600);
	int err = 0;

	if (!ino)
		return -ENFILE;
	ino->ops = &pipe_inode_ops;
	ino->fops = &pipe_fops;
	*rd = pipe_end(ino, O_RDONLY | (flags & O_NONBLOCK));
	*wr = IS_ERR(*rd) ? *rd : pipe_end(ino, O_WRONLY | (flags & O_NONBLOCK));
	if (IS_ERR(*wr)) {
		err = PTR_ERR(*wr);
		if (!IS_ERR(*rd))
			file_put(*rd);
	}
	inode_put(ino);
	return err;
}

static long make_pipe(u64 ufds, u32 flags)
{
	struct file *rd, *wr;
	int fds[2], err;

	if (flags & ~(u32)(O_CLOEXEC | O_NONBLOCK | 040000 /* O_DIRECT: packets */))
		return -EINVAL;
	err = pipe_files(&rd, &wr, flags);
	if (err)
		return err;
	fds[0] = fd_reserve(flags);
	fds[1] = fds[0] < 0 ? fds[0] : fd_reserve(flags);
	err = fds[1] < 0 ? fds[1] : copy_to_user((void __user *)ufds, fds, sizeof(fds));
	if (!err) {
		fd_fill(fds[0], rd);
		fd_fill(fds[1], wr);
		return 0;
	}
	if (fds[0] >= 0)
		fd_unreserve(fds[0]);
	if (fds[1] >= 0)
		fd_unreserve(fds[1]);
	file_put(rd);
	file_put(wr);
	return err;
}

SYSCALL(22, pipe)
{
	return make_pipe(a, 0);
}

SYSCALL(293, pipe2)
{
	return make_pipe(a, (u32)b);
}
