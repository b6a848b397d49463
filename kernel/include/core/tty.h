/* SPDX-License-Identifier: MIT */
/* core/tty.h - terminals: line discipline and job control over a pair of driver callbacks. */
#pragma once

#include <weft/file.h>

struct tty;

/* The process side's questions; kernel/proc keeps struct proc.ctty with one reference each. */
struct tty *tty_get(struct tty *t);
void tty_put(struct tty *t);
void tty_session_exit(struct tty *t, int sid); /* the leader died: hang up, release */
u32 tty_device(struct tty *t);		       /* makedev number, for /proc/PID/stat */
int tty_foreground(struct tty *t);	       /* process group, for tpgid */

void tty_init(void);	 /* /dev/tty, console, ttyS0, tty1, ptmx, pts */
void console_init(void); /* after memory: screen and serial take over from early output */
void dev_init(void);	 /* null zero full random urandom kmsg */
void random_init(void);
void sysrq_init(void);
