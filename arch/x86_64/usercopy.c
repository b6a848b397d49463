/* SPDX-License-Identifier: MIT */
/* usercopy.c - range checks in front of usercopy.asm, and the table of its instructions that may
 * fault. A range that leaves the user half fails before anything is touched, so a fault address is
 * always the user's and never non-canonical. */

#include <weft/err.h>

#include "machine.h"
#include "extable.h"

struct ex_entry {
	s32 insn, fixup; /* each relative to itself */
};

size_t user_copy(void *dst, const void *src, size_t n);
long user_strncpy(char *dst, const char *src, size_t max);
int user_cmpxchg32(u32 *p, u32 old, u32 new, u32 *seen);
s64 user_get32(const u32 *p);
int user_put32(u32 *p, u32 v);
extern const struct ex_entry ex_table_start[], ex_table_end[];

u64 ex_table_find(u64 rip)
{
	/* not sorted by the linker, and only read when a program is about to be told EFAULT or a
	 * page has to be brought in: both cost far more than this scan */
	for (const struct ex_entry *e = ex_table_start; e < ex_table_end; e++) {
		if ((u64)&e->insn + e->insn == rip)
			return (u64)&e->fixup + e->fixup;
	}
	return 0;
}

static bool user_range(const void *p, size_t n)
{
	return (u64)p <= USER_END && n <= USER_END - (u64)p;
}

size_t arch_copy_from_user(void *dst, const void __user *src, size_t n)
{
	return user_range(src, n) ? user_copy(dst, src, n) : n;
}

size_t arch_copy_to_user(void __user *dst, const void *src, size_t n)
{
	return user_range(dst, n) ? user_copy(dst, src, n) : n;
}

s64 arch_get_user32(const u32 __user *p)
{
	return user_range(p, sizeof(*p)) ? user_get32(p) : -EFAULT;
}

int arch_put_user32(u32 __user *p, u32 v)
{
	return user_range(p, sizeof(*p)) ? user_put32(p, v) : -EFAULT;
}

long arch_strncpy_from_user(char *dst, const char __user *src, size_t max)
{
	size_t room;
	long n;

	if ((u64)src >= USER_END)
		return -EFAULT;
	room = USER_END - (u64)src;
	n = user_strncpy(dst, src, min(max, room));
	/* a string that runs into the end of the user half has no end */
	if (n < 0 || ((size_t)n == room && room < max))
		return -EFAULT;
	return n;
}

int arch_futex_cmpxchg(u32 __user *p, u32 old, u32 new, u32 *seen)
{
	if ((u64)p & 3)
		return -EINVAL;
	if (!user_range(p, sizeof(*p)) || user_cmpxchg32(p, old, new, seen))
		return -EFAULT;
	return 0;
}
