/* SPDX-License-Identifier: MIT */
/* sched.h - what a module may know of threads: start and stop its own, sleep, and ask who is
 * calling. Threads live in the core; struct thread is opaque here. */
#pragma once

#include <weft/err.h>
#include <weft/preempt.h>

struct thread;
struct proc;

/* Creates and starts a kernel thread named fmt. ERR_PTR on failure. Process context. The calling
 * module's ledger owns it. */
struct thread *kthread_run(int (*fn)(void *arg), void *arg, const char *fmt, ...) __printf(3, 4);
/* Asks t to end (kthread_should_stop becomes true, t is woken), waits for it; its fn's return
 * value. */
int kthread_stop(struct thread *t);
bool kthread_should_stop(void);

void yield(void);
/* Process context. The remaining ns when a signal ended the sleep early (interruptible one
 * only). */
void sleep_ns(u64 ns);
u64 sleep_ns_interruptible(u64 ns);
/* A signal is waiting for the calling thread: interruptible sleeps end with -ERESTARTSYS. */
bool signal_pending(void);

int current_pid(void); /* process id (tgid) of the caller, 0 for kernel threads */
/* The caller may do privileged things: effective user id 0. -EPERM or 0. */
int require_root(void);
u32 current_uid(void); /* effective */
u32 current_gid(void);
