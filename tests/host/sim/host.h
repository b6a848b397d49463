/* SPDX-License-Identifier: MIT */
/* host.h - the driver of several machines in one process: loads them, joins them by links and runs
 * jobs in them. The driver itself is no thread of any machine; it has the process's first stack. */
#pragma once

#include "guest.h"
#include "link.h"

struct host {
	void *library;
	const struct guest_ops *ops;
};

/* Machine number n (0..): there are as many files stack-N.so as the build made. Exits when it
 * cannot. It boots when the driver first waits. */
void host_load(struct host *h, u32 n, u64 seed);
/* Runs fn in a thread of the machine and waits for its end: its result. */
long host_call(struct host *h, long (*fn)(void *), void *arg);
/* Starts it in a thread of its own; j lives until j->done. */
void host_spawn(struct host *h, struct guest_job *j, long (*fn)(void *), void *arg);
/* The world goes on for ns, or until world_wake_driver(). */
void world_run(u64 ns);
