/* SPDX-License-Identifier: MIT */
/* test_pages.c - the page and object allocators over an arena: whatever the order of requests,
 * blocks never overlap, are aligned as promised, and all of the memory comes back in one piece. */
/* cflags: -Itests/host/mm */
/* sources: kernel/mm/page.c kernel/mm/slab.c kernel/mm/kmalloc.c kernel/mm/percpu.c */
/* sources: kernel/lib/parse.c tests/host/fake_arch.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/mm/mm.h"
#include "fake_arch.h"

struct proc *init_proc;

#define ARENA_PAGES 8192
#define NR 400

struct held {
	u8 *p;
	size_t n;
	u32 order;
	u8 stamp;
};
static struct held held[NR];

static void stamp(struct held *h)
{
	h->stamp = rand();
	memset(h->p, h->stamp, min(h->n, (size_t)64));
	memset(h->p + h->n - min(h->n, (size_t)64), h->stamp, min(h->n, (size_t)64));
}

static void check(const struct held *h)
{
	for (size_t i = 0; i < min(h->n, (size_t)64); i++) {
		assert_int_equal(h->p[i], h->stamp);
		assert_int_equal(h->p[h->n - 1 - i], h->stamp);
	}
}

/* So that a shortage finds nothing more to take from the caches, whose pages would change the
 * count. */
static void shrink_all(void)
{
	for (fake_cpu = MAX_CPUS; fake_cpu-- > 0;)
		slab_shrink();
	fake_cpu = 0;
}

static void pages_random(void **state)
{
	u64 before;

	shrink_all();
	before = page_free_count();
	memset(held, 0, sizeof(held));
	for (u32 i = 0; i < 60000; i++) {
		struct held *h = &held[rand() % NR];

		fake_cpu = rand() % MAX_CPUS;
		if (h->p) {
			check(h);
			pages_free(h->p, h->order);
			h->p = NULL;
			continue;
		}
		h->order = rand() % 4 ? 0 : rand() % (MAX_ORDER + 1);
		h->n = PAGE_SIZE << h->order;
		h->p = pages_alloc(h->order);
		if (!h->p)
			continue;
		assert_int_equal(virt_to_phys(h->p) & (h->n - 1), 0);
		assert_int_equal(refcount_read(&pa_to_page(virt_to_phys(h->p))->refs), 1);
		stamp(h);
	}
	for (u32 i = 0; i < NR; i++) {
		if (!held[i].p)
			continue;
		check(&held[i]);
		pages_free(held[i].p, held[i].order);
	}
	assert_int_equal(page_free_count(), before);
	assert_int_equal(fake_preempt_count, 0);
}

/* Everything can be had once, nothing twice, and then the largest blocks form again. */
static void pages_exhaust(void **state)
{
	u64 total, n = 0, large = 0, again = 0;
	struct page *p, *list = NULL;

	shrink_all();
	total = page_free_count();
	while ((p = page_block_alloc(MAX_ORDER, false))) {
		p->private = (u64)list;
		list = p;
		large++;
	}
	for (; list; list = p) {
		p = (struct page *)list->private;
		page_put(list);
	}
	while ((p = page_block_alloc(0, false))) {
		p->private = (u64)list;
		list = p;
		n++;
	}
	assert_int_equal(n, total);
	assert_int_equal(page_free_count(), 0);
	assert_null(kmalloc(100000));
	assert_null(page_alloc_user(true));
	for (; list; list = p) {
		p = (struct page *)list->private;
		page_put(list);
	}
	assert_int_equal(page_free_count(), total);
	while ((p = page_block_alloc(MAX_ORDER, false))) {
		p->private = (u64)list;
		list = p;
		again++;
	}
	assert_int_equal(again, large);
	for (; list; list = p) {
		p = (struct page *)list->private;
		page_put(list);
	}
}

