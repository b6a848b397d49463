/* SPDX-License-Identifier: MIT */
/* test_pkt.c - packet buffers: room in front and behind, copies that keep the layers' offsets,
 * budgets that hold exactly over any order of allocation and release on several CPUs, and control
 * packets that still go out when memory has none to give. */
/* cflags: -Itests/host/module */
/* sources: kernel/net/pkt.c kernel/net/pkt_data.c kernel/module/list.c */
/* sources: tests/host/fake_module_env.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <core/module.h>
#include <weft/pkt.h>

#include "fake_module_env.h"
#include "kernel/net/pkt_internal.h"

#define RESERVE 16
#define ROUNDS 200000
#define NR 600

static u32 uncharged;

void socket_uncharge_tx(struct socket *s, u32 truesize)
{
	uncharged += truesize;
}

static struct pkt_stats stats(void)
{
	struct pkt_stats s;

	pkt_stats_get(&s);
	return s;
}

static int nothing_alive(void **state)
{
	struct pkt_stats s = stats();

	assert_int_equal(s.alive, 0);
	assert_int_equal(s.bytes, 0);
	assert_int_equal(s.used[0] + s.used[1] + s.used[2], 0);
	env_fail_at = 0;
	fake_cpu = 0;
	return 0;
}

static void rooms(void **state)
{
	struct pkt *p = pkt_alloc(PKT_POOL_TX, 64, 1000);

	assert_int_equal(pkt_headroom(p), 64);
	assert_true(pkt_tailroom(p) >= 1000);
	assert_int_equal(p->len, 0);
	memset(pkt_put(p, 100), 7, 100);
	assert_int_equal(p->len, 100);
	assert_ptr_equal(pkt_push(p, 14), p->head + 50);
	assert_int_equal(p->len, 114);
	assert_null(pkt_pull(p, 115));
	assert_int_equal(p->len, 114);
	assert_int_equal(*pkt_pull(p, 14), 7);
	pkt_trim(p, 200);
	assert_int_equal(p->len, 100);
	pkt_trim(p, 3);
	assert_int_equal(p->len, 3);
	pkt_free(p);
}

static void large(void **state)
{
	struct pkt *p = pkt_alloc(PKT_POOL_TX, 128, 65535);

	memset(pkt_put(p, 65535), 1, 65535);
	assert_true(p->truesize >= 65535 + 128);
	assert_int_equal(stats().used[PKT_POOL_TX], p->truesize);
	pkt_free(p);
	assert_null(pkt_alloc(PKT_POOL_TX, 0, 0xffffffff));
	assert_null(pkt_alloc(PKT_POOL_TX, 0xffffff00, 0x200));
}

static void copies(void **state)
{
	struct pkt *p = pkt_alloc(PKT_POOL_RX, 14, 100), *c;

	for (u32 i = 0; i < 40; i++)
		*pkt_put(p, 1) = i;
	p->link_off = 14;
	p->net_off = 28;
	pkt_pull(p, 14);
	p->trans_off = 48;
	c = pkt_copy(p, PKT_POOL_TX, 100);
	assert_int_equal(c->len, 26);
	assert_int_equal(c->data[0], 14);
	assert_true(pkt_headroom(c) >= 100);
	assert_int_equal(*pkt_at(c, c->link_off), 0);
	assert_int_equal(*pkt_at(c, c->net_off), 14);
	assert_ptr_equal(pkt_at(c, c->trans_off) - pkt_at(c, c->net_off), (void *)20);
	pkt_free(c);
	/* unshared with enough room: itself; shared or too tight: a copy */
	assert_ptr_equal(pkt_writable(p, 28), p);
	pkt_get(p);
	c = pkt_writable(p, 28);
	assert_ptr_not_equal(c, p);
	assert_int_equal(refcount_read(&p->refs), 1);
	pkt_free(p);
	p = pkt_writable(c, 500);
	assert_ptr_not_equal(c, p);
	assert_true(pkt_headroom(p) >= 500);
	pkt_free(p);
}

static u32 returned;
static void lent_free(struct pkt *p)
{
	assert_ptr_equal(p->owner_priv, &returned);
	returned++;
}

