/* SPDX-License-Identifier: MIT */
/* procpid.c - /proc/PID: directories that a look-up makes up from the table of processes, and the
 * table of what is in them. An inode remembers numbers only; each use finds the process anew, or
 * -ESRCH. */
#include "procpid.h"

#define FIRST_POS 2 /* "." and ".." are getdents' */

const struct pid_file pid_files[] = {
	{ "task", S_IFDIR | 0555, .group = true, .ops = &task_dir_ops, .fops = &task_dir_fops },
	{ "fd", S_IFDIR | 0500, .private = true, .ops = &fd_dir_ops, .fops = &fd_dir_fops },
	{ "fdinfo", S_IFDIR | 0500, .private = true, .ops = &fdinfo_dir_ops, .fops = &fd_dir_fops },
	{ "stat", S_IFREG | 0444, .show = show_stat },
	{ "statm", S_IFREG | 0444, .show = show_statm },
	{ "status", S_IFREG | 0444, .show = show_status },
	{ "cmdline", S_IFREG | 0444, .show = show_cmdline },
	{ "comm", S_IFREG | 0644, .show = show_comm, .write = write_comm },
	{ "environ", S_IFREG | 0400, .private = true, .show = show_environ },
	{ "auxv", S_IFREG | 0400, .private = true, .show = show_auxv },
	{ "maps", S_IFREG | 0444, .private = true, .show = show_maps },
	{ "mounts", S_IFREG | 0444, .show = show_mounts },
	{ "mountinfo", S_IFREG | 0444, .show = show_mountinfo },
	{ "limits", S_IFREG | 0444, .show = show_limits },
	{ "cgroup", S_IFREG | 0444, .show = show_cgroup },
	{ "oom_score", S_IFREG | 0444, .show = show_oom_score },
	{ "oom_score_adj", S_IFREG | 0644, .show = show_oom_adj, .write = write_oom_adj },
	{ "exe", S_IFLNK | 0777, .private = true, .link = link_exe },
	{ "cwd", S_IFLNK | 0777, .private = true, .link = link_cwd },
	{ "root", S_IFLNK | 0777, .private = true, .link = link_root },
};
const u32 nr_pid_files = ARRAY_SIZE(pid_files);

/* ---- references ---- */

struct proc *pid_ref_proc(const struct pid_ref *r)
{
	struct proc *p = proc_find_get(r->pid);

	if (p && p->start_ns != r->start_ns) {
		proc_put(p);
		p = NULL;
	}
	return p;
}

struct thread *pid_ref_thread(const struct pid_ref *r, struct proc *p)
{
	struct thread *t = r->tid ? thread_find_get(r->tid) : proc_thread_next(p, 0);

	if (t && t->proc != p) {
		thread_put(t);
		t = NULL;
	}
	return t;
}

bool may_inspect(struct proc *p)
{
	u32 uid = asker_now().uid;

	return uid == 0 || (current() && p == current_proc()) ||
	       (p->dumpable && uid == p->cred.uid && uid == p->cred.euid && uid == p->cred.suid);
}

int parse_number(const char *name)
{
	int v = 0;

	if (name[0] == '0')
		return name[1] ? -1 : 0;
	if (!*name)
		return -1;
	for (; *name; name++) {
		if (*name < '0' || *name > '9' || v > 100000000)
			return -1;
		v = v * 10 + *name - '0';
	}
	return v;
}

static void pid_evict(struct inode *ino)
{
	kfree(ino->priv);
}

/* ---- text ---- */

static int with_process(struct inode *ino, struct seq *s, const char *text)
{
	const struct pid_ref *r = ino->priv;
	struct proc *p = pid_ref_proc(r);
	struct thread *t;
	int err = -ESRCH;

	if (!p)
		return err;
	t = pid_ref_thread(r, p);
	if (r->what->private && !may_inspect(p))
		err = -EACCES;
	else if (r->tid && !t)
		err = -ESRCH;
	else if (text)
		err = r->what->write(p, t, text);
	else if (r->what->show)
		err = r->what->show(s, p, r->tid ? t : NULL);
	else
		err = show_fdinfo(s, p, r->fd);
	if (t)
		thread_put(t);
	proc_put(p);
	return err;
}

