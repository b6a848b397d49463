/* SPDX-License-Identifier: MIT */
/* forgetful.c - a badly written module: it registers files, a control, a running timer, delayed
 * work, a thread and a grip on rmmod -f, and its exit undoes none of it. The loader has to. With
 * fail=ERRNO its init ends so, after registering as much, and undoes nothing either. */
#define LOG_NAME "forgetful: "
#include <weft/module.h>
#include <weft/printk.h>
#include <weft/sched.h>
#include <weft/seqfile.h>
#include <weft/time.h>
#include <weft/work.h>

static int fail;
module_param_int(fail, 0444, NULL, "errno that init returns, 0 for none");
static unsigned int level = 3;

static int level_ok(const struct kparam *p, long long value)
{
	return value <= 10 ? 0 : -EINVAL;
}
module_param_uint(level, 0644, level_ok, "0..10, may be changed");
static bool loud;
module_param_bool(loud, 0644, "says so");
static char greeting[16] = "hello";
module_param_string(greeting, 0444, "up to 15 characters");

static int ticks, knob;

static int file_show(struct seq *s)
{
	seq_printf(s, "level %u, %s, %d ticks\n", level, greeting, ticks);
	return 0;
}

static struct procfile file = { .path = "forgetful", .mode = 0444, .show = file_show };
static struct procfile sys_file = { .path = "kernel/forgetful", .mode = 0444, .show = file_show };
static struct sysctl control = { .path = "kernel/forgetful", .value = &knob, .min = 0, .max = 9 };

static struct timer timer;

static void tick(struct timer *t)
{
	ticks++;
	timer_set(t, ktime_get() + 10 * NSEC_PER_MSEC);
}

static struct work work;

static void run(struct work *w)
{
	ticks++;
	work_schedule_at(w, ktime_get() + 20 * NSEC_PER_MSEC);
}

static int loiter(void *arg)
{
	while (!kthread_should_stop())
		sleep_ns(5 * NSEC_PER_MSEC);
	return 0;
}

static void on_force(struct module_force *f, struct module *m)
{
	pr_info("%s leaves by force\n", module_name(m));
}

static struct module_force force = { .fn = on_force };

static int forgetful_init(void)
{
	struct thread *t;
	int err;

	err = procfile_add(&file);
	if (!err)
		err = sysfile_add(&sys_file);
	if (!err)
		err = sysctl_add(&control);
	if (err)
		return err;
	t = kthread_run(loiter, NULL, "forgetful");
	if (IS_ERR(t))
		return PTR_ERR(t);
	timer_init(&timer, tick);
	timer_set(&timer, ktime_get() + 10 * NSEC_PER_MSEC);
	work_init(&work, run);
	work_schedule_at(&work, ktime_get() + 20 * NSEC_PER_MSEC);
	module_on_force(&force);
	if (loud)
		pr_info("%s\n", greeting);
	return -fail;
}

static void forgetful_exit(void)
{
}

module_entry_points(forgetful_init, forgetful_exit);
MODULE_LICENSE("MIT");
MODULE_DESCRIPTION("registers much and undoes nothing, for tests of the loader");
