/* SPDX-License-Identifier: MIT */
/* usermode.c - programs that the kernel itself starts: pid 1 on the console, and helpers such as
 * modprobe. Each begins as a kernel thread with a process around it and executes its way out. */
#include "proc.h"

#include <core/vfs.h>
#include <weft/alloc.h>
#include <weft/printk.h>
#include <weft/string.h>
#include <weft/time.h>

#define O_RDWR 2
#define CAP_ALL ((1ull << 41) - 1)
#define CMD_WORDS 8

static char *const environment[] = {
	(char *)"HOME=/",
	(char *)"PATH=/sbin:/usr/sbin:/bin:/usr/bin",
	(char *)"TERM=linux",
	NULL,
};

struct launch {
	int (*exec)(struct launch *l); /* in the new process; 0: go to user mode */
	const char *path;
	char *const *argv;
	/* the starter waits for it */
	struct wait_queue wait;
	bool done;
	int err;
};

static void launch_done(struct launch *l, int err)
{
	unsigned long flags = spin_lock_irqsave(&l->wait.lock);
	struct wait_entry *e, *tmp;

	/* under the queue's lock: the starter's frame, where l lies, stays until we let go */
	l->err = err;
	l->done = true;
	list_for_each_entry_safe(e, tmp, &l->wait.entries, node)
		e->wake(e, 0);
	spin_unlock_irqrestore(&l->wait.lock, flags);
}

static void launch_wait(struct launch *l)
{
	unsigned long flags;

	wait_event(&l->wait, READ_ONCE(l->done));
	flags = spin_lock_irqsave(&l->wait.lock);
	spin_unlock_irqrestore(&l->wait.lock, flags);
}

static void launch_main(void *arg)
{
	struct launch *l = arg;
	int err;

	thread_first_run();
	err = l->exec(l);
	launch_done(l, err);
	if (err)
		proc_exit(127 << 8);
	arch_enter_user();
}

static struct proc *proc_new(void)
{
	struct proc *p = proc_alloc();

	if (!p)
		return NULL;
	p->sighand = sighand_alloc();
	p->fs = fs_context_copy(NULL);
	p->files = fd_table_copy(NULL);
	p->cred.cap_effective = p->cred.cap_permitted = CAP_ALL;
	if (!p->sighand || !p->fs || !p->files) {
		proc_put(p);
		return NULL;
	}
	return p;
}

/* Starts l in a new process; its record with a reference, NULL without memory. as_init: it is
 * pid 1. */
static struct proc *launch(struct launch *l, const char *name, bool as_init)
{
	struct proc *p = proc_new();
	struct thread *t;
	int err = 0;

	if (!p)
		return NULL;
	t = thread_alloc(name);
	if (!t)
		goto put_proc;
	arch_thread_init(t, launch_main, l);
	if (arch_thread_make_user(t)) {
		thread_put(t);
		goto put_proc;
	}
	wait_queue_init(&l->wait);
	l->done = false;
	spin_lock(&pid_lock);
	if (as_init) {
		pid_put_locked(t->tid);
		pid_get(1);
		t->tid = 1;
		init_proc = p;
		p->leader = true;
	}
	p->pid = t->tid;
	proc_link(p, NULL, as_init ? 1 : p->pid, as_init ? 1 : p->pid);
	err = thread_attach_locked(p, t);
	spin_unlock(&pid_lock);
	BUG_ON(err);
	thread_start(t);
	return p;

put_proc:
	proc_put(p);
	return NULL;
}

/* Descriptors 0, 1 and 2. */
static int open_std(const char *path)
{
	struct file *f;
	int fd, err = 0;

	for (fd = 0; fd < 3; fd++) {
		f = vfs_open(path, O_RDWR, 0);
		if (IS_ERR(f))
			return (int)PTR_ERR(f);
		err = fd_install(f, 0);
		if (err < 0) {
			file_put(f);
			return err;
		}
	}
	return 0;
}

/* ---- pid 1 ---- */

static int try_init(const char *path, int *first_err)
{
	char *argv[CMD_WORDS] = { (char *)path, NULL };
	int err = proc_exec(path, argv, environment);

	if (err && err != -ENOENT && !*first_err) {
		*first_err = err;
		pr_err("%s cannot be executed: error %d\n", path, err);
	}
	return err;
}

static int exec_init(struct launch *l)
{
	static const char *const paths[] = { "/sbin/init", "/init", "/bin/init", "/bin/sh" };
	char wanted[128];
	int err = -ENOENT, first_err = 0;
	u32 i;

	if (open_std("/dev/console"))
		pr_warn("init starts without a console: /dev/console cannot be opened\n");
	if (cmdline_get("init", wanted, sizeof(wanted)) && wanted[0]) {
		err = try_init(wanted, &first_err);
		if (!err)
			return 0;
		pr_err("init=%s cannot be executed: error %d\n", wanted, err);
	}
	for (i = 0; i < ARRAY_SIZE(paths); i++) {
		err = try_init(paths[i], &first_err);
		if (!err)
			return 0;
	}
	panic("no init found: put /sbin/init into the root file system or boot with init=PATH");
}

int proc_start_init(void)
{
	struct launch l = { .exec = exec_init };
	struct proc *p = launch(&l, "init", true);

	if (!p)
		return -ENOMEM;
	launch_wait(&l);
	proc_put(p);
	return 0;
}

/* ---- helpers ---- */

static int exec_helper(struct launch *l)
{
	int err = open_std("/dev/null");

	/* very early there is none; the helper then runs without */
	if (err && err != -ENOENT && err != -ENXIO)
		return err;
	return proc_exec(l->path, l->argv, environment);
}

int usermode_run(const char *path, char *const argv[], u64 timeout_ns)
{
	struct launch l = { .exec = exec_helper, .path = path, .argv = argv };
	struct proc *p = launch(&l, "helper", false);
	int status, err;
	bool ended;

	if (!p)
		return -ENOMEM;
	launch_wait(&l);
	err = wait_event_timeout(&p->wait_self, READ_ONCE(p->zombie), ktime_get() + timeout_ns);
	if (err)
		signal_send_proc(p, SIGKILL, NULL);
	spin_lock(&pid_lock);
	status = p->exit_status;
	ended = p->zombie;
	p->detached = true; /* one that has not ended yet is reaped by itself */
	if (ended)
		proc_unlink_locked(p);
	spin_unlock(&pid_lock);
	if (ended)
		proc_put(p); /* the tables' reference */
	proc_put(p);
	if (err)
		return -ETIMEDOUT;
	return l.err ? l.err : status;
}
