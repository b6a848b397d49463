/* SPDX-License-Identifier: MIT */
/* fork.c - new threads and processes: clone(2) in all its forms. Everything that may fail is done
 * before the child enters the tables; from then on it exists and only has to be started. */
#include "proc.h"

#include <core/tty.h>
#include <core/vfs.h>
#include <weft/alloc.h>
#include <weft/printk.h>
#include <weft/seqfile.h>
#include <weft/string.h>

#define CSIGNAL 0xffull
#define CLONE_VM 0x100ull
#define CLONE_FS 0x200ull
#define CLONE_FILES 0x400ull
#define CLONE_SIGHAND 0x800ull
#define CLONE_PIDFD 0x1000ull
#define CLONE_VFORK 0x4000ull
#define CLONE_PARENT 0x8000ull
#define CLONE_THREAD 0x10000ull
#define CLONE_SYSVSEM 0x40000ull
#define CLONE_SETTLS 0x80000ull
#define CLONE_PARENT_SETTID 0x100000ull
#define CLONE_CHILD_CLEARTID 0x200000ull
#define CLONE_DETACHED 0x400000ull
#define CLONE_UNTRACED 0x800000ull
#define CLONE_CHILD_SETTID 0x1000000ull
#define CLONE_IO 0x80000000ull
#define CLONE_CLEAR_SIGHAND 0x100000000ull
#define CLONE_KNOWN                                                                               \
	(CSIGNAL | CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_VFORK |              \
	 CLONE_PARENT | CLONE_THREAD | CLONE_SYSVSEM | CLONE_SETTLS | CLONE_PARENT_SETTID |       \
	 CLONE_CHILD_CLEARTID | CLONE_DETACHED | CLONE_UNTRACED | CLONE_CHILD_SETTID | CLONE_IO | \
	 CLONE_CLEAR_SIGHAND)

/* Linux's struct clone_args, the same members in user memory. */
struct clone_args {
	u64 flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid,
		set_tid_size, cgroup;
};
#define CLONE_ARGS_SIZE_VER0 64

static int check_flags(const struct clone_args *ca)
{
	u64 flags = ca->flags;

	if (flags & ~CLONE_KNOWN)
		return -EINVAL; /* namespaces and pidfds among them */
	if ((flags & CLONE_SIGHAND) && !(flags & CLONE_VM))
		return -EINVAL;
	if ((flags & CLONE_SIGHAND) && (flags & CLONE_CLEAR_SIGHAND))
		return -EINVAL;
	if (flags & CLONE_THREAD) {
		/* threads of one process share directory and descriptors here without exception */
		if ((flags & (CLONE_SIGHAND | CLONE_FS | CLONE_FILES)) !=
		    (CLONE_SIGHAND | CLONE_FS | CLONE_FILES))
			return -EINVAL;
	}
	if ((flags & CLONE_PARENT) && !current_proc()->parent)
		return -EINVAL;
	if (ca->exit_signal > NR_SIGNALS)
		return -EINVAL;
	/* it is written to an MSR, which faults on a non-canonical address */
	if ((flags & CLONE_SETTLS) && ca->tls >= USER_END)
		return -EPERM;
	return 0;
}

/* The child's thread: stack, registers, what threads inherit. */
static struct thread *thread_copy(const struct clone_args *ca)
{
	struct thread *me = current(), *t;
	struct trap_frame frame = *arch_user_frame(me);
	int err;

	t = thread_alloc(me->comm);
	if (!t)
		return ERR_PTR(-EAGAIN);
	frame.rax = 0;
	if (ca->stack)
		frame.rsp = ca->stack + ca->stack_size;
	err = arch_thread_fork(t, me, &frame);
	if (err) {
		thread_put(t);
		return ERR_PTR(err);
	}
	if (ca->flags & CLONE_SETTLS)
		t->arch.fs_base = ca->tls;
	sched_inherit(t);
	t->affinity = me->affinity;
	t->sigmask = me->restore_sigmask ? me->saved_sigmask : me->sigmask;
	if (!(ca->flags & CLONE_VM) || (ca->flags & CLONE_VFORK)) {
		t->altstack_sp = me->altstack_sp;
		t->altstack_size = me->altstack_size;
		t->altstack_flags = me->altstack_flags;
	}
	if (ca->flags & CLONE_CHILD_CLEARTID)
		t->clear_tid = ca->child_tid;
	return t;
}

static struct sighand *sighand_copy(struct sighand *old, u64 flags)
{
	struct sighand *sh;
	unsigned long irq;
	u32 i;

	if (flags & CLONE_SIGHAND) {
		refcount_inc(&old->refs);
		return old;
	}
	sh = sighand_alloc();
	if (!sh)
		return NULL;
	irq = spin_lock_irqsave(&old->lock);
	for (i = 0; i < NR_SIGNALS; i++) {
		sh->action[i] = old->action[i];
		if ((flags & CLONE_CLEAR_SIGHAND) && sh->action[i].handler != SIG_IGN)
			sh->action[i] = (struct ksigaction){ 0 };
	}
	spin_unlock_irqrestore(&old->lock, irq);
	return sh;
}

