/* SPDX-License-Identifier: MIT */
/* uaccess.h - copies across the user border. Process context, may sleep (the page may have to
 * come). A bad address is -EFAULT, never an oops. A kernel-side iter makes the same code serve
 * both. */
#pragma once

#include <weft/err.h>

int copy_from_user(void *dst, const void __user *src, size_t n); /* 0 or -EFAULT */
int copy_to_user(void __user *dst, const void *src, size_t n);

/* A list of pieces of user or kernel memory that a transfer walks through. */
struct iovec {
	void *base;
	size_t len;
};

struct iov_iter {
	const struct iovec *iov;
	u32 nr;	       /* pieces left, the current one included */
	size_t offset; /* into the current piece */
	size_t count;  /* bytes left in all */
	bool kernel;   /* pieces are kernel memory */
};

void iter_init(struct iov_iter *it, const struct iovec *iov, u32 nr, bool kernel);
/* Both move at most n and at most it->count bytes, advance, and return the bytes moved; less than
 * asked when the end or a bad address came (-EFAULT when nothing was moved because of it). */
long iter_copy_from(void *dst, size_t n, struct iov_iter *it);
long iter_copy_to(const void *src, size_t n, struct iov_iter *it);
void iter_advance(struct iov_iter *it, size_t n);
