/* SPDX-License-Identifier: MIT */
/* atomic.h - counters shared between CPUs and the ordering of plain loads and stores. All
 * arithmetic is sequentially consistent unless its name says otherwise; refcount_* never goes from
 * 0 to 1. */
#pragma once

#include <weft/types.h>

#define barrier() __asm__ __volatile__("" ::: "memory")
#define smp_mb() __atomic_thread_fence(__ATOMIC_SEQ_CST)
#define smp_rmb() __atomic_thread_fence(__ATOMIC_ACQUIRE)
#define smp_wmb() __atomic_thread_fence(__ATOMIC_RELEASE)
/* Between a store to memory that a device looks at and a load of what it writes there. What
 * smp_mb() becomes would do on a machine; but QEMU up to 7.2, when it translates for one CPU only,
 * makes plain accesses of locked instructions and nothing of a fence, while its devices run on
 * another thread. Reading the time-stamp counter takes a lock of its, which is a barrier. */
#define dma_mb() __asm__ __volatile__("mfence\n\trdtsc" ::: "rax", "rdx", "memory")
#define smp_load_acquire(p) __atomic_load_n(p, __ATOMIC_ACQUIRE)
#define smp_store_release(p, v) __atomic_store_n(p, v, __ATOMIC_RELEASE)
#define xchg(p, v) __atomic_exchange_n(p, v, __ATOMIC_SEQ_CST)
/* Stores new if *p == old; true when it did. */
#define cmpxchg_bool(p, old, new)                                                          \
	({                                                                                 \
		__typeof__(*(p)) cmpxchg_old = (old);                                      \
		__atomic_compare_exchange_n(p, &cmpxchg_old, new, false, __ATOMIC_SEQ_CST, \
					    __ATOMIC_SEQ_CST);                             \
	})

struct atomic {
	int v;
};

struct atomic64 {
	s64 v;
};

#define ATOMIC_INIT(n) \
	{              \
		(n)    \
	}

static inline int atomic_read(const struct atomic *a)
{
	return __atomic_load_n(&a->v, __ATOMIC_RELAXED);
}

static inline void atomic_set(struct atomic *a, int v)
{
	__atomic_store_n(&a->v, v, __ATOMIC_RELAXED);
}

/* All return the value after the operation. */
static inline int atomic_add(struct atomic *a, int n)
{
	return __atomic_add_fetch(&a->v, n, __ATOMIC_SEQ_CST);
}

static inline int atomic_sub(struct atomic *a, int n)
{
	return __atomic_sub_fetch(&a->v, n, __ATOMIC_SEQ_CST);
}

static inline int atomic_inc(struct atomic *a)
{
	return atomic_add(a, 1);
}

static inline int atomic_dec(struct atomic *a)
{
	return atomic_sub(a, 1);
}

static inline s64 atomic64_read(const struct atomic64 *a)
{
	return __atomic_load_n(&a->v, __ATOMIC_RELAXED);
}

static inline s64 atomic64_add(struct atomic64 *a, s64 n)
{
	return __atomic_add_fetch(&a->v, n, __ATOMIC_SEQ_CST);
}

struct refcount {
	int v;
};

#define REFCOUNT_INIT(n) \
	{                \
		(n)      \
	}

static inline void refcount_set(struct refcount *r, int n)
{
	__atomic_store_n(&r->v, n, __ATOMIC_RELAXED);
}

static inline int refcount_read(const struct refcount *r)
{
	return __atomic_load_n(&r->v, __ATOMIC_RELAXED);
}

static inline void refcount_inc(struct refcount *r)
{
	__atomic_add_fetch(&r->v, 1, __ATOMIC_RELAXED);
}

/* For look-ups under RCU: false when the object is already on its way out. */
static inline bool refcount_inc_not_zero(struct refcount *r)
{
	int old = refcount_read(r);

	while (old) {
		if (__atomic_compare_exchange_n(&r->v, &old, old + 1, true, __ATOMIC_SEQ_CST,
						__ATOMIC_RELAXED))
			return true;
	}
	return false;
}

/* True when that was the last reference: the caller frees. */
static inline bool refcount_dec_and_test(struct refcount *r)
{
	return __atomic_sub_fetch(&r->v, 1, __ATOMIC_ACQ_REL) == 0;
}
