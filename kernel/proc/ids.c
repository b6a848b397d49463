/* SPDX-License-Identifier: MIT */
/* ids.c - the short calls: who am I, what machine is this, small settings of a process, power. */
#include "proc.h"

#include <weft/printk.h>
#include <weft/string.h>
#include <weft/time.h>
#include <weft/version.h>

#define UTS_LEN 65

#define LINUX_REBOOT_MAGIC1 0xfee1deadu
#define LINUX_REBOOT_MAGIC2 0x28121969u
#define LINUX_REBOOT_MAGIC2A 0x05121996u
#define LINUX_REBOOT_MAGIC2B 0x16041998u
#define LINUX_REBOOT_MAGIC2C 0x20112000u
#define REBOOT_CAD_OFF 0u
#define REBOOT_CAD_ON 0x89abcdefu
#define REBOOT_RESTART 0x01234567u
#define REBOOT_RESTART2 0xa1b2c3d4u
#define REBOOT_HALT 0xcdef0123u
#define REBOOT_POWER_OFF 0x4321fedcu

#define PR_SET_PDEATHSIG 1
#define PR_GET_PDEATHSIG 2
#define PR_GET_DUMPABLE 3
#define PR_SET_DUMPABLE 4
#define PR_GET_KEEPCAPS 7
#define PR_SET_KEEPCAPS 8
#define PR_SET_NAME 15
#define PR_GET_NAME 16
#define PR_CAPBSET_READ 23
#define PR_CAPBSET_DROP 24
#define PR_GET_SECUREBITS 27
#define PR_SET_TIMERSLACK 29
#define PR_GET_TIMERSLACK 30
#define PR_SET_CHILD_SUBREAPER 36
#define PR_GET_CHILD_SUBREAPER 37
#define PR_SET_NO_NEW_PRIVS 38
#define PR_GET_NO_NEW_PRIVS 39
#define PR_GET_TID_ADDRESS 40
#define LAST_CAP 40
#define DEFAULT_TIMERSLACK 50000

struct utsname {
	char sysname[UTS_LEN], nodename[UTS_LEN], release[UTS_LEN], version[UTS_LEN],
		machine[UTS_LEN], domainname[UTS_LEN];
};

static struct spinlock uts_lock;
static struct utsname uts = {
	/* the two names are guarded by uts_lock */
	.sysname = "Linux",	  .nodename = "weft",  .release = WEFT_RELEASE,
	.version = "#1 SMP Weft", .machine = "x86_64", .domainname = "(none)",
};

SYSCALL(39, getpid)
{
	return current_proc()->pid;
}

SYSCALL(186, gettid)
{
	return current()->tid;
}

SYSCALL(110, getppid)
{
	struct proc *p = current_proc();
	long pid;

	spin_lock(&pid_lock);
	pid = p->parent ? p->parent->pid : 0;
	spin_unlock(&pid_lock);
	return pid;
}

SYSCALL(218, set_tid_address)
{
	current()->clear_tid = a;
	return current()->tid;
}

SYSCALL(158, arch_prctl)
{
	return arch_prctl((int)a, b);
}

/* ---- names ---- */

void hostname_set(const char *name)
{
	spin_lock(&uts_lock);
	strscpy(uts.nodename, name, UTS_LEN);
	spin_unlock(&uts_lock);
}

void domainname_set(const char *name)
{
	spin_lock(&uts_lock);
	strscpy(uts.domainname, name, UTS_LEN);
	spin_unlock(&uts_lock);
}

SYSCALL(63, uname)
{
	struct utsname copy;

	spin_lock(&uts_lock);
	copy = uts;
	spin_unlock(&uts_lock);
	return copy_to_user(uptr(a), &copy, sizeof(copy));
}

static long name_from_user(char *name, u64 user, u64 len)
{
	if (current_uid() != 0)
		return -EPERM;
	if (len >= UTS_LEN)
		return -EINVAL;
	memset(name, 0, UTS_LEN);
	return copy_from_user(name, uptr(user), len);
}

SYSCALL(170, sethostname)
{
	char name[UTS_LEN];
	long err = name_from_user(name, a, b);

	if (!err)
		hostname_set(name);
	return err;
}

SYSCALL(171, setdomainname)
{
	char name[UTS_LEN];
	long err = name_from_user(name, a, b);

	if (!err)
		domainname_set(name);
	return err;
}

/* ---- the machine ---- */

struct uapi_sysinfo {
	s64 uptime;
	u64 loads[3], totalram, freeram, sharedram, bufferram, totalswap, freeswap;
	u16 procs, pad;
	u32 pad2;
	u64 totalhigh, freehigh;
	u32 mem_unit;
	u32 pad3;
};
_Static_assert(sizeof(struct uapi_sysinfo) == 112, "Linux ABI");

