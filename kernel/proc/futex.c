/* SPDX-License-Identifier: MIT */
/* futex.c - sleeping on a word of user memory, futex(2). A word is known by its address space and
 * address, or, in a shared mapping, by its page, so that processes find each other. Each bucket has
 * a sleeping lock: the word is read under it, and reading may have to bring the page. */
#include "proc.h"

#include <weft/time.h>

#define FUTEX_WAIT 0
#define FUTEX_WAKE 1
#define FUTEX_REQUEUE 3
#define FUTEX_CMP_REQUEUE 4
#define FUTEX_WAIT_BITSET 9
#define FUTEX_WAKE_BITSET 10
#define FUTEX_PRIVATE 128u
#define FUTEX_CLOCK_REALTIME 256u
#define FUTEX_WAITERS 0x80000000u
#define FUTEX_OWNER_DIED 0x40000000u
#define FUTEX_TID_MASK 0x3fffffffu

#define NR_BUCKETS 64
#define ROBUST_LIMIT 2048

struct futex_key {
	u64 space;  /* struct proc_mm, or the page */
	u64 offset; /* address, or offset into the page */
};

struct bucket {
	struct mutex lock;
	struct list_head waiters;
};

struct waiter {
	/* guarded by the bucket's lock, which is that of key: requeueing takes both */
	struct list_head node;
	struct futex_key key;
	struct bucket *bucket; /* changes under both buckets' locks */
	u32 bitset;
	bool woken;
	struct thread *thread;
};

static struct bucket buckets[NR_BUCKETS];

_Static_assert(NR_BUCKETS == 64, "bucket_of takes 6 bits");

static struct bucket *bucket_of(const struct futex_key *k)
{
	u64 h = (k->space ^ k->offset * 0x9e3779b97f4a7c15ull) * 0xff51afd7ed558ccdull;

	return &buckets[h >> 58];
}

/* -EFAULT, -EINVAL (not aligned). */
static int key_get(u64 uaddr, bool private, struct futex_key *key)
{
	struct proc_mm *mm = current_proc()->mm;
	phys_addr_t pa = 0;
	struct vma *v;
	u32 word, flags;

	if (uaddr & 3)
		return -EINVAL;
	*key = (struct futex_key){ (u64)mm, uaddr };
	if (private)
		return uaddr < USER_END ? 0 : -EFAULT;
	/* brings the page of a shared mapping */
	if (copy_from_user(&word, uptr(uaddr), sizeof(word)))
		return -EFAULT;
	mutex_lock(&mm->lock);
	v = mm_find_vma(mm, uaddr);
	if (v && (v->flags & VM_SHARED)) {
		pa = arch_lookup(mm->pgd, ALIGN_DOWN(uaddr, PAGE_SIZE), &flags);
		if (pa)
			*key = (struct futex_key){ pa, uaddr & (PAGE_SIZE - 1) };
	}
	mutex_unlock(&mm->lock);
	return v ? 0 : -EFAULT;
}

static bool same_key(const struct futex_key *a, const struct futex_key *b)
{
	return a->space == b->space && a->offset == b->offset;
}

/* Bucket lock held; the waiter takes it too before it leaves, so that its frame outlives this. */
static void wake_locked(struct waiter *w)
{
	list_del(&w->node);
	smp_store_release(&w->woken, true);
	thread_wake(w->thread);
}

int futex_wake(u64 uaddr, bool private, u32 n, u32 bitset)
{
	struct waiter *w, *tmp;
	struct futex_key key;
	struct bucket *b;
	int woken = 0, err;

	if (!bitset)
		return -EINVAL;
	err = key_get(uaddr, private, &key);
	if (err)
		return err;
	b = bucket_of(&key);
	mutex_lock(&b->lock);
	list_for_each_entry_safe(w, tmp, &b->waiters, node) {
		if (!same_key(&w->key, &key) || !(w->bitset & bitset))
			continue;
		if ((u32)woken >= n)
			break;
		wake_locked(w);
		woken++;
	}
	mutex_unlock(&b->lock);
	return woken;
}