static void lent(void **state)
{
	static const struct pkt_owner owner = { .free = lent_free, .name = "test" };
	static u8 buf[2048];
	struct pkt *p = pkt_wrap(buf, sizeof(buf), 16, &owner, &returned);

	assert_ptr_equal(p->data, buf + 16);
	assert_int_equal(pkt_tailroom(p), 2032);
	pkt_get(p);
	pkt_free(p);
	assert_int_equal(returned, 0);
	pkt_free(p);
	assert_int_equal(returned, 1);
}

static void charged(void **state)
{
	struct pkt *p = pkt_alloc(PKT_POOL_TX, 0, 10);

	p->sock = (struct socket *)&uncharged;
	pkt_free(p);
	assert_int_equal(uncharged, PKT_BUF_SIZE + sizeof(struct pkt));
}

/* A pool is used to its last buffer, by one CPU after the other, and no further. */
static void bound(void **state)
{
	static struct pkt *held[100000];
	u64 each = PKT_BUF_SIZE + sizeof(struct pkt);
	u32 n = 0, want;

	pkt_limit_set(PKT_POOL_RX, 3000 * each + 5);
	want = 3000;
	while (n < 100000 && (held[n] = pkt_alloc(PKT_POOL_RX, 0, 100))) {
		n++;
		fake_cpu = n % 4;
	}
	/* what other CPUs have taken of the budget in advance is out of reach, two chunks each */
	assert_true(n <= want && n + 4 * 65536 / each * 2 >= want);
	assert_true(stats().failed[PKT_POOL_RX] > 0);
	/* the other pools have their own */
	fake_cpu = 0;
	held[n] = pkt_alloc(PKT_POOL_CONTROL, 0, 100);
	assert_non_null(held[n]);
	pkt_free(held[n]);
	while (n--) {
		fake_cpu = n % 3;
		pkt_free(held[n]);
	}
}

static void reserve(void **state)
{
	struct pkt *held[300];
	u32 n, control = 0;

	/* Empties this CPU's list, then memory is gone. */
	fake_cpu = 3;
	for (n = 0; n < 250; n++)
		held[n] = pkt_alloc(PKT_POOL_TX, 0, 10);
	env_fail_at = 1;
	assert_null(pkt_alloc(PKT_POOL_TX, 0, 10));
	while (n < 300 && (held[n] = pkt_alloc(PKT_POOL_CONTROL, 0, 10))) {
		control++;
		n++;
	}
	assert_int_equal(control, RESERVE);
	while (n--)
		pkt_free(held[n]);
	env_fail_at = 0;
}

static void random_order(void **state)
{
	static struct pkt *held[NR];
	u64 before = env_blocks();

	srand(2);
	for (u32 i = 0; i < ROUNDS; i++) {
		u32 at = rand() % NR;

		fake_cpu = rand() % 4;
		if (held[at]) {
			u32 n = held[at]->len;

			assert_true(!n || (held[at]->data[0] == (u8)at &&
					   held[at]->data[n - 1] == (u8)at));
			pkt_free(held[at]);
			held[at] = NULL;
			continue;
		}
		env_fail_at = rand() % 20 ? 0 : 1 + rand() % 2;
		held[at] = pkt_alloc(rand() % 3, rand() % 200, rand() % 10 ? 1500 : 9000);
		env_fail_at = 0;
		if (held[at]) {
			u32 n = rand() % 1500;

			memset(pkt_put(held[at], n), at, n);
		}
	}
	for (u32 at = 0; at < NR; at++) {
		if (held[at])
			pkt_free(held[at]);
		held[at] = NULL;
	}
	/* what is kept is bounded: four lists, two blocks a buffer */
	assert_true(env_blocks() <= (int)before + 4 * 128 * 2);
}

static int set_up(void **state)
{
	pkt_init();
	return 0;
}

int main(void)
{
#define T(f) cmocka_unit_test_teardown(f, nothing_alive)
	const struct CMUnitTest tests[] = {
		T(rooms),   T(large), T(copies),  T(lent),
		T(charged), T(bound), T(reserve), T(random_order),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
