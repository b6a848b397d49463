/* SPDX-License-Identifier: MIT */
/* syscpu.c - /sys/devices/system/cpu: which CPUs there are, where C libraries and lscpu look for
 * their number. All that were found run, and none can be taken away. */
#include "fs.h"
#include "tree.h"

#include <core/sched.h>
#include <weft/seqfile.h>

static int show_cpus(struct seq *s)
{
	return nr_cpus > 1 ? seq_printf(s, "0-%u\n", nr_cpus - 1) : seq_printf(s, "0\n");
}

static struct procfile files[] = {
	{ .path = "devices/system/cpu/online", .mode = 0444, .show = show_cpus },
	{ .path = "devices/system/cpu/possible", .mode = 0444, .show = show_cpus },
	{ .path = "devices/system/cpu/present", .mode = 0444, .show = show_cpus },
};

int syscpu_init(void)
{
	char path[40];
	int err = 0;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(files) && !err; i++)
		err = sysfile_add(&files[i]);
	for (i = 0; i < nr_cpus && !err; i++) {
		snprintf(path, sizeof(path), "devices/system/cpu/cpu%u", i);
		err = sysfs_mkdir(path);
	}
	return err;
}
