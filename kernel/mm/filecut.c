/* SPDX-License-Identifier: MIT */
/* filecut.c - a file became shorter: its pages leave every address space that maps them. There is
 * no list of who maps a file; files are cut rarely, and the processes are few. */
#include <core/proc.h>
#include <core/vfs.h>

#include "mm.h"

static void cut_in_mm(struct proc_mm *mm, struct inode *ino, u64 first)
{
	struct vma *v;

	mutex_lock(&mm->lock);
	list_for_each_entry(v, &mm->vmas, node) {
		u64 from = v->pgoff >= first ? v->start : v->start + (first - v->pgoff);

		if (!v->file || v->ops || v->file->inode != ino || from >= v->end)
			continue;
		vma_zap(mm, from, v->end);
		/* a fault that fetched its page before the cut looks again */
		mm->seq++;
	}
	mutex_unlock(&mm->lock);
}

void vm_file_cut(struct inode *ino, u64 size)
{
	struct proc_mm *mm;
	struct proc *p;
	int pid = 0;

	while ((p = proc_next_get(pid))) {
		pid = p->pid;
		mm = proc_mm_get(p);
		proc_put(p);
		if (!mm)
			continue;
		cut_in_mm(mm, ino, ALIGN_UP(size, PAGE_SIZE));
		mm_put(mm);
	}
}
