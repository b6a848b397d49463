/* SPDX-License-Identifier: MIT */
/* test_pkt.c - packet buffers: room in front and behind, copies that keep the layers' offsets,
 * budgets that hold exactly over any order of allocation and release on several CPUs, and control
 * packets that still go out when memory has none to give. */
/* cflags: -Itests/host/module */
/* sources: kernel/net/pkt.c kernel/net/pkt_budget.c kernel/net/pkt_large.c kernel/net/pkt_data.c
 * kernel/net/pkt_depot.c kernel/module/list.c */
/* sources: tests/host/fake_module_env.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <core/module.h>
#include <core/net.h>
#include <weft/pkt.h>

#include "fake_module_env.h"
#include "kernel/net/pkt_internal.h"

#define RESERVE 16
#define ROUNDS 200000
#define NR 600

/* Whose packets those are that are charged to somebody; the last share stays its own. */
static struct socket sender = { .tx_bytes = { 1 } };

void socket_free_late(struct socket *s)
{
	fail_msg("a share too many was given back");
}

void socket_tx_room(struct socket *s)
{
	fail_msg("nobody waits for room");
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
	assert_int_equal(s.used[0] + s.used[1] + s.used[2] + s.used[3], 0);
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

/* What is sent again while the last time is still on its way: the buffer is one, headers are never
 * written over each other, and it goes with the last of all. */
static void clones(void **state)
{
	struct pkt *p = pkt_alloc(PKT_POOL_TX, 64, 1000), *c, *d, *e;

	memset(pkt_put(p, 100), 7, 100);
	p->gso_size = 40;
	p->cb[5] = 9;
	c = pkt_clone(p);
	assert_ptr_equal(c->data, p->data);
	assert_int_equal(c->len, 100);
	assert_int_equal(c->gso_size, 40);
	assert_int_equal(c->cb[5], 9);
	assert_null(c->sock);
	assert_int_equal(c->truesize, p->truesize);
	assert_int_equal(stats().alive, 2);
	assert_int_equal(stats().bytes, p->truesize);
	/* the only clone may be pushed on, its parent not */
	assert_ptr_equal(pkt_writable(c, 64), c);
	memset(pkt_push(c, 20), 1, 20);
	assert_int_equal(p->len, 100);
	d = pkt_clone(p);
	e = pkt_writable(pkt_clone(d), 64);
	assert_ptr_not_equal(e->head, p->head);
	assert_int_equal(e->data[0], 7);
	pkt_free(e);
	d = pkt_writable(d, 20);
	memset(pkt_push(d, 20), 2, 20);
	assert_int_equal(c->data[0], 1);
	assert_int_equal(d->data[20], 7);
	pkt_free(d);
	/* the copy is gone, c is the only one again; then the buffer is c's alone */
	assert_ptr_equal(pkt_writable(c, 10), c);
	e = pkt_writable(pkt_get(p), 10);
	assert_ptr_not_equal(e, p);
	pkt_free(e);
	pkt_free(p);
	assert_int_equal(stats().alive, 2);
	assert_int_equal(c->data[20], 7);
	assert_ptr_equal(pkt_writable(c, 10), c);
	pkt_free(c);
	/* a clone that came and went leaves its parent as it was */
	p = pkt_alloc(PKT_POOL_TX, 64, 10);
	pkt_free(pkt_clone(p));
	assert_ptr_equal(pkt_writable(p, 10), p);
	env_fail_at = 1;
	assert_null(pkt_clone(p));
	env_fail_at = 0;
	pkt_free(p);
}

/* The sender's charge ends with its own hold: a receiver that keeps the clone does not stop it. */
static void clone_uncharged(void **state)
{
	struct pkt *p = pkt_alloc(PKT_POOL_TX, 0, 40000), *c;

	socket_charge_tx(&sender, p);
	assert_int_equal(socket_tx_bytes(&sender), PKT_LARGE_SIZE + sizeof(struct pkt));
	c = pkt_clone(p);
	pkt_free(p);
	assert_int_equal(socket_tx_bytes(&sender), 0);
	assert_int_equal(stats().used[PKT_POOL_TX], PKT_LARGE_SIZE + sizeof(struct pkt));
	pkt_free(c);
	assert_int_equal(socket_tx_bytes(&sender), 0);
}

/* Large buffers come back the last one first, a bounded number of them, and go when memory does. */
static void large_kept(void **state)
{
	struct pkt *held[40];
	const u8 *head;
	int blocks = env_blocks();
	u32 i;

	for (i = 0; i < 40; i++) {
		held[i] = pkt_alloc(PKT_POOL_TX, 128, PKT_LARGE_SIZE - 128);
		assert_non_null(held[i]);
		assert_int_equal(pkt_tailroom(held[i]), PKT_LARGE_SIZE - 128);
	}
	head = held[3]->head;
	for (i = 0; i < 40; i++)
		pkt_free(held[(i + 4) % 40]);
	assert_true(env_blocks() <= blocks + 16 * 2);
	held[0] = pkt_alloc(PKT_POOL_TX, 0, PKT_LARGE_MIN + 1);
	assert_int_equal(pkt_tailroom(held[0]), PKT_LARGE_SIZE);
	assert_ptr_not_equal(held[0]->head, head);
	pkt_free(held[0]);
	env_fail_at = 1;
	held[0] = pkt_alloc(PKT_POOL_TX, 0, 60000);
	assert_non_null(held[0]);
	env_fail_at = 0;
	pkt_free(held[0]);
	fake_cpu = 2;
	env_shrink();
	assert_true(env_blocks() <= blocks);
	env_fail_at = 1;
	assert_null(pkt_alloc(PKT_POOL_TX, 0, 60000));
	env_fail_at = 0;
}

/* One CPU receives, another one reads: what the second frees is what the first gets, without a new
 * one being made, and goes when memory does. */
static void change_hands(void **state)
{
	struct pkt *held[400];
	int blocks;

	for (u32 n = 0; n < 30; n++) {
		if (n == 10)
			env_fail_at = 1;
		fake_cpu = 0;
		for (u32 i = 0; i < 400; i++) {
			held[i] = pkt_alloc(PKT_POOL_RX, 0, 1500);
			assert_non_null(held[i]);
			memset(pkt_put(held[i], 1500), i, 1500);
		}
		fake_cpu = 1;
		for (u32 i = 0; i < 400; i++) {
			assert_int_equal(held[i]->data[0], (u8)i);
			pkt_free(held[i]);
		}
	}
	env_fail_at = 0;
	assert_int_equal(stats().used[PKT_POOL_RX], 0);
	blocks = env_blocks();
	env_shrink();
	assert_true(env_blocks() <= blocks - 2 * 256);
	fake_cpu = 0;
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
	struct pkt *p = pkt_wrap(buf, sizeof(buf), 16, &owner, &returned), *c;

	assert_ptr_equal(p->data, buf + 16);
	assert_int_equal(pkt_tailroom(p), 2032);
	pkt_get(p);
	pkt_free(p);
	assert_int_equal(returned, 0);
	c = pkt_clone(p);
	pkt_free(p);
	assert_int_equal(returned, 0);
	pkt_free(c);
	assert_int_equal(returned, 1);
}

static void charged(void **state)
{
	struct pkt *p = pkt_alloc(PKT_POOL_TX, 0, 10);

	socket_charge_tx(&sender, p);
	assert_int_equal(socket_tx_bytes(&sender), PKT_BUF_SIZE + sizeof(struct pkt));
	pkt_free(p);
	assert_int_equal(socket_tx_bytes(&sender), 0);
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

	/* Empties the depot and this CPU's list, then memory is gone. */
	fake_cpu = 3;
	env_shrink();
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
	static u32 expect[NR];
	u64 before = env_blocks();

	srand(2);
	for (u32 i = 0; i < ROUNDS; i++) {
		u32 at = rand() % NR, other = (at + 1) % NR;

		fake_cpu = rand() % 4;
		if (held[at]) {
			u32 n = held[at]->len;

			assert_true(!n || (held[at]->data[0] == (u8)expect[at] &&
					   held[at]->data[n - 1] == (u8)expect[at]));
			pkt_free(held[at]);
			held[at] = NULL;
			continue;
		}
		env_fail_at = rand() % 20 ? 0 : 1 + rand() % 2;
		expect[at] = at;
		if (rand() % 4 == 0 && held[other] && held[other]->len) {
			held[at] = pkt_clone(held[other]);
			expect[at] = expect[other];
		} else {
			held[at] = pkt_alloc(rand() % 3, rand() % 200,
					     rand() % 10 ? 1500 : 6000 * (1 + rand() % 10));
		}
		env_fail_at = 0;
		if (held[at] && held[at]->len) {
			struct pkt *copy = rand() % 2 ? pkt_writable(held[at], 300) : held[at];

			assert_true(!copy || copy->data[0] == (u8)expect[at]);
			if (copy && copy != held[at])
				memset(copy->data, expect[at] = at, copy->len);
			held[at] = copy;
		} else if (held[at]) {
			u32 n = rand() % 1500;

			memset(pkt_put(held[at], n), at, n);
		}
	}
	for (u32 at = 0; at < NR; at++) {
		if (held[at])
			pkt_free(held[at]);
		held[at] = NULL;
	}
	/* what is kept is bounded: four lists of each kind and the depot, two blocks a buffer */
	assert_true(env_blocks() <= (int)before + (4 * (128 + 16) + 8 * 64) * 2);
}

static int set_up(void **state)
{
	pkt_init();
	return 0;
}

static void take_all(enum pkt_pool pool, struct list_head *all)
{
	struct pkt *p;

	while ((p = pkt_alloc(pool, 0, 10)))
		list_add(&p->node, all);
}

static void free_all(struct list_head *all)
{
	while (!list_empty(all)) {
		struct pkt *p = list_first_entry(all, struct pkt, node);

		list_del(&p->node);
		pkt_free(p);
	}
}

/* What waits for a reader is in nobody's way: neither the sender's nor the network's. */
static void unread_moves(void **state)
{
	struct pkt *p = pkt_alloc(PKT_POOL_TX, 64, 1000), *c = pkt_clone(p), *in;
	u32 size = p->truesize;
	LIST_HEAD(all);

	socket_charge_tx(&sender, p);
	assert_int_equal(socket_tx_bytes(&sender), size);
	pkt_orphan(p);
	pkt_orphan(p);
	assert_int_equal(socket_tx_bytes(&sender), 0);
	/* its buffer is counted once, whoever asks */
	assert_true(pkt_move_local(c));
	assert_true(pkt_move_local(p));
	assert_true(pkt_move_local(c));
	assert_int_equal(stats().used[PKT_POOL_TX], 0);
	assert_int_equal(stats().used[PKT_POOL_LOCAL], size);
	pkt_free(p);
	assert_int_equal(stats().used[PKT_POOL_LOCAL], size);
	pkt_free(c);
	assert_int_equal(stats().used[PKT_POOL_LOCAL], 0);
	/* what came from outside stays, and what finds no room too */
	in = pkt_alloc(PKT_POOL_RX, 0, 10);
	assert_true(pkt_move_local(in));
	assert_int_equal(stats().used[PKT_POOL_RX], in->truesize);
	pkt_free(in);
	take_all(PKT_POOL_LOCAL, &all);
	p = pkt_alloc(PKT_POOL_TX, 0, 10);
	assert_false(pkt_move_local(p));
	assert_int_equal(stats().used[PKT_POOL_TX], p->truesize);
	pkt_free(p);
	free_all(&all);
}

static void scarce(void **state)
{
	LIST_HEAD(all);

	assert_false(pkt_rx_scarce);
	take_all(PKT_POOL_RX, &all);
	assert_true(pkt_rx_scarce);
	free_all(&all);
	assert_false(pkt_rx_scarce);
}

/* Many at once are what one at a time are: to the last of the pool, fresh, and freed as each must
 * be. */
static void bulk(void **state)
{
	struct pkt *got[7], *clone;
	LIST_HEAD(all);
	struct list_head some;
	u32 n, total = 0;

	while ((n = pkt_alloc_bulk(PKT_POOL_RX, 66, got, 7))) {
		for (u32 i = 0; i < n; i++) {
			assert_int_equal(pkt_headroom(got[i]), 66);
			assert_int_equal(pkt_tailroom(got[i]), PKT_BUF_SIZE - 66);
			assert_int_equal(got[i]->pool, PKT_POOL_RX);
			assert_true(pkt_owned(got[i]) && list_empty(&got[i]->node));
			list_add_tail(&got[i]->node, &all);
		}
		total += n;
	}
	assert_null(pkt_alloc(PKT_POOL_RX, 0, 10));
	assert_int_equal(stats().alive, total);
	/* one that is charged, one that somebody else holds, one with a clone */
	socket_charge_tx(&sender, list_entry(all.next, struct pkt, node));
	got[0] = pkt_get(list_entry(all.next->next, struct pkt, node));
	clone = pkt_clone(list_entry(all.prev, struct pkt, node));
	list_cut_before(&all, all.next->next->next, &some);
	assert_ptr_equal(some.prev, &got[0]->node);
	pkt_free_list(&some);
	assert_true(list_empty(&some));
	assert_int_equal(socket_tx_bytes(&sender), 0);
	pkt_free(got[0]);
	assert_int_equal(stats().alive, total - 2 + 1);
	list_cut_before(&all, all.next, &some);
	assert_true(list_empty(&some));
	list_cut_before(&all, &all, &some);
	assert_true(list_empty(&all));
	pkt_free_list(&some);
	pkt_free(clone);
}

int main(void)
{
#define T(f) cmocka_unit_test_teardown(f, nothing_alive)
	const struct CMUnitTest tests[] = {
		T(rooms),      T(large),	T(copies),	 T(lent),   T(charged),
		T(bound),      T(reserve),	T(random_order), T(clones), T(clone_uncharged),
		T(large_kept), T(change_hands), T(unread_moves), T(scarce), T(bulk),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