SYSCALL(99, sysinfo)
{
	struct uapi_sysinfo info = { .mem_unit = 1 };
	struct mem_stats mem;
	u32 i;

	mem_stats_get(&mem);
	loadavg_get(info.loads);
	for (i = 0; i < 3; i++)
		info.loads[i] <<= 5; /* 11 fraction bits here, 16 there */
	info.uptime = (s64)DIV_ROUND_UP(ktime_get(), NSEC_PER_SEC);
	info.totalram = mem.total_pages * PAGE_SIZE;
	info.freeram = mem.free_pages * PAGE_SIZE;
	info.procs = (u16)min(thread_count(), 65535u);
	return copy_to_user(uptr(a), &info, sizeof(info));
}

SYSCALL(169, reboot)
{
	u32 magic2 = (u32)b;

	if (current_uid() != 0)
		return -EPERM;
	if ((u32)a != LINUX_REBOOT_MAGIC1 ||
	    (magic2 != LINUX_REBOOT_MAGIC2 && magic2 != LINUX_REBOOT_MAGIC2A &&
	     magic2 != LINUX_REBOOT_MAGIC2B && magic2 != LINUX_REBOOT_MAGIC2C))
		return -EINVAL;
	switch ((u32)c) {
	case REBOOT_CAD_OFF:
	case REBOOT_CAD_ON:
		return 0; /* there is no Ctrl-Alt-Del that the kernel would act on */
	case REBOOT_RESTART:
	case REBOOT_RESTART2:
		printk("restarting\n");
		arch_reboot();
	case REBOOT_POWER_OFF:
		printk("power off\n");
		arch_power_off();
		printk(KERN_ERR "the machine does not power off: halted\n");
		arch_halt();
	case REBOOT_HALT:
		printk("halted\n");
		arch_halt();
	}
	return -EINVAL;
}

SYSCALL(135, personality)
{
	u32 old = current_proc()->personality;

	if ((u32)a != 0xffffffffu)
		current_proc()->personality = (u32)a;
	return old;
}

/* ---- prctl(2) ---- */

static long set_name(u64 user)
{
	char name[sizeof(current()->comm)] = "";

	if (arch_strncpy_from_user(name, (const char __user *)uptr(user), sizeof(name) - 1) < 0)
		return -EFAULT;
	name[sizeof(name) - 1] = 0;
	strscpy(current()->comm, name, sizeof(name));
	return 0;
}

static long set_flag(u32 *flag, u64 value, u64 limit)
{
	if (value > limit)
		return -EINVAL;
	*flag = (u32)value;
	return 0;
}

static long put_int(u64 user, int value)
{
	return copy_to_user(uptr(user), &value, sizeof(value));
}

SYSCALL(157, prctl)
{
	struct proc *p = current_proc();

	switch ((int)a) {
	case PR_SET_NAME:
		return set_name(b);
	case PR_GET_NAME:
		return copy_to_user(uptr(b), current()->comm, sizeof(current()->comm));
	case PR_SET_PDEATHSIG:
		if (b > NR_SIGNALS)
			return -EINVAL;
		p->parent_death_signal = (int)b;
		return 0;
	case PR_GET_PDEATHSIG:
		return put_int(b, p->parent_death_signal);
	case PR_GET_DUMPABLE:
		return p->dumpable;
	case PR_SET_DUMPABLE:
		return set_flag(&p->dumpable, b, 1);
	case PR_GET_KEEPCAPS:
		return p->keepcaps;
	case PR_SET_KEEPCAPS:
		return set_flag(&p->keepcaps, b, 1);
	case PR_CAPBSET_READ:
		return b > LAST_CAP ? -EINVAL : 1;
	case PR_CAPBSET_DROP:
		return current_uid() ? -EPERM : b > LAST_CAP ? -EINVAL : 0;
	case PR_GET_SECUREBITS:
		return 0;
	case PR_SET_TIMERSLACK:
		return 0; /* timers here have none */
	case PR_GET_TIMERSLACK:
		return DEFAULT_TIMERSLACK;
	case PR_SET_CHILD_SUBREAPER:
		p->subreaper = b != 0;
		return 0;
	case PR_GET_CHILD_SUBREAPER:
		return put_int(b, (int)p->subreaper);
	case PR_SET_NO_NEW_PRIVS:
		if (b != 1 || c || d || e)
			return -EINVAL;
		p->no_new_privs = 1;
		return 0;
	case PR_GET_NO_NEW_PRIVS:
		return p->no_new_privs;
	case PR_GET_TID_ADDRESS:
		return copy_to_user(uptr(b), &current()->clear_tid, sizeof(u64));
	}
	return -EINVAL;
}
