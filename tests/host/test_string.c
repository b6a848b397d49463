/* SPDX-License-Identifier: MIT */
/* test_string.c - the kernel's string functions agree with the C library's on random short strings,
 * and strscpy always terminates. */
/* sources: kernel/lib/string.c kernel/lib/parse.c */
/* cflags: -include tests/host/own_names.h */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <errno.h>

#undef memchr
#undef strlen
#undef strnlen
#undef strcmp
#undef strncmp
#undef strchr
#undef strrchr
#undef strstr
extern void *memchr(const void *s, int c, size_t n);
extern size_t strlen(const char *s), strnlen(const char *s, size_t max);
extern int strcmp(const char *a, const char *b), strncmp(const char *a, const char *b, size_t n);
extern char *strchr(const char *s, int c), *strrchr(const char *s, int c);
extern char *strstr(const char *hay, const char *needle);
extern long strscpy(char *d, const char *s, size_t size);

static int sign(int v)
{
	return (v > 0) - (v < 0);
}

/* A heap string of up to 7 letters of a small alphabet, so that matches are frequent. */
static char *random_string(void)
{
	int n = rand() % 8;
	char *s = malloc(n + 1);

	for (int i = 0; i < n; i++)
		s[i] = "ab\xff"[rand() % 3];
	s[n] = 0;
	return s;
}

static void agree_with_libc(void **state)
{
	srand(1);
	for (int round = 0; round < 20000; round++) {
		char *a = random_string(), *b = random_string();
		size_t n = rand() % 9;
		int c = "ab\xff\0"[rand() % 4];

		assert_int_equal(weft_strlen(a), strlen(a));
		assert_int_equal(weft_strnlen(a, n), strnlen(a, n));
		assert_int_equal(sign(weft_strcmp(a, b)), sign(strcmp(a, b)));
		assert_int_equal(sign(weft_strncmp(a, b, n)), sign(strncmp(a, b, n)));
		assert_ptr_equal(weft_strchr(a, c), strchr(a, c));
		assert_ptr_equal(weft_strrchr(a, c), strrchr(a, c));
		assert_ptr_equal(weft_strstr(a, b), strstr(a, b));
		assert_ptr_equal(weft_memchr(a, c, strlen(a)), memchr(a, c, strlen(a)));
		free(a);
		free(b);
	}
}

static void strscpy_terminates(void **state)
{
	char *d = malloc(4);

	assert_int_equal(strscpy(d, "abc", 4), 3);
	assert_string_equal(d, "abc");
	assert_int_equal(strscpy(d, "abcd", 4), -E2BIG);
	assert_string_equal(d, "abc");
	assert_int_equal(strscpy(d, "", 1), 0);
	assert_string_equal(d, "");
	free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agree_with_libc),
		cmocka_unit_test(strscpy_terminates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
