/* SPDX-License-Identifier: MIT */
/* main.c - the boot story, told in calls. Each step may use what the steps above it gave; a failure
 * before user space runs is a panic, because there is nobody to tell. */
#include <core/module.h>
#include <core/proc.h>
#include <core/sched.h>
#include <core/tty.h>
#include <core/vfs.h>
#include <core/vm.h>
#include <weft/arch.h>
#include <weft/printk.h>
#include <weft/version.h>

static void unpack_initramfs(void)
{
	size_t size = boot_info.initrd_end - boot_info.initrd_start;
	int err;

	if (!size)
		panic("no initial root file system: boot with a module2 line in grub.cfg");
	err = initramfs_unpack(phys_to_virt(boot_info.initrd_start), size);
	if (err)
		panic("the initial root file system is unreadable: error %d", err);
}

/* The rest of the way in a thread of its own, which may sleep. */
static int start_user_space(void *arg)
{
	int err;

	(void)arg;
	arch_start_cpus();
	if (vfs_init())
		panic("no memory for the root file system");
	mm_proc_init();
	proc_settings_init();
	unpack_initramfs();
	dev_init();
	tty_init();
	sysrq_init();
	socket_init();
	pci_init();
	modules_init();
	printk("%u CPUs, user space after %llu ms\n", nr_cpus,
	       (unsigned long long)(ktime_get() / NSEC_PER_MSEC));
	err = proc_start_init();
	if (err)
		panic("no init program could be started: error %d", err);
	return 0;
}

void kmain(void)
{
	arch_init_early();
	printk("Weft " WEFT_RELEASE ", command line: %s\n", boot_info.cmdline);

	mm_init();
	arch_init_mmu();
	vmalloc_init();
	arch_choose_routines();

	sched_init();
	rcu_init();
	random_init();
	arch_init_irq();
	timers_init_cpu();
	pollers_init_cpu();
	console_init();
	workqueue_init();
	pkt_init();
	proc_init();

	if (IS_ERR(kthread_run(start_user_space, NULL, "boot")))
		panic("no memory for the first thread");
	irq_enable();
	cpu_idle();
}