static int pid_fill(struct inode *ino, struct seq *s)
{
	return with_process(ino, s, NULL);
}

static int pid_text_open(struct inode *ino, struct file *f)
{
	const struct pid_ref *r = ino->priv;

	if (to_vfile(f)->mode & FMODE_WRITE && !r->what->write)
		return -EACCES;
	return text_open(f, pid_fill);
}

static long pid_write(struct file *f, struct iov_iter *from, u64 *pos)
{
	size_t whole = from->count, len;
	char *text = text_from_iter(from, &len);
	int err;

	if (IS_ERR(text))
		return PTR_ERR(text);
	err = with_process(f->inode, NULL, text);
	kfree(text);
	return err ? err : (long)whole;
}

static int pid_truncate(struct inode *ino, u64 size)
{
	return 0;
}

const struct file_ops pid_text_fops = {
	.read = text_read,
	.write = pid_write,
	.seek = text_seek,
	.release = text_release,
};

const struct inode_ops pid_text_ops = {
	.open = pid_text_open,
	.truncate = pid_truncate,
	.evict = pid_evict,
};

/* ---- links ---- */

static int pid_follow(struct inode *ino, struct dentry **out)
{
	const struct pid_ref *r = ino->priv;
	struct proc *p = pid_ref_proc(r);
	struct path to;
	int err;

	if (!p)
		return -ESRCH;
	err = may_inspect(p) ? r->what->link(p, &to) : -EACCES;
	proc_put(p);
	if (err)
		return err;
	*out = dentry_new(&to);
	path_put(&to);
	return *out ? 0 : -ENOMEM;
}

static const struct inode_ops pid_link_ops = {
	.follow = pid_follow,
	.evict = pid_evict,
};

/* ---- inodes and directories ---- */

struct inode *pid_inode(struct super *s, const struct pid_ref *like, const struct pid_file *what,
			u32 mode, struct proc *owner)
{
	struct inode *ino = inode_new(s, mode);
	struct pid_ref *r = ino ? kmalloc(sizeof(*r)) : NULL;

	if (!r) {
		inode_put(ino);
		return ERR_PTR(-ENOMEM);
	}
	*r = *like;
	r->what = what;
	ino->priv = r;
	ino->uid = owner->cred.euid;
	ino->gid = owner->cred.egid;
	/* the same number each time it is looked up */
	ino->ino = 1ull << 63 | (u64)(r->tid ? r->tid : r->pid) << 24 |
		   (what ? (u64)(what - pid_files + 1) << 17 : 0) | (u64)(r->fd & 0x1ffff);
	ino->ops = what && what->ops  ? what->ops :
		   what && what->link ? &pid_link_ops :
					&pid_text_ops;
	ino->fops = what && what->fops ? what->fops : &pid_text_fops;
	if (S_ISDIR(mode))
		ino->nlink = 2;
	return ino;
}

struct inode *pid_file_lookup(struct inode *dir, const char *name, bool thread)
{
	const struct pid_ref *r = dir->priv;
	struct proc *p;
	struct inode *ino;
	u32 i;

	for (i = 0; i < nr_pid_files; i++) {
		if (!strcmp(pid_files[i].name, name) && !(thread && pid_files[i].group))
			break;
	}
	if (i == nr_pid_files)
		return ERR_PTR(-ENOENT);
	p = pid_ref_proc(r);
	if (!p)
		return ERR_PTR(-ENOENT);
	ino = pid_inode(dir->super, r, &pid_files[i], pid_files[i].mode, p);
	proc_put(p);
	return ino;
}

int pid_files_readdir(struct file *f, void *ctx, bool thread,
		      bool (*emit)(void *ctx, const char *name, u64 ino, u8 type, u64 next_pos))
{
	const struct pid_ref *r = f->inode->priv;
	struct proc *p = pid_ref_proc(r);
	u64 i;

	if (!p)
		return -ENOENT;
	proc_put(p);
	for (i = f->pos - FIRST_POS; i < nr_pid_files; i++) {
		const struct pid_file *pf = &pid_files[i];

		if (thread && pf->group)
			continue;
		if (!emit(ctx, pf->name,
			  1ull << 63 | (u64)(r->tid ? r->tid : r->pid) << 24 | (i + 1) << 17,
			  mode_to_dtype(pf->mode), i + 1 + FIRST_POS))
			break;
	}
	return 0;
}