/* Takes w off its queue, which may change until its lock is held. True: it had been woken. */
static bool leave_queue(struct waiter *w)
{
	struct bucket *b;

	for (;;) {
		b = READ_ONCE(w->bucket);
		mutex_lock(&b->lock);
		if (w->bucket == b)
			break;
		mutex_unlock(&b->lock);
	}
	if (!w->woken)
		list_del(&w->node);
	mutex_unlock(&b->lock);
	return w->woken;
}

static int sleep_queued(struct waiter *w, u64 deadline)
{
	while (!smp_load_acquire(&w->woken)) {
		if (signal_pending())
			return -ERESTARTSYS;
		if (ktime_get() >= deadline)
			return -ETIMEDOUT;
		thread_set_state(THREAD_SLEEPING);
		if (READ_ONCE(w->woken)) {
			thread_set_state(THREAD_RUNNING);
			break;
		}
		sleep_once(deadline);
	}
	return 0;
}

/* deadline: ktime, ~0 for none. */
static int futex_wait(u64 uaddr, bool private, u32 value, u32 bitset, u64 deadline)
{
	struct waiter w = { .bitset = bitset, .thread = current() };
	u32 now;
	int err;

	if (!bitset)
		return -EINVAL;
	err = key_get(uaddr, private, &w.key);
	if (err)
		return err;
	w.bucket = bucket_of(&w.key);
	mutex_lock(&w.bucket->lock);
	/* a waker changes the word before it takes the lock */
	if (copy_from_user(&now, uptr(uaddr), sizeof(now)))
		err = -EFAULT;
	else if (now != value)
		err = -EAGAIN;
	else
		list_add_tail(&w.node, &w.bucket->waiters);
	mutex_unlock(&w.bucket->lock);
	if (err)
		return err;
	err = sleep_queued(&w, deadline);
	/* also after a wake-up: the waker may still be at the list */
	return leave_queue(&w) ? 0 : err;
}

static void lock_two(struct bucket *a, struct bucket *b)
{
	if (a > b)
		swap(a, b);
	mutex_lock(&a->lock);
	if (a != b)
		mutex_lock(&b->lock);
}

static void unlock_two(struct bucket *a, struct bucket *b)
{
	mutex_unlock(&a->lock);
	if (a != b)
		mutex_unlock(&b->lock);
}

static void requeue_locked(struct bucket *from, struct bucket *to, const struct futex_key *old,
			   const struct futex_key *new, u32 wake, u32 move, int *woken, int *moved)
{
	struct waiter *w, *tmp;

	list_for_each_entry_safe(w, tmp, &from->waiters, node) {
		if (!same_key(&w->key, old))
			continue;
		if ((u32)*woken < wake) {
			wake_locked(w);
			++*woken;
		} else if ((u32)*moved < move) {
			w->key = *new;
			list_move_tail(&w->node, &to->waiters);
			WRITE_ONCE(w->bucket, to);
			++*moved;
		} else {
			break;
		}
	}
}

static int futex_requeue(u64 uaddr, u64 uaddr2, bool private, int wake, int move, const u32 *expect)
{
	struct futex_key old, new;
	struct bucket *from, *to;
	int woken = 0, moved = 0, err;
	u32 now;

	if (wake < 0 || move < 0)
		return -EINVAL;
	err = key_get(uaddr, private, &old);
	if (!err)
		err = key_get(uaddr2, private, &new);
	if (err)
		return err;
	if (same_key(&old, &new))
		return futex_wake(uaddr, private, (u32)wake, ~0u);
	from = bucket_of(&old);
	to = bucket_of(&new);
	lock_two(from, to);
	if (expect && copy_from_user(&now, uptr(uaddr), sizeof(now)))
		err = -EFAULT;
	else if (expect && now != *expect)
		err = -EAGAIN;
	else
		requeue_locked(from, to, &old, &new, (u32)wake, (u32)move, &woken, &moved);
	unlock_two(from, to);
	return err ? err : expect ? woken + moved : woken;
}

/* ---- the call ---- */

/* A relative wait that a stop interrupted goes on with its deadline. */
static long futex_wait_restart(struct thread *t)
{
	u64 *r = t->restart.arg;
	int err = futex_wait(r[0], r[1], (u32)r[2], (u32)r[3], r[4]);

	if (err != -ERESTARTSYS)
		return err;
	t->restart.fn = futex_wait_restart;
	return -ERESTART_RESTARTBLOCK;
}

