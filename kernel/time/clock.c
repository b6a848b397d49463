/* SPDX-License-Identifier: MIT */
/* clock.c - the clocks of clock_gettime(2): one monotonic counter, a settable offset from it to
 * Unix time, and the CPU time of threads and processes; and sleeping on them. */
#include <core/proc.h>
#include <core/syscall.h>
#include <core/vfs.h>
#include <weft/module.h>
#include <weft/printk.h>
#include <weft/time.h>

#define CLOCK_REALTIME 0
#define CLOCK_MONOTONIC 1
#define CLOCK_PROCESS_CPUTIME_ID 2
#define CLOCK_THREAD_CPUTIME_ID 3
#define CLOCK_MONOTONIC_RAW 4
#define CLOCK_REALTIME_COARSE 5
#define CLOCK_MONOTONIC_COARSE 6
#define CLOCK_BOOTTIME 7
#define CLOCK_REALTIME_ALARM 8
#define CLOCK_BOOTTIME_ALARM 9
#define CLOCK_TAI 11
/* Negative numbers: the CPU clock of a process or thread, clock_getcpuclockid(3). */
#define CPUCLOCK_PID(id) (~((id) >> 3))
#define CPUCLOCK_PERTHREAD 4

#define TIMER_ABSTIME 1

static u64 real_offset; /* Unix time at ktime 0; one word, read and written whole */
static struct wait_queue clock_set = WAIT_QUEUE_INIT(clock_set); /* absolute sleepers look again */
static u32 settings;						 /* how often the clock was set */

u64 ktime_get_real(void)
{
	return ktime_get() + READ_ONCE(real_offset);
}
EXPORT(ktime_get_real);

void ktime_set_real(u64 ns)
{
	u64 now = ktime_get();

	/* a date before the boot is as good as the boot: the offset stays positive */
	WRITE_ONCE(real_offset, ns > now ? ns - now : 0);
	__atomic_fetch_add(&settings, 1, __ATOMIC_SEQ_CST);
	wake_up_all(&clock_set);
	timerfd_clock_was_set();
	posix_timers_clock_was_set();
}
EXPORT(ktime_set_real);

void realtime_init(void)
{
	ktime_set_real(arch_rtc_seconds() * NSEC_PER_SEC);
}

/* ---- user's time structures ---- */

static void __user *uptr(u64 addr)
{
	return (void __user *)addr;
}

/* ---- reading ---- */

static int cpu_clock(int id, u64 *ns)
{
	int pid = CPUCLOCK_PID(id);
	struct thread *t;
	struct proc *p;
	u64 u, s;

	if (id & CPUCLOCK_PERTHREAD) {
		t = pid ? thread_find_get(pid) : current();
		if (!t || t->proc != current_proc()) {
			if (t)
				thread_put(t);
			return -EINVAL;
		}
		thread_times(t, &u, &s);
		if (pid)
			thread_put(t);
	} else {
		p = proc_find_get(pid ? pid : current_proc()->pid);
		if (!p)
			return -EINVAL;
		proc_total_time(p, &u, &s);
		proc_put(p);
	}
	*ns = u + s;
	return 0;
}

static int clock_read(int id, u64 *ns)
{
	u64 u, s;

	if (id < 0)
		return cpu_clock(id, ns);
	switch (id) {
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_COARSE:
	case CLOCK_REALTIME_ALARM:
	case CLOCK_TAI:
		*ns = ktime_get_real();
		return 0;
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_MONOTONIC_COARSE:
	case CLOCK_BOOTTIME:
	case CLOCK_BOOTTIME_ALARM:
		*ns = ktime_get();
		return 0;
	case CLOCK_PROCESS_CPUTIME_ID:
		*ns = proc_total_time(current_proc(), &u, &s);
		return 0;
	case CLOCK_THREAD_CPUTIME_ID:
		thread_times(current(), &u, &s);
		*ns = u + s;
		return 0;
	}
	return -EINVAL;
}

SYSCALL(228, clock_gettime)
{
	u64 ns;
	int err = clock_read((int)a, &ns);

	return err ? err : timespec_to_user(b, ns);
}