/* A process like the caller's, still without threads and in no table. */
static struct proc *proc_copy(const struct clone_args *ca)
{
	struct proc *me = current_proc(), *p = proc_alloc();
	u64 flags = ca->flags;

	if (!p)
		return NULL;
	p->sighand = sighand_copy(me->sighand, flags);
	if (flags & CLONE_FILES) {
		p->files = fd_table_get(me->files);
		p->files_shared = me->files_shared = true;
	} else {
		p->files = fd_table_copy(me->files);
	}
	if (flags & CLONE_FS)
		p->fs = fs_context_get(me->fs);
	else
		p->fs = fs_context_copy(me->fs);
	if (flags & CLONE_VM) {
		mm_get(me->mm);
		p->mm = me->mm;
	} else if (p->sighand && p->files && p->fs) {
		p->mm = mm_fork(me->mm);
	}
	if (!p->sighand || !p->files || !p->fs || !p->mm) {
		proc_put(p);
		return NULL;
	}
	p->cred = me->cred;
	memcpy(p->rlim, me->rlim, sizeof(p->rlim));
	p->personality = me->personality;
	p->dumpable = me->dumpable;
	p->no_new_privs = me->no_new_privs;
	p->oom_score_adj = me->oom_score_adj;
	p->exit_signal = (int)ca->exit_signal;
	return p;
}

/* As on Linux a bad address is no error: the child exists all the same. But a child that believes
 * to be its parent, because there was no memory for a page, would send itself signals elsewhere. */
static int store_tid(const struct clone_args *ca, struct proc_mm *child_mm, int tid)
{
	long n = 0;

	if (ca->flags & CLONE_PARENT_SETTID)
		(void)copy_to_user(uptr(ca->parent_tid), &tid, sizeof(tid));
	if (!(ca->flags & CLONE_CHILD_SETTID))
		return 0;
	if (child_mm == current_proc()->mm)
		(void)copy_to_user(uptr(ca->child_tid), &tid, sizeof(tid));
	else
		n = mm_access(child_mm, ca->child_tid, &tid, sizeof(tid), true);
	return n == -ENOMEM ? -ENOMEM : 0;
}

/* The parent of a vfork child sleeps until that has executed a program or ended; only the end of
 * its own process wakes it earlier. */
static void wait_for_vfork(struct proc *p)
{
	struct sleeper s;

	while (!smp_load_acquire(&p->vfork_released)) {
		sleep_prepare(&p->wait_self, &s, false, false);
		thread_set_state(THREAD_KILLABLE);
		if (!READ_ONCE(p->vfork_released) &&
		    !(READ_ONCE(current()->user_work) & USER_WORK_EXIT))
			schedule();
		sleep_finish(&p->wait_self, &s);
		if (READ_ONCE(current()->user_work) & USER_WORK_EXIT)
			break;
	}
}

int threads_max = PID_MAX;

static struct sysctl threads_max_ctl = {
	.path = "kernel/threads-max",
	.value = &threads_max,
	.min = 20,
	.max = PID_MAX,
};

/* As on Linux the kernel stacks of all may take an eighth of memory. */
void proc_settings_init(void)
{
	struct mem_stats mem;
	u64 n;

	mem_stats_get(&mem);
	n = mem.total_pages * PAGE_SIZE / (8ul * KSTACK_SIZE);
	threads_max = (int)min(max(n, (u64)threads_max_ctl.min), (u64)PID_MAX);
	if (sysctl_add(&threads_max_ctl))
		pr_err("no memory for /proc/sys/kernel/threads-max\n");
}

/* Of all, or, setrlimit(2), RLIMIT_NPROC, of the user's: threads, and what is left of processes
 * without any. */
static bool too_many(void)
{
	struct proc *me = current_proc(), *p;
	u64 n = 0;

	if (thread_count() >= (u32)READ_ONCE(threads_max))
		return true;
	if (me->cred.euid == 0 || me->rlim[RLIMIT_NPROC].cur == RLIM_INFINITY)
		return false;
	spin_lock(&pid_lock);
	list_for_each_entry(p, &all_procs, all_node) {
		if (p->cred.uid == me->cred.uid)
			n += max(READ_ONCE(p->nr_threads), 1u);
	}
	spin_unlock(&pid_lock);
	return n >= me->rlim[RLIMIT_NPROC].cur;
}

