/* SPDX-License-Identifier: MIT */
/* exec.c - a process becomes another program. The new address space is built to the end beside the
 * old one, so that every error is the caller's to see; only then the other threads are ended and
 * the old program is given up, which cannot fail. */
#include "elf.h"
#include "execstack.h"

#include <core/vfs.h>
#include <uapi/stat.h>
#include <weft/alloc.h>
#include <weft/printk.h>
#include <weft/random.h>
#include <weft/string.h>

#define MAX_INTERPRETERS 4 /* scripts run by scripts */
#define ADDR_NO_RANDOMIZE 0x0040000u
#define STACK_GAP_MIN (128ull << 20)
#define STACK_RANDOM_PAGES 2048u
#define MMAP_RANDOM_PAGES BIT(20)
#define CAP_ALL ((1ull << 41) - 1)

struct exec {
	const char *name; /* as called: AT_EXECFN and the thread's name */
	char *path;	  /* what is looked at now: path_buf */
	struct exec_strings strings;
	struct file *file;
	struct proc_mm *mm;
	struct exec_image img;
	struct cred cred;
	/* instead of tables shared with other processes; NULL: they are its own */
	struct fd_table *files;
	struct sighand *sighand;
	bool secure;
	u64 sp;
	u8 head[ELF_HEAD_SIZE] __aligned(8);
	size_t head_len;
};

/* ---- what is to be run ---- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* "#! interpreter [argument]": execve(2), "Interpreter scripts". The file's own path follows. */
static int read_script(struct exec *x)
{
	char text[ELF_HEAD_SIZE], *p, *end, *interp, *arg = NULL;
	struct exec_strings add = { 0 };
	u32 count = 2;
	int err;

	memcpy(text, x->head, x->head_len);
	text[min(x->head_len, sizeof(text) - 1)] = 0;
	end = strchr(text, '\n');
	if (!end && x->head_len == sizeof(text))
		return -ENOEXEC; /* cut off: better no program than a wrong one */
	if (!end)
		end = text + strlen(text);
	*end = 0;
	while (end > text && is_blank(end[-1]))
		*--end = 0;
	for (p = text + 2; is_blank(*p); p++)
		;
	interp = p;
	while (*p && !is_blank(*p))
		p++;
	if (*p) {
		*p++ = 0;
		while (is_blank(*p))
			p++;
		arg = *p ? p : NULL;
	}
	if (!*interp)
		return -ENOEXEC;
	err = exec_strings_add(&add, interp, strlen(interp));
	if (!err && arg) {
		count++;
		err = exec_strings_add(&add, arg, strlen(arg));
	}
	if (!err)
		err = exec_strings_add(&add, x->path, strlen(x->path));
	if (!err)
		err = exec_strings_replace_first(&x->strings, add.buf, add.len, count);
	kfree(add.buf);
	if (!err)
		strscpy(x->path, interp, PATH_MAX);
	return err;
}

static void close_file(struct exec *x)
{
	if (x->file)
		file_put(x->file);
	x->file = NULL;
}

/* Leaves x->file at a binary. */
static int find_binary(struct exec *x)
{
	u32 depth;
	long n;
	int err;

	for (depth = 0; depth <= MAX_INTERPRETERS; depth++) {
		x->file = vfs_open_exec(x->path);
		if (IS_ERR(x->file)) {
			err = (int)PTR_ERR(x->file);
			x->file = NULL;
			return err;
		}
		n = vfs_read_at(x->file, x->head, sizeof(x->head), 0);
		if (n < 0)
			return (int)n;
		x->head_len = (size_t)n;
		if (n < 2 || x->head[0] != '#' || x->head[1] != '!')
			return 0;
		err = read_script(x);
		if (err)
			return err;
		close_file(x);
	}
	return -ELOOP;
}

/* Set-user-ID and set-group-ID files, execve(2). */
static void new_cred(struct exec *x)
{
	struct proc *p = current_proc();
	struct inode *ino = x->file->inode;
	struct cred *c = &x->cred;

	*c = p->cred;
	if (!p->no_new_privs) {
		if (ino->mode & S_ISUID)
			c->euid = ino->uid;
		/* without group execution the bit once meant mandatory locking */
		if ((ino->mode & (S_ISGID | 0010)) == (S_ISGID | 0010))
			c->egid = ino->gid;
	}
	c->suid = c->fsuid = c->euid;
	c->sgid = c->fsgid = c->egid;
	/* capabilities(7): root's programs get all, others none as files carry none */
	c->cap_permitted = c->cap_effective = c->euid == 0 ? CAP_ALL : 0;
	x->secure = c->euid != c->uid || c->egid != c->gid;
}

