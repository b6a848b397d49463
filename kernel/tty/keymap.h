/* SPDX-License-Identifier: MIT */
/* keymap.h - from scancodes of set 1 to what a terminal sends. Pure: no hardware, no locks; one
 * owner. */
#pragma once

#include <weft/types.h>

#define KEY_OUTPUT_MAX 8

struct keyboard {
	bool shift_left, shift_right, ctrl_left, ctrl_right, alt, alt_gr, caps, num;
	bool extended;	 /* after e0 */
	u8 skip;	 /* bytes of the Pause key left */
	bool app_cursor; /* DECCKM: set by the caller */
};

enum key_event { KEY_NOTHING, KEY_TEXT, KEY_LEDS, KEY_REBOOT };

/* Takes a scancode. KEY_TEXT: *n bytes are in out. KEY_LEDS: caps or num has changed. */
enum key_event keyboard_scancode(struct keyboard *k, u8 code, u8 out[KEY_OUTPUT_MAX], u32 *n);
