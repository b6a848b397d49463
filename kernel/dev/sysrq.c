/* SPDX-License-Identifier: MIT */
/* sysrq.c - /proc/sysrq-trigger: one letter written by root asks the kernel for something drastic
 * or for a look at itself, as on Linux. */
#include <core/proc.h>
#include <core/tty.h>
#include <weft/arch.h>
#include <weft/printk.h>
#include <weft/seqfile.h>

static void show_memory(void)
{
	struct mem_stats s;

	mem_stats_get(&s);
	printk("sysrq: pages: %lu total, %lu free, %lu slab, %lu vmalloc, %lu user, %lu file\n",
	       s.total_pages, s.free_pages, s.slab_pages, s.vmalloc_pages, s.user_pages,
	       s.file_pages);
}

static void show_processes(void)
{
	struct proc *p = NULL;
	int pid = 0;

	while ((p = proc_next_get(pid)) != NULL) {
		struct thread *t;

		pid = p->pid;
		spin_lock(&p->lock);
		t = list_first_entry_or_null(&p->threads, struct thread, proc_node);
		printk("sysrq: pid %d %c %s\n", pid, proc_state_char(p), t ? t->comm : "-");
		spin_unlock(&p->lock);
		proc_put(p);
	}
}

static int sysrq_write(void *arg, const char *text, size_t len)
{
	(void)arg;
	switch (len ? text[0] : 0) {
	case 'b':
		arch_reboot();
	case 'c':
		panic("sysrq: asked to");
	case 'm':
		show_memory();
		return 0;
	case 'o':
		arch_power_off();
		return -EIO;
	case 't':
		show_processes();
		return 0;
	}
	printk("sysrq: b reboot, c panic, m memory, o power off, t processes\n");
	return -EINVAL;
}

static struct procfile sysrq_file = {
	.path = "sysrq-trigger",
	.mode = 0200,
	.write = sysrq_write,
};

void sysrq_init(void)
{
	procfile_add(&sysrq_file);
}