static void pages_shared_reference(void **state)
{
	u64 before = page_free_count();
	void *p = pages_alloc(2);
	struct page *page = pa_to_page(virt_to_phys(p));

	page_get(page);
	pages_free(p, 2);
	assert_int_equal(page_free_count(), before - 4);
	page_put(page);
	assert_int_equal(page_free_count(), before);
}

static void page_lookup(void **state)
{
	assert_null(pa_to_page(0));
	assert_null(pa_to_page(boot_info.mem[1].end + PAGE_SIZE));
	assert_non_null(pa_to_page(boot_info.initrd_start));
	assert_int_equal(pa_to_page(boot_info.initrd_start)->flags, PG_RESERVED);
	assert_int_equal(page_to_pa(pa_to_page(boot_info.initrd_start)), boot_info.initrd_start);
}

static void user_pages_counted(void **state)
{
	struct page *p = page_alloc_user(true);
	u8 *b;

	assert_int_equal(page_user_count(), 1);
	b = page_virt(p);
	for (u32 i = 0; i < PAGE_SIZE; i++)
		assert_int_equal(b[i], 0);
	page_get(p);
	page_put(p);
	assert_int_equal(page_user_count(), 1);
	fake_cpu = 3;
	page_put(p);
	assert_int_equal(page_user_count(), 0);
}

static void kmalloc_random(void **state)
{
	u64 bytes, blocks;

	memset(held, 0, sizeof(held));
	for (u32 i = 0; i < 200000; i++) {
		struct held *h = &held[rand() % NR];

		fake_cpu = rand() % MAX_CPUS;
		if (h->p) {
			check(h);
			kfree(h->p);
			h->p = NULL;
			continue;
		}
		h->n = 1 + rand() % (rand() % 20 ? 4000 : 40000);
		h->p = kmalloc(h->n);
		assert_non_null(h->p);
		assert_true(ksize(h->p) >= h->n);
		assert_int_equal((u64)h->p & (h->n >= 4096 ? 4095 : h->n % 64 ? 15 : 63), 0);
		stamp(h);
	}
	for (u32 i = 0; i < NR; i++) {
		if (held[i].p)
			check(&held[i]);
		kfree(held[i].p);
	}
	kmalloc_stats(&bytes, &blocks);
	assert_int_equal(bytes, 0);
	assert_int_equal(blocks, 0);
}

static void kmalloc_edges(void **state)
{
	u8 *p = kcalloc(5, 7);

	for (u32 i = 0; i < 35; i++)
		assert_int_equal(p[i], 0);
	memset(p, 7, 35);
	p = krealloc(p, 9000);
	for (u32 i = 0; i < 35; i++)
		assert_int_equal(p[i], 7);
	p = krealloc(p, 20);
	assert_int_equal(p[19], 7);
	kfree(p);
	assert_null(kcalloc(SIZE_MAX / 2, 3));
	assert_null(kmalloc((4ul << 20) + 1));
	kfree(NULL);
}

static void cache_lives_and_dies(void **state)
{
	u64 before, pages = slab_page_count();
	void *obj[1000];
	struct kmem_cache *c = kmem_cache_create("test", 200, 0);

	before = page_free_count();
	assert_null(kmem_cache_create("bad", 200, 128));
	for (u32 i = 0; i < 1000; i++) {
		fake_cpu = i % MAX_CPUS;
		obj[i] = kmem_cache_zalloc(c);
		assert_non_null(obj[i]);
	}
	assert_int_equal(kmem_cache_in_use(c), 1000);
	for (u32 i = 0; i < 1000; i++) {
		fake_cpu = i * 7 % MAX_CPUS;
		kmem_cache_free(c, obj[i]);
	}
	assert_int_equal(kmem_cache_in_use(c), 0);
	kmem_cache_destroy(c);
	assert_int_equal(page_free_count(), before);
	slab_shrink();
	assert_true(slab_page_count() <= pages);
}

