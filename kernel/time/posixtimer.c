/* SPDX-License-Identifier: MIT */
/* posixtimer.c - timers that send a signal, timer_create(2). One that ran out rests until its
 * signal was taken: only then the intervals that went by are counted (timer_getoverrun) and it is
 * armed again, so that a short interval costs nobody but the process that takes the signals. Clocks
 * of CPU time are refused: without a periodic tick nothing would make them fire in time. */
#include <core/proc.h>
#include <core/syscall.h>
#include <uapi/signal.h>
#include <weft/alloc.h>
#include <weft/string.h>
#include <weft/time.h>

#define CLOCK_REALTIME 0
#define CLOCK_MONOTONIC 1
#define CLOCK_PROCESS_CPUTIME_ID 2
#define CLOCK_THREAD_CPUTIME_ID 3
#define CLOCK_BOOTTIME 7
#define CLOCK_REALTIME_ALARM 8
#define CLOCK_BOOTTIME_ALARM 9
#define CLOCK_TAI 11
#define TIMER_ABSTIME BIT(0)
#define SIGEV_SIGNAL 0
#define SIGEV_NONE 1
#define SIGEV_THREAD 2
#define SIGEV_THREAD_ID 4
#define DELAYTIMER_MAX 0x7fffffffull

/* Of one whose signals are ignored: how soon it looks whether they still are. */
#define IGNORED_REST_NS (10 * NSEC_PER_MSEC)

/* struct sigevent */
struct sigevent64 {
	u64 value;
	s32 signo, notify, tid;
	u8 rest[44];
};

struct posix_timer {
	/* fixed once in the list */
	struct proc *proc;
	struct thread *target;	 /* counted; NULL: the process */
	struct sigqueue *signal; /* NULL: SIGEV_NONE */
	int id;
	bool real; /* on the settable clock */
	/* guarded by proc->sig_lock */
	struct list_head node;
	u64 expires, interval; /* 0: disarmed, once; expires is of clock_now's clock */
	bool absolute;
	bool resting; /* ran out, the signal is on its way */
	u32 overrun;  /* of the signal that was taken last */
	struct timer timer;
};

/* A time from now on stays what it is when the clock is set. */
static u64 clock_now(const struct posix_timer *t)
{
	return t->real && t->absolute ? ktime_get_real() : ktime_get();
}

static unsigned long lock(struct proc *p)
{
	return spin_lock_irqsave(&p->sig_lock);
}

static void unlock(struct proc *p, unsigned long flags)
{
	spin_unlock_irqrestore(&p->sig_lock, flags);
}

/* ---- lock held ---- */

static void arm_locked(struct posix_timer *t, u64 not_before_ns)
{
	u64 now = clock_now(t), left = t->expires > now ? t->expires - now : 0;

	if (t->signal)
		timer_set(&t->timer, ktime_get() + max(left, not_before_ns));
}

/* Behind the last interval that is over; how many there were since it ran out. */
static u64 advance_locked(struct posix_timer *t)
{
	u64 now = clock_now(t), passed = now > t->expires ? (now - t->expires) / t->interval : 0;

	t->expires += (passed + 1) * t->interval;
	return passed;
}

u32 posix_timer_taken_locked(struct posix_timer *t)
{
	if (!t->resting)
		return 0; /* it was set anew since */
	t->resting = false;
	t->overrun = 0;
	if (t->interval) {
		t->overrun = (u32)min(advance_locked(t), DELAYTIMER_MAX);
		arm_locked(t, 0);
	} else {
		t->expires = 0;
	}
	return t->overrun;
}

static void get_locked(const struct posix_timer *t, u64 *value, u64 *interval)
{
	u64 now = clock_now(t);

	*interval = t->interval;
	*value = 0;
	if (!t->expires)
		return;
	if (t->expires > now)
		*value = t->expires - now;
	else if (t->interval)
		*value = t->interval - (now - t->expires) % t->interval;
	else if (!t->resting && t->signal)
		*value = 1; /* due but not yet fired: a little is left, not none */
}