static long wait_call(u64 uaddr, u32 op, u32 value, u64 timeout, u32 bitset)
{
	bool private = op & FUTEX_PRIVATE, absolute = (op & 127) == FUTEX_WAIT_BITSET;
	struct thread *t = current();
	u64 deadline = ~0ull, ns;
	int err;

	if (timeout) {
		err = timespec_from_user(timeout, &ns);
		if (err)
			return err;
		if (!absolute)
			deadline = ktime_get() + ns;
		else if (op & FUTEX_CLOCK_REALTIME)
			deadline = ns - min(ns, ktime_get_real() - ktime_get());
		else
			deadline = ns;
	}
	err = futex_wait(uaddr, private, value, bitset, deadline);
	if (err != -ERESTARTSYS || !timeout)
		return err;
	t->restart.fn = futex_wait_restart;
	t->restart.arg[0] = uaddr;
	t->restart.arg[1] = private;
	t->restart.arg[2] = value;
	t->restart.arg[3] = bitset;
	t->restart.arg[4] = deadline;
	return -ERESTART_RESTARTBLOCK;
}

SYSCALL(202, futex)
{
	u32 op = (u32)b, value = (u32)c, value3 = (u32)f;
	bool private = op & FUTEX_PRIVATE;

	switch (op & ~(FUTEX_PRIVATE | FUTEX_CLOCK_REALTIME)) {
	case FUTEX_WAIT:
		return wait_call(a, op, value, d, ~0u);
	case FUTEX_WAIT_BITSET:
		return wait_call(a, op, value, d, value3);
	case FUTEX_WAKE:
		return futex_wake(a, private, value, ~0u);
	case FUTEX_WAKE_BITSET:
		return futex_wake(a, private, value, value3);
	case FUTEX_REQUEUE:
		return futex_requeue(a, e, private, (int)value, (int)d, NULL);
	case FUTEX_CMP_REQUEUE:
		return futex_requeue(a, e, private, (int)value, (int)d, &value3);
	}
	return -ENOSYS;
}

/* ---- robust lists: get_robust_list(2) ---- */

struct robust_head {
	u64 next;
	s64 futex_offset;
	u64 pending;
};

/* The owner of a lock ended: whoever waits is to know. */
static void owner_died(u64 uaddr, int tid)
{
	u32 word, seen;

	if (uaddr & 3 || copy_from_user(&word, uptr(uaddr), sizeof(word)))
		return;
	while ((word & FUTEX_TID_MASK) == (u32)tid) {
		if (arch_futex_cmpxchg((u32 __user *)uptr(uaddr), word,
				       (word & FUTEX_WAITERS) | FUTEX_OWNER_DIED, &seen))
			return;
		if (seen == word) {
			if (word & FUTEX_WAITERS)
				futex_wake(uaddr, false, 1, ~0u);
			return;
		}
		word = seen;
	}
}

void futex_robust_exit(struct thread *t)
{
	struct robust_head head;
	u64 entry, next;
	u32 n;

	if (!t->robust_list || !t->proc->mm)
		return;
	if (copy_from_user(&head, uptr(t->robust_list), sizeof(head)))
		return;
	/* bit 0 marks priority inheritance, which is not offered */
	entry = head.next & ~1ull;
	for (n = 0; n < ROBUST_LIMIT && entry != t->robust_list; n++) {
		if (copy_from_user(&next, uptr(entry), sizeof(next)))
			return;
		if (entry != (head.pending & ~1ull))
			owner_died(entry + (u64)head.futex_offset, t->tid);
		entry = next & ~1ull;
	}
	if (head.pending)
		owner_died((head.pending & ~1ull) + (u64)head.futex_offset, t->tid);
	t->robust_list = 0;
}

SYSCALL(273, set_robust_list)
{
	if (b != sizeof(struct robust_head))
		return -EINVAL;
	current()->robust_list = a;
	return 0;
}

void futex_init(void)
{
	u32 i;

	for (i = 0; i < NR_BUCKETS; i++) {
		mutex_init(&buckets[i].lock);
		list_init(&buckets[i].waiters);
	}
}
