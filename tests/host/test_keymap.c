/* SPDX-License-Identifier: MIT */
/* test_keymap.c - scancodes to terminal input. */
/* sources: kernel/tty/keymap.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/tty/keymap.h"

static struct keyboard kbd;
static char typed[64];

/* What a run of scancodes types. */
static const char *press(const char *codes, size_t n)
{
	size_t len = 0;

	for (size_t i = 0; i < n; i++) {
		u8 out[KEY_OUTPUT_MAX];
		u32 got;

		if (keyboard_scancode(&kbd, codes[i], out, &got) == KEY_TEXT) {
			assert_true(got <= KEY_OUTPUT_MAX);
			memcpy(typed + len, out, got);
			len += got;
		}
	}
	typed[len] = 0;
	return typed;
}

#define TYPES(codes, want) assert_string_equal(press(codes, sizeof(codes) - 1), want)

static int start(void **state)
{
	memset(&kbd, 0, sizeof(kbd));
	return 0;
}

static void letters(void **state)
{
	TYPES("\x1e\x9e\x39\x02\x1c\x0e\x2b", "a 1\r\x7f\\");
	TYPES("\x2a\x1e\x9e\x02\x2b\xaa\x1e", "A!|a");
	TYPES("\x3a\xba\x1e\x02\x2a\x1e\xaa\x3a\xba\x1e", "A1aa");
}

static void control_and_alt(void **state)
{
	TYPES("\x1d\x2e\x2c\x9d", "\x03\x1a");
	TYPES("\xe0\x1d\x20\xe0\x9d", "\x04");
	TYPES("\x38\x30\xb8\x30", "\033bb");
	TYPES("\x2a\x0f\xaa\x0f", "\033[Z\t");
}

static void function_keys(void **state)
{
	TYPES("\xe0\x48\xe0\xc8\xe0\x50\xe0\x4b\xe0\x4d", "\033[A\033[B\033[D\033[C");
	TYPES("\x3b\x3f\x40\x44\x57\x58", "\033[[A\033[[E\033[17~\033[21~\033[23~\033[24~");
	TYPES("\xe0\x47\xe0\x4f\xe0\x49\xe0\x51\xe0\x52\xe0\x53",
	      "\033[1~\033[4~\033[5~\033[6~\033[2~\033[3~");
	kbd.app_cursor = true;
	TYPES("\xe0\x48", "\033OA");
	TYPES("\xe0\x35\xe0\x1c", "/\r");
}

static void keypad(void **state)
{
	TYPES("\x48", "\033[A");
	TYPES("\x45\xc5\x48\x53\x4e", "8.+");
	TYPES("\xe0\x2a\xe0\x48", "\033[A"); /* the shift that wraps a grey key */
	TYPES("\x37", "*");
}

static void pause_and_reboot(void **state)
{
	u8 out[KEY_OUTPUT_MAX];
	u32 n;

	TYPES("\xe1\x1d\x45\xe1\x9d\xc5\x1e", "a");
	assert_false(kbd.num);
	press("\x1d\x38\xe0", 3);
	assert_int_equal(keyboard_scancode(&kbd, 0x53, out, &n), KEY_REBOOT);
	assert_int_equal(keyboard_scancode(&kbd, 0x3a, out, &n), KEY_LEDS);
}

static void any_codes(void **state)
{
	u8 out[KEY_OUTPUT_MAX];
	u32 n;

	srandom(3);
	for (int i = 0; i < 200000; i++) {
		keyboard_scancode(&kbd, random(), out, &n);
		assert_true(n <= KEY_OUTPUT_MAX);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(letters, start),
		cmocka_unit_test_setup(control_and_alt, start),
		cmocka_unit_test_setup(function_keys, start),
		cmocka_unit_test_setup(keypad, start),
		cmocka_unit_test_setup(pause_and_reboot, start),
		cmocka_unit_test_setup(any_codes, start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
