/* SPDX-License-Identifier: MIT */
/* tty.h - one terminal: settings, line discipline state, and the driver below it.
 *
 * Locks, in the order they nest (none is held where a thread sleeps but the two mutexes):
 *   write_mutex / read_mutex  one writer, one reader at a time; process context
 *   tty->lock                 plain spin lock: process and poll context, never an interrupt handler
 *   the driver's own lock     with interrupts off: the kernel log writes to the hardware as well
 * pid_lock guards sid and pgrp and is never taken with tty->lock held: signals go out after
 * unlocking. */
#pragma once

#include "termios.h"

#include <weft/atomic.h>
#include <weft/file.h>
#include <weft/mutex.h>
#include <weft/spinlock.h>
#include <weft/wait.h>

#define TTY_INPUT_SIZE 4096 /* power of two */
#define TTY_ECHO_SIZE 1024  /* power of two */
#define TTY_LINE_MAX (TTY_INPUT_SIZE - 1)

struct tty;

/* Called with tty->lock held unless said; none may sleep then. */
struct tty_driver {
	const char *name;
	/* The first opener comes, the last one has gone. Process context, no lock. Optional. */
	int (*open)(struct tty *t);
	void (*close)(struct tty *t);
	/* Takes what fits of n bytes, returns how many. */
	size_t (*write)(struct tty *t, const u8 *p, size_t n);
	size_t (*room)(struct tty *t);
	/* Bytes accepted but not yet sent; discard: throws them away. */
	size_t (*pending)(struct tty *t, bool discard);
	/* t->termios has changed. Optional. */
	void (*set_termios)(struct tty *t);
	/* The reader has made room: hand over what tty_receive refused. Optional. */
	void (*resume)(struct tty *t);
	/* -ENOIOCTLCMD for what it does not know. Process context, no lock. Optional. */
	long (*ioctl)(struct tty *t, u32 cmd, unsigned long arg);
	void (*free)(struct tty *t); /* last reference; NULL for terminals that stay for ever */
};

/* A signal that the input asked for, sent once tty->lock is free. */
struct tty_signals {
	int sig[4];
	u32 nr;
};

struct tty {
	/* fixed once registered */
	const struct tty_driver *driver;
	void *driver_data;
	char name[16];
	u64 rdev;
	struct refcount refs;
	bool is_pty;

	/* guarded by pid_lock; read without it where a stale value does no harm */
	int sid, pgrp;

	struct mutex read_mutex, write_mutex;
	struct wait_queue read_wait, write_wait;

	/* guarded by lock */
	struct spinlock lock;
	struct termios termios;
	struct winsize winsize;
	u32 opens;	   /* live open files */
	u32 console_opens; /* those of them that survive a hang-up */
	u32 hangups;	   /* an open file with an older number is dead */
	bool exclusive;
	bool peer_closed; /* pty: nobody holds the master */
	bool stopped;	  /* output held back by VSTOP or TCOOFF */
	bool throttled;	  /* tty_receive refused bytes: driver->resume is owed */
	bool sent_stop;	  /* IXOFF: we told the other end to stop */

	/* line discipline, guarded by lock. Positions count bytes ever and are taken modulo the
	 * size. tail <= canon_head <= head: [tail, canon_head) are finished lines, the rest can be
	 * edited. */
	u32 head, canon_head, tail;
	u32 column, canon_column;
	bool lnext, erasing;
	u8 input[TTY_INPUT_SIZE];
	u8 line_end[TTY_INPUT_SIZE / 8]; /* bit: a line ends with this byte */
	u32 echo_head, echo_tail;
	u8 echo[TTY_ECHO_SIZE]; /* processed, waiting for the driver's room */
};

/* ---- n_tty.c: input ---- */
/* Bytes from the line. Poll or process context, no lock held. Returns how many were taken: fewer
 * than n when the buffer is full, and then driver->resume is called when it no longer is. */
