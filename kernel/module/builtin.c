/* SPDX-License-Identifier: MIT */
/* builtin.c - starts the loader, and after it the modules that were linked into the kernel, in the
 * order of their dependencies. They are modules like others, but cannot leave. */
#define LOG_NAME "module: "
#include <weft/printk.h>

#include "internal.h"

extern const struct builtin_module initcalls_start[], initcalls_end[]; /* kernel.ld */
extern const struct kparam param_start[], param_end[];

static void builtin_start(const struct builtin_module *b)
{
	struct module_state *st = module_state_new(b->name);
	int err;

	if (!st) {
		pr_err("%s: no memory, not started\n", b->name);
		return;
	}
	st->builtin = true;
	st->entry = b->entry;
	st->params = param_start;
	st->nr_params = param_end - param_start;
	st->module = b->module;
	st->module->state = st;
	mutex_lock(&module_mutex);
	list_add_tail(&st->node, &modules);
	mutex_unlock(&module_mutex);
	params_from_cmdline(st);
	module_sysfs_add(st);
	err = b->entry.init ? b->entry.init() : 0;
	if (err) {
		pr_err("%s (built in): init failed: error %d\n", st->name, err);
		ledger_sweep(st->module);
	}
	/* One that failed stays listed: its code is there, and its name taken. */
	module_set_stage(st, MODULE_LIVE);
}

void modules_init(void)
{
	const struct builtin_module *b;

	module_show_init();
	kallsyms_init();
	ledger_init();
	for (b = initcalls_start; b < initcalls_end; b++)
		builtin_start(b);
}
