/* SPDX-License-Identifier: MIT */
/* test_printf.c - the kernel's formatted output agrees with the C library's, and never writes past
 * its buffer. */
/* sources: kernel/lib/printf.c kernel/lib/string.c */
/* cflags: -include tests/host/own_names.h */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include <limits.h>
#include <stdlib.h>

#undef snprintf
extern int snprintf(char *buf, size_t size, const char *fmt, ...);
extern int weft_snprintf(char *buf, size_t size, const char *fmt, ...);
extern int scnprintf(char *buf, size_t size, const char *fmt, ...);

/* Formats with both, into heap buffers of every size up to the whole text: ASan sees one byte too
 * many. */
#define same(...)                                                                   \
	do {                                                                        \
		char want[256];                                                     \
		int n = snprintf(want, sizeof(want), __VA_ARGS__);                  \
		for (int size = 0; size <= n + 1; size++) {                         \
			char *got = malloc(size ? size : 1);                        \
			assert_int_equal(weft_snprintf(got, size, __VA_ARGS__), n); \
			if (size) {                                                 \
				assert_memory_equal(got, want, size - 1);           \
				assert_int_equal(got[size - 1], 0);                 \
			}                                                           \
			free(got);                                                  \
		}                                                                   \
	} while (0)

static void integers(void **state)
{
	static const int values[] = { 0, 1, -1, 7, -42, 65535, INT_MAX, INT_MIN };

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		same("%d|%i|%u|%x|%X|%o", values[i], values[i], values[i], values[i], values[i],
		     values[i]);
		same("%5d|%-5d|%05d|%+d|% d|", values[i], values[i], values[i], values[i],
		     values[i]);
		same("%.3d|%8.3d|%-8.3d|%.0d|", values[i], values[i], values[i], values[i]);
		same("%#x|%#o|%#10x|", values[i], values[i], values[i]);
		same("%hd|%hhd|%hu|%hhx|", (short)values[i], (signed char)values[i],
		     (unsigned short)values[i], (unsigned char)values[i]);
		same("%ld|%lld|%lx|%llx|%zu|", (long)values[i], (long long)values[i],
		     (long)values[i], (long long)values[i], (size_t)values[i]);
	}
	same("%lld %llu", LLONG_MIN, ULLONG_MAX);
	same("%*d|%-*d|%.*d", 6, 12, 6, 12, 4, 12);
	same("%*d|", -6, 12);
}

static void strings(void **state)
{
	same("%s|%10s|%-10s|%.2s|%10.2s|", "weft", "weft", "weft", "weft", "weft");
	same("%c%c|%3c|%-3c|", 'a', 'b', 'c', 'd');
	same("100%%");
	same("%s", "");
	same("%.*s", 3, "abcdef");
	same("%02x:%02x:%02x", 0x52, 0x54, 0);
}

static void precision_reads_no_further(void **state)
{
	char *three = malloc(3), out[8];

	memcpy(three, "abc", 3);
	assert_int_equal(weft_snprintf(out, sizeof(out), "%.3s", three), 3);
	assert_string_equal(out, "abc");
	free(three);
}

static void scnprintf_says_what_it_wrote(void **state)
{
	char out[4];

	assert_int_equal(scnprintf(out, sizeof(out), "%s", "abcdef"), 3);
	assert_string_equal(out, "abc");
	assert_int_equal(scnprintf(out, 0, "%s", "abcdef"), 0);
	assert_int_equal(scnprintf(out, sizeof(out), "%d", 12), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(integers),
		cmocka_unit_test(strings),
		cmocka_unit_test(precision_reads_no_further),
		cmocka_unit_test(scnprintf_says_what_it_wrote),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
