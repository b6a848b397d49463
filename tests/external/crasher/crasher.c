/* SPDX-License-Identifier: MIT */
/* crasher.c - a module with a wild pointer, used where the parameter `where` says: in its init, its
 * own thread, a /proc file, a work item, or its exit. The kernel names it and goes on. What is
 * written to the file crashes in other ways, for tests of what a backtrace then says. */
#define LOG_NAME "crasher: "
#include <weft/module.h>
#include <weft/printk.h>
#include <weft/sched.h>
#include <weft/seqfile.h>
#include <weft/string.h>
#include <weft/time.h>
#include <weft/work.h>

static char where[16];
module_param_string(where, 0444, "init, thread, file, work, works, hang or nothing");

static void (*volatile wild)(void);

static __attribute__((noinline)) void crash_here(void)
{
	*(volatile int *)0xdead0000beefull = 1;
	wild();
}

static int thread_fn(void *arg)
{
	sleep_ns(50 * NSEC_PER_MSEC);
	crash_here();
	return 0;
}

static __noinline int recurse(int n)
{
	volatile char room[256];

	room[n % 256] = (char)n;
	return n ? recurse(n + 1) + room[0] : 0;
}

static __noinline int middle(const char *way)
{
	void (*volatile nowhere)(void) = NULL;

	if (!strcmp(way, "warn"))
		WARN_ON(nowhere == NULL);
	else if (!strcmp(way, "bug"))
		BUG_ON(nowhere == NULL);
	else if (!strcmp(way, "panic"))
		panic("as was asked for");
	else if (!strcmp(way, "nowhere"))
		nowhere();
	else if (!strcmp(way, "deep"))
		return recurse(1);
	else
		return -EINVAL;
	return 0;
}

static int file_write(void *arg, const char *text, size_t len)
{
	int err = middle(text);

	return err ? err : (int)len;
}

static int file_show(struct seq *s)
{
	if (!strcmp(where, "file"))
		crash_here();
	seq_puts(s, "fine\n");
	return 0;
}

static struct procfile file = {
	.path = "crasher", .mode = 0644, .show = file_show, .write = file_write
};
static struct work work, more[8];
static struct thread *thread;

static void run(struct work *w)
{
	crash_here();
}

static void report(struct work *w)
{
	pr_info("the work queue goes on\n");
}

/* More than there are threads that do such work. */
static void crash_all(void)
{
	for (u32 i = 0; i < ARRAY_SIZE(more); i++) {
		work_init(&more[i], run);
		work_schedule(&more[i]);
	}
	work_init(&work, report);
	work_schedule(&work);
}

static int __init crasher_init(void)
{
	int err;

	if (!strcmp(where, "init"))
		crash_here();
	err = procfile_add(&file);
	if (err)
		return err;
	if (!strcmp(where, "thread")) {
		thread = kthread_run(thread_fn, NULL, "crasher");
		if (IS_ERR(thread)) {
			procfile_remove(&file);
			return PTR_ERR(thread);
		}
	}
	work_init(&work, run);
	if (!strcmp(where, "work"))
		work_schedule(&work);
	if (!strcmp(where, "works"))
		crash_all();
	return 0;
}

static void crasher_exit(void)
{
	if (!strcmp(where, "hang"))
		sleep_ns(4 * NSEC_PER_SEC);
	procfile_remove(&file);
	work_cancel_sync(&work);
}

module_entry_points(crasher_init, crasher_exit);
MODULE_LICENSE("MIT");
MODULE_DESCRIPTION("crashes on purpose, for tests of what remains");
