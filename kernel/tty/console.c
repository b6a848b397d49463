/* SPDX-License-Identifier: MIT */
/* console.c - the hand-over of the kernel log from early output to the real consoles. */

#include "tty.h"

#include <core/tty.h>

/* The serial port first: it carries on where early output stops, in the same place. */
void console_init(void)
{
	serial_console_init();
	screen_console_init();
}
