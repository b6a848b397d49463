/* SPDX-License-Identifier: MIT */
/* proctop.c - the root of /proc: the links of whoever asks, and the files about the machine that no
 * other part of the kernel owns. */
#include "tree.h"

#include <weft/arch.h>
#include <weft/time.h>
#include <weft/version.h>

typedef unsigned long long ull;

/* ---- the tree ---- */

static int root_readdir(struct file *f, void *ctx,
			bool (*emit)(void *ctx, const char *name, u64 ino, u8 type, u64 next_pos))
{
	bool more = true;

	if (f->pos < PID_POS) {
		mutex_lock(&f->inode->lock);
		more = entry_readdir(f->dentry->path.entry, f->pos, ctx, emit);
		mutex_unlock(&f->inode->lock);
	}
	return more ? proc_pid_readdir(f, ctx, emit) : 0;
}

static s64 root_seek(struct file *f, s64 off, int whence)
{
	return seek_in(f, off, whence, 0);
}

static int root_create(struct inode *dir, const char *name, u32 mode, u64 rdev, struct inode **out)
{
	return S_ISREG(mode) ? -ENOENT : -EPERM;
}

static const struct inode_ops root_ops = { .lookup = proc_pid_lookup, .create = root_create };
static const struct file_ops root_fops = { .readdir = root_readdir, .seek = root_seek };

struct tree proc_tree = {
	.type = "proc",
	.magic = MAGIC_PROC,
	.root_ops = &root_ops,
	.root_fops = &root_fops,
	.lock = MUTEX_INIT(proc_tree.lock),
};

static struct super *proc_get_super(const char *opts, struct entry **root)
{
	struct super *s;
	int err = tree_mount(&proc_tree, &s, root);

	return err ? ERR_PTR(err) : s;
}

static struct fs_type proc_type = { .name = "proc", .get = proc_get_super };

/* ---- who asks ---- */

static int self_readlink(struct inode *ino, char *buf, size_t size)
{
	int pid = current_pid();

	return pid ? scnprintf(buf, size, "%d", pid) : -ENOENT;
}

static int thread_self_readlink(struct inode *ino, char *buf, size_t size)
{
	int pid = current_pid();

	return pid ? scnprintf(buf, size, "%d/task/%d", pid, current()->tid) : -ENOENT;
}

static const struct inode_ops self_ops = { .readlink = self_readlink };
static const struct inode_ops thread_self_ops = { .readlink = thread_self_readlink };

/* ---- the machine ---- */

static int show_filesystems(struct seq *s)
{
	fs_types_show(s);
	return 0;
}

static int show_boot_cmdline(struct seq *s)
{
	return seq_printf(s, "%s\n", boot_info.cmdline);
}

static int show_version(struct seq *s)
{
	return seq_printf(s, "Linux version " WEFT_RELEASE " (weft@weft) (gcc " __VERSION__
			     ") #1 SMP\n");
}

static int show_uptime(struct seq *s)
{
	u64 idle = 0, cs = ktime_get() / (NSEC_PER_SEC / 100);
	u32 cpu;

	for (cpu = 0; cpu < nr_cpus; cpu++) {
		u64 user, sys, one;

		sched_cpu_times(cpu, &user, &sys, &one);
		idle += one;
	}
	idle /= NSEC_PER_SEC / 100;
	return seq_printf(s, "%llu.%02llu %llu.%02llu\n", (ull)cs / 100, (ull)cs % 100,
			  (ull)idle / 100, (ull)idle % 100);
}

static int show_loadavg(struct seq *s)
{
	u64 avg[3];
	u32 i;

	loadavg_get(avg);
	for (i = 0; i < 3; i++) {
		u64 v = avg[i] + 10; /* half of a hundredth, of 2048 */

		seq_printf(s, "%llu.%02llu ", (ull)(v >> 11), (ull)((v & 2047) * 100 >> 11));
	}
	return seq_printf(s, "%u/%u %d\n", sched_runnable(), thread_count(), proc_last_pid());
}

static void show_cpu_times(struct seq *s, const char *name, u64 user, u64 sys, u64 idle)
{
	const u64 tick = NSEC_PER_SEC / 100;

	seq_printf(s, "%s %llu 0 %llu %llu 0 0 0 0 0 0\n", name, (ull)(user / tick),
		   (ull)(sys / tick), (ull)(idle / tick));
}