static long clone_thread(const struct clone_args *ca)
{
	struct proc *p = current_proc();
	struct thread *t = thread_copy(ca);
	int tid, err;

	if (IS_ERR(t))
		return PTR_ERR(t);
	tid = t->tid;
	(void)store_tid(ca, p->mm, tid); /* in the caller's own memory */
	spin_lock(&pid_lock);
	err = thread_attach_locked(p, t);
	spin_unlock(&pid_lock);
	if (err) {
		thread_put(t);
		return err;
	}
	thread_start(t);
	return tid;
}

/* Into the tables. A signal to the group that came since the call began would miss the child: then
 * the call is made again, after it. */
static int enter_tables(struct proc *p, struct thread *t, u64 flags)
{
	struct proc *me = current_proc();
	int err = -ERESTARTNOINTR;

	spin_lock(&pid_lock);
	if (!signal_pending()) {
		p->pid = t->tid;
		if (flags & CLONE_PARENT)
			p->exit_signal = me->exit_signal;
		proc_link(p, flags & CLONE_PARENT ? me->parent : me, me->pgid, me->sid);
		if (me->ctty)
			p->ctty = tty_get(me->ctty);
		err = thread_attach_locked(p, t);
	}
	spin_unlock(&pid_lock);
	return err;
}

static long do_clone(const struct clone_args *ca)
{
	struct proc *p;
	struct thread *t;
	int pid, err = check_flags(ca);

	if (err)
		return err;
	if (too_many())
		return -EAGAIN;
	if (ca->flags & CLONE_THREAD)
		return clone_thread(ca);
	p = proc_copy(ca);
	if (!p)
		return -ENOMEM;
	t = thread_copy(ca);
	if (IS_ERR(t)) {
		err = (int)PTR_ERR(t);
		goto put_proc;
	}
	pid = t->tid;
	err = store_tid(ca, p->mm, pid);
	if (!err)
		err = enter_tables(p, t, ca->flags);
	if (err)
		goto put_thread;
	thread_start(t);
	if (ca->flags & CLONE_VFORK)
		wait_for_vfork(p);
	proc_put(p);
	return pid;

put_thread:
	thread_put(t);
put_proc:
	proc_put(p);
	return err;
}

SYSCALL(56, clone)
{
	struct clone_args ca = {
		.flags = (u32)a & ~CSIGNAL,
		.exit_signal = a & CSIGNAL,
		.stack = b,
		.parent_tid = c,
		.child_tid = d,
		.tls = e,
	};

	return do_clone(&ca);
}

SYSCALL(57, fork)
{
	struct clone_args ca = { .exit_signal = SIGCHLD };

	return do_clone(&ca);
}

SYSCALL(58, vfork)
{
	struct clone_args ca = { .flags = CLONE_VM | CLONE_VFORK, .exit_signal = SIGCHLD };

	return do_clone(&ca);
}

/* A struct that may be longer than ours, if what we do not know is zero. */
static int clone_args_from_user(u64 user, u64 size, struct clone_args *ca)
{
	u64 at;
	u8 byte;

	if (size < CLONE_ARGS_SIZE_VER0)
		return -EINVAL;
	if (size > PAGE_SIZE)
		return -E2BIG;
	*ca = (struct clone_args){ 0 };
	if (copy_from_user(ca, uptr(user), min(size, sizeof(*ca))))
		return -EFAULT;
	for (at = sizeof(*ca); at < size; at++) {
		if (copy_from_user(&byte, uptr(user + at), 1))
			return -EFAULT;
		if (byte)
			return -E2BIG;
	}
	return 0;
}

SYSCALL(435, clone3)
{
	struct clone_args ca;
	int err = clone_args_from_user(a, b, &ca);

	if (err)
		return err;
	if ((ca.flags & (CSIGNAL | CLONE_DETACHED)) || ca.set_tid_size || ca.set_tid || ca.cgroup)
		return -EINVAL;
	if (!ca.stack != !ca.stack_size || ca.stack + ca.stack_size < ca.stack)
		return -EINVAL;
	if ((ca.flags & (CLONE_THREAD | CLONE_PARENT)) && ca.exit_signal)
		return -EINVAL;
	return do_clone(&ca);
}

SYSCALL(272, unshare)
{
	struct proc *p = current_proc();
	struct fd_table *files;
	struct fs_context *fs;

	if (a & ~(CLONE_FS | CLONE_FILES | CLONE_SYSVSEM))
		return -EINVAL;
	if (p->nr_threads > 1 && a)
		return -EINVAL;
	if (a & CLONE_FILES) {
		files = fd_table_copy(p->files);
		if (!files)
			return -ENOMEM;
		spin_lock(&p->lock);
		swap(p->files, files);
		spin_unlock(&p->lock);
		fd_table_put(files);
	}
	if (a & CLONE_FS) {
		fs = fs_context_copy(p->fs);
		if (!fs)
			return -ENOMEM;
		spin_lock(&p->lock);
		swap(p->fs, fs);
		spin_unlock(&p->lock);
		fs_context_put(fs);
	}
	return 0;
}