/* What ran in a page before must not be left in what is only written here and there (page_scrub).
 */
static void slabs_start_clean(void **state)
{
	struct kmem_cache *c = kmem_cache_create("clean", 64, 0);
	u8 *page = pages_alloc(0), *obj;
	u32 dirty = 0;

	fake_cpu = 0;
	memset(page, 0xcc, PAGE_SIZE);
	pages_free(page, 0); /* the next one to be taken */
	obj = kmem_cache_alloc(c);
	assert_ptr_equal(virt_page(obj), virt_page(page));
	for (u32 i = sizeof(void *); i < 64; i++) /* behind the link of free ones */
		dirty += obj[i] == 0xcc;
	assert_int_equal(dirty, 0);
	kmem_cache_free(c, obj);
	kmem_cache_destroy(c);
}

static void fails_on_purpose(void **state)
{
	static u64 user[512]; /* a thread whose proc is not looked at: the poll context is asked */
	u32 failed = 0;

	fail_alloc_every = 10;
	for (u32 i = 0; i < 1000; i++) {
		void *p = kmalloc(64);

		assert_non_null(p); /* no thread: boot is spared */
		kfree(p);
	}
	fake_thread = (struct thread *)user;
	fake_batch = CPU_BATCH_POLL;
	for (u32 i = 0; i < 10000; i++) {
		void *p = kmalloc(64);

		failed += !p;
		kfree(p);
	}
	fake_thread = NULL;
	fake_batch = 0;
	fail_alloc_every = 0;
	assert_in_range(failed, 700, 1300);
}

static void percpu_slots(void **state)
{
	u64 *slot[700];

	for (u32 i = 0; i < 700; i++) {
		slot[i] = percpu_alloc(8 + 8 * (i % 5));
		assert_non_null(slot[i]);
		for (u32 c = 0; c < MAX_CPUS; c++) {
			u64 *v = percpu_ptr(slot[i], c);

			for (u32 k = 0; k < 1 + i % 5; k++) {
				assert_int_equal(v[k], 0);
				v[k] = i * MAX_CPUS + c;
			}
		}
	}
	for (u32 i = 0; i < 700; i++) {
		for (u32 c = 0; c < MAX_CPUS; c++)
			assert_int_equal(*(u64 *)percpu_ptr(slot[i], c), i * MAX_CPUS + c);
	}
	for (u32 i = 0; i < 700; i++)
		percpu_free(slot[i]);
	assert_null(percpu_alloc(5000));
}

/* Mutates the arena for good: the tests behind it run with the image's pages in the middle. */
static void image_becomes_memory(void **state)
{
	struct page *adopted = pa_to_page(boot_info.initrd_start + PAGE_SIZE);
	u64 before;

	shrink_all();
	before = page_free_count();
	page_get(adopted);
	image_pages_release(boot_info.initrd_start, boot_info.initrd_end);
	assert_int_equal(page_free_count(), before + 4);
	page_put(adopted);
	assert_int_equal(page_free_count(), before + 5);
	assert_true(page_free_count() <= page_total());
}

static int setup(void **state)
{
	srand(1);
	fake_ram(ARENA_PAGES);
	page_init();
	slab_init();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(page_lookup),	      cmocka_unit_test(pages_random),
		cmocka_unit_test(pages_exhaust),      cmocka_unit_test(pages_shared_reference),
		cmocka_unit_test(user_pages_counted), cmocka_unit_test(kmalloc_random),
		cmocka_unit_test(kmalloc_edges),      cmocka_unit_test(cache_lives_and_dies),
		cmocka_unit_test(slabs_start_clean),  cmocka_unit_test(fails_on_purpose),
		cmocka_unit_test(percpu_slots),	      cmocka_unit_test(image_becomes_memory),
		cmocka_unit_test(pages_random),	      cmocka_unit_test(pages_exhaust),
		cmocka_unit_test(kmalloc_random),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