static struct posix_timer *find_locked(struct proc *p, int id)
{
	struct posix_timer *t;

	list_for_each_entry(t, &p->posix_timers, node) {
		if (t->id == id)
			return t;
	}
	return NULL;
}

/* ---- poll context ---- */

static void posix_timer_fire(struct timer *timer)
{
	struct posix_timer *t = container_of(timer, struct posix_timer, timer);
	struct proc *p = t->proc;
	unsigned long flags = lock(p);

	if (!t->expires || t->resting)
		goto out;
	if (clock_now(t) < t->expires) {
		arm_locked(t, 0); /* the clock was set back meanwhile */
		goto out;
	}
	t->resting = true;
	if (signal_send_timer_locked(p, t->target, t->signal))
		goto out;
	t->resting = false;
	if (t->interval) {
		advance_locked(t);
		arm_locked(t, IGNORED_REST_NS);
	} else {
		t->expires = 0;
	}
out:
	unlock(p, flags);
}

/* ---- process context ---- */

void posix_timers_clock_was_set(void)
{
	struct proc *p = NULL;
	struct posix_timer *t;
	unsigned long flags;
	int pid = 0;

	while ((p = proc_next_get(pid)) != NULL) {
		pid = p->pid;
		flags = lock(p);
		list_for_each_entry(t, &p->posix_timers, node) {
			if (t->real && t->absolute && t->expires && !t->resting)
				arm_locked(t, 0);
		}
		unlock(p, flags);
		proc_put(p);
	}
}

/* Out of the list already, or never in it. */
static void timer_free(struct posix_timer *t)
{
	timer_cancel_sync(&t->timer);
	if (t->signal)
		sigqueue_leave_timer(t->proc, t->signal);
	if (t->target)
		thread_put(t->target);
	kfree(t);
}

static void unlink_locked(struct posix_timer *t)
{
	list_del(&t->node);
	t->proc->nr_posix_timers--;
	t->expires = t->interval = 0; /* one that fires now does not arm it again */
}

void posix_timers_delete(struct proc *p)
{
	struct posix_timer *t;
	unsigned long flags;

	for (;;) {
		flags = lock(p);
		t = list_first_entry_or_null(&p->posix_timers, struct posix_timer, node);
		if (t)
			unlink_locked(t);
		unlock(p, flags);
		if (!t)
			return;
		timer_free(t);
	}
}

/* Where the signal goes, timer_create(2). */
static int set_target(struct posix_timer *t, const struct sigevent64 *ev)
{
	struct ksiginfo info = {
		.signo = ev->signo,
		.code = SI_TIMER,
		.pid = t->id,
		.value = ev->value,
	};

	switch (ev->notify) {
	case SIGEV_NONE:
		return 0;
	case SIGEV_SIGNAL | SIGEV_THREAD_ID:
		t->target = thread_find_get(ev->tid);
		if (!t->target || t->target->proc != t->proc)
			return -EINVAL;
		break;
	case SIGEV_SIGNAL:
	case SIGEV_THREAD:
		break;
	default:
		return -EINVAL;
	}
	if (ev->signo < 1 || ev->signo > NR_SIGNALS)
		return -EINVAL;
	t->signal = sigqueue_of_timer(t, &info);
	return t->signal ? 0 : -EAGAIN;
}

static int check_clock(int clock)
{
	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_MONOTONIC:
	case CLOCK_BOOTTIME:
	case CLOCK_TAI:
		return 0;
	case CLOCK_PROCESS_CPUTIME_ID:
	case CLOCK_THREAD_CPUTIME_ID:
	case CLOCK_REALTIME_ALARM: /* nothing wakes this machine */
	case CLOCK_BOOTTIME_ALARM:
		return -EOPNOTSUPP;
	}
	return clock < 0 ? -EOPNOTSUPP : -EINVAL; /* another's CPU time, a device's clock */
}