static int show_stat_file(struct seq *s)
{
	u64 user, sys, idle, all[3] = { 0 };
	char name[16];
	u32 cpu;

	for (cpu = 0; cpu < nr_cpus; cpu++) {
		sched_cpu_times(cpu, &user, &sys, &idle);
		all[0] += user;
		all[1] += sys;
		all[2] += idle;
	}
	show_cpu_times(s, "cpu ", all[0], all[1], all[2]);
	for (cpu = 0; cpu < nr_cpus; cpu++) {
		sched_cpu_times(cpu, &user, &sys, &idle);
		snprintf(name, sizeof(name), "cpu%u", cpu);
		show_cpu_times(s, name, user, sys, idle);
	}
	seq_printf(s, "intr 0\nctxt %llu\nbtime %llu\nprocesses %llu\n", (ull)sched_switches(),
		   (ull)((ktime_get_real() - ktime_get()) / NSEC_PER_SEC), (ull)proc_forks());
	return seq_printf(s, "procs_running %u\nprocs_blocked 0\nsoftirq 0 0 0 0 0 0 0 0 0 0 0\n",
			  sched_runnable());
}

static int show_cpuinfo(struct seq *s)
{
	u32 cpu;

	for (cpu = 0; cpu < nr_cpus; cpu++)
		seq_printf(s,
			   "processor\t: %u\nsiblings\t: %u\ncore id\t\t: %u\ncpu cores\t: %u\n\n",
			   cpu, nr_cpus, cpu, nr_cpus);
	return 0;
}

struct devices_show {
	struct seq *s;
	u32 last_major;
};

/* One line a major number, by its first device. */
static void show_device(void *arg, const struct chrdev *c)
{
	struct devices_show *d = arg;

	if (c->major != d->last_major)
		seq_printf(d->s, "%3u %s\n", c->major, c->name ? c->name : "pts");
	d->last_major = c->major;
}

static int show_devices(struct seq *s)
{
	struct devices_show d = { s, ~0u };

	seq_puts(s, "Character devices:\n");
	chrdev_for_each(show_device, &d);
	seq_puts(s, "\nBlock devices:\n");
	return 0;
}

static int show_empty(struct seq *s)
{
	return 0;
}

static int show_swaps(struct seq *s)
{
	seq_puts(s, "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
	return 0;
}

/* ---- /proc/sys: constants; values that change have an owner elsewhere ---- */

static int show_constant(struct seq *s)
{
	return seq_printf(s, "%s\n", (const char *)s->arg);
}

#define CONSTANT(name, text)                                                            \
	{                                                                               \
		.path = name, .mode = 0444, .show = show_constant, .arg = (void *)text, \
	}

static struct procfile files[] = {
	{ .path = "filesystems", .mode = 0444, .show = show_filesystems },
	{ .path = "cmdline", .mode = 0444, .show = show_boot_cmdline },
	{ .path = "version", .mode = 0444, .show = show_version },
	{ .path = "uptime", .mode = 0444, .show = show_uptime },
	{ .path = "loadavg", .mode = 0444, .show = show_loadavg },
	{ .path = "stat", .mode = 0444, .show = show_stat_file },
	{ .path = "cpuinfo", .mode = 0444, .show = show_cpuinfo },
	{ .path = "devices", .mode = 0444, .show = show_devices },
	{ .path = "partitions", .mode = 0444, .show = show_empty },
	{ .path = "swaps", .mode = 0444, .show = show_swaps },
	CONSTANT("sys/kernel/osrelease", WEFT_RELEASE),
	CONSTANT("sys/kernel/ostype", "Linux"),
	CONSTANT("sys/kernel/version", "#1 SMP"),
	CONSTANT("sys/kernel/ngroups_max", "32"),
	CONSTANT("sys/kernel/cap_last_cap", "40"),
	CONSTANT("sys/kernel/pid_max", "32768"),
};

int proc_top_init(void)
{
	u32 i;
	int err;

	for (i = 0; i < ARRAY_SIZE(files); i++) {
		err = tree_add(&proc_tree, &files[i], NULL, "/proc file");
		if (err)
			return err;
	}
	err = tree_special(&proc_tree, "self", S_IFLNK | 0777, &self_ops);
	if (!err)
		err = tree_special(&proc_tree, "thread-self", S_IFLNK | 0777, &thread_self_ops);
	if (!err)
		err = tree_link(&proc_tree, "mounts", "self/mounts");
	if (!err)
		err = tree_mkdir(&proc_tree, "net");
	if (!err)
		fs_type_register(&proc_type);
	return err;
}
