/* SPDX-License-Identifier: MIT */
/* timerfd.c - timers behind descriptors, timerfd_create(2). A timer that ran out stays at rest
 * until it is read or asked for: only then the intervals that went by are counted and it is armed
 * again, so a short interval that nobody reads costs nothing. Timers on the settable clock hang in
 * a list and look again when it is set. Locks: real_lock, then a timer's own. */
#include "fs.h"

#include <core/syscall.h>

#define CLOCK_REALTIME 0
#define CLOCK_MONOTONIC 1
#define CLOCK_BOOTTIME 7
#define CLOCK_REALTIME_ALARM 8
#define CLOCK_BOOTTIME_ALARM 9
#define TFD_TIMER_ABSTIME BIT(0)
#define TFD_TIMER_CANCEL_ON_SET BIT(1)

struct timerfd {
	bool real; /* fixed: on the settable clock */
	/* guarded by lock */
	struct spinlock lock;
	u64 expires, interval; /* 0: disarmed, once; expires is of clock_now's clock */
	u64 ticks;	       /* not yet read */
	bool expired;	       /* ran out and was not armed again yet */
	bool absolute, cancel_on_set, canceled;
	struct timer timer;
	struct wait_queue wait;
	struct list_head real_node; /* guarded by real_lock */
};

static struct spinlock real_lock = SPINLOCK_INIT;
static struct list_head real_timers = LIST_HEAD_INIT(real_timers);

/* A time from now on stays what it is when the clock is set. */
static u64 clock_now(const struct timerfd *t)
{
	return t->real && t->absolute ? ktime_get_real() : ktime_get();
}

/* ---- lock held ---- */

static void arm_locked(struct timerfd *t)
{
	u64 now = clock_now(t);

	timer_set(&t->timer, ktime_get() + (t->expires > now ? t->expires - now : 0));
}

/* The intervals since it ran out, and the next one begins. */
static void catch_up_locked(struct timerfd *t)
{
	u64 now, passed;

	if (!t->expired || !t->interval)
		return;
	now = clock_now(t);
	passed = now > t->expires ? (now - t->expires) / t->interval : 0;
	t->ticks += passed;
	t->expires += (passed + 1) * t->interval;
	t->expired = false;
	arm_locked(t);
}

static void get_locked(struct timerfd *t, u64 *value, u64 *interval)
{
	u64 now;

	catch_up_locked(t);
	now = clock_now(t);
	*interval = t->interval;
	*value = 0;
	/* due but not yet fired: a little is left, not none */
	if (t->expires && !t->expired)
		*value = t->expires > now ? t->expires - now : 1;
}

/* ---- poll context ---- */

static void timerfd_fire(struct timer *timer)
{
	struct timerfd *t = container_of(timer, struct timerfd, timer);
	bool fired = false;

	spin_lock(&t->lock);
	if (t->expires && !t->expired) {
		if (clock_now(t) < t->expires) {
			arm_locked(t); /* the clock was set back meanwhile */
		} else {
			t->ticks++;
			t->expired = fired = true;
		}
	}
	spin_unlock(&t->lock);
	if (fired)
		wake_up_key(&t->wait, POLLIN | POLLRDNORM);
}

void timerfd_clock_was_set(void)
{
	struct timerfd *t;

	spin_lock(&real_lock);
	list_for_each_entry(t, &real_timers, real_node) {
		spin_lock(&t->lock);
		if (t->cancel_on_set) {
			t->canceled = true;
			wake_up_key(&t->wait, POLLIN | POLLRDNORM);
		}
		if (t->absolute && t->expires && !t->expired)
			arm_locked(t);
		spin_unlock(&t->lock);
	}
	spin_unlock(&real_lock);
}

/* ---- the file ---- */

/* 1 with the ticks, 0 when there are none, -ECANCELED once after the clock was set. */
static int take(struct timerfd *t, u64 *ticks)
{
	int ret = 0;

	spin_lock(&t->lock);
	if (t->canceled) {
		t->canceled = false;
		t->ticks = 0;
		ret = -ECANCELED;
	} else if (t->ticks) {
		catch_up_locked(t);
		*ticks = t->ticks;
		t->ticks = 0;
		ret = 1;
	}
	spin_unlock(&t->lock);
	return ret;
}

static long timerfd_read(struct file *f, struct iov_iter *to, u64 *pos)
{
	struct timerfd *t = f->priv;
	u64 ticks;
	long err;

	if (to->count < sizeof(ticks))
		return -EINVAL;
	while (!(err = take(t, &ticks))) {
		if (f->flags & O_NONBLOCK)
			return -EAGAIN;
		err = wait_event_interruptible(&t->wait,
					       READ_ONCE(t->ticks) || READ_ONCE(t->canceled));
		if (err)
			return err;
	}
	return err < 0 ? err : iter_copy_to(&ticks, sizeof(ticks), to);
}

