/* SPDX-License-Identifier: MIT */
/* test_unwind.c - the unwinder over hand-made call frame information, instruction by instruction,
 * over that of the kernel's own assembly, over that of this program from the middle of a deep call,
 * and over damaged and random tables, which must neither be read beyond nor run for ever. */
/* sources: arch/x86_64/unwind.c arch/x86_64/memroutines.asm arch/x86_64/switch.asm */
/* cflags: -Iarch/x86_64 -fasynchronous-unwind-tables */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "unwind.h"

#define CODE 0xffffffff80100000ul
#define STACK 0xffffc90000010000ul
#define WORDS 64
#define MUTATIONS 200000
#define KNOWN_AFTER_CALL 0x1f0c8u /* rbx rbp rsp r12-r15 rip */

static u64 stack[WORDS]; /* at STACK */
static bool real_memory;

bool unwind_read(u64 va, u64 *word)
{
	if (real_memory) {
		*word = *(u64 *)va;
		return true;
	}
	if (va < STACK || va >= STACK + sizeof(stack) || va & 7)
		return false;
	*word = stack[(va - STACK) / 8];
	return true;
}

/* ---- tables by hand ---- */

static u8 bytes[4096];
static size_t len;

static void put(const void *p, size_t n)
{
	memcpy(bytes + len, p, n);
	len += n;
}

static void put32(u32 v)
{
	put(&v, 4);
}

static void put64(u64 v)
{
	put(&v, 8);
}

static void entry(u32 id, const void *body, size_t n)
{
	put32(4 + n);
	put32(id);
	put(body, n);
}

/* A CIE with absolute addresses and what the compiler says at each function's start. */
static void begin(void)
{
	static const u8 body[] = { 1, 'z', 'R', 0, 1, 0x78, 16, 1, 0, 0x0c, 7, 8, 0x90, 1 };

	len = 0;
	memset(stack, 0, sizeof(stack));
	entry(0, body, sizeof(body));
}

static void function(u64 start, u64 size, const void *program, size_t n)
{
	put32(4 + 16 + 1 + n);
	put32(len);
	put64(start);
	put64(size);
	put("", 1);
	put(program, n);
}

#define FUNCTION(...)                                              \
	({                                                         \
		const u8 program_[] = { __VA_ARGS__ };             \
		begin();                                           \
		function(CODE, 0x100, program_, sizeof(program_)); \
	})

static struct unwind_state at(u64 rip, bool exact)
{
	struct unwind_state s = { .known = 0x1ffff, .exact = exact };

	for (u32 i = 0; i < 16; i++)
		s.reg[i] = 0x1000 + i;
	s.reg[UNWIND_RSP] = STACK;
	s.reg[UNWIND_RIP] = rip;
	return s;
}

static struct unwind_table table(void)
{
	return (struct unwind_table){ bytes, bytes + len };
}

static void expect_caller(u64 rip, bool exact, u64 ret, u64 rsp)
{
	struct unwind_state s = at(rip, exact);

	assert_int_equal(unwind_step(&s, table()), UNWIND_CALLER);
	assert_int_equal(s.reg[UNWIND_RIP], ret);
	assert_int_equal(s.reg[UNWIND_RSP], rsp);
	assert_false(s.exact);
}

static void expect(enum unwind_result result)
{
	struct unwind_state s = at(CODE + 0x80, true), before = s;

	assert_int_equal(unwind_step(&s, table()), result);
	assert_memory_equal(&s, &before, sizeof(s));
}

/* ---- ---- */

static void test_rows_begin_where_they_say(void **state)
{
	/* push rbx at 0, sub rsp at 2, add rsp and pop at 0x80, 0x84 */
	FUNCTION(0x41, 0x0e, 16, 0x83, 2, 0x02, 2, 0x0e, 32, 0x03, 0x7d, 0, 0x0e, 16, 0x04, 4, 0, 0,
		 0, 0x0e, 8);
	stack[0] = CODE + 0x1000;
	expect_caller(CODE, true, CODE + 0x1000, STACK + 8);
	stack[1] = CODE + 0x2000;
	expect_caller(CODE + 1, true, CODE + 0x2000, STACK + 16);
	expect_caller(CODE + 2, true, CODE + 0x2000, STACK + 16);
	stack[3] = CODE + 0x3000;
	expect_caller(CODE + 3, true, CODE + 0x3000, STACK + 32);
	/* a return address belongs to the call before it */
	expect_caller(CODE + 0x80, false, CODE + 0x3000, STACK + 32);
	expect_caller(CODE + 0x80, true, CODE + 0x2000, STACK + 16);
	expect_caller(CODE + 0x84, true, CODE + 0x1000, STACK + 8);
	expect_caller(CODE + 0x100, false, CODE + 0x1000, STACK + 8);
}

