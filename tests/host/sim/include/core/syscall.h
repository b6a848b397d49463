/* SPDX-License-Identifier: MIT */
/* core/syscall.h - in the simulation a system call is a function that tests call by name. */
#pragma once

#include <weft/arch.h>
#include <weft/err.h>
#include <weft/uaccess.h>

#define SYSCALL(number, sname)                                                             \
	long sim_sys_##sname(u64 a, u64 b, u64 c, u64 d, u64 e, u64 f);                    \
	long sim_sys_##sname(u64 a __attribute__((unused)), u64 b __attribute__((unused)), \
			     u64 c __attribute__((unused)), u64 d __attribute__((unused)), \
			     u64 e __attribute__((unused)), u64 f __attribute__((unused)))

#define USER_SECONDS_MAX (1ll << 33)
struct timespec64 {
	s64 sec, nsec;
};
int timespec_from_user(u64 user, u64 *ns); /* -EFAULT, -EINVAL */
int timespec_to_user(u64 user, u64 ns);
int itimerspec_from_user(u64 user, u64 *value, u64 *interval);
int itimerspec_to_user(u64 user, u64 value, u64 interval);
