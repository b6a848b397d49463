/* SPDX-License-Identifier: MIT */
/* test_routines.c - the assembly between which memselect.c chooses, each form for itself: checksums
 * against one that adds byte by byte, copies from and to user memory that end at a page which is
 * not there. */
/* sources: arch/x86_64/memroutines.asm arch/x86_64/usercopy.asm */
/* cflags: -mno-red-zone */
#define _GNU_SOURCE
#include <cpuid.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <cmocka.h>

typedef uint64_t u64;
typedef uint32_t u32;
typedef uint8_t u8;

#define PAGE 4096
#define BYTES 4096 /* the longest checksum but for a few */
#define COPY_MAX 800

/* ---- checksums ---- */

extern char asm_csum_split[], asm_csum_adc[], asm_csum_adcx[];

/* The forms take address and length as usual, the sum in and out in rax. */
static u32 call(const char *form, const u8 *p, size_t n, u32 sum)
{
	u64 acc = sum;

	__asm__ volatile("call *%3"
			 : "+a"(acc), "+D"(p), "+S"(n)
			 : "r"(form)
			 : "rcx", "rdx", "r8", "r9", "memory", "cc");
	return acc;
}

static u32 folded(u64 sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static u32 reference(const u8 *p, size_t n, u32 start)
{
	u64 sum = start;

	for (size_t i = 0; i < n; i++)
		sum += (u64)p[i] << (i & 1 ? 8 : 0);
	return folded(sum);
}

static void check_form(const char *form, const u8 *buf)
{
	static const u32 starts[] = { 0, 1, 0xffff, 0xffffffff, 0x80000000 };

	for (size_t n = 0; n < BYTES; n = n < 600 ? n + 1 : n + 61) {
		for (u32 at = 0; at < 9; at += n % 3 + 1) {
			u32 start = starts[(n + at) % 5];

			assert_int_equal(folded(call(form, buf + at, n, start)),
					 reference(buf + at, n, start));
		}
	}
	assert_int_equal(folded(call(form, buf, 65535, 0)), reference(buf, 65535, 0));
}

static void checksums_agree(void **state)
{
	u8 *buf = malloc(65536 + 16);
	u32 a, b = 0, c, d;

	__get_cpuid_count(7, 0, &a, &b, &c, &d);
	for (int fill = 0; fill < 4; fill++) {
		for (size_t i = 0; i < 65536 + 16; i++)
			buf[i] = fill == 2 ? rand() : fill == 3 ? -(int)(i % 64 < 8) : -fill;
		check_form(asm_csum_split, buf);
		check_form(asm_csum_adc, buf);
		if (b & 1u << 19) /* ADX */
			check_form(asm_csum_adcx, buf);
	}
	free(buf);
}

/* ---- copies ---- */

void *asm_memcpy(void *d, const void *s, size_t n);

static void copies_are_exact(void **state)
{
	static u8 from[COPY_MAX + 16], to[COPY_MAX + 32];

	for (size_t i = 0; i < sizeof(from); i++)
		from[i] = rand();
	for (size_t n = 0; n <= COPY_MAX; n++) {
		u8 *d = to + 8 + n % 5;

		memset(to, 0x55, sizeof(to));
		assert_ptr_equal(asm_memcpy(d, from + n % 8, n), d);
		assert_memory_equal(d, from + n % 8, n);
		assert_int_equal(d[-1], 0x55);
		assert_int_equal(d[n], 0x55);
	}
}

/* ---- user memory ---- */

/* Of the section of instructions that may fault: relative to themselves. */
struct ex_entry {
	int32_t insn, fixup;
};
extern const struct ex_entry __start___ex_table[], __stop___ex_table[];
size_t asm_user_copy(void *dst, const void *src, size_t n);

static void on_fault(int sig, siginfo_t *info, void *context)
{
	ucontext_t *u = context;
	u64 rip = u->uc_mcontext.gregs[REG_RIP];

	for (const struct ex_entry *e = __start___ex_table; e < __stop___ex_table; e++) {
		if ((u64)&e->insn + e->insn == rip) {
			u->uc_mcontext.gregs[REG_RIP] = (u64)&e->fixup + e->fixup;
			return;
		}
	}
	abort();
}

/* The room bytes in front of end are there, what is behind is not. */
static void check_copy(u8 *end, size_t n, size_t room)
{
	static u8 from[COPY_MAX + 16], to[COPY_MAX + 32];
	size_t want = room < n ? n - room : 0, done = n - want;

	for (size_t i = 0; i < sizeof(from); i++)
		from[i] = rand();
	memset(end - COPY_MAX - 8, 0x55, COPY_MAX + 8);
	assert_int_equal(asm_user_copy(end - room, from + n % 8, n), want);
	assert_memory_equal(end - room, from + n % 8, done);
	for (size_t i = done; i < room; i++)
		assert_int_equal(end[(ptrdiff_t)i - (ptrdiff_t)room], 0x55);
	assert_int_equal(end[-(ptrdiff_t)room - 1], 0x55);

	memcpy(end - room, from, room < n ? room : n);
	memset(to, 0x55, sizeof(to));
	assert_int_equal(asm_user_copy(to + 8, end - room, n), want);
	assert_memory_equal(to + 8, end - room, done);
	assert_int_equal(to[7], 0x55);
	assert_int_equal(to[8 + n], 0x55);
}

static void copies_stop_at_the_byte(void **state)
{
	struct sigaction sa = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER };
	struct sigaction before;
	u8 *map = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_true(map != MAP_FAILED);
	assert_int_equal(mprotect(map + PAGE, PAGE, PROT_NONE), 0);
	assert_int_equal(sigaction(SIGSEGV, &sa, &before), 0);
	for (size_t n = 0; n <= 600; n += n < 300 ? 1 : 7) {
		for (size_t room = 0; room <= n + 2; room = n - room > 140 ? room + 7 : room + 1)
			check_copy(map + PAGE, n, room);
	}
	sigaction(SIGSEGV, &before, NULL);
	munmap(map, 2 * PAGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(checksums_agree),
		cmocka_unit_test(copies_are_exact),
		cmocka_unit_test(copies_stop_at_the_byte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
