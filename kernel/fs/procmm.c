/* SPDX-License-Identifier: MIT */
/* procmm.c - the part of /proc/PID that looks into an address space, and the magic links exe, cwd
 * and root. */
#include "procpid.h"

#define ARGS_MAX (1ul << 20)

int show_statm(struct seq *s, struct proc *p, struct thread *t)
{
	struct proc_mm *mm = proc_mm_get(p);
	u64 total = 0, rss = 0, text = 0, data = 0;
	struct vma *v;

	if (mm) {
		mutex_lock(&mm->lock);
		total = mm->total_pages;
		rss = mm->rss_pages;
		list_for_each_entry(v, &mm->vmas, node) {
			if (v->flags & VM_EXEC)
				text += (v->end - v->start) / PAGE_SIZE;
			else if (v->flags & VM_WRITE)
				data += (v->end - v->start) / PAGE_SIZE;
		}
		mutex_unlock(&mm->lock);
		mm_put(mm);
	}
	return seq_printf(s, "%llu %llu 0 %llu 0 %llu 0\n", (unsigned long long)total,
			  (unsigned long long)rss, (unsigned long long)text,
			  (unsigned long long)data);
}

/* Copies [start, end) of the process's memory to s. */
static int show_range(struct seq *s, struct proc_mm *mm, u64 start, u64 end)
{
	u8 *buf;
	long n;

	if (start >= end)
		return 0;
	end = min(end, start + ARGS_MAX);
	buf = kmalloc(PAGE_SIZE);
	if (!buf)
		return -ENOMEM;
	while (start < end) {
		n = mm_access(mm, start, buf, min((size_t)PAGE_SIZE, (size_t)(end - start)), false);
		if (n <= 0)
			break;
		seq_write(s, buf, (size_t)n);
		start += (u64)n;
	}
	kfree(buf);
	return 0;
}

int show_cmdline(struct seq *s, struct proc *p, struct thread *t)
{
	struct proc_mm *mm = proc_mm_get(p);
	int err;

	if (!mm)
		return 0;
	err = show_range(s, mm, mm->arg_start, mm->arg_end);
	/* a program that wrote over its arguments' last NUL has gone on into its environment */
	if (!err && s->len && !s->failed && s->buf[s->len - 1]) {
		size_t from = s->len;
		char *nul;

		err = show_range(s, mm, mm->env_start, mm->env_end);
		nul = s->len > from ? memchr(s->buf + from, 0, s->len - from) : NULL;
		if (nul)
			s->len = (size_t)(nul - s->buf) + 1;
	}
	mm_put(mm);
	return err;
}

int show_environ(struct seq *s, struct proc *p, struct thread *t)
{
	struct proc_mm *mm = proc_mm_get(p);
	int err;

	if (!mm)
		return 0;
	err = show_range(s, mm, mm->env_start, mm->env_end);
	mm_put(mm);
	return err;
}

int show_auxv(struct seq *s, struct proc *p, struct thread *t)
{
	struct proc_mm *mm = proc_mm_get(p);

	if (!mm)
		return 0;
	seq_write(s, mm->auxv, mm->auxv_len);
	mm_put(mm);
	return 0;
}

/* ---- maps ---- */

static void show_vma_name(struct seq *s, const struct vma *v, const struct proc_mm *mm, char *buf,
			  size_t size)
{
	const char *name = NULL;

	if (v->file)
		name = file_path(v->file, buf, size) ? "?" : buf;
	else if (v->flags & VM_STACK)
		name = "[stack]";
	else if (v->flags & VM_HEAP || (v->start < mm->brk && v->end > mm->brk_start))
		name = "[heap]";
	if (name)
		seq_printf(s, "%s", name);
}

static void show_vma(struct seq *s, const struct vma *v, const struct proc_mm *mm, char *buf,
		     size_t size)
{
	const struct inode *ino = v->file ? v->file->inode : NULL;
	u64 dev = ino ? ino->super->dev : 0;
	size_t line = s->len;

	seq_printf(s, "%08llx-%08llx %c%c%c%c %08llx %02x:%02x %llu ", (unsigned long long)v->start,
		   (unsigned long long)v->end, v->flags & VM_READ ? 'r' : '-',
		   v->flags & VM_WRITE ? 'w' : '-', v->flags & VM_EXEC ? 'x' : '-',
		   v->flags & VM_SHARED ? 's' : 'p', (unsigned long long)(ino ? v->pgoff : 0),
		   (u32)(dev >> 8 & 0xfff), (u32)(dev & 0xff),
		   (unsigned long long)(ino ? ino->ino : 0));
	while (!s->failed && s->len - line < 73)
		seq_puts(s, " ");
	show_vma_name(s, v, mm, buf, size);
	seq_puts(s, "\n");
}

int show_maps(struct seq *s, struct proc *p, struct thread *t)
{
	struct proc_mm *mm = proc_mm_get(p);
	char *buf;
	struct vma *v;

	if (!mm)
		return 0;
	buf = kmalloc(PAGE_SIZE);
	if (!buf) {
		mm_put(mm);
		return -ENOMEM;
	}
	mutex_lock(&mm->lock);
	list_for_each_entry(v, &mm->vmas, node) {
		show_vma(s, v, mm, buf, PAGE_SIZE);
		if (s->failed)
			break;
	}
	mutex_unlock(&mm->lock);
	kfree(buf);
	mm_put(mm);
	return 0;
}

/* ---- links ---- */

int link_exe(struct proc *p, struct path *out)
{
	struct proc_mm *mm = proc_mm_get(p);
	struct file *exe = NULL;
	int err = -ENOENT;

	if (!mm)
		return err;
	mutex_lock(&mm->lock);
	if (mm->exe)
		exe = file_get(mm->exe);
	mutex_unlock(&mm->lock);
	mm_put(mm);
	if (exe) {
		err = file_to_path(exe, out);
		file_put(exe);
	}
	return err;
}

static int link_place(struct proc *p, bool root, struct path *out)
{
	struct fs_context *fs = proc_fs_get(p);
	struct dentry *d;

	if (!fs)
		return -ENOENT;
	spin_lock(&fs->lock);
	d = dentry_get(root ? fs->root : fs->cwd);
	spin_unlock(&fs->lock);
	fs_context_put(fs);
	*out = dentry_to_path(d);
	dentry_put(d);
	return 0;
}

int link_cwd(struct proc *p, struct path *out)
{
	return link_place(p, false, out);
}

int link_root(struct proc *p, struct path *out)
{
	return link_place(p, true, out);
}
