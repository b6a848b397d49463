/* SPDX-License-Identifier: MIT */
/* test_siphash.c - SipHash-2-4 against the vectors of its authors: key 00..0f, messages 00, 00 01,
 * ... */
/* sources: kernel/lib/siphash.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include <weft/random.h>

static void paper_vectors(void **state)
{
	static const struct {
		size_t length;
		u64 hash;
	} vectors[] = {
		{ 0, 0x726fdb47dd0e0e31ull },
		{ 1, 0x74f839c593dc67fdull },
		{ 8, 0x93f5f5799a932462ull },
		{ 15, 0xa129ca6149be45e5ull },
	};
	const struct siphash_key key = { { 0x0706050403020100ull, 0x0f0e0d0c0b0a0908ull } };

	for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
		u8 *message = malloc(vectors[i].length ? vectors[i].length : 1);

		for (size_t n = 0; n < vectors[i].length; n++)
			message[n] = n;
		assert_true(siphash(message, vectors[i].length, &key) == vectors[i].hash);
		free(message);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paper_vectors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