static void test_addresses_outside_have_no_entry(void **state)
{
	struct unwind_state s;
	static const u64 outside[] = { 0, CODE - 1, CODE + 0x100, ~0ul };

	FUNCTION(0x0e, 16);
	for (u32 i = 0; i < 4; i++) {
		s = at(outside[i], true);
		assert_int_equal(unwind_step(&s, table()), UNWIND_UNLISTED);
	}
	s = at(CODE, false); /* a call that ended the function before */
	assert_int_equal(unwind_step(&s, table()), UNWIND_UNLISTED);
	s = at(CODE, true);
	assert_int_equal(unwind_step(&s, (struct unwind_table){ NULL, NULL }), UNWIND_UNLISTED);
}

static void test_saved_registers_come_back_and_others_are_lost(void **state)
{
	struct unwind_state s = at(CODE, true);

	FUNCTION(0x0e, 32, 0x83, 2, 0x86, 3, 0x0a, 0x0e, 8, 0xc3, 0x0b, 0x08, 12, 0x09, 13, 3);
	stack[3] = CODE + 7;
	stack[2] = 0xb;
	stack[1] = 0xbb;
	assert_int_equal(unwind_step(&s, table()), UNWIND_CALLER);
	assert_int_equal(s.reg[UNWIND_RBX], 0xb);
	assert_int_equal(s.reg[UNWIND_RBP], 0xbb);
	assert_int_equal(s.reg[12], 0x1000 + 12);
	assert_int_equal(s.reg[13], 0x1000 + UNWIND_RBX);
	assert_int_equal(s.known, KNOWN_AFTER_CALL);
}

static void test_a_frame_may_hang_on_another_register(void **state)
{
	struct unwind_state s = at(CODE, true);

	FUNCTION(0x0c, 6, 16, 0x86, 2); /* cfa = rbp + 16 */
	s.reg[UNWIND_RBP] = STACK + 80;
	stack[11] = CODE + 0x55;
	stack[10] = 0x77;
	assert_int_equal(unwind_step(&s, table()), UNWIND_CALLER);
	assert_int_equal(s.reg[UNWIND_RIP], CODE + 0x55);
	assert_int_equal(s.reg[UNWIND_RSP], STACK + 96);
	assert_int_equal(s.reg[UNWIND_RBP], 0x77);
	s = at(CODE, true);
	s.known &= ~(1u << UNWIND_RBP);
	assert_int_equal(unwind_step(&s, table()), UNWIND_BAD);
}

static void test_undefined_return_address_is_the_end(void **state)
{
	FUNCTION(0x07, 16);
	expect(UNWIND_END);
}

static void test_what_makes_no_sense_is_refused(void **state)
{
	FUNCTION(0x0f, 1, 0x30); /* an expression */
	expect(UNWIND_BAD);
	FUNCTION(0x3f);
	expect(UNWIND_BAD);
	FUNCTION(0x0b); /* restore without remember */
	expect(UNWIND_BAD);
	FUNCTION(0x0a, 0x0a, 0x0a, 0x0a, 0x0a);
	expect(UNWIND_BAD);
	FUNCTION(0x0e, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f); /* beyond 32 bits */
	expect(UNWIND_BAD);
	FUNCTION(0x0e, 0x80, 0x80); /* ends inside */
	expect(UNWIND_BAD);
	FUNCTION(0x0d, 17);
	expect(UNWIND_BAD);
	FUNCTION(0x08, 16); /* the caller's rip is ours */
	expect(UNWIND_BAD);
	FUNCTION(0x0e, 0x80, 0x20); /* cfa 4096 up: no memory there */
	expect(UNWIND_BAD);
	FUNCTION(0x13, 1, 0x14, 16, 0); /* cfa 8 below: down the stack */
	expect(UNWIND_BAD);
}

static void test_traps_change_stacks(void **state)
{
	static const u8 cie[] = { 1, 'z',  'R', 'S', 0,	   1, 0x78, 16, 1,
				  0, 0x0c, 7,	40,  0x90, 5, 0x87, 2 };
	static const u8 program[] = { 0x0e, 48, 0x80, 6 };
	struct unwind_state s = at(CODE + 4, false);

	len = 0;
	entry(0, cie, sizeof(cie));
	function(CODE, 0x100, program, sizeof(program));
	stack[0] = 0xaaaa; /* rax, then rip cs rflags rsp ss */
	stack[1] = CODE + 0x40;
	stack[4] = STACK - 0x100000;
	assert_int_equal(unwind_step(&s, table()), UNWIND_CALLER);
	assert_true(s.exact);
	assert_int_equal(s.reg[UNWIND_RIP], CODE + 0x40);
	assert_int_equal(s.reg[UNWIND_RSP], STACK - 0x100000);
	assert_int_equal(s.reg[UNWIND_RAX], 0xaaaa);
	assert_int_equal(s.reg[UNWIND_RDX], 0x1000 + UNWIND_RDX);
	assert_int_equal(s.known, 0x1ffff);
}

