/* SPDX-License-Identifier: MIT */
/* procshow.c - what /proc/PID prints of a process itself: stat, status, limits, descriptors,
 * mounts. The formats are Linux's; fields that have no meaning here are 0. */
#include "procpid.h"

#include <weft/time.h>

#define TICK_NS (NSEC_PER_SEC / 100) /* clock ticks of 10 ms, AT_CLKTCK */

typedef unsigned long long ull;

static void snapshot(struct proc *p, struct thread *t, struct proc_info *info)
{
	if (t)
		thread_info_get(p, t, info);
	else
		proc_info_get(p, info);
}

/* Figures of the address space; zero without one. */
struct mm_figures {
	u64 vsize, rss, start_code, end_code, start_stack, start_brk, brk;
	u64 arg_start, arg_end, env_start, env_end, stack, exec, data;
};

static void mm_figures_get(struct proc *p, struct mm_figures *m)
{
	struct proc_mm *mm = proc_mm_get(p);
	struct vma *v;

	memset(m, 0, sizeof(*m));
	if (!mm)
		return;
	mutex_lock(&mm->lock);
	m->vsize = mm->total_pages * PAGE_SIZE;
	m->rss = mm->rss_pages;
	m->start_code = mm->code_start;
	m->end_code = mm->code_end;
	m->start_stack = mm->stack_top;
	m->start_brk = mm->brk_start;
	m->brk = mm->brk;
	m->arg_start = mm->arg_start;
	m->arg_end = mm->arg_end;
	m->env_start = mm->env_start;
	m->env_end = mm->env_end;
	list_for_each_entry(v, &mm->vmas, node) {
		if (v->flags & VM_STACK)
			m->stack += v->end - v->start;
		else if (v->flags & VM_EXEC)
			m->exec += v->end - v->start;
		else if (v->flags & VM_WRITE && !(v->flags & VM_SHARED))
			m->data += v->end - v->start;
	}
	mutex_unlock(&mm->lock);
	mm_put(mm);
}

int show_stat(struct seq *s, struct proc *p, struct thread *t)
{
	bool may = may_inspect(p);
	struct proc_info i;
	struct mm_figures m;

	snapshot(p, t, &i);
	mm_figures_get(p, &m);
	seq_printf(s, "%d (%s) %c %d %d %d %d %d %u", t ? t->tid : i.pid, i.comm, i.state, i.ppid,
		   i.pgid, i.sid, (int)i.tty_dev, i.tpgid,
		   i.kernel_started ? 0x200000u : 0x400000u);
	/* minflt cminflt majflt cmajflt, then the times */
	seq_printf(s, " 0 0 0 0 %llu %llu %llu %llu %d %d %u 0 %llu", (ull)(i.utime_ns / TICK_NS),
		   (ull)(i.stime_ns / TICK_NS), (ull)(i.cutime_ns / TICK_NS),
		   (ull)(i.cstime_ns / TICK_NS), 20 + i.nice, i.nice, i.nr_threads,
		   (ull)(i.start_ns / TICK_NS));
	seq_printf(s, " %llu %llu %llu", (ull)m.vsize, (ull)m.rss, (ull)p->rlim[5].cur);
	/* startcode endcode startstack kstkesp kstkeip: addresses are the owner's business */
	if (may)
		seq_printf(s, " %llu %llu %llu 0 0", (ull)m.start_code, (ull)m.end_code,
			   (ull)m.start_stack);
	else
		seq_puts(s, " 0 0 0 0 0");
	seq_printf(s, " %llu %llu %llu %llu 0 0 0 %d %u 0 0 0 0 0", (ull)i.sig_pending,
		   (ull)i.sig_blocked, (ull)i.sig_ignored, (ull)i.sig_caught, i.exit_signal, i.cpu);
	if (may)
		seq_printf(s, " %llu %llu %llu %llu %llu %llu %llu 0\n", (ull)m.end_code,
			   (ull)m.start_brk, (ull)m.start_brk, (ull)m.arg_start, (ull)m.arg_end,
			   (ull)m.env_start, (ull)m.env_end);
	else
		seq_puts(s, " 0 0 0 0 0 0 0 0\n");
	return 0;
}

static const char *state_name(char c)
{
	switch (c) {
	case 'R':
		return "running";
	case 'S':
		return "sleeping";
	case 'D':
		return "disk sleep";
	case 'T':
		return "stopped";
	case 'Z':
		return "zombie";
	default:
		return "dead";
	}
}

static void show_ids(struct seq *s, const struct cred *c)
{
	u32 k;

	seq_printf(s, "Uid:\t%u\t%u\t%u\t%u\nGid:\t%u\t%u\t%u\t%u\n", c->uid, c->euid, c->suid,
		   c->fsuid, c->gid, c->egid, c->sgid, c->fsgid);
	seq_puts(s, "Groups:\t");
	for (k = 0; k < c->ngroups; k++)
		seq_printf(s, "%u ", c->groups[k]);
	seq_puts(s, "\n");
}

