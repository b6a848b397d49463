/* SPDX-License-Identifier: MIT */
/* pipe.h - the ring of pages behind a pipe, for those who move whole pieces of it (splice.c). */
#pragma once

#include "fs.h"

#define PIPE_DEFAULT_PAGES 16

struct pipe {
	struct mutex lock;
	/* guarded by lock */
	u64 head, tail; /* bytes written and read so far; page = (byte / 4096) % nr */
	u32 nr;		/* pages of the ring, a power of two */
	void **page;
	u32 readers, writers;
	u32 r_opens, w_opens; /* how often each end was opened: FIFO openers wait for a change */
	u32 refs;	      /* open files; guarded by fifo_lock too where an inode points here */
	struct wait_queue rd, wr; /* readers wait in rd, writers in wr; open waits in both */
	void *first_ring[PIPE_DEFAULT_PAGES];
};

struct pipe *pipe_of(struct file *f); /* NULL: no pipe */

/* Without the lock only a hint: the two counters may be seen in passing. */
static inline u64 pipe_used(const struct pipe *p)
{
	return READ_ONCE(p->head) - READ_ONCE(p->tail);
}

/* The page that is being read is not written to before it is read empty and given back. */
static inline u64 pipe_room(const struct pipe *p)
{
	u64 end = ALIGN_DOWN(READ_ONCE(p->tail), PAGE_SIZE) + READ_ONCE(p->nr) * PAGE_SIZE;

	return end - READ_ONCE(p->head);
}

static inline void **pipe_slot(struct pipe *p, u64 pos)
{
	return &p->page[pos >> PAGE_SHIFT & (p->nr - 1)];
}

/* Waiters look at the ring after they have queued, this side at the queue after it changed the
 * ring. */
static inline void pipe_wake(struct wait_queue *q, u32 key)
{
	smp_mb();
	if (wait_queue_active(q))
		wake_up_key(q, key);
}

/* These three with the lock held. */
int pipe_ensure_page(struct pipe *p, u64 pos); /* memory for the byte at pos; -ENOMEM */
void pipe_consume(struct pipe *p, size_t n);   /* n <= pipe_used */
/* Lets the lock go until n bytes have room or nobody reads; 0, -EAGAIN (wait false), a signal. */
int pipe_wait_room(struct pipe *p, size_t n, bool wait);
/* read(2) and write(2) */
long pipe_read_iter(struct file *f, struct iov_iter *to, bool wait);
long pipe_write_iter(struct file *f, struct iov_iter *from, bool wait);