static u32 timerfd_poll(struct file *f, struct poll_table *pt)
{
	struct timerfd *t = f->priv;

	poll_wait(pt, &t->wait);
	return READ_ONCE(t->ticks) || READ_ONCE(t->canceled) ? POLLIN | POLLRDNORM : 0;
}

static void timerfd_release(struct file *f)
{
	struct timerfd *t = f->priv;

	spin_lock(&real_lock);
	list_del(&t->real_node);
	spin_unlock(&real_lock);
	spin_lock(&t->lock);
	t->expires = 0; /* one that fires now does not arm it again */
	spin_unlock(&t->lock);
	timer_cancel_sync(&t->timer);
	kfree(t);
}

static const struct file_ops timerfd_fops = {
	.read = timerfd_read,
	.poll = timerfd_poll,
	.release = timerfd_release,
};

/* ---- the calls ---- */

static struct timerfd *timerfd_new(int clock)
{
	struct timerfd *t = kzalloc(sizeof(*t));

	if (!t)
		return NULL;
	spin_init(&t->lock);
	wait_queue_init(&t->wait);
	timer_init(&t->timer, timerfd_fire);
	list_init(&t->real_node);
	t->real = clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_ALARM;
	if (t->real) {
		spin_lock(&real_lock);
		list_add_tail(&t->real_node, &real_timers);
		spin_unlock(&real_lock);
	}
	return t;
}

SYSCALL(283, timerfd_create)
{
	u32 flags = (u32)b;
	struct timerfd *t;
	struct file *file;
	int fd;

	if (flags & ~(u32)(O_CLOEXEC | O_NONBLOCK))
		return -EINVAL;
	switch ((int)a) {
	case CLOCK_REALTIME:
	case CLOCK_MONOTONIC:
	case CLOCK_BOOTTIME:
	case CLOCK_REALTIME_ALARM:
	case CLOCK_BOOTTIME_ALARM:
		break;
	default:
		return -EINVAL;
	}
	t = timerfd_new((int)a);
	if (!t)
		return -ENOMEM;
	file = file_anon("anon_inode:[timerfd]", 0600, &timerfd_fops, t,
			 O_RDWR | (flags & O_NONBLOCK));
	if (IS_ERR(file)) {
		spin_lock(&real_lock);
		list_del(&t->real_node);
		spin_unlock(&real_lock);
		kfree(t);
		return PTR_ERR(file);
	}
	fd = fd_install(file, flags);
	if (fd < 0)
		file_put(file);
	return fd;
}

static struct file *timerfd_get(int fd)
{
	struct file *f = fd_get(fd);

	if (!f)
		return ERR_PTR(-EBADF);
	if (f->ops == &timerfd_fops)
		return f;
	file_put(f);
	return ERR_PTR(-EINVAL);
}

static void set(struct timerfd *t, u32 flags, u64 value, u64 interval, u64 *old_value,
		u64 *old_interval)
{
	spin_lock(&t->lock);
	get_locked(t, old_value, old_interval);
	t->absolute = flags & TFD_TIMER_ABSTIME;
	t->cancel_on_set = t->real && t->absolute && flags & TFD_TIMER_CANCEL_ON_SET;
	t->expired = t->canceled = false;
	t->ticks = 0;
	t->interval = interval;
	t->expires = value && !t->absolute ? clock_now(t) + value : value;
	if (t->expires)
		arm_locked(t);
	else
		timer_cancel(&t->timer);
	spin_unlock(&t->lock);
}

SYSCALL(286, timerfd_settime)
{
	u64 value, interval, old_value, old_interval;
	struct file *file;
	int err;

	if ((u32)b & ~(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET))
		return -EINVAL;
	err = itimerspec_from_user(c, &value, &interval);
	if (err)
		return err;
	file = timerfd_get((int)a);
	if (IS_ERR(file))
		return PTR_ERR(file);
	set(file->priv, (u32)b, value, interval, &old_value, &old_interval);
	file_put(file);
	return d ? itimerspec_to_user(d, old_value, old_interval) : 0;
}

SYSCALL(287, timerfd_gettime)
{
	struct file *file = timerfd_get((int)a);
	struct timerfd *t;
	u64 value, interval;

	if (IS_ERR(file))
		return PTR_ERR(file);
	t = file->priv;
	spin_lock(&t->lock);
	get_locked(t, &value, &interval);
	spin_unlock(&t->lock);
	file_put(file);
	return itimerspec_to_user(b, value, interval);
}
