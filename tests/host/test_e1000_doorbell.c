/* SPDX-License-Identifier: MIT */
/* test_e1000_doorbell.c - e1000's transmit ring on several CPUs: one writes the tail register at a
 * time, tails never go backwards, what was shown while another one wrote is told by that one, and
 * nobody does that forever. Each thread is a CPU; the device here sends while it is written to. */
/* cflags: -Itests/host/fs */
/* sources: modules/e1000/tx.c */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "modules/e1000/e1000.h"
#include <weft/net/gso.h>

#define RING 16
#define ROUNDS 400
#define SENDERS 3

__thread struct thread *fake_thread;
__thread u32 fake_preempt_count;
const struct pkt_owner pkt_clone_owner;

static struct nic nic;
static struct netif nif;
static u8 regs[0x4000], frame[64];
static u32 head, writes, sent, freed, refused;
static u32 writers; /* that are in the device now */
static void (*meanwhile)(void);

/* ---- the core ---- */

void spin_lock_slow(struct spinlock *l)
{
	while (xchg(&l->locked, 1))
		sched_yield();
}

void preempt_check(void)
{
}

void *kcalloc(size_t n, size_t size)
{
	return calloc(n, size);
}

void kfree(const void *p)
{
	free((void *)p);
}

void *dma_alloc(size_t size, phys_addr_t *bus)
{
	void *p = calloc(1, size);

	*bus = (phys_addr_t)p;
	return p;
}

void dma_free(void *p, size_t size)
{
	(void)size;
	free(p);
}

phys_addr_t dma_addr(const void *p)
{
	return (phys_addr_t)p;
}

void pkt_free(struct pkt *p)
{
	free(p);
	__atomic_add_fetch(&freed, 1, __ATOMIC_RELAXED);
}

u64 ktime_get(void)
{
	return 0;
}

void timer_init(struct timer *t, void (*fn)(struct timer *t))
{
	(void)t;
	(void)fn;
}

void timer_set(struct timer *t, u64 at)
{
	(void)t;
	(void)at;
}

/* Whoever has a batch open here ends it with a frame that is told at once. */
void batch_end_add(struct batch_end *b)
{
	(void)b;
}

void netif_tx_stop(struct netif *n)
{
	WRITE_ONCE(n->tx_full, true);
}

void netif_tx_wake(struct netif *n)
{
	WRITE_ONCE(n->tx_full, false);
}

/* Nothing here is short, large or without its sum. */
#define NEVER(type, name, ...) \
	type name(__VA_ARGS__) \
	{                      \
		abort();       \
	}
NEVER(struct pkt *, pkt_alloc, enum pkt_pool pool, u32 headroom, u32 size)
NEVER(struct pkt *, pkt_copy, const struct pkt *p, enum pkt_pool pool, u32 headroom)
NEVER(struct pkt *, pkt_writable, struct pkt *p, u32 headroom)
NEVER(void, pkt_no_room, const struct pkt *p, u32 n)
NEVER(void, netif_fill_checksum, struct pkt *p)
NEVER(bool, gso_cut_start, struct gso_cut *c, const struct pkt *p)
NEVER(u32, gso_cut_next, struct gso_cut *c, u8 *h, const u8 **payload)
NEVER(void, ip_drop_count, enum drop_reason why)

/* ---- the device ---- */

/* Sends up to the tail. A tail that went backwards covers nearly the whole ring, and with that
 * descriptors that were sent before. */
void mmio_write32(volatile void *p, u32 tail)
{
	if (p != nic.regs + REG_TDT || tail >= RING || xchg(&writers, 1))
		abort();
	for (writes++; head != tail; head = (head + 1) % RING) {
		struct tx_desc *d = &nic.tx.desc[head];

		if (!(d->cmd & TX_CMD_EOP))
			abort();
		WRITE_ONCE(d->status, d->cmd & TX_CMD_RS ? TX_STATUS_DD : 0);
		d->cmd = 0;
		sent++;
		sched_yield();
	}
	xchg(&writers, 0);
	if (meanwhile)
		meanwhile();
}

/* ---- senders ---- */