/* ---- its address space ---- */

static void lay_out(struct proc_mm *mm, const struct proc *p, bool randomize)
{
	u64 stack = p->rlim[RLIMIT_STACK].cur, gap;

	mm->stack_limit = min(stack, USER_END / 4);
	mm->as_limit = p->rlim[RLIMIT_AS].cur;
	mm->data_limit = p->rlim[RLIMIT_DATA].cur;
	mm->stack_top = USER_END;
	if (randomize)
		mm->stack_top -= (u64)random_below(STACK_RANDOM_PAGES) << PAGE_SHIFT;
	gap = max(mm->stack_limit, STACK_GAP_MIN);
	mm->mmap_base = ALIGN_DOWN(mm->stack_top - gap, PAGE_SIZE);
	if (randomize)
		mm->mmap_base -= (u64)random_below(MMAP_RANDOM_PAGES) << PAGE_SHIFT;
}

static int build(struct exec *x)
{
	struct proc *p = current_proc();
	bool randomize = !(p->personality & ADDR_NO_RANDOMIZE);
	int err;

	x->mm = mm_new();
	if (!x->mm)
		return -ENOMEM;
	lay_out(x->mm, p, randomize);
	err = elf_load(x->mm, x->file, x->head, x->head_len, randomize, &x->img);
	if (err)
		return err;
	x->mm->brk_start = x->mm->brk = x->img.brk;
	x->mm->code_start = x->img.code_start;
	x->mm->code_end = x->img.code_end;
	new_cred(x);
	err = exec_stack_build(x->mm, &x->strings, &x->img, x->name, &x->cred, x->secure, &x->sp);
	if (err)
		return err;
	x->mm->exe = x->file;
	x->file = NULL;
	return 0;
}

/* ---- the point of no return ---- */

/* Ends the other threads; from then on the caller is the first. -EAGAIN: another one was faster, or
 * the process ends; the caller is on its way out then. */
static int become_single(struct proc *p)
{
	unsigned long flags = proc_lock_both(p);
	struct thread *t = current();
	struct sleeper s;

	if (p->exiting || p->exec_thread) {
		proc_unlock_both(p, flags);
		return -EAGAIN;
	}
	if (p->nr_threads > 1) {
		p->exec_thread = t;
		signal_kill_threads_locked(p, t);
	}
	proc_unlock_both(p, flags);
	while (READ_ONCE(p->nr_threads) > 1) {
		sleep_prepare(&p->wait_self, &s, false, false);
		thread_set_state(THREAD_KILLABLE);
		if (READ_ONCE(p->nr_threads) > 1 && !fatal_signal_pending())
			schedule();
		sleep_finish(&p->wait_self, &s);
		if (fatal_signal_pending())
			break;
	}
	flags = proc_lock_both(p);
	p->exec_thread = NULL;
	proc_unlock_both(p, flags);
	if (fatal_signal_pending())
		return -EAGAIN;
	if (t->tid != p->pid)
		thread_rename_tid(t, p->pid);
	return 0;
}

/* A table that other processes share (CLONE_FILES, CLONE_SIGHAND without CLONE_THREAD) stays
 * theirs: copies are made first, */
static int copy_tables(struct exec *x)
{
	struct proc *p = current_proc();
	struct sighand *old = p->sighand;
	unsigned long flags;

	if (p->files_shared) {
		x->files = fd_table_copy(p->files);
		if (!x->files)
			return -ENOMEM;
	}
	if (refcount_read(&old->refs) > 1) {
		x->sighand = sighand_alloc();
		if (!x->sighand)
			return -ENOMEM;
		flags = spin_lock_irqsave(&old->lock);
		memcpy(x->sighand->action, old->action, sizeof(old->action));
		spin_unlock_irqrestore(&old->lock, flags);
	}
	return 0;
}

/* and take their place when no other thread is inside the old ones. x keeps those, to be put. Who
 * looks at its parent's actions holds pid_lock. */
