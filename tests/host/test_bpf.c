/* SPDX-License-Identifier: MIT */
/* test_bpf.c - classic BPF: programs that are taken or refused, what they answer, and a crowd of
 * random ones, none of which may read outside the packet or run for ever. */
/* cflags: -Itests/host/module */
/* sources: kernel/net/bpf.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <weft/alloc.h>
#include <weft/filter.h>
#include <weft/random.h>

#define STMT(code, k)                  \
	{                              \
		(code), 0, 0, (u32)(k) \
	}
#define JUMP(code, k, jt, jf)                \
	{                                    \
		(code), (jt), (jf), (u32)(k) \
	}
#define RET(k) STMT(BPF_RET | BPF_K, k)
#define CHECK(...)                                                  \
	({                                                          \
		const struct sock_filter prog_[] = { __VA_ARGS__ }; \
		filter_check(prog_, ARRAY_SIZE(prog_));             \
	})
#define RUN(...)                                                             \
	({                                                                   \
		const struct sock_filter prog_[] = { __VA_ARGS__ };          \
		assert_int_equal(filter_check(prog_, ARRAY_SIZE(prog_)), 0); \
		filter_run(prog_, &view);                                    \
	})

/* ---- what the interpreter asks of the kernel ---- */

void *kmalloc(size_t n)
{
	return malloc(n);
}

void kfree(const void *p)
{
	free((void *)p);
}

u32 fake_cpu;

u32 random_u32(void)
{
	return 4711;
}

/* An ARP request in a frame of its own block, so that ASan sees any step outside. */
static u8 *frame;
static struct filter_view view;

static int setup(void **state)
{
	frame = malloc(42);
	memset(frame, 0, 42);
	memset(frame, 0xff, 6);
	frame[12] = 8;
	frame[13] = 6;
	frame[14] = 0x45;
	frame[21] = 1;
	frame[41] = 0x99;
	view = (struct filter_view){ .head = frame,
				     .size = 42,
				     .net_off = 14,
				     .ethertype = 0x806,
				     .pkttype = 1,
				     .ifindex = 7,
				     .hatype = 1,
				     .mark = 5 };
	return 0;
}

static int teardown(void **state)
{
	free(frame);
	return 0;
}

static void loads(void **state)
{
	assert_int_equal(RUN(STMT(BPF_LD | BPF_H | BPF_ABS, 12), STMT(BPF_RET | BPF_A, 0)), 0x806);
	assert_int_equal(RUN(STMT(BPF_LD | BPF_B | BPF_ABS, 41), STMT(BPF_RET | BPF_A, 0)), 0x99);
	assert_int_equal(RUN(STMT(BPF_LD | BPF_W | BPF_ABS, 38), STMT(BPF_RET | BPF_A, 0)), 0x99);
	assert_int_equal(RUN(STMT(BPF_LDX | BPF_IMM, 10), STMT(BPF_LD | BPF_H | BPF_IND, 2),
			     STMT(BPF_RET | BPF_A, 0)),
			 0x806);
	assert_int_equal(RUN(STMT(BPF_LDX | BPF_B | BPF_MSH, 14), STMT(BPF_MISC | BPF_TXA, 0),
			     STMT(BPF_RET | BPF_A, 0)),
			 20);
	assert_int_equal(RUN(STMT(BPF_LD | BPF_LEN, 0), STMT(BPF_RET | BPF_A, 0)), 42);
	view.data_off = 14;
	assert_int_equal(RUN(STMT(BPF_LD | BPF_LEN, 0), STMT(BPF_RET | BPF_A, 0)), 28);
	assert_int_equal(RUN(STMT(BPF_LD | BPF_B | BPF_ABS, 0), STMT(BPF_RET | BPF_A, 0)), 0x45);
	assert_int_equal(RUN(STMT(BPF_LD | BPF_H | BPF_ABS, SKF_LL_OFF + 12),
			     STMT(BPF_RET | BPF_A, 0)),
			 0x806);
	assert_int_equal(RUN(STMT(BPF_LD | BPF_B | BPF_ABS, SKF_NET_OFF), STMT(BPF_RET | BPF_A, 0)),
			 0x45);
}