static void show_memory(struct seq *s, struct proc *p)
{
	struct mm_figures m;

	mm_figures_get(p, &m);
	if (!m.vsize)
		return;
	seq_printf(
		s,
		"VmPeak:\t%8llu kB\nVmSize:\t%8llu kB\nVmLck:\t       0 kB\nVmPin:\t       0 kB\n"
		"VmHWM:\t%8llu kB\nVmRSS:\t%8llu kB\n",
		(ull)m.vsize / 1024, (ull)m.vsize / 1024, (ull)m.rss * 4, (ull)m.rss * 4);
	seq_printf(s,
		   "VmData:\t%8llu kB\nVmStk:\t%8llu kB\nVmExe:\t%8llu kB\nVmLib:\t       0 kB\n"
		   "VmSwap:\t       0 kB\n",
		   (ull)m.data / 1024, (ull)m.stack / 1024, (ull)m.exec / 1024);
}

int show_status(struct seq *s, struct proc *p, struct thread *t)
{
	struct fs_context *fs = proc_fs_get(p);
	struct fd_table *files = proc_files_get(p);
	struct proc_info i;

	snapshot(p, t, &i);
	seq_printf(s, "Name:\t%s\n", i.comm);
	if (fs)
		seq_printf(s, "Umask:\t%04o\n", fs->umask);
	seq_printf(s, "State:\t%c (%s)\nTgid:\t%d\nNgid:\t0\nPid:\t%d\nPPid:\t%d\nTracerPid:\t0\n",
		   i.state, state_name(i.state), i.pid, t ? t->tid : i.pid, i.ppid);
	show_ids(s, &i.cred);
	seq_printf(s, "FDSize:\t%u\n", files ? fd_table_room(files) : 0);
	show_memory(s, p);
	seq_printf(s, "Threads:\t%u\nSigQ:\t0/1024\nSigPnd:\t%016llx\nShdPnd:\t%016llx\n",
		   i.nr_threads, (ull)i.sig_pending, (ull)i.sig_shared_pending);
	seq_printf(s, "SigBlk:\t%016llx\nSigIgn:\t%016llx\nSigCgt:\t%016llx\n", (ull)i.sig_blocked,
		   (ull)i.sig_ignored, (ull)i.sig_caught);
	seq_printf(s, "CapInh:\t%016llx\nCapPrm:\t%016llx\nCapEff:\t%016llx\nCapBnd:\t%016llx\n",
		   (ull)i.cred.cap_inheritable, (ull)i.cred.cap_permitted,
		   (ull)i.cred.cap_effective, (ull)0x1ffffffffffull);
	seq_printf(s, "CapAmb:\t%016llx\nNoNewPrivs:\t%u\nSeccomp:\t0\n", 0ull, p->no_new_privs);
	seq_printf(s, "Cpus_allowed:\t%llx\nCpus_allowed_list:\t0-%u\n",
		   (ull)((1ull << nr_cpus) - 1), nr_cpus - 1);
	seq_printf(s, "voluntary_ctxt_switches:\t%llu\nnonvoluntary_ctxt_switches:\t%llu\n",
		   (ull)i.nvcsw, (ull)i.nivcsw);
	fs_context_put(fs);
	fd_table_put(files);
	return 0;
}

int show_comm(struct seq *s, struct proc *p, struct thread *t)
{
	struct proc_info i;

	snapshot(p, t, &i);
	return seq_printf(s, "%s\n", i.comm);
}

/* Only a thread of the process itself renames it (as Linux); one byte at a time is torn by no
 * reader. */
int write_comm(struct proc *p, struct thread *t, const char *text)
{
	if (!t || current_proc() != p)
		return -EINVAL;
	strscpy(t->comm, text, sizeof(t->comm));
	return 0;
}

int show_limits(struct seq *s, struct proc *p, struct thread *t)
{
	static const char *const names[NR_RLIMITS][2] = {
		{ "Max cpu time", "seconds" },	   { "Max file size", "bytes" },
		{ "Max data size", "bytes" },	   { "Max stack size", "bytes" },
		{ "Max core file size", "bytes" }, { "Max resident set", "bytes" },
		{ "Max processes", "processes" },  { "Max open files", "files" },
		{ "Max locked memory", "bytes" },  { "Max address space", "bytes" },
		{ "Max file locks", "locks" },	   { "Max pending signals", "signals" },
		{ "Max msgqueue size", "bytes" },  { "Max nice priority", "" },
		{ "Max realtime priority", "" },   { "Max realtime timeout", "us" },
	};
	u32 i, k;

	seq_printf(s, "%-25s %-20s %-20s %-10s\n", "Limit", "Soft Limit", "Hard Limit", "Units");
	for (i = 0; i < NR_RLIMITS; i++) {
		u64 v[2] = { p->rlim[i].cur, p->rlim[i].max };

		seq_printf(s, "%-25s", names[i][0]);
		for (k = 0; k < 2; k++) {
			if (v[k] == ~0ull)
				seq_printf(s, " %-20s", "unlimited");
			else
				seq_printf(s, " %-20llu", (ull)v[k]);
		}
		seq_printf(s, " %-10s\n", names[i][1]);
	}
	return 0;
}

