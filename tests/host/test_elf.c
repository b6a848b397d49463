/* SPDX-License-Identifier: MIT */
/* test_elf.c - the checks before a program is loaded: good files give the plan they should, each
 * kind of broken one ENOEXEC, and whatever random damage passes still has segments that lie where
 * they may. */
/* sources: kernel/proc/elf_check.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <uapi/errno.h>

#include "kernel/proc/elf.h"

#define LIMIT 0x7ffffffff000ull
#define NR 6

struct file {
	struct elf_ehdr eh;
	struct elf_phdr ph[NR];
};

static u32 seed = 3;

static u32 rnd(void)
{
	seed = seed * 1664525 + 1013904223;
	return seed >> 8;
}

/* Read-only, code and data with a bss, an interpreter and a stack note. */
static struct file good(u16 type)
{
	u64 base = type == ET_EXEC ? 0x400000 : 0;

	return (struct file){
		.eh = {
			.ident = { 0x7f, 'E', 'L', 'F', 2, 1, 1 },
			.type = type, .machine = 62, .version = 1, .entry = base + 0x1100,
			.phoff = 64, .ehsize = 64, .phentsize = 56, .phnum = NR,
		},
		.ph = {
			{ 6, PF_R, 64, base + 64, 0, NR * 56, NR * 56, 8 },
			{ 3, PF_R, 0x400, base + 0x400, 0, 28, 28, 1 },
			{ 1, PF_R, 0, base, 0, 0x800, 0x800, 0x1000 },
			{ 1, PF_R | PF_X, 0x1000, base + 0x1000, 0, 0x1234, 0x1234, 0x1000 },
			{ 1, PF_R | PF_W, 0x2e10, base + 0x3e10, 0, 0x210, 0x5000, 0x1000 },
			{ 0x6474e551, PF_R | PF_W, 0, 0, 0, 0, 0, 16 },
		},
	};
}

static int plan_of(const struct file *f, struct elf_plan *plan)
{
	int err = elf_check_header(&f->eh, ELF_HEAD_SIZE);

	if (err)
		return err;
	/* exec has read phnum headers; the array here has only NR */
	if (f->eh.phnum > NR)
		return -ENOEXEC;
	return elf_make_plan(&f->eh, f->ph, LIMIT, plan);
}

static void good_files(void **state)
{
	struct file f = good(ET_EXEC);
	struct elf_plan p;

	assert_int_equal(plan_of(&f, &p), 0);
	assert_int_equal(p.nr_segs, 3);
	assert_int_equal(p.low, 0x400000);
	assert_int_equal(p.high, 0x409000);
	assert_int_equal(p.brk, 0x408e10);
	assert_int_equal(p.phdr, 0x400040);
	assert_int_equal(p.code_start, 0x401000);
	assert_int_equal(p.code_end, 0x402234);
	assert_int_equal(p.interp_size, 28);
	assert_false(p.exec_stack);
	f = good(ET_DYN);
	f.ph[5].flags |= PF_X;
	f.ph[4].align = 0x200000;
	assert_int_equal(plan_of(&f, &p), 0);
	assert_int_equal(p.low, 0);
	assert_true(p.exec_stack);
	assert_int_equal(p.align, 0x200000);
}

static void short_or_foreign(void **state)
{
	struct file f = good(ET_EXEC);

	assert_int_equal(elf_check_header(&f.eh, sizeof(f.eh) - 1), -ENOEXEC);
	assert_int_equal(elf_check_header(&f.eh, 0), -ENOEXEC);
	f.eh.machine = 3;
	assert_int_equal(elf_check_header(&f.eh, ELF_HEAD_SIZE), -ENOEXEC);
	f = good(1);
	assert_int_equal(elf_check_header(&f.eh, ELF_HEAD_SIZE), -ENOEXEC);
	for (u32 i = 0; i < 7; i++) {
		f = good(ET_EXEC);
		f.eh.ident[i] ^= 1;
		assert_int_equal(elf_check_header(&f.eh, ELF_HEAD_SIZE), -ENOEXEC);
	}
}

