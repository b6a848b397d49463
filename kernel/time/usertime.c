/* SPDX-License-Identifier: MIT */
/* usertime.c - the time structures of user space, as nanoseconds. */
#include <core/syscall.h>
#include <weft/time.h>
#include <weft/uaccess.h>

int timespec_from_user(u64 user, u64 *ns)
{
	struct timespec64 ts;

	if (copy_from_user(&ts, (void __user *)user, sizeof(ts)))
		return -EFAULT;
	if (ts.sec < 0 || ts.nsec < 0 || (u64)ts.nsec >= NSEC_PER_SEC)
		return -EINVAL;
	ts.sec = min(ts.sec, (s64)USER_SECONDS_MAX);
	*ns = (u64)ts.sec * NSEC_PER_SEC + (u64)ts.nsec;
	return 0;
}

int timespec_to_user(u64 user, u64 ns)
{
	struct timespec64 ts = { (s64)(ns / NSEC_PER_SEC), (s64)(ns % NSEC_PER_SEC) };

	return copy_to_user((void __user *)user, &ts, sizeof(ts));
}

struct itimerspec64 {
	struct timespec64 interval, value;
};

int itimerspec_from_user(u64 user, u64 *value, u64 *interval)
{
	int err = timespec_from_user(user + offsetof(struct itimerspec64, interval), interval);

	return err ? err : timespec_from_user(user + offsetof(struct itimerspec64, value), value);
}

int itimerspec_to_user(u64 user, u64 value, u64 interval)
{
	int err = timespec_to_user(user + offsetof(struct itimerspec64, interval), interval);

	return err ? err : timespec_to_user(user + offsetof(struct itimerspec64, value), value);
}
