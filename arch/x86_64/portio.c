/* SPDX-License-Identifier: MIT */
/* portio.c - the x86 I/O port space. Functions, not inlines: modules reach them as exports, and a
 * port access costs far more than the call. */

#include <weft/arch.h>
#include <weft/module.h>

#define DEFINE_PORT(suffix, type)                                                    \
	type in##suffix(u16 port)                                                    \
	{                                                                            \
		type v;                                                              \
		__asm__ __volatile__("in" #suffix " %1, %0" : "=a"(v) : "Nd"(port)); \
		return v;                                                            \
	}                                                                            \
	void out##suffix(u16 port, type v)                                           \
	{                                                                            \
		__asm__ __volatile__("out" #suffix " %0, %1" ::"a"(v), "Nd"(port));  \
	}

DEFINE_PORT(b, u8)
DEFINE_PORT(w, u16)
DEFINE_PORT(l, u32)

EXPORT(inb);
EXPORT(inw);
EXPORT(inl);
EXPORT(outb);
EXPORT(outw);
EXPORT(outl);
