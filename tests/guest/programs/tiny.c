/* SPDX-License-Identifier: MIT */
/* tiny.c - the smallest program worth damaging: code, read-only data, data and bss, and exit(0)
 * when all of them hold what they should. */
static const char text[] = "constant";
static char data[] = "data";
static char bss[8192];

__attribute__((noreturn)) void _start(void)
{
	const volatile char *t = text, *d = data, *b = bss;
	long status = !(t[0] == 'c' && d[0] == 'd' && b[0] == 0 && b[8191] == 0);

	__asm__ volatile("syscall" : : "a"(231L), "D"(status));
	__builtin_unreachable();
}