static void loads_outside_refuse_the_packet(void **state)
{
	const u32 outside[] = { 39,
				42,
				0x7fffffff,
				0xffdfffff,
				SKF_LL_OFF + 39,
				SKF_NET_OFF + 25,
				(u32)SKF_NET_OFF + 0xf0000 - 1 };

	for (u32 i = 0; i < ARRAY_SIZE(outside); i++)
		assert_int_equal(RUN(STMT(BPF_LD | BPF_W | BPF_ABS, outside[i]), RET(1)), 0);
	assert_int_equal(RUN(STMT(BPF_LDX | BPF_IMM, 0xffffffff),
			     STMT(BPF_LD | BPF_W | BPF_IND, 41), RET(1)),
			 0);
	/* an index may wrap, as on Linux: it is a byte inside */
	assert_int_equal(RUN(STMT(BPF_LDX | BPF_IMM, 0xffffffff), STMT(BPF_LD | BPF_B | BPF_IND, 1),
			     RET(1)),
			 1);
	assert_int_equal(RUN(STMT(BPF_LDX | BPF_B | BPF_MSH, 42), RET(1)), 0);
	view.size = 0;
	assert_int_equal(RUN(STMT(BPF_LD | BPF_B | BPF_ABS, 0), RET(1)), 0);
}

static void ancillary_words(void **state)
{
	const struct {
		int off;
		u32 is;
	} words[] = {
		{ SKF_AD_PROTOCOL, 0x806 }, { SKF_AD_PKTTYPE, 1 },   { SKF_AD_IFINDEX, 7 },
		{ SKF_AD_HATYPE, 1 },	    { SKF_AD_MARK, 5 },	     { SKF_AD_VLAN_TAG, 0 },
		{ SKF_AD_RXHASH, 0 },	    { SKF_AD_RANDOM, 4711 }, { SKF_AD_VLAN_TAG_PRESENT, 0 }
	};

	for (u32 i = 0; i < ARRAY_SIZE(words); i++)
		assert_int_equal(RUN(STMT(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + words[i].off),
				     STMT(BPF_RET | BPF_A, 0)),
				 words[i].is);
	assert_int_equal(RUN(STMT(BPF_LDX | BPF_IMM, 3), STMT(BPF_LD | BPF_IMM, 5),
			     STMT(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + SKF_AD_ALU_XOR_X),
			     STMT(BPF_RET | BPF_A, 0)),
			 6);
	assert_int_equal(CHECK(STMT(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + 12), RET(0)), -EINVAL);
	assert_int_equal(CHECK(STMT(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + 64), RET(0)), -EINVAL);
	assert_int_equal(CHECK(STMT(BPF_LD | BPF_W | BPF_ABS, 0xffffffff), RET(0)), -EINVAL);
}