static void test_second_function_and_second_cie(void **state)
{
	static const u8 cie[] = { 1, 'z', 'R', 0, 1, 0x78, 16, 1, 0, 0x0c, 7, 24, 0x90, 1 };
	static const u8 none[] = { 0 };

	FUNCTION(0x0e, 16);
	function(CODE + 0x100, 0x10, none, 1);
	stack[0] = CODE + 1;
	expect_caller(CODE + 0x101, true, CODE + 1, STACK + 8);
	size_t at_cie = len;
	entry(0, cie, sizeof(cie));
	put32(4 + 16 + 1 + 1);
	put32(len - at_cie);
	put64(CODE + 0x200);
	put64(0x10);
	put("\0", 2);
	stack[2] = CODE + 3;
	expect_caller(CODE + 0x20f, true, CODE + 3, STACK + 24);
}

/* ---- the kernel's assembly and this program ---- */

struct found {
	const void *addr;
	struct unwind_table table;
};

static int find_object(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct found *f = arg;
	bool here = false;

	for (u32 i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];

		here |= p->p_type == PT_LOAD &&
			(u64)f->addr - info->dlpi_addr - p->p_vaddr < p->p_memsz;
	}
	for (u32 i = 0; here && i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		const u8 *hdr = (const u8 *)info->dlpi_addr + p->p_vaddr;
		s32 distance;

		if (p->p_type != PT_GNU_EH_FRAME)
			continue;
		memcpy(&distance, hdr + 4, 4); /* .eh_frame from this field on (LSB 10.6.2) */
		f->table.start = hdr + 4 + distance;
		/* it ends with a zero length */
		f->table.end = (const u8 *)~0ul;
	}
	return here;
}

static struct unwind_table own_table(const void *addr)
{
	struct found f = { .addr = addr };

	dl_iterate_phdr(find_object, &f);
	assert_non_null(f.table.start);
	return f.table;
}

extern const u8 asm_switch_stack[], asm_memcpy[];

static void test_every_instruction_of_switch_stack(void **state)
{
	struct unwind_table t = own_table(asm_switch_stack);
	/* bytes of each push and pop; the two moves between */
	static const u8 sizes[] = { 1, 1, 2, 2, 2, 2, 3, 3, 2, 2, 2, 2, 1, 1 };
	static const s8 pushed[] = { 1, 1, 1, 1, 1, 1, 0, 0, -1, -1, -1, -1, -1, -1 };
	u32 words = 0, offset = 0;

	for (u32 i = 0; i <= sizeof(sizes); i++) {
		struct unwind_state s = at((u64)asm_switch_stack + offset, true);

		for (u32 w = 0; w <= words; w++)
			stack[w] = 0xc0de00 + words - w;
		assert_int_equal(unwind_step(&s, t), UNWIND_CALLER);
		assert_int_equal(s.reg[UNWIND_RIP], 0xc0de00);
		assert_int_equal(s.reg[UNWIND_RSP], STACK + 8 * words + 8);
		assert_int_equal(s.reg[UNWIND_RBX], words ? 0xc0de01 : 0x1000 + UNWIND_RBX);
		assert_int_equal(s.reg[15], words == 6 ? 0xc0de06 : 0x1000 + 15);
		if (i < sizeof(sizes)) {
			offset += sizes[i];
			words += pushed[i];
		}
	}
	assert_int_equal(asm_switch_stack[offset], 0xc3);
	stack[0] = 0xfeed;
	struct unwind_state s = at((u64)asm_memcpy, true);

	assert_int_equal(unwind_step(&s, t), UNWIND_CALLER);
	assert_int_equal(s.reg[UNWIND_RIP], 0xfeed);
}

static const void *returns[16];

