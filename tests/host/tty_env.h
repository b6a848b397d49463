/* SPDX-License-Identifier: MIT */
/* tty_env.h - the core around kernel/tty and kernel/dev for host tests: one thread that never
 * sleeps. A wait that could only end by somebody else's doing ends as by a signal, one with a
 * time-out by turning the clock. */
#pragma once

#include <weft/types.h>

struct chrdev;

extern u64 env_time_ns;
extern u32 env_waits;	    /* sleeps so far */
extern int env_signals[16]; /* sent to process groups, oldest first */
extern u32 env_nr_signals;
extern u32 env_blocks; /* allocations alive */
/* The device registered under these numbers. */
struct chrdev *env_chrdev(u32 major, u32 minor);
/* Called from sleeps: lets a test act as the other side once. */
extern void (*env_on_sleep)(void);
