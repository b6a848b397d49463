/* SPDX-License-Identifier: MIT */
/* test_iter.c - walks through scattered memory: every way to cut a transfer into moves gives the
 * same bytes, and a fault stops it at its byte, from where it goes on when the page is there. */
/* sources: kernel/lib/iter.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <weft/uaccess.h>

#define TOTAL 24
#define PIECES 5

static u8 user[64];	   /* the pieces lie here, apart */
static const u8 *bad_from; /* from there on user memory faults; NULL: nowhere */

static size_t faulting(const void *at, size_t n)
{
	const u8 *p = at;

	if (!bad_from || p + n <= bad_from)
		return 0;
	return p >= bad_from ? n : (size_t)(p + n - bad_from);
}

size_t arch_copy_to_user(void __user *dst, const void *src, size_t n)
{
	size_t left = faulting((const void *)dst, n);

	memcpy((void *)dst, src, n - left);
	return left;
}

size_t arch_copy_from_user(void *dst, const void __user *src, size_t n)
{
	size_t left = faulting((const void *)src, n);

	memcpy(dst, (const void *)src, n - left);
	return left;
}

/* An empty piece in front, amidst and at the end. */
static void five_pieces(struct iovec *iov)
{
	static const size_t len[PIECES] = { 0, 7, 0, 17, 0 };
	u8 *at = user + 3;

	for (u32 i = 0; i < PIECES; i++, at += len[i - 1] + 5)
		iov[i] = (struct iovec){ at, len[i] };
}

/* The n-th byte of the pieces. */
static u8 *byte_of(const struct iovec *iov, size_t n)
{
	for (;; iov++) {
		if (n < iov->len)
			return (u8 *)iov->base + n;
		n -= iov->len;
	}
}

static void check_bytes(const struct iovec *iov, const u8 *data, size_t done)
{
	u32 touched = 0;

	for (size_t i = 0; i < done; i++)
		assert_int_equal(*byte_of(iov, i), data[i]);
	for (size_t i = 0; i < sizeof(user); i++)
		touched += user[i] != 0;
	assert_int_equal(touched, done);
}

/* In moves of so many bytes, a few of 0 among them, and more at the end than there is. */
static void every_step_gives_the_same(void **state)
{
	struct iovec iov[PIECES];
	u8 data[TOTAL + 30], back[TOTAL + 30];

	for (u32 i = 0; i < sizeof(data); i++)
		data[i] = i + 1;
	five_pieces(iov);
	bad_from = NULL;
	for (u32 kernel = 0; kernel < 2; kernel++) {
		for (size_t step = 1; step <= TOTAL + 1; step++) {
			struct iov_iter to, from;
			size_t done = 0;

			memset(user, 0, sizeof(user));
			memset(back, 0, sizeof(back));
			iter_init(&to, iov, PIECES, kernel);
			iter_init(&from, iov, PIECES, kernel);
			while (done < TOTAL) {
				long want = step < TOTAL - done ? (long)step : (long)(TOTAL - done);

				assert_int_equal(iter_copy_to(data + done, 0, &to), 0);
				assert_int_equal(iter_copy_to(data + done, step, &to), want);
				assert_int_equal(iter_copy_from(back + done, step, &from), want);
				done += want;
				assert_int_equal(to.count, TOTAL - done);
				check_bytes(iov, data, done);
			}
			assert_int_equal(iter_copy_to(data, 1, &to), 0);
			assert_int_equal(iter_copy_from(back, 0, &from), 0);
			assert_memory_equal(back, data, TOTAL);
		}
	}
}

/* Up to the byte, and what is behind it in the next try. */
static void a_fault_stops_at_its_byte(void **state)
{
	struct iovec iov[PIECES];
	u8 data[TOTAL], back[TOTAL];

	for (u32 i = 0; i < TOTAL; i++)
		data[i] = i + 1;
	five_pieces(iov);
	for (size_t bad = 0; bad < TOTAL; bad++) {
		for (size_t first = 0; first <= bad; first++) {
			struct iov_iter to, from;
			long want = bad - first ? (long)(bad - first) : -EFAULT;

			memset(user, 0, sizeof(user));
			iter_init(&to, iov, PIECES, false);
			iter_init(&from, iov, PIECES, false);
			bad_from = byte_of(iov, bad);
			assert_int_equal(iter_copy_to(data, first, &to), first);
			assert_int_equal(iter_copy_to(data + first, TOTAL - first, &to), want);
			assert_int_equal(to.count, TOTAL - bad);
			check_bytes(iov, data, bad);
			assert_int_equal(iter_copy_from(back, first, &from), first);
			assert_int_equal(iter_copy_from(back + first, TOTAL - first, &from), want);
			bad_from = NULL;
			assert_int_equal(iter_copy_to(data + bad, TOTAL, &to), TOTAL - bad);
			assert_int_equal(iter_copy_from(back + bad, TOTAL, &from), TOTAL - bad);
			check_bytes(iov, data, TOTAL);
			assert_memory_equal(back, data, TOTAL);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_step_gives_the_same),
		cmocka_unit_test(a_fault_stops_at_its_byte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