/* Compares the way up with what each call on the way down said. */
static __attribute__((noipa)) bool unwinds_to(u32 depth)
{
	struct unwind_state s = { .known = KNOWN_AFTER_CALL, .exact = true };
	struct unwind_table t = own_table((const void *)unwinds_to);
	bool same = true;

	__asm__ __volatile__("mov %%rbx, 24(%0); mov %%rbp, 48(%0); mov %%rsp, 56(%0)\n\t"
			     "mov %%r12, 96(%0); mov %%r13, 104(%0); mov %%r14, 112(%0)\n\t"
			     "mov %%r15, 120(%0); lea 1f(%%rip), %%rax; mov %%rax, 128(%0)\n1:"
			     :
			     : "r"(s.reg)
			     : "rax", "memory");
	returns[depth] = __builtin_return_address(0);
	real_memory = true;
	for (u32 i = depth + 1; i-- > 0;)
		same = same && unwind_step(&s, t) == UNWIND_CALLER &&
		       (const void *)s.reg[UNWIND_RIP] == returns[i];
	real_memory = false;
	return same;
}

static __attribute__((noipa)) bool deeper(u32 depth, u32 to)
{
	volatile char room[64 * depth + 1]; /* a frame that hangs on rbp */
	bool same;

	room[0] = (char)depth;
	returns[depth] = __builtin_return_address(0);
	same = depth < to ? deeper(depth + 1, to) : unwinds_to(depth + 1);
	return same && room[0] == (char)depth;
}

static void test_this_program_unwinds(void **state)
{
	for (u32 to = 0; to < 10; to++)
		assert_true(deeper(0, to));
}

/* ---- damage ---- */

static u64 seed = 20261122;

static u32 pick(u32 n)
{
	seed = seed * 6364136223846793005ul + 1442695040888963407ul;
	return (u32)(seed >> 33) % n;
}

static void step_over(u8 *block, size_t n, u64 rip)
{
	struct unwind_state s = at(rip, pick(2));

	for (u32 i = 0; i < 40; i++) {
		if (unwind_step(&s, (struct unwind_table){ block, block + n }) != UNWIND_CALLER)
			break;
	}
}

/* In blocks of just the size, for ASan. */
static void test_truncated_tables(void **state)
{
	FUNCTION(0x41, 0x0e, 16, 0x83, 2, 0x02, 2, 0x0a, 0x0e, 32, 0x03, 0x7d, 0, 0x0b);
	for (size_t n = 0; n <= len; n++) {
		u8 *block = malloc(n + !n);

		memcpy(block, bytes, n);
		step_over(block, n, CODE + 0x90);
		free(block);
	}
}

static void test_damaged_and_random_tables(void **state)
{
	FUNCTION(0x41, 0x0e, 16, 0x83, 2, 0x0a, 0x02, 2, 0x0e, 32, 0x03, 0x7d, 0, 0x0b, 0x04, 4, 0,
		 0, 0, 0x05, 6, 1, 0x11, 3, 1, 0x12, 7, 1, 0x15, 16, 1, 0x2e, 8);
	for (u32 i = 0; i < WORDS; i++)
		stack[i] = CODE + 4 * i;
	for (u32 i = 0; i < MUTATIONS; i++) {
		size_t n = len;
		u8 *block = malloc(n);

		memcpy(block, bytes, n);
		for (u32 k = 1 + pick(3); k > 0; k--)
			block[pick(n)] = (u8)pick(256);
		if (i % 4 == 0) { /* any program at all */
			for (size_t k = 44; k < n; k++)
				block[k] = (u8)pick(256);
		}
		step_over(block, n, CODE + pick(0x110));
		free(block);
	}
}

/* A part of this program's table at another place, where its relative addresses move along. */
static void test_damaged_real_table(void **state)
{
	struct unwind_table t = own_table((const void *)deeper);
	size_t n = 0;
	u32 length;

	while (memcpy(&length, t.start + n, 4), length && n + length < sizeof(bytes) - 4)
		n += 4 + length;
	for (u32 i = 0; i < MUTATIONS / 10; i++) {
		u8 *block = malloc(n);

		memcpy(block, t.start, n);
		for (u32 k = pick(20); k > 0; k--)
			block[pick(n)] = (u8)pick(256);
		step_over(block, n, (u64)deeper - (u64)t.start + (u64)block + pick(4096) - 2048);
		free(block);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows_begin_where_they_say),
		cmocka_unit_test(test_addresses_outside_have_no_entry),
		cmocka_unit_test(test_saved_registers_come_back_and_others_are_lost),
		cmocka_unit_test(test_a_frame_may_hang_on_another_register),
		cmocka_unit_test(test_undefined_return_address_is_the_end),
		cmocka_unit_test(test_what_makes_no_sense_is_refused),
		cmocka_unit_test(test_traps_change_stacks),
		cmocka_unit_test(test_second_function_and_second_cie),
		cmocka_unit_test(test_every_instruction_of_switch_stack),
		cmocka_unit_test(test_this_program_unwinds),
		cmocka_unit_test(test_truncated_tables),
		cmocka_unit_test(test_damaged_and_random_tables),
		cmocka_unit_test(test_damaged_real_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
