/* SPDX-License-Identifier: MIT */
/* stackguard.c - the word the compiler lays between a function's arrays and its return address,
 * and what happens when it is found changed. mm_init gives it a random value early in the boot. */
#include <weft/printk.h>
#include <weft/types.h>

extern unsigned long __stack_chk_guard;
void __stack_chk_fail(void);

unsigned long __stack_chk_guard = 0x00a9c5d31e7f0b42ul; /* a zero byte stops string overruns */

void __noreturn __stack_chk_fail(void)
{
	panic("kernel stack smashed in the function that returns to %p",
	      __builtin_return_address(0));
}