static struct inode *pid_dir_lookup(struct inode *dir, const char *name)
{
	return pid_file_lookup(dir, name, false);
}

static int pid_dir_readdir(struct file *f, void *ctx,
			   bool (*emit)(void *ctx, const char *name, u64 ino, u8 type,
					u64 next_pos))
{
	return pid_files_readdir(f, ctx, false, emit);
}

static s64 dir_seek(struct file *f, s64 off, int whence)
{
	return seek_in(f, off, whence, 0);
}

static const struct inode_ops pid_dir_ops = { .lookup = pid_dir_lookup, .evict = pid_evict };
static const struct file_ops pid_dir_fops = { .readdir = pid_dir_readdir, .seek = dir_seek };

struct inode *proc_pid_lookup(struct inode *dir, const char *name)
{
	struct pid_ref r = { .pid = parse_number(name) };
	struct proc *p = r.pid > 0 ? proc_find_get(r.pid) : NULL;
	struct inode *ino;

	if (!p)
		return ERR_PTR(-ENOENT);
	r.start_ns = p->start_ns;
	ino = pid_inode(dir->super, &r, NULL, S_IFDIR | 0555, p);
	proc_put(p);
	if (!IS_ERR(ino)) {
		ino->ops = &pid_dir_ops;
		ino->fops = &pid_dir_fops;
	}
	return ino;
}

int proc_pid_readdir(struct file *f, void *ctx,
		     bool (*emit)(void *ctx, const char *name, u64 ino, u8 type, u64 next_pos))
{
	int after = f->pos > PID_POS ? (int)(f->pos - PID_POS) : 0;
	struct proc *p;
	char name[16];

	while ((p = proc_next_get(after))) {
		after = p->pid;
		proc_put(p);
		snprintf(name, sizeof(name), "%d", after);
		if (!emit(ctx, name, 1ull << 63 | (u64)after << 24, DT_DIR, PID_POS + (u64)after))
			break;
	}
	return 0;
}

/* ---- task ---- */

static struct inode *task_lookup(struct inode *dir, const char *name)
{
	struct pid_ref r = *(const struct pid_ref *)dir->priv;
	struct proc *p = pid_ref_proc(&r);
	struct inode *ino = ERR_PTR(-ENOENT);
	struct thread *t;

	if (!p)
		return ino;
	r.tid = parse_number(name);
	t = r.tid > 0 ? pid_ref_thread(&r, p) : NULL;
	if (t) {
		ino = pid_inode(dir->super, &r, NULL, S_IFDIR | 0555, p);
		thread_put(t);
	}
	proc_put(p);
	if (!IS_ERR(ino)) {
		ino->ops = &thread_dir_ops;
		ino->fops = &thread_dir_fops;
	}
	return ino;
}

static int task_readdir(struct file *f, void *ctx,
			bool (*emit)(void *ctx, const char *name, u64 ino, u8 type, u64 next_pos))
{
	int after = f->pos > FIRST_POS ? (int)(f->pos - FIRST_POS) : 0;
	struct proc *p = pid_ref_proc(f->inode->priv);
	struct thread *t;
	char name[16];

	if (!p)
		return -ENOENT;
	while ((t = proc_thread_next(p, after))) {
		after = t->tid;
		thread_put(t);
		snprintf(name, sizeof(name), "%d", after);
		if (!emit(ctx, name, 1ull << 63 | (u64)after << 24, DT_DIR, (u64)after + FIRST_POS))
			break;
	}
	proc_put(p);
	return 0;
}

static struct inode *thread_dir_lookup(struct inode *dir, const char *name)
{
	return pid_file_lookup(dir, name, true);
}

static int thread_dir_readdir(struct file *f, void *ctx,
			      bool (*emit)(void *ctx, const char *name, u64 ino, u8 type,
					   u64 next_pos))
{
	return pid_files_readdir(f, ctx, true, emit);
}

