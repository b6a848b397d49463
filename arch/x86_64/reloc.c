/* SPDX-License-Identifier: MIT */
/* reloc.c - relocation of modules (System V ABI for x86-64, table 4.9). Modules are compiled like
 * the kernel for the top 2 GiB; anything that does not fit its field is refused, never truncated.
 */

#include <weft/err.h>
#include <weft/string.h>

#include "machine.h"

#define R_X86_64_NONE 0
#define R_X86_64_64 1
#define R_X86_64_PC32 2
#define R_X86_64_PLT32 4
#define R_X86_64_32 10
#define R_X86_64_32S 11
#define R_X86_64_PC64 24

static int store_s32(void *loc, u64 v)
{
	s32 field = (s32)v;

	if ((u64)(s64)field != v)
		return -ERANGE;
	memcpy(loc, &field, sizeof(field));
	return 0;
}

/* loc is where the bytes are written, loc_va where they will be executed or read. */
int arch_relocate(u32 type, void *loc, u64 loc_va, u64 value, s64 addend)
{
	u64 v = value + (u64)addend;
	u32 field;

	switch (type) {
	case R_X86_64_NONE:
		return 0;
	case R_X86_64_64:
		memcpy(loc, &v, sizeof(v));
		return 0;
	case R_X86_64_PC64:
		v -= loc_va;
		memcpy(loc, &v, sizeof(v));
		return 0;
	case R_X86_64_PC32:
	case R_X86_64_PLT32: /* there is no PLT: every symbol is at its final address */
		return store_s32(loc, v - loc_va);
	case R_X86_64_32S:
		return store_s32(loc, v);
	case R_X86_64_32:
		field = (u32)v;
		if (field != v)
			return -ERANGE;
		memcpy(loc, &field, sizeof(field));
		return 0;
	}
	return -ENOEXEC;
}