/* A number of its own, and its place in the list; the caller has filled in the rest. */
static int reserve_id(struct proc *p, int *id)
{
	unsigned long flags = lock(p);
	int err = -EAGAIN;

	if (p->nr_posix_timers < p->rlim[RLIMIT_SIGPENDING].cur) {
		do {
			*id = (int)(p->next_posix_timer++ & DELAYTIMER_MAX);
		} while (find_locked(p, *id));
		p->nr_posix_timers++;
		err = 0;
	}
	unlock(p, flags);
	return err;
}

SYSCALL(222, timer_create)
{
	struct sigevent64 ev = { .signo = SIGALRM };
	struct proc *p = current_proc();
	struct posix_timer *t;
	unsigned long flags;
	int err = check_clock((int)a);

	if (err)
		return err;
	if (b && copy_from_user(&ev, (void __user *)b, sizeof(ev)))
		return -EFAULT;
	t = kzalloc(sizeof(*t));
	if (!t)
		return -EAGAIN;
	t->proc = p;
	t->real = (int)a == CLOCK_REALTIME || (int)a == CLOCK_TAI;
	timer_init(&t->timer, posix_timer_fire);
	err = reserve_id(p, &t->id);
	if (err) {
		kfree(t);
		return err;
	}
	if (!b)
		ev.value = (u64)t->id;
	err = set_target(t, &ev);
	if (!err && copy_to_user((void __user *)c, &t->id, sizeof(t->id)))
		err = -EFAULT;
	flags = lock(p);
	if (err)
		p->nr_posix_timers--;
	else
		list_add_tail(&t->node, &p->posix_timers);
	unlock(p, flags);
	if (err)
		timer_free(t);
	return err;
}

static void set_locked(struct posix_timer *t, u32 flags, u64 value, u64 interval)
{
	t->resting = false;
	t->absolute = flags & TIMER_ABSTIME;
	t->interval = interval;
	t->overrun = 0;
	t->expires = value && !t->absolute ? clock_now(t) + value : value;
	if (t->expires)
		arm_locked(t, 0);
	else
		timer_cancel(&t->timer);
}

SYSCALL(223, timer_settime)
{
	u64 value, interval, old_value = 0, old_interval = 0;
	struct proc *p = current_proc();
	struct posix_timer *t;
	unsigned long flags;
	int err;

	if (!c)
		return -EINVAL;
	err = itimerspec_from_user(c, &value, &interval);
	if (err)
		return err;
	flags = lock(p);
	t = find_locked(p, (int)a);
	if (t) {
		get_locked(t, &old_value, &old_interval);
		set_locked(t, (u32)b, value, interval);
	}
	unlock(p, flags);
	if (!t)
		return -EINVAL;
	return d ? itimerspec_to_user(d, old_value, old_interval) : 0;
}

SYSCALL(224, timer_gettime)
{
	struct proc *p = current_proc();
	u64 value = 0, interval = 0;
	unsigned long flags = lock(p);
	struct posix_timer *t = find_locked(p, (int)a);

	if (t)
		get_locked(t, &value, &interval);
	unlock(p, flags);
	return t ? itimerspec_to_user(b, value, interval) : -EINVAL;
}

SYSCALL(225, timer_getoverrun)
{
	struct proc *p = current_proc();
	unsigned long flags = lock(p);
	struct posix_timer *t = find_locked(p, (int)a);
	long overrun = t ? (long)t->overrun : -EINVAL;

	unlock(p, flags);
	return overrun;
}

SYSCALL(226, timer_delete)
{
	struct proc *p = current_proc();
	unsigned long flags = lock(p);
	struct posix_timer *t = find_locked(p, (int)a);

	if (t)
		unlink_locked(t);
	unlock(p, flags);
	if (!t)
		return -EINVAL;
	timer_free(t);
	return 0;
}