static void arithmetic(void **state)
{
	const struct {
		u16 op;
		u32 a, b, is;
	} ops[] = { { BPF_ADD, 0xffffffff, 2, 1 },
		    { BPF_SUB, 1, 2, 0xffffffff },
		    { BPF_MUL, 70000, 70000, 605032704 },
		    { BPF_DIV, 7, 2, 3 },
		    { BPF_MOD, 7, 4, 3 },
		    { BPF_AND, 12, 10, 8 },
		    { BPF_OR, 12, 10, 14 },
		    { BPF_XOR, 12, 10, 6 },
		    { BPF_LSH, 1, 31, 0x80000000 },
		    { BPF_RSH, 8, 3, 1 } };

	for (u32 i = 0; i < ARRAY_SIZE(ops); i++) {
		assert_int_equal(RUN(STMT(BPF_LD | BPF_IMM, ops[i].a),
				     STMT(BPF_ALU | BPF_K | ops[i].op, ops[i].b),
				     STMT(BPF_RET | BPF_A, 0)),
				 ops[i].is);
		assert_int_equal(RUN(STMT(BPF_LD | BPF_IMM, ops[i].b), STMT(BPF_MISC | BPF_TAX, 0),
				     STMT(BPF_LD | BPF_IMM, ops[i].a),
				     STMT(BPF_ALU | BPF_X | ops[i].op, 0),
				     STMT(BPF_RET | BPF_A, 0)),
				 ops[i].is);
	}
	assert_int_equal(RUN(STMT(BPF_LD | BPF_IMM, 1), STMT(BPF_ALU | BPF_NEG, 0),
			     STMT(BPF_RET | BPF_A, 0)),
			 0xffffffff);
	/* by zero: never by a constant; by X it ends the program */
	assert_int_equal(RUN(STMT(BPF_ALU | BPF_X | BPF_DIV, 0), RET(1)), 0);
	assert_int_equal(RUN(STMT(BPF_ALU | BPF_X | BPF_MOD, 0), RET(1)), 0);
	assert_int_equal(CHECK(STMT(BPF_ALU | BPF_K | BPF_DIV, 0), RET(1)), -EINVAL);
	assert_int_equal(CHECK(STMT(BPF_ALU | BPF_K | BPF_MOD, 0), RET(1)), -EINVAL);
	assert_int_equal(CHECK(STMT(BPF_ALU | BPF_K | BPF_LSH, 32), RET(1)), -EINVAL);
	/* a shift by X beyond the word is no undefined behaviour */
	RUN(STMT(BPF_LDX | BPF_IMM, 77), STMT(BPF_ALU | BPF_X | BPF_RSH, 0), RET(1));
}

static void jumps(void **state)
{
	const u16 ops[] = { BPF_JEQ, BPF_JGT, BPF_JGE, BPF_JSET };
	const u32 taken[] = { 0, 1, 1, 1 }, equal[] = { 1, 0, 1, 1 };

	for (u32 i = 0; i < 4; i++) {
		assert_int_equal(RUN(STMT(BPF_LD | BPF_IMM, 7), JUMP(BPF_JMP | ops[i], 6, 0, 1),
				     RET(1), RET(0)),
				 taken[i]);
		assert_int_equal(RUN(STMT(BPF_LDX | BPF_IMM, 7), STMT(BPF_MISC | BPF_TXA, 0),
				     JUMP(BPF_JMP | BPF_X | ops[i], 0, 0, 1), RET(1), RET(0)),
				 equal[i]);
	}
	assert_int_equal(RUN(STMT(BPF_JMP | BPF_JA, 1), RET(1), RET(2)), 2);
	assert_int_equal(CHECK(STMT(BPF_JMP | BPF_JA, 2), RET(1), RET(2)), -EINVAL);
	assert_int_equal(CHECK(STMT(BPF_JMP | BPF_JA, 0xffffffff), RET(1), RET(2)), -EINVAL);
	assert_int_equal(CHECK(STMT(BPF_JMP | BPF_JA, 0)), -EINVAL);
	assert_int_equal(CHECK(JUMP(BPF_JMP | BPF_JEQ, 0, 1, 0), RET(0)), -EINVAL);
	assert_int_equal(CHECK(JUMP(BPF_JMP | BPF_JEQ, 0, 0, 255), RET(0)), -EINVAL);
}

static void scratch_memory(void **state)
{
	assert_int_equal(RUN(STMT(BPF_LD | BPF_IMM, 9), STMT(BPF_ST, 15),
			     STMT(BPF_LDX | BPF_MEM, 15), STMT(BPF_STX, 0),
			     STMT(BPF_LD | BPF_MEM, 0), STMT(BPF_RET | BPF_A, 0)),
			 9);
	assert_int_equal(CHECK(STMT(BPF_ST, 16), RET(0)), -EINVAL);
	assert_int_equal(CHECK(STMT(BPF_LD | BPF_MEM, 0), RET(0)), -EINVAL);
	/* written on one way only */
	assert_int_equal(CHECK(JUMP(BPF_JMP | BPF_JEQ, 0, 0, 1), STMT(BPF_ST, 1),
			       STMT(BPF_LD | BPF_MEM, 1), RET(0)),
			 -EINVAL);
	/* on both */
	assert_int_equal(CHECK(JUMP(BPF_JMP | BPF_JEQ, 0, 0, 2), STMT(BPF_ST, 1),
			       STMT(BPF_JMP | BPF_JA, 1), STMT(BPF_STX, 1),
			       STMT(BPF_LD | BPF_MEM, 1), RET(0)),
			 0);
}

