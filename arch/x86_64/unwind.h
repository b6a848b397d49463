/* SPDX-License-Identifier: MIT */
/* unwind.h - one step up a stack by call frame information: the .eh_frame that the compiler writes
 * for C and cfi.inc for assembly (DWARF 5 section 6.4, LSB 5.0 Core Generic 10.6). Neither table
 * nor stack is trusted: every access is bounded or checked, every loop ends with its input. No
 * locks, no memory, 1.5 KiB of stack: fit for a panic. */
#pragma once

#include <weft/types.h>

/* DWARF numbers of the registers (psABI for x86-64, figure 3.36). */
enum {
	UNWIND_RAX,
	UNWIND_RDX,
	UNWIND_RCX,
	UNWIND_RBX,
	UNWIND_RSI,
	UNWIND_RDI,
	UNWIND_RBP,
	UNWIND_RSP,
	UNWIND_R8, /* to R15 one after the other */
	UNWIND_R12 = 12,
	UNWIND_RIP = 16,
	UNWIND_REGS
};

struct unwind_table {
	const u8 *start, *end; /* stays mapped while it is used */
};

struct unwind_state {
	u64 reg[UNWIND_REGS];
	u32 known;  /* bit n: reg[n] is */
	bool exact; /* rip is where it stopped; else what a call will return to */
};

enum unwind_result {
	UNWIND_CALLER,	 /* s is the caller's frame now */
	UNWIND_END,	 /* nobody called: a thread's start, or an entry from user mode */
	UNWIND_UNLISTED, /* no entry for rip */
	UNWIND_BAD,	 /* table or stack make no sense, or say what this does not understand */
};

/* But for UNWIND_CALLER s is as before. A caller's stack pointer is above its callee's; only that
 * of a trap may be anywhere. Any context. */
enum unwind_result unwind_step(struct unwind_state *s, struct unwind_table table);

/* The user's: the word at va, or false when it is not to be read. */
bool unwind_read(u64 va, u64 *word);
