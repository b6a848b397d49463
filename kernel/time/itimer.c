/* SPDX-License-Identifier: MIT */
/* itimer.c - the real-time interval timer of a process: setitimer(2), alarm(2). The two timers of
 * CPU time are refused: without a periodic tick nothing would make them fire in time. */
#include <core/proc.h>
#include <core/syscall.h>
#include <uapi/signal.h>
#include <weft/time.h>

#define ITIMER_REAL 0
#define ITIMER_VIRTUAL 1
#define ITIMER_PROF 2

struct itimerval64 {
	struct {
		s64 sec, usec;
	} interval, value;
};

/* Poll context. */
static void itimer_fire(struct timer *t)
{
	struct proc *p = container_of(t, struct proc, itimer);
	unsigned long flags = spin_lock_irqsave(&p->sig_lock);
	u64 next = 0, now = ktime_get();

	if (p->itimer_interval && p->itimer_expires) {
		/* one signal however many intervals went by: they do not queue */
		next = p->itimer_expires + p->itimer_interval;
		if (next <= now)
			next = now + p->itimer_interval - (now - next) % p->itimer_interval;
	}
	p->itimer_expires = next;
	spin_unlock_irqrestore(&p->sig_lock, flags);
	signal_send_proc(p, SIGALRM, NULL);
	if (next)
		timer_set(t, next);
}

void itimer_init(struct proc *p)
{
	timer_init(&p->itimer, itimer_fire);
}

void itimer_stop(struct proc *p)
{
	unsigned long flags = spin_lock_irqsave(&p->sig_lock);

	/* one that is firing now may arm it again: timer_cancel_sync looks after it has returned */
	p->itimer_interval = p->itimer_expires = 0;
	spin_unlock_irqrestore(&p->sig_lock, flags);
	timer_cancel_sync(&p->itimer);
}

/* Sets and returns the old values: rest and interval in ns. */
static void exchange(u64 value, u64 interval, u64 *old_value, u64 *old_interval)
{
	struct proc *p = current_proc();
	u64 now, expires;
	unsigned long flags;

	flags = spin_lock_irqsave(&p->sig_lock);
	expires = p->itimer_expires;
	*old_interval = p->itimer_interval;
	spin_unlock_irqrestore(&p->sig_lock, flags);
	itimer_stop(p);
	now = ktime_get();
	/* one that is due but has not fired yet has a little left, not none: getitimer(2) */
	*old_value = expires ? (expires > now ? expires - now : NSEC_PER_USEC) : 0;
	if (!value)
		return;
	flags = spin_lock_irqsave(&p->sig_lock);
	p->itimer_interval = interval;
	p->itimer_expires = now + value;
	spin_unlock_irqrestore(&p->sig_lock, flags);
	timer_set(&p->itimer, now + value);
}

static void fill(struct itimerval64 *it, u64 value, u64 interval)
{
	it->value.sec = (s64)(value / NSEC_PER_SEC);
	it->value.usec = (s64)(value % NSEC_PER_SEC / NSEC_PER_USEC);
	it->interval.sec = (s64)(interval / NSEC_PER_SEC);
	it->interval.usec = (s64)(interval % NSEC_PER_SEC / NSEC_PER_USEC);
}

static int to_ns(s64 sec, s64 usec, u64 *ns)
{
	if (sec < 0 || usec < 0 || usec >= 1000000)
		return -EINVAL;
	*ns = (u64)min(sec, (s64)USER_SECONDS_MAX) * NSEC_PER_SEC + (u64)usec * NSEC_PER_USEC;
	return 0;
}

SYSCALL(38, setitimer)
{
	u64 value, interval, old_value, old_interval;
	struct itimerval64 it = { 0 };

	if ((int)a < ITIMER_REAL || (int)a > ITIMER_PROF)
		return -EINVAL;
	if (b && copy_from_user(&it, (void __user *)b, sizeof(it)))
		return -EFAULT;
	if (to_ns(it.value.sec, it.value.usec, &value) ||
	    to_ns(it.interval.sec, it.interval.usec, &interval))
		return -EINVAL;
	if ((int)a != ITIMER_REAL)
		return value ? -EOPNOTSUPP : 0;
	exchange(value, interval, &old_value, &old_interval);
	if (!c)
		return 0;
	fill(&it, old_value, old_interval);
	return copy_to_user((void __user *)c, &it, sizeof(it));
}

SYSCALL(36, getitimer)
{
	struct proc *p = current_proc();
	struct itimerval64 it = { 0 };
	u64 now = ktime_get(), expires, interval;
	unsigned long flags;

	if ((int)a < ITIMER_REAL || (int)a > ITIMER_PROF)
		return -EINVAL;
	if ((int)a == ITIMER_REAL) {
		flags = spin_lock_irqsave(&p->sig_lock);
		expires = p->itimer_expires;
		interval = p->itimer_interval;
		spin_unlock_irqrestore(&p->sig_lock, flags);
		fill(&it, expires > now ? expires - now : 0, interval);
	}
	return copy_to_user((void __user *)b, &it, sizeof(it));
}

SYSCALL(37, alarm)
{
	u64 old_value, old_interval;

	exchange((u64)(u32)a * NSEC_PER_SEC, 0, &old_value, &old_interval);
	/* rounded, but a pending one never shows as none */
	if (old_value && old_value < NSEC_PER_SEC)
		return 1;
	return (long)((old_value + NSEC_PER_SEC / 2) / NSEC_PER_SEC);
}