size_t tty_receive(struct tty *t, const u8 *p, size_t n);
void tty_receive_break(struct tty *t);
/* Sends what was collected under the lock. No lock held. */
void tty_signals_send(struct tty *t, struct tty_signals *s);
void n_tty_flush_input(struct tty *t); /* lock held */
/* Adjusts the buffer to a change of ICANON. Lock held. */
void n_tty_settings_changed(struct tty *t, const struct termios *old);

/* ---- n_tty_out.c: output and echo, all with the lock held ---- */
/* Post-processes and hands to the driver; returns how many bytes of p were taken. */
size_t n_tty_output(struct tty *t, const u8 *p, size_t n);
bool n_tty_can_write(struct tty *t);
void n_tty_echo_raw(struct tty *t, u8 c);		/* as output would show it */
void n_tty_echo_char(struct tty *t, u8 c);		/* control characters as ^X */
bool n_tty_echo_flush(struct tty *t);			/* false: some is left */
u32 n_tty_width(const struct tty *t, u8 c, u32 column); /* columns it was echoed with */

/* ---- n_tty_read.c ---- */
long n_tty_read(struct tty *t, struct file *f, struct iov_iter *to);
bool n_tty_input_ready(struct tty *t);
u32 n_tty_available(struct tty *t); /* FIONREAD; lock held */

/* ---- tty.c ---- */
/* What f->priv of an open terminal is. */
struct tty_file {
	struct tty *tty;
	u32 hangups;  /* as at open */
	bool console; /* opened through /dev/console: survives a hang-up */
};
void tty_setup(struct tty *t, const struct tty_driver *driver, const char *name, u64 rdev);
/* Makes f an open file of t; takes no reference of the caller's. 0, -EIO, -EBUSY, -ENOMEM,
 * driver's. */
int tty_open_file(struct tty *t, struct file *f, bool console);
bool tty_file_hung_up(const struct tty_file *tf);
/* All open files die, the session gets SIGHUP. Process context. */
void tty_hangup(struct tty *t);
/* The driver has room again. Poll or process context, lock not held. */
void tty_write_wakeup(struct tty *t);
void tty_register(struct tty *t); /* found by number from now on; stays */
struct tty *tty_find(u64 rdev);	  /* registered ones; NULL */
long tty_write_all(struct tty *t, struct file *f, struct iov_iter *from);

/* ---- ioctl.c ---- */
long tty_ioctl_common(struct tty *t, struct file *f, u32 cmd, unsigned long arg);
void tty_set_winsize(struct tty *t, const struct winsize *ws);
u32 tty_baud(const struct termios *termios); /* bits per second; 0: hang up */
/* Waits until all output is sent. -ERESTARTSYS, -ETIMEDOUT. deadline 0: none. */
int tty_drain(struct tty *t, u64 deadline_ns);

/* ---- job.c ---- */
/* The rules for a background process. sig SIGTTIN or SIGTTOU. 0: go on; -EIO; -ERESTARTSYS. */
int tty_check_background(struct tty *t, int sig);
void tty_opened(struct tty *t, struct file *f); /* becomes the controlling terminal if it may */
struct tty *tty_controlling(void);		/* the caller's, with a reference; NULL */
long tty_job_ioctl(struct tty *t, u32 cmd, unsigned long arg); /* -ENOIOCTLCMD: not one of these */
void tty_signal_session(struct tty *t); /* hang-up: SIGHUP and SIGCONT, everyone loses it */
#define ENOIOCTLCMD 515

/* ---- devices ---- */
void pty_init(void);
void serial_init(void); /* the tty side; consoles are made by console_init */
void serial_console_init(void);
void screen_console_init(void);
void screen_init(void);
void keyboard_init(void);
struct tty *serial_tty(u32 n); /* NULL: no such port */
struct tty *screen_tty(void);  /* NULL: no screen */
bool screen_app_cursor(void);  /* DECCKM, for the keyboard */

#define TTY_MAJOR 4
#define TTYAUX_MAJOR 5
#define PTS_MAJOR 136
#define SERIAL_MINOR 64

#define SIGHUP 1
#define SIGINT 2
#define SIGQUIT 3
#define SIGCONT 18
#define SIGTSTP 20
#define SIGTTIN 21
#define SIGTTOU 22
#define SIGWINCH 28
