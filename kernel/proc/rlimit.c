/* SPDX-License-Identifier: MIT */
/* rlimit.c - resource limits and usage: getrlimit(2), prlimit(2), getrusage(2). */
#include "proc.h"

#include <weft/string.h>
#include <weft/time.h>

#define RLIMIT_MEMLOCK 8
#define RLIMIT_MSGQUEUE 12
#define RLIMIT_RTPRIO 14

#define RUSAGE_SELF 0
#define RUSAGE_CHILDREN (-1)
#define RUSAGE_THREAD 1

#define DEFAULT_STACK (8ull << 20)
#define DEFAULT_NOFILE 1024
#define MAX_NOFILE (1ull << 20)

void rlimit_init(struct proc *p)
{
	u32 i;

	for (i = 0; i < NR_RLIMITS; i++)
		p->rlim[i] = (struct rlimit64){ RLIM_INFINITY, RLIM_INFINITY };
	p->rlim[RLIMIT_STACK].cur = DEFAULT_STACK;
	p->rlim[RLIMIT_CORE].cur = 0;
	p->rlim[RLIMIT_NOFILE] = (struct rlimit64){ DEFAULT_NOFILE, MAX_NOFILE };
	p->rlim[RLIMIT_NPROC] = (struct rlimit64){ (u64)threads_max / 2, (u64)threads_max / 2 };
	p->rlim[RLIMIT_MEMLOCK] = (struct rlimit64){ DEFAULT_STACK, DEFAULT_STACK };
	p->rlim[RLIMIT_SIGPENDING] = (struct rlimit64){ 1024, 1024 };
	p->rlim[RLIMIT_MSGQUEUE] = (struct rlimit64){ 819200, 819200 };
	p->rlim[RLIMIT_NICE] = (struct rlimit64){ 0, 0 };
	p->rlim[RLIMIT_RTPRIO] = (struct rlimit64){ 0, 0 };
}

/* The mapped memory's own copies of the limits. */
static void tell_mm(struct proc *p, u32 which, u64 cur)
{
	struct proc_mm *mm = proc_mm_get(p);

	if (!mm)
		return;
	mutex_lock(&mm->lock);
	if (which == RLIMIT_AS)
		mm->as_limit = cur;
	else if (which == RLIMIT_DATA)
		mm->data_limit = cur;
	else if (which == RLIMIT_STACK)
		mm->stack_limit = cur;
	mutex_unlock(&mm->lock);
	mm_put(mm);
}

static long do_prlimit(struct proc *p, u32 which, const struct rlimit64 *new, struct rlimit64 *old)
{
	bool root = current_uid() == 0;
	long err = 0;

	if (which >= NR_RLIMITS)
		return -EINVAL;
	if (new &&new->cur > new->max)
		return -EINVAL;
	if (new &&which == RLIMIT_NOFILE &&new->max > MAX_NOFILE)
		return -EPERM;
	spin_lock(&p->lock);
	if (old)
		*old = p->rlim[which];
	if (new &&new->max > p->rlim[which].max && !root)
		err = -EPERM;
	else if (new)
		p->rlim[which] = *new;
	spin_unlock(&p->lock);
	if (new && !err)
		tell_mm(p, which, new->cur);
	return err;
}

SYSCALL(97, getrlimit)
{
	struct rlimit64 old;
	long err = do_prlimit(current_proc(), (u32)a, NULL, &old);

	return err ? err : copy_to_user(uptr(b), &old, sizeof(old));
}

SYSCALL(160, setrlimit)
{
	struct rlimit64 new;

	if (copy_from_user(&new, uptr(b), sizeof(new)))
		return -EFAULT;
	return do_prlimit(current_proc(), (u32)a, &new, NULL);
}

SYSCALL(302, prlimit64)
{
	struct rlimit64 new, old;
	struct proc *p;
	long err;

	if (c && copy_from_user(&new, uptr(c), sizeof(new)))
		return -EFAULT;
	p = proc_find_get((int)a ? (int)a : current_proc()->pid);
	if (!p)
		return -ESRCH;
	if (p != current_proc() && current_uid() != 0 &&
	    (current_proc()->cred.uid != p->cred.uid || current_proc()->cred.uid != p->cred.suid))
		err = -EPERM;
	else
		err = do_prlimit(p, (u32)b, c ? &new : NULL, &old);
	proc_put(p);
	if (err)
		return err;
	return d ? copy_to_user(uptr(d), &old, sizeof(old)) : 0;
}

/* ---- usage ---- */

static struct uapi_timeval to_timeval(u64 ns)
{
	return (struct uapi_timeval){ (s64)(ns / NSEC_PER_SEC),
				      (s64)(ns % NSEC_PER_SEC / NSEC_PER_USEC) };
}

/* p, when given, is alive: its memory and switches are shown too. */
int rusage_to_user(u64 user, u64 utime, u64 stime, struct proc *p)
{
	struct uapi_rusage r = { .utime = to_timeval(utime), .stime = to_timeval(stime) };
	struct proc_mm *mm = p ? proc_mm_get(p) : NULL;
	struct thread *t;

	if (mm) {
		r.maxrss = (s64)(mm->rss_pages * (PAGE_SIZE / 1024));
		mm_put(mm);
	}
	if (p) {
		spin_lock(&p->lock);
		list_for_each_entry(t, &p->threads, proc_node) {
			r.nvcsw += t->nvcsw;
			r.nivcsw += t->nivcsw;
		}
		spin_unlock(&p->lock);
	}
	return copy_to_user(uptr(user), &r, sizeof(r));
}

SYSCALL(98, getrusage)
{
	struct proc *p = current_proc();
	u64 u, s;

	switch ((int)a) {
	case RUSAGE_SELF:
		proc_total_time(p, &u, &s);
		return rusage_to_user(b, u, s, p);
	case RUSAGE_THREAD:
		thread_times(current(), &u, &s);
		return rusage_to_user(b, u, s, p);
	case RUSAGE_CHILDREN:
		spin_lock(&pid_lock);
		u = p->cutime_ns;
		s = p->cstime_ns;
		spin_unlock(&pid_lock);
		return rusage_to_user(b, u, s, NULL);
	}
	return -EINVAL;
}

SYSCALL(100, times)
{
	struct proc *p = current_proc();
	u64 tick = NSEC_PER_SEC / 100, t[4];
	u32 i;

	proc_total_time(p, &t[0], &t[1]);
	spin_lock(&pid_lock);
	t[2] = p->cutime_ns;
	t[3] = p->cstime_ns;
	spin_unlock(&pid_lock);
	for (i = 0; i < 4; i++)
		t[i] /= tick;
	if (a && copy_to_user(uptr(a), t, sizeof(t)))
		return -EFAULT;
	return (long)(ktime_get() / tick);
}