SYSCALL(229, clock_getres)
{
	u64 ns;
	int err = clock_read((int)a, &ns);

	if (err)
		return err;
	return b ? timespec_to_user(b, 1) : 0;
}

SYSCALL(227, clock_settime)
{
	u64 ns;
	int err;

	if ((int)a != CLOCK_REALTIME)
		return -EINVAL;
	err = timespec_from_user(b, &ns);
	if (err)
		return err;
	if (current_uid() != 0)
		return -EPERM;
	ktime_set_real(ns);
	return 0;
}

struct timeval64 {
	s64 sec, usec;
};

SYSCALL(96, gettimeofday)
{
	u64 ns = ktime_get_real();
	struct timeval64 tv = { (s64)(ns / NSEC_PER_SEC),
				(s64)(ns % NSEC_PER_SEC / NSEC_PER_USEC) };
	u32 zone[2] = { 0, 0 };

	if (a && copy_to_user(uptr(a), &tv, sizeof(tv)))
		return -EFAULT;
	return b ? copy_to_user(uptr(b), zone, sizeof(zone)) : 0;
}

SYSCALL(164, settimeofday)
{
	struct timeval64 tv;

	if (current_uid() != 0)
		return -EPERM;
	if (!a)
		return 0; /* only the time zone, which the kernel has no use for */
	if (copy_from_user(&tv, uptr(a), sizeof(tv)))
		return -EFAULT;
	if (tv.sec < 0 || tv.sec > USER_SECONDS_MAX || tv.usec < 0 || tv.usec >= 1000000)
		return -EINVAL;
	ktime_set_real((u64)tv.sec * NSEC_PER_SEC + (u64)tv.usec * NSEC_PER_USEC);
	return 0;
}

SYSCALL(201, time)
{
	s64 now = (s64)(ktime_get_real() / NSEC_PER_SEC);

	if (a && copy_to_user(uptr(a), &now, sizeof(now)))
		return -EFAULT;
	return now;
}

/* ---- sleeping ---- */

/* restart.arg: deadline, address for the rest (0: none). */
static long sleep_restart(struct thread *t)
{
	u64 deadline = t->restart.arg[0], rest = t->restart.arg[1], now;

	if (!sleep_until(deadline, true))
		return 0;
	now = ktime_get();
	if (rest && timespec_to_user(rest, now < deadline ? deadline - now : 0))
		return -EFAULT;
	t->restart.fn = sleep_restart;
	return -ERESTART_RESTARTBLOCK;
}

static long sleep_relative(u64 ns, u64 rest)
{
	struct thread *t = current();

	t->restart.arg[0] = ktime_get() + ns;
	t->restart.arg[1] = rest;
	return sleep_restart(t);
}

/* An absolute time on the settable clock: when that is set the sleeper computes anew. */
static long sleep_real(u64 until)
{
	u32 seen;
	int err;

	for (;;) {
		u64 now = ktime_get_real();

		seen = READ_ONCE(settings);
		if (now >= until)
			return 0;
		err = wait_event_interruptible_timeout(&clock_set, READ_ONCE(settings) != seen,
						       ktime_get() + (until - now));
		if (err == -ERESTARTSYS)
			return -ERESTARTNOHAND;
	}
}

SYSCALL(230, clock_nanosleep)
{
	int id = (int)a;
	u64 ns, now;
	int err;

	if (id == CLOCK_THREAD_CPUTIME_ID || id < 0 || clock_read(id, &now))
		return -EINVAL;
	if (id == CLOCK_PROCESS_CPUTIME_ID)
		return -EOPNOTSUPP;
	err = timespec_from_user(c, &ns);
	if (err)
		return err;
	if (!((int)b & TIMER_ABSTIME))
		return sleep_relative(ns, d);
	if (id == CLOCK_REALTIME || id == CLOCK_TAI || id == CLOCK_REALTIME_ALARM)
		return sleep_real(ns);
	return sleep_until(ns, true) ? -ERESTARTNOHAND : 0;
}

SYSCALL(35, nanosleep)
{
	u64 ns;
	int err = timespec_from_user(a, &ns);

	return err ? err : sleep_relative(ns, b);
}
