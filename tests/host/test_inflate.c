/* SPDX-License-Identifier: MIT */
/* test_inflate.c - what gzip(1) packed comes out again; what is damaged or cut short is refused,
 * and no input makes the decoder touch memory that is not its own. */
/* sources: kernel/lib/inflate.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <core/inflate.h>

/* The kernel's allocator, for the decoder. */
void *kmalloc(size_t n);
void *kzalloc(size_t n);
void kfree(const void *p);
void *vmalloc(size_t n);
void vfree(const void *p);

void *kmalloc(size_t n)
{
	return malloc(n);
}

void *kzalloc(size_t n)
{
	return calloc(1, n);
}

void kfree(const void *p)
{
	free((void *)p);
}

void *vmalloc(size_t n)
{
	return malloc(n);
}

void vfree(const void *p)
{
	free((void *)p);
}

struct bytes {
	u8 *p;
	size_t n;
};

/* Exactly as large as the content, so that ASan sees each byte too many. */
static struct bytes gzip(const char *make_plain, const char *level)
{
	char command[256];
	struct bytes b = { malloc(1 << 22), 0 };
	FILE *f;

	snprintf(command, sizeof(command), "{ %s; } | gzip -n %s", make_plain, level);
	f = popen(command, "r");
	assert_non_null(f);
	b.n = fread(b.p, 1, 1 << 22, f);
	assert_int_equal(pclose(f), 0);
	b.p = realloc(b.p, b.n);
	return b;
}

static int append(void *arg, const u8 *p, size_t n)
{
	struct bytes *b = arg;

	b->p = realloc(b->p, b->n + n);
	memcpy(b->p + b->n, p, n);
	b->n += n;
	return 0;
}

static void round_trip(void **state)
{
	static const char *const level[] = { "-1", "-6", "-9" };
	static const struct {
		const char *make;
		size_t size;
	} plain[] = {
		{ "true", 0 },
		{ "printf x", 1 },
		{ "yes weft | head -c 300000", 300000 },
		{ "seq 1 100000", 588895 },
		{ "head -c 200000 /dev/urandom", 200000 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(plain); i++) {
		for (size_t k = 0; k < ARRAY_SIZE(level); k++) {
			struct bytes in = gzip(plain[i].make, level[k]), out = { NULL, 0 };
			size_t used = 0;

			assert_true(gzip_detect(in.p, in.n));
			assert_int_equal(gunzip(in.p, in.n, &used, append, &out), 0);
			assert_int_equal(used, in.n);
			assert_int_equal(out.n, plain[i].size);
			free(in.p);
			free(out.p);
		}
	}
}

static void cut_short(void **state)
{
	struct bytes in = gzip("seq 1 300", "-6");

	for (size_t n = 0; n < in.n; n++) {
		struct bytes out = { NULL, 0 };
		u8 *cut = malloc(n ? n : 1);
		size_t used;

		memcpy(cut, in.p, n);
		assert_int_equal(gunzip(cut, n, &used, append, &out), -EINVAL);
		free(cut);
		free(out.p);
	}
	free(in.p);
}

static void flipped_bits_are_noticed(void **state)
{
	struct bytes in = gzip("seq 1 300", "-6");
	int unnoticed = 0;

	/* From the compressed data on: header bytes such as the time stamp may be anything. The
	 * last byte before the check sum is filled up with bits that mean nothing, at most 7. */
	for (size_t bit = 10 * 8; bit < in.n * 8; bit++) {
		struct bytes out = { NULL, 0 };
		size_t used;
		int err;

		in.p[bit / 8] ^= 1 << bit % 8;
		err = gunzip(in.p, in.n, &used, append, &out);
		if (err)
			assert_int_equal(err, -EINVAL);
		else
			assert_int_equal(bit / 8, in.n - 9);
		unnoticed += !err;
		in.p[bit / 8] ^= 1 << bit % 8;
		free(out.p);
	}
	assert_in_range(unnoticed, 0, 7);
	free(in.p);
}

static int refuse(void *arg, const u8 *p, size_t n)
{
	return -ENOSPC;
}

static void the_writer_can_stop_it(void **state)
{
	struct bytes in = gzip("seq 1 300", "-6");
	size_t used;

	assert_int_equal(gunzip(in.p, in.n, &used, refuse, NULL), -ENOSPC);
	free(in.p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip),
		cmocka_unit_test(cut_short),
		cmocka_unit_test(flipped_bits_are_noticed),
		cmocka_unit_test(the_writer_can_stop_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