static void unshare_tables(struct exec *x)
{
	struct proc *p = current_proc();
	unsigned long flags;

	spin_lock(&pid_lock);
	flags = proc_lock_both(p);
	if (x->files)
		swap(p->files, x->files);
	if (x->sighand)
		swap(p->sighand, x->sighand);
	proc_unlock_both(p, flags);
	spin_unlock(&pid_lock);
	p->files_shared = false;
}

/* execve(2): caught signals go back to their defaults, ignored ones stay ignored. */
static void reset_signals(struct thread *t, struct proc *p)
{
	unsigned long flags = spin_lock_irqsave(&p->sighand->lock);
	u32 i;

	for (i = 0; i < NR_SIGNALS; i++) {
		struct ksigaction *act = &p->sighand->action[i];
		u64 keep = act->handler == SIG_IGN ? SIG_IGN : SIG_DFL;

		*act = (struct ksigaction){ .handler = keep };
	}
	spin_unlock_irqrestore(&p->sighand->lock, flags);
	t->altstack_sp = t->altstack_size = 0;
	t->altstack_flags = 0;
}

static void set_comm(struct thread *t, const char *name)
{
	const char *slash = strrchr(name, '/');

	strscpy(t->comm, slash ? slash + 1 : name, sizeof(t->comm));
}

static void switch_program(struct exec *x)
{
	struct thread *t = current();
	struct proc *p = t->proc;
	struct proc_mm *old;

	futex_robust_exit(t);
	t->robust_list = t->clear_tid = 0;
	unshare_tables(x);
	spin_lock(&p->lock);
	old = p->mm;
	p->mm = x->mm;
	p->cred = x->cred;
	mm_switch(old, x->mm);
	spin_unlock(&p->lock);
	x->mm = NULL;
	proc_vfork_release(p);
	if (old)
		mm_put(old);
	spin_lock(&pid_lock);
	p->did_exec = true;
	spin_unlock(&pid_lock);
	p->dumpable = !x->secure;
	p->keepcaps = 0;
	if (x->secure)
		p->parent_death_signal = 0;
	reset_signals(t, p);
	posix_timers_delete(p);
	signal_discard_timers(t);
	set_comm(t, x->name);
	fd_table_close_on_exec(p->files);
	arch_exec_frame(arch_user_frame(t), x->img.entry, x->sp);
}

static int run(struct exec *x)
{
	struct proc *p = current_proc();
	int err;

	err = find_binary(x);
	if (!err)
		err = build(x);
	if (!err && fatal_signal_pending())
		err = -EINTR;
	if (!err)
		err = copy_tables(x);
	if (!err)
		err = become_single(p);
	if (!err)
		switch_program(x);
	return err;
}

/* name: kernel string that stays; fill gathers the strings. */
static struct exec *exec_new(const char *name)
{
	struct exec *x = kzalloc(sizeof(*x));

	if (!x)
		return NULL;
	x->name = name;
	x->path = path_buf_get();
	if (!x->path) {
		kfree(x);
		return NULL;
	}
	strscpy(x->path, name, PATH_MAX);
	return x;
}

static void exec_free(struct exec *x)
{
	close_file(x);
	if (x->mm)
		mm_put(x->mm);
	if (x->files)
		fd_table_put(x->files);
	sighand_put(x->sighand);
	kfree(x->strings.buf);
	path_buf_put(x->path);
	kfree(x);
}

int proc_exec(const char *path, char *const *argv, char *const *envp)
{
	struct exec *x = exec_new(path);
	int err;

	if (!x)
		return -ENOMEM;
	err = exec_strings_from_kernel(&x->strings, argv, envp);
	if (!err)
		err = run(x);
	exec_free(x);
	return err;
}

SYSCALL(59, execve)
{
	char *name = path_buf_get();
	struct exec *x;
	long err;

	if (!name)
		return -ENOMEM;
	err = path_from_user(name, a, false);
	if (err)
		goto put_name;
	err = -ENOMEM;
	x = exec_new(name);
	if (!x)
		goto put_name;
	err = exec_strings_from_user(&x->strings, b, c);
	if (!err)
		err = run(x);
	exec_free(x);
put_name:
	path_buf_put(name);
	/* the frame is the new program's: its rax is 0 */
	return err;
}