int show_oom_adj(struct seq *s, struct proc *p, struct thread *t)
{
	return seq_printf(s, "%d\n", READ_ONCE(p->oom_score_adj));
}

int write_oom_adj(struct proc *p, struct thread *t, const char *text)
{
	int v;

	if (kstrtoint(text, 10, &v) || v < -1000 || v > 1000)
		return -EINVAL;
	if (!may_inspect(p) || (v < p->oom_score_adj && !caller_is_root()))
		return -EACCES;
	WRITE_ONCE(p->oom_score_adj, v);
	return 0;
}

/* Per mille of RAM that it uses, shifted by what it asked for. */
int show_oom_score(struct seq *s, struct proc *p, struct thread *t)
{
	struct mm_figures m;
	struct mem_stats mem;
	s64 score;

	mm_figures_get(p, &m);
	mem_stats_get(&mem);
	score = (s64)(m.rss * 1000 / max(mem.total_pages, 1ull)) + READ_ONCE(p->oom_score_adj);
	return seq_printf(s, "%lld\n", score < 0 ? 0ll : (long long)score);
}

int show_cgroup(struct seq *s, struct proc *p, struct thread *t)
{
	seq_puts(s, "0::/\n");
	return 0;
}

int show_fdinfo(struct seq *s, struct proc *p, int fd)
{
	struct fd_table *t = proc_files_get(p);
	struct file *f = t ? fd_table_file(t, (u32)fd) : NULL;

	fd_table_put(t);
	if (!f)
		return -ENOENT;
	seq_printf(s, "pos:\t%llu\nflags:\t0%o\nmnt_id:\t%d\nino:\t%llu\n", (ull)f->pos, f->flags,
		   f->dentry ? f->dentry->path.mnt->id : 0, (ull)f->inode->ino);
	file_put(f);
	return 0;
}

/* ---- mounts ---- */

/* A path or name as a field: what would end it is written in octal. */
static void show_escaped(struct seq *s, const char *text)
{
	for (; *text; text++) {
		if (*text == ' ' || *text == '\t' || *text == '\n' || *text == '\\')
			seq_printf(s, "\\%03o", *text);
		else
			seq_write(s, text, 1);
	}
}

static void show_options(struct seq *s, u32 flags)
{
	seq_puts(s, flags & MS_RDONLY ? "ro" : "rw");
	if (flags & MS_NOSUID)
		seq_puts(s, ",nosuid");
	if (flags & MS_NODEV)
		seq_puts(s, ",nodev");
	if (flags & MS_NOEXEC)
		seq_puts(s, ",noexec");
	seq_puts(s, flags & MS_NOATIME ? ",noatime" : ",relatime");
}

struct mounts_show {
	struct seq *s;
	char *buf; /* 4096 */
	bool info;
};

#define PATH_ROOM 4096

/* Where inside its file system a bind mount begins. */
static void show_inner_root(struct mounts_show *w, struct mount *m)
{
	if (entry_print(m->root, w->buf, PATH_ROOM))
		strscpy(w->buf, "?", PATH_ROOM);
	show_escaped(w->s, w->buf);
}

static bool show_mount(void *arg, struct mount *m)
{
	struct mounts_show *w = arg;
	struct path at = { m, m->root };
	struct seq *s = w->s;

	if (w->info) {
		seq_printf(s, "%d %d %llu:%llu ", m->id, m->parent ? m->parent->id : 0,
			   (ull)(m->super->dev >> 8 & 0xfff), (ull)(m->super->dev & 0xff));
		show_inner_root(w, m);
		seq_puts(s, " ");
	} else {
		show_escaped(s, m->source);
		seq_puts(s, " ");
	}
	if (path_print(&at, w->buf, PATH_ROOM))
		strscpy(w->buf, "?", PATH_ROOM);
	show_escaped(s, w->buf);
	seq_puts(s, " ");
	if (w->info) {
		show_options(s, m->flags);
		seq_printf(s, " - %s ", m->super->type);
		show_escaped(s, m->source);
		seq_puts(s, m->flags & MS_RDONLY ? " ro\n" : " rw\n");
	} else {
		seq_printf(s, "%s ", m->super->type);
		show_options(s, m->flags);
		seq_puts(s, " 0 0\n");
	}
	return false;
}

static int show_mount_list(struct seq *s, bool info)
{
	struct mounts_show w = { s, kmalloc(PATH_ROOM), info };

	if (!w.buf)
		return -ENOMEM;
	mount_for_each(show_mount, &w);
	kfree(w.buf);
	return 0;
}

int show_mounts(struct seq *s, struct proc *p, struct thread *t)
{
	return show_mount_list(s, false);
}

int show_mountinfo(struct seq *s, struct proc *p, struct thread *t)
{
	return show_mount_list(s, true);
}