const struct inode_ops task_dir_ops = { .lookup = task_lookup, .evict = pid_evict };
const struct file_ops task_dir_fops = { .readdir = task_readdir, .seek = dir_seek };
const struct inode_ops thread_dir_ops = { .lookup = thread_dir_lookup, .evict = pid_evict };
const struct file_ops thread_dir_fops = { .readdir = thread_dir_readdir, .seek = dir_seek };

/* ---- fd and fdinfo ---- */

static struct file *ref_file(const struct pid_ref *r, struct proc *p)
{
	struct fd_table *t = proc_files_get(p);
	struct file *f = t ? fd_table_file(t, (u32)r->fd) : NULL;

	fd_table_put(t);
	return f;
}

static int fd_follow(struct inode *ino, struct dentry **out)
{
	const struct pid_ref *r = ino->priv;
	struct proc *p = pid_ref_proc(r);
	struct file *f = NULL;
	struct path to;
	int err = -ENOENT;

	if (!p)
		return err;
	if (!may_inspect(p))
		err = -EACCES;
	else
		f = ref_file(r, p);
	proc_put(p);
	if (!f)
		return err;
	err = file_to_path(f, &to);
	file_put(f);
	if (err)
		return err;
	*out = dentry_new(&to);
	path_put(&to);
	return *out ? 0 : -ENOMEM;
}

static const struct inode_ops fd_link_ops = { .follow = fd_follow, .evict = pid_evict };

static struct inode *fd_inode(struct inode *dir, const char *name, bool info)
{
	struct pid_ref r = *(const struct pid_ref *)dir->priv;
	struct inode *ino = ERR_PTR(-ENOENT);
	struct file *f = NULL;
	struct proc *p;

	r.fd = parse_number(name);
	p = r.fd >= 0 ? pid_ref_proc(&r) : NULL;
	if (!p)
		return ino;
	if (may_inspect(p))
		f = ref_file(&r, p);
	if (f) {
		u32 mode = to_vfile(f)->mode;

		ino = pid_inode(dir->super, &r, r.what,
				info ? S_IFREG | 0400 :
				       S_IFLNK | (mode & FMODE_READ ? 0500 : 0) |
						(mode & FMODE_WRITE ? 0300 : 0),
				p);
		file_put(f);
	}
	proc_put(p);
	if (!IS_ERR(ino)) {
		ino->ops = info ? &pid_text_ops : &fd_link_ops;
		ino->fops = &pid_text_fops;
	}
	return ino;
}

static struct inode *fd_lookup(struct inode *dir, const char *name)
{
	return fd_inode(dir, name, false);
}

static struct inode *fdinfo_lookup(struct inode *dir, const char *name)
{
	return fd_inode(dir, name, true);
}

struct fd_walk {
	u64 pos;
	u8 type;
	void *ctx;
	bool (*emit)(void *ctx, const char *name, u64 ino, u8 type, u64 next_pos);
};

static bool fd_emit(void *arg, int fd, struct file *f)
{
	struct fd_walk *w = arg;
	char name[16];

	if ((u64)fd + FIRST_POS < w->pos)
		return false;
	snprintf(name, sizeof(name), "%d", fd);
	return !w->emit(w->ctx, name, (u64)fd + 1, w->type, (u64)fd + 1 + FIRST_POS);
}

static int fd_readdir(struct file *f, void *ctx,
		      bool (*emit)(void *ctx, const char *name, u64 ino, u8 type, u64 next_pos))
{
	const struct pid_ref *r = f->inode->priv;
	struct fd_walk w = { f->pos, r->what->ops == &fd_dir_ops ? DT_LNK : DT_REG, ctx, emit };
	struct proc *p = pid_ref_proc(r);
	struct fd_table *t = NULL;
	int err = p ? may_inspect(p) ? 0 : -EACCES : -ENOENT;

	if (!err)
		t = proc_files_get(p);
	if (t)
		fd_for_each(t, fd_emit, &w);
	fd_table_put(t);
	if (p)
		proc_put(p);
	return err;
}

const struct inode_ops fd_dir_ops = { .lookup = fd_lookup, .evict = pid_evict };
const struct inode_ops fdinfo_dir_ops = { .lookup = fdinfo_lookup, .evict = pid_evict };
const struct file_ops fd_dir_fops = { .readdir = fd_readdir, .seek = dir_seek };