/* ring: without a batch, so that the device is told. False: no room. */
static bool send_one(bool ring)
{
	struct pkt *p = calloc(1, sizeof(*p));
	int err;

	p->head = p->data = frame;
	p->len = sizeof(frame);
	fake_batch = !ring;
	preempt_disable();
	err = e1000_tx_xmit(&nif, p);
	preempt_enable();
	if (err && err != -ENOBUFS)
		abort();
	if (err)
		__atomic_add_fetch(&refused, 1, __ATOMIC_RELAXED);
	return !err;
}

static int setup(void **state)
{
	(void)state;
	memset(&nic, 0, sizeof(nic));
	spin_init(&nif.tx_lock);
	nif.tx_full = false;
	nif.priv = &nic;
	nic.nif = &nif;
	nic.up = true;
	nic.regs = regs;
	head = writes = sent = freed = refused = 0;
	meanwhile = NULL;
	if (e1000_tx_alloc(&nic, RING))
		return -1;
	nic.tx.packet_max = 2;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	e1000_tx_free(&nic);
	return 0;
}

/* The device knows of all that was queued, and all of it is given back. */
static void check_all_told(u32 queued)
{
	assert_int_equal(head, nic.tx.tail);
	assert_int_equal(nic.tx.told, nic.tx.tail);
	assert_false(nic.tx.ringing);
	assert_int_equal(sent, queued);
	e1000_tx_reclaim(&nic);
	assert_int_equal(freed, queued);
	assert_int_equal(nic.tx.room, RING - 1);
}

static void show_one_more(void)
{
	if (writes == 1)
		send_one(true);
}

/* What another CPU shows during the write is told without a call of its own. */
static void shown_meanwhile_is_told(void **state)
{
	(void)state;
	meanwhile = show_one_more;
	send_one(true);
	assert_int_equal(writes, 2);
	check_all_told(2);
}

static u32 shown;

static void show_another_if_free(void)
{
	if (!spin_trylock(&nif.tx_lock))
		return;
	spin_unlock(&nif.tx_lock);
	send_one(true);
	shown++;
}

/* Others show without end: at some time the lock is kept. */
static void ringing_ends(void **state)
{
	(void)state;
	shown = 0;
	meanwhile = show_another_if_free;
	send_one(true);
	assert_in_range(writes, 2, 64);
	assert_int_equal(shown, writes - 1);
	check_all_told(writes);
	/* and it can be rung again */
	meanwhile = NULL;
	send_one(true);
	assert_int_equal(sent, shown + 2);
}

static void batch_is_told_once(void **state)
{
	(void)state;
	send_one(false);
	send_one(false);
	assert_int_equal(writes, 0);
	send_one(true);
	assert_int_equal(writes, 1);
	check_all_told(3);
}

static pthread_barrier_t begin, end;

static void *sender(void *arg)
{
	unsigned int seed = (unsigned long)arg + 1;

	for (u32 round = 0; round < ROUNDS; round++) {
		pthread_barrier_wait(&begin);
		for (u32 left = rand_r(&seed) % RING; left + 1; left--) {
			while (!send_one(!left || rand_r(&seed) % 2))
				sched_yield();
		}
		pthread_barrier_wait(&end);
	}
	return NULL;
}

/* After each round everybody has rung, and nobody is about to. */
static void senders_in_parallel(void **state)
{
	pthread_t t[SENDERS];
	u32 unrung = 0;

	(void)state;
	pthread_barrier_init(&begin, NULL, SENDERS + 1);
	pthread_barrier_init(&end, NULL, SENDERS + 1);
	for (unsigned long i = 0; i < SENDERS; i++)
		pthread_create(&t[i], NULL, sender, (void *)i);
	for (u32 round = 0; round < ROUNDS; round++) {
		pthread_barrier_wait(&begin);
		pthread_barrier_wait(&end);
		unrung += head != nic.tx.tail || nic.tx.ringing;
	}
	for (u32 i = 0; i < SENDERS; i++)
		pthread_join(t[i], NULL);
	assert_int_equal(unrung, 0);
	pthread_barrier_destroy(&begin);
	pthread_barrier_destroy(&end);
	e1000_tx_reclaim(&nic);
	assert_int_equal(sent, freed - refused);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(batch_is_told_once, setup, teardown),
		cmocka_unit_test_setup_teardown(shown_meanwhile_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(ringing_ends, setup, teardown),
		cmocka_unit_test_setup_teardown(senders_in_parallel, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