/* One field each, to a value that must be refused. */
static void broken_fields(void **state)
{
	static const struct {
		size_t at;
		u8 size;
		u64 value;
	} bad[] = {
		{ offsetof(struct file, eh.phnum), 2, 0 },
		{ offsetof(struct file, eh.phnum), 2, 0xffff },
		{ offsetof(struct file, eh.phentsize), 2, 32 },
		{ offsetof(struct file, eh.phoff), 8, ~0ull - 55 },
		{ offsetof(struct file, eh.entry), 8, ~0ull },
		{ offsetof(struct file, eh.entry), 8, LIMIT },
		{ offsetof(struct file, ph[3].filesz), 8, 0x1235 },
		{ offsetof(struct file, ph[3].filesz), 8, ~0ull },
		{ offsetof(struct file, ph[3].memsz), 8, ~0ull },
		{ offsetof(struct file, ph[3].memsz), 8, LIMIT },
		{ offsetof(struct file, ph[3].vaddr), 8, 0x401001 },
		{ offsetof(struct file, ph[3].vaddr), 8, 0x400000 },
		{ offsetof(struct file, ph[3].vaddr), 8, 0xffffffff80001000ull },
		{ offsetof(struct file, ph[3].vaddr), 8, 0xfffffffffffff000ull },
		{ offsetof(struct file, ph[4].offset), 8, 0x2e11 },
		{ offsetof(struct file, ph[4].offset), 8, 0xfffffffffffffe10ull },
		{ offsetof(struct file, ph[4].memsz), 8, 0x10 },
		{ offsetof(struct file, ph[1].filesz), 8, 1 },
		{ offsetof(struct file, ph[1].filesz), 8, 5000 },
		{ offsetof(struct file, ph[2].vaddr), 8, 0x1000 },
	};
	struct elf_plan p;

	for (u32 i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct file f = good(ET_EXEC);

		memcpy((u8 *)&f + bad[i].at, &bad[i].value, bad[i].size);
		if (plan_of(&f, &p) != -ENOEXEC)
			fail_msg("case %u was taken", i);
	}
}

static void check_plan(const struct elf_plan *p)
{
	u64 end = 0;

	assert_in_range(p->nr_segs, 1, ELF_MAX_SEGS);
	assert_true(p->low < p->high && p->high <= LIMIT);
	assert_true(p->align >= 4096 && !(p->align & (p->align - 1)));
	for (u32 i = 0; i < p->nr_segs; i++) {
		const struct elf_seg *s = &p->seg[i];

		assert_true(s->filesz <= s->memsz && s->memsz);
		assert_true((s->vaddr & ~0xfffull) >= end);
		assert_true(s->vaddr + s->memsz > s->vaddr);
		assert_int_equal(s->vaddr % 4096, s->offset % 4096);
		assert_true(s->offset + s->filesz >= s->offset);
		end = (s->vaddr + s->memsz + 4095) & ~0xfffull;
		assert_true(end <= p->high);
	}
	assert_true(p->interp_size <= 4096);
}

static void random_damage(void **state)
{
	struct elf_plan p;
	u32 taken = 0;

	for (u32 i = 0; i < 400000; i++) {
		struct file f = good(i & 1 ? ET_EXEC : ET_DYN);
		u32 hits = 1 + rnd() % 4;

		while (hits--) {
			u32 at = rnd() % sizeof(f);

			switch (rnd() % 3) {
			case 0:
				((u8 *)&f)[at] = (u8)rnd();
				break;
			case 1:
				((u8 *)&f)[at] ^= (u8)(1u << rnd() % 8);
				break;
			default:
				memset((u8 *)&f + (at & ~7u), rnd() & 1 ? 0xff : 0, 8);
			}
		}
		if (!plan_of(&f, &p)) {
			check_plan(&p);
			taken++;
		}
	}
	assert_true(taken > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_files),
		cmocka_unit_test(short_or_foreign),
		cmocka_unit_test(broken_fields),
		cmocka_unit_test(random_damage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
