/* SPDX-License-Identifier: MIT */
/* test_random.c - ChaCha20 against RFC 8439's vectors, and the generator on top of it. */
/* cflags: -Itests/host/tty */
/* sources: kernel/dev/chacha.c kernel/dev/random.c tests/host/tty_env.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tty_env.h"

#include <core/tty.h>
#include <weft/arch.h>
#include <weft/printk.h>
#include <weft/random.h>

#include "kernel/dev/chacha.h"
#include "kernel/dev/random_priv.h"

static u64 seeds;

u64 arch_random_seed(u64 *out)
{
	*out = seeds ? seeds++ : 0;
	return seeds ? 64 : 0;
}

u64 arch_rtc_seconds(void)
{
	return 1700000000;
}

int printk(const char *fmt, ...)
{
	return 0;
}

static void block_is(const u8 key[32], u32 counter, const u8 nonce[12], const char *hex)
{
	struct chacha c;
	u8 out[64];
	char text[129];

	chacha_init(&c, key, counter, nonce);
	chacha_block(&c, out);
	for (int i = 0; i < 64; i++) {
		static const char digits[] = "0123456789abcdef";

		text[2 * i] = digits[out[i] >> 4];
		text[2 * i + 1] = digits[out[i] & 15];
	}
	text[128] = 0;
	assert_string_equal(text, hex);
	assert_int_equal(c.w[12], counter + 1);
}

/* RFC 8439 2.3.2, and appendix A.1 vectors 1, 2, 3 and 4 */
static void rfc8439_blocks(void **state)
{
	static const u8 nonce232[12] = { 0, 0, 0, 9, 0, 0, 0, 0x4a };
	static const u8 zero[32];
	u8 key[32];

	for (int i = 0; i < 32; i++)
		key[i] = i;
	block_is(key, 1, nonce232,
		 "10f1e7e4d13b5915500fdd1fa32071c4c7d1f4c733c068030422aa9ac3d46c4e"
		 "d2826446079faa0914c2d705d98b02a2b5129cd1de164eb9cbd083e8a2503c4e");
	block_is(zero, 0, zero,
		 "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7"
		 "da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586");
	block_is(zero, 1, zero,
		 "9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed"
		 "29b721769ce64e43d57133b074d839d531ed1f28510afb45ace10a1f4b794d6f");
	memset(key, 0, sizeof(key));
	key[31] = 1;
	block_is(key, 1, zero,
		 "3aeb5224ecf849929b9d828db1ced4dd832025e8018b8160b82284f3c949aa5a"
		 "8eca00bbb4a73bdad192b5c42f73f2fd4e273644c8b36125a64addeb006c13a0");
	memset(key, 0, sizeof(key));
	key[1] = 0xff;
	block_is(key, 2, zero,
		 "72d54dfbf12ec44b362692df94137f328fea8da73990265ec1bbbea1ae9af0ca"
		 "13b25aa26cb4a648cb9b9d1be65b2c0924a66c54d545ec1b7374f4872e99f096");
}

static void output_never_repeats(void **state)
{
	u8 a[100], b[100];

	random_bytes(a, sizeof(a));
	random_bytes(b, sizeof(b));
	assert_memory_not_equal(a, b, 32);
	assert_memory_not_equal(a + 32, b + 32, 32);
	for (size_t n = 0; n < sizeof(a); n++) {
		memset(a, 0, sizeof(a));
		random_bytes(a, n);
		for (size_t i = n; i < sizeof(a); i++)
			assert_int_equal(a[i], 0);
	}
}

static void bits_are_balanced(void **state)
{
	static u8 bytes[65536];
	u32 ones = 0;

	random_bytes(bytes, sizeof(bytes));
	for (size_t i = 0; i < sizeof(bytes); i++)
		ones += __builtin_popcount(bytes[i]);
	/* 262144 expected, standard deviation 362 */
	assert_true(ones > 262144 - 2200 && ones < 262144 + 2200);
}

static void below_is_uniform(void **state)
{
	u32 count[7] = { 0 };

	for (int i = 0; i < 70000; i++)
		count[random_below(7)]++;
	for (int i = 0; i < 7; i++)
		assert_true(count[i] > 9500 && count[i] < 10500);
	assert_int_equal(random_below(1), 0);
}

static void fills_only_by_entropy(void **state)
{
	seeds = 0;
	random_init(); /* its clock here ticks evenly: jitter gives nothing */
	assert_false(random_ready());
	random_add("x", 1, 0);
	assert_int_equal(random_entropy_bits(), 0);
	random_add("abc", 3, 24);
	assert_int_equal(random_entropy_bits(), 24);
	random_add("abc", 3, 1 << 30);
	assert_true(random_ready());
	assert_int_equal(random_entropy_bits(), RANDOM_POOL_BITS);
}

static void seed_changes_output(void **state)
{
	u8 a[32], b[32];

	seeds = 1;
	random_init();
	assert_true(random_ready());
	random_bytes(a, sizeof(a));
	random_reseed();
	random_bytes(b, sizeof(b));
	assert_memory_not_equal(a, b, sizeof(a));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rfc8439_blocks),      cmocka_unit_test(fills_only_by_entropy),
		cmocka_unit_test(seed_changes_output), cmocka_unit_test(output_never_repeats),
		cmocka_unit_test(bits_are_balanced),   cmocka_unit_test(below_is_uniform),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
