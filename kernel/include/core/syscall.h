/* SPDX-License-Identifier: MIT */
/* core/syscall.h - one file of each subsystem defines its calls with SYSCALL(); the table gathers
 * them from a linker section, so no central list names them. */
#pragma once

#include <weft/arch.h>
#include <weft/err.h>
#include <weft/uaccess.h>

struct syscall_entry {
	u32 nr;
	const char *name;
	long (*fn)(u64 a, u64 b, u64 c, u64 d, u64 e, u64 f);
};

/* SYSCALL(0, read, a fd, b buf ...): body receives the six raw registers a..f; unused ones ignored.
 *	SYSCALL(39, getpid)
 *	{
 *		return current_proc()->pid;
 *	}
 */
#define SYSCALL(number, sname)                                                                \
	static long sys_##sname(u64 a, u64 b, u64 c, u64 d, u64 e, u64 f);                    \
	static const struct syscall_entry syscall_entry_##sname __section(".weft_syscalls")   \
		__aligned(8) = { number, #sname, sys_##sname };                               \
	static long sys_##sname(u64 a __attribute__((unused)), u64 b __attribute__((unused)), \
				u64 c __attribute__((unused)), u64 d __attribute__((unused)), \
				u64 e __attribute__((unused)), u64 f __attribute__((unused)))

extern const struct syscall_entry syscall_table_start[], syscall_table_end[]; /* kernel.ld */

/* A path from user space: 0, -EFAULT, -ENAMETOOLONG (size is PATH_MAX), -ENOENT for "". */
#define PATH_MAX 4096
int path_from_user(char *buf, u64 user, bool allow_empty);
char *path_buf_get(void); /* PATH_MAX bytes, NULL */
void path_buf_put(char *p);

/* User's time structures as ns (kernel/time/usertime.c); more than USER_SECONDS_MAX is cut to it.
 */
#define USER_SECONDS_MAX (1ll << 33) /* 272 years in ns fit into 63 bits */
struct timespec64 {
	s64 sec, nsec;
};
int timespec_from_user(u64 user, u64 *ns); /* -EFAULT, -EINVAL */
int timespec_to_user(u64 user, u64 ns);
/* struct itimerspec: an interval, then a value, in ns; errors as above */
int itimerspec_from_user(u64 user, u64 *value, u64 *interval);
int itimerspec_to_user(u64 user, u64 value, u64 interval);
