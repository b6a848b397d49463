/* SPDX-License-Identifier: MIT */
/* fake_fs_env.h - the core for host tests of kernel/fs: memory from the C library, mutexes and wait
 * queues that serve real threads, one process whose threads make system calls by number. */
#pragma once

#include <core/proc.h>
#include <core/vfs.h>

/* Brings the VFS up and makes the calling thread a process with descriptors, root and cwd. */
void fake_boot(void);
/* Makes another thread of the test a thread of that process. */
void fake_join(void);
/* A system call by its number; -ENOSYS when no file of the test defines it. */
long call(u32 nr, ...);
#define CALL(nr, ...) call(nr, ##__VA_ARGS__, 0ul, 0ul, 0ul, 0ul, 0ul, 0ul)

extern struct proc *fake_proc;
extern struct thread *fake_joined[64];
extern u32 fake_fail_every; /* every n-th allocation fails; 0: none */
extern u32 fake_signals;    /* sent by the file system: bit = number */
extern bool fake_signal_pending;
/* Blocks and pages alive. */
extern long fake_blocks, fake_pages;
/* n bytes of page-aligned memory whose pages are known as those of a boot image. */
void *fake_image(size_t n);
u32 fake_image_adopted(void);
