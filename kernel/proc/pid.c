/* SPDX-License-Identifier: MIT */
/* pid.c - the numbers. One counter per number says in how many roles it is in use: thread, process,
 * each member of a group or session of that name; it can be given out again when that is none. */
#include "proc.h"

#define FIRST_PID 2	/* 1 is init's; kernel threads are first to ask */
#define RESTART_PID 300 /* after the first round, as on Linux */

struct spinlock pid_lock = SPINLOCK_INIT;

static u16 uses[PID_MAX]; /* guarded by pid_lock, as is all here */
static int last_pid = FIRST_PID - 1;

int pid_alloc(void)
{
	int pid, i;

	spin_lock(&pid_lock);
	pid = last_pid;
	for (i = 0; i < PID_MAX; i++) {
		if (++pid >= PID_MAX)
			pid = RESTART_PID;
		if (!uses[pid]) {
			uses[pid] = 1;
			last_pid = pid;
			spin_unlock(&pid_lock);
			return pid;
		}
	}
	spin_unlock(&pid_lock);
	return -EAGAIN;
}

/* pid_lock held; of a number that is in use (or 1, at start-up). */
void pid_get(int pid)
{
	if (pid > 0)
		uses[pid]++;
}

/* pid_lock not held. Any context but interrupt. */
void pid_put(int pid)
{
	if (pid <= 0)
		return;
	spin_lock(&pid_lock);
	uses[pid]--;
	spin_unlock(&pid_lock);
}

void pid_put_locked(int pid)
{
	if (pid > 0)
		uses[pid]--;
}

int proc_last_pid(void)
{
	return last_pid;
}
