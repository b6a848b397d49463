/* SPDX-License-Identifier: MIT */
/* iter.c - copies across the user border and walks through scattered pieces of memory. The
 * architecture's copy routines refuse what leaves the user half and take care of pages that are not
 * there. */
#include <weft/arch.h>
#include <weft/module.h>
#include <weft/string.h>
#include <weft/uaccess.h>

int copy_from_user(void *dst, const void __user *src, size_t n)
{
	return arch_copy_from_user(dst, src, n) ? -EFAULT : 0;
}
EXPORT(copy_from_user);

int copy_to_user(void __user *dst, const void *src, size_t n)
{
	return arch_copy_to_user(dst, src, n) ? -EFAULT : 0;
}
EXPORT(copy_to_user);

static void skip_empty(struct iov_iter *it)
{
	while (it->nr && it->offset >= it->iov->len) {
		it->offset -= it->iov->len;
		it->iov++;
		it->nr--;
	}
}

void iter_init(struct iov_iter *it, const struct iovec *iov, u32 nr, bool kernel)
{
	it->iov = iov;
	it->nr = nr;
	it->offset = 0;
	it->count = 0;
	it->kernel = kernel;
	/* readv and its kin have refused lengths whose sum overflows; stay within bounds all the
	 * same */
	for (u32 i = 0; i < nr; i++)
		it->count += min(iov[i].len, (size_t)INT64_MAX - it->count);
	skip_empty(it);
}
EXPORT(iter_init);

void iter_advance(struct iov_iter *it, size_t n)
{
	n = min(n, it->count);
	it->count -= n;
	it->offset += n;
	skip_empty(it);
}
EXPORT(iter_advance);

/* Bytes moved between p and the n bytes at at; to: into the iterator's memory. */
static __always_inline size_t move_piece(void *at, void *p, size_t n, const struct iov_iter *it,
					 bool to)
{
	if (unlikely(it->kernel)) {
		if (to)
			memcpy(at, p, n);
		else
			memcpy(p, at, n);
		return n;
	}
	return n - (to ? arch_copy_to_user(at, p, n) : arch_copy_from_user(p, at, n));
}

static __noinline long move_scattered(void *p, size_t n, struct iov_iter *it, bool to)
{
	size_t done = 0;

	n = min(n, it->count);
	while (done < n && it->nr) {
		size_t piece = min(n - done, it->iov->len - it->offset);
		size_t moved =
			move_piece((u8 *)it->iov->base + it->offset, (u8 *)p + done, piece, it, to);

		iter_advance(it, moved);
		done += moved;
		if (moved < piece)
			break;
	}
	return done || !n ? (long)done : -EFAULT;
}

/* A fault left so many of n bytes uncopied. */
static __noinline long move_back(struct iov_iter *it, size_t n, size_t left)
{
	it->offset -= left;
	it->count += left;
	return n - left ? (long)(n - left) : -EFAULT;
}

/* Once for each direction: most copies are of one piece, and there is nothing to walk. The iterator
 * goes on first, while all of it is at hand, to a piece's end perhaps: who moves more leaves it. */
static __always_inline long move(void *p, size_t n, struct iov_iter *it, bool to)
{
	size_t offset = it->offset, left;
	u8 *at;

	/* 0 bytes too, perhaps behind the last piece */
	if (unlikely(n - 1 >= it->count || n > it->iov->len - offset))
		return move_scattered(p, n, it, to);
	at = (u8 *)it->iov->base + offset;
	it->offset = offset + n;
	it->count -= n;
	left = n - move_piece(at, p, n, it, to);
	return likely(!left) ? (long)n : move_back(it, n, left);
}

long iter_copy_from(void *dst, size_t n, struct iov_iter *it)
{
	return move(dst, n, it, false);
}
EXPORT(iter_copy_from);

long iter_copy_to(const void *src, size_t n, struct iov_iter *it)
{
	return move((void *)src, n, it, true);
}
EXPORT(iter_copy_to);