static void what_is_no_program(void **state)
{
	struct sock_filter *many = calloc(BPF_MAXINSNS + 1, sizeof(*many));

	for (u32 i = 0; i <= BPF_MAXINSNS; i++)
		many[i] = (struct sock_filter)RET(1);
	assert_int_equal(filter_check(many, 0), -EINVAL);
	assert_int_equal(filter_check(many, BPF_MAXINSNS), 0);
	assert_int_equal(filter_check(many, BPF_MAXINSNS + 1), -EINVAL);
	free(many);
	assert_int_equal(CHECK(STMT(BPF_LD | BPF_IMM, 0)), -EINVAL); /* runs off its end */
	assert_int_equal(CHECK(STMT(0xffff, 0), RET(0)), -EINVAL);
	assert_int_equal(CHECK(STMT(BPF_RET | BPF_X, 0)), -EINVAL);
	assert_int_equal(CHECK(STMT(BPF_LD | BPF_MSH | BPF_B, 0), RET(0)), -EINVAL);
	assert_int_equal(CHECK(STMT(BPF_LDX | BPF_ABS, 0), RET(0)), -EINVAL);
	assert_int_equal(CHECK(STMT(BPF_LD | 0x18 | BPF_ABS, 0), RET(0)), -EINVAL);
	assert_int_equal(CHECK(STMT(BPF_LD | BPF_H | BPF_IMM, 0), RET(0)), -EINVAL);
	assert_int_equal(CHECK(STMT(BPF_MISC | 0x40, 0), RET(0)), -EINVAL);
	assert_int_equal(CHECK(STMT(BPF_ALU | 0xb0, 0), RET(0)), -EINVAL);
	assert_int_equal(CHECK(STMT(BPF_JMP | 0x50, 0), RET(0)), -EINVAL);
}

/* "arp": what tcpdump makes of it */
static void a_real_program(void **state)
{
	const struct sock_filter arp[] = { STMT(BPF_LD | BPF_H | BPF_ABS, 12),
					   JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x806, 0, 1),
					   RET(0x40000), RET(0) };

	assert_int_equal(filter_check(arp, ARRAY_SIZE(arp)), 0);
	assert_int_equal(filter_run(arp, &view), 0x40000);
	frame[13] = 0;
	assert_int_equal(filter_run(arp, &view), 0);
}

static void random_programs(void **state)
{
	struct sock_filter prog[12];
	u32 taken = 0;

	srandom(1);
	for (u32 round = 0; round < 400000; round++) {
		u32 n = 1 + random() % ARRAY_SIZE(prog);

		for (u32 i = 0; i < n; i++) {
			const u32 k[] = { random() % 16,
					  random() % 48,
					  SKF_AD_OFF + random() % 64,
					  (u32)random() * 2,
					  SKF_NET_OFF + random() % 64,
					  SKF_LL_OFF + random() % 64 };

			prog[i] = (struct sock_filter){ random() % 256, random() % 4, random() % 4,
							k[random() % ARRAY_SIZE(k)] };
		}
		prog[n - 1].code = BPF_RET | (random() & BPF_A);
		if (filter_check(prog, n))
			continue;
		taken++;
		filter_run(prog, &view);
	}
	assert_true(taken > 1000);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(loads),
		TEST(loads_outside_refuse_the_packet),
		TEST(ancillary_words),
		TEST(arithmetic),
		TEST(jumps),
		TEST(scratch_memory),
		TEST(what_is_no_program),
		TEST(a_real_program),
		TEST(random_programs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
