/* SPDX-License-Identifier: MIT */
/* test_parse.c - numbers from user space: the whole text is one, in range, or it is refused. */
/* sources: kernel/lib/parse.c kernel/lib/string.c */
/* cflags: -include tests/host/own_names.h */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <limits.h>

extern int kstrtoull(const char *s, unsigned int base, unsigned long long *out);
extern int kstrtoll(const char *s, unsigned int base, long long *out);
extern int kstrtoint(const char *s, unsigned int base, int *out);
extern int kstrtoints(const char *s, int *out, unsigned int n);

static void accepts(void **state)
{
	static const struct {
		const char *text;
		unsigned int base;
		unsigned long long value;
	} good[] = {
		{ "0", 0, 0 },
		{ "10", 10, 10 },
		{ "0x1f", 0, 31 },
		{ "1F", 16, 31 },
		{ "017", 0, 15 },
		{ "42\n", 10, 42 },
		{ "18446744073709551615", 10, ULLONG_MAX },
		{ "101", 2, 5 },
	};

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		unsigned long long v = 99;

		assert_int_equal(kstrtoull(good[i].text, good[i].base, &v), 0);
		assert_int_equal(v, good[i].value);
	}
}

static void refuses(void **state)
{
	static const char *const bad[] = { "",	    "\n",  " 1",  "1 ",	 "x", "0x",
					   "1\n\n", "12a", "--1", "+-1", "-1" };
	unsigned long long v = 99;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(kstrtoull(bad[i], 0, &v), -EINVAL);
	assert_int_equal(kstrtoull("18446744073709551616", 10, &v), -ERANGE);
	assert_int_equal(v, 99);
}

static void signed_range(void **state)
{
	long long v;
	int i;

	assert_int_equal(kstrtoll("-9223372036854775808", 10, &v), 0);
	assert_true(v == LLONG_MIN);
	assert_int_equal(kstrtoll("9223372036854775808", 10, &v), -ERANGE);
	assert_int_equal(kstrtoll("-9223372036854775809", 10, &v), -ERANGE);
	assert_int_equal(kstrtoint("-2147483648", 10, &i), 0);
	assert_int_equal(i, INT_MIN);
	assert_int_equal(kstrtoint("2147483648", 10, &i), -ERANGE);
}

static void several(void **state)
{
	int v[3] = { 0 };

	assert_int_equal(kstrtoints("1 2\t0x3\n", v, 3), 0);
	assert_int_equal(v[0] + 10 * v[1] + 100 * v[2], 321);
	assert_int_equal(kstrtoints("  -7  ", v, 1), 0);
	assert_int_equal(v[0], -7);
	assert_int_equal(kstrtoints("1 2", v, 3), -EINVAL);
	assert_int_equal(kstrtoints("1 2 3 4", v, 3), -EINVAL);
	assert_int_equal(kstrtoints("1,2", v, 2), -EINVAL);
	assert_int_equal(kstrtoints("", v, 1), -EINVAL);
	assert_int_equal(kstrtoints("99999999999999999999", v, 1), -ERANGE);
	assert_int_equal(kstrtoints("4294967296", v, 1), -ERANGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accepts),
		cmocka_unit_test(refuses),
		cmocka_unit_test(signed_range),
		cmocka_unit_test(several),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
