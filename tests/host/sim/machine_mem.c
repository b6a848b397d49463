/* SPDX-License-Identifier: MIT */
/* machine_mem.c - include/weft/alloc.h over the C library, so that the address sanitizer watches
 * each block. Every block is in a table with the place that made it; failures on purpose are drawn
 * from the simulation's generator. Packet buffers that wait in a pool are poisoned. */
#include <sys/mman.h>
#include <core/sched.h>
#include <core/vm.h>
#include <kernel/net/pkt_internal.h>
#include <sanitizer/asan_interface.h>
#include <stdio.h>
#include <stdlib.h>
#include <weft/alloc.h>

#include "machine.h"

u32 fail_alloc_every;
static u64 failures;

/* ---- the table of living blocks: open addressing, at most half full ---- */

struct block {
	const void *p;
	size_t size;
	const void *site;
	const char *kind;
};

static struct block *table;
static size_t capacity, used, alive, alive_bytes;
static const struct block tombstone;
#define DELETED ((const void *)&tombstone)

static size_t slot_of(const void *p)
{
	return ((u64)p >> 4) * 0x9e3779b97f4a7c15ull >> 20;
}

static void table_put(const struct block *b)
{
	size_t i = slot_of(b->p) & (capacity - 1);

	while (table[i].p)
		i = (i + 1) & (capacity - 1);
	table[i] = *b;
	used++;
}

static void table_grow(void)
{
	struct block *old = table;
	size_t n = capacity, i, size = 65536;

	while (size < alive * 4)
		size *= 2;
	capacity = size;
	table = calloc(capacity, sizeof(*table));
	used = 0;
	for (i = 0; i < n; i++)
		if (old[i].p && old[i].p != DELETED)
			table_put(&old[i]);
	free(old);
}

static void note(const void *p, size_t size, const void *site, const char *kind)
{
	struct block b = { p, size, site, kind };

	if (used * 2 >= capacity)
		table_grow();
	table_put(&b);
	alive++;
	alive_bytes += size;
}

static struct block *find(const void *p, const char *kind)
{
	size_t i = slot_of(p) & (capacity - 1);

	for (; capacity && table[i].p; i = (i + 1) & (capacity - 1)) {
		if (table[i].p != p)
			continue;
		if (table[i].kind != kind)
			sim_fatal("%p was made by %s and is freed by %s", p, table[i].kind, kind);
		return &table[i];
	}
	sim_fatal("%p is freed by %s and not alive", p, kind);
}

static void forget(const void *p, const char *kind)
{
	struct block *b = find(p, kind);

	alive--;
	alive_bytes -= b->size;
	b->p = DELETED;
}

static void print_site(const void *site, char *where, size_t size)
{
	__sanitizer_symbolize_pc((void *)((const char *)site - 1), "%f %s:%l", where, size);
}

/* Buffers that rest in the packet pools come and go: they do not count. */
static bool counts(const struct block *b)
{
	return b->p && b->p != DELETED && __builtin_strncmp(b->kind, "pkt", 3);
}

void sim_memory_print(void)
{
	char where[200];
	size_t i;

	for (i = 0; i < capacity; i++) {
		if (!counts(&table[i]))
			continue;
		print_site(table[i].site, where, sizeof(where));
		fprintf(stderr, "  alive: %s of %zu bytes by %s\n", table[i].kind, table[i].size,
			where);
	}
}

/* ---- allocation ---- */

static bool fails(void)
{
	if (!fail_alloc_every || sim_random() % fail_alloc_every)
		return false;
	failures++;
	return true;
}

static void *get(size_t n, size_t align, const void *site, const char *kind)
{
	void *p;

	if (fails() || posix_memalign(&p, align, n ? n : 1))
		return NULL;
	__builtin_memset(p, 0xa5, n);
	note(p, n, site, kind);
	return p;
}

static void put(const void *p, const char *kind)
{
	if (!p)
		return;
	forget(p, kind);
	free((void *)p);
}

#define SITE __builtin_return_address(0)
static const char kmalloc_kind[] = "kmalloc", pages_kind[] = "pages", dma_kind[] = "dma",
		  percpu_kind[] = "percpu", vmalloc_kind[] = "vmalloc";

static size_t kmalloc_align(size_t n)
{
	return n >= PAGE_SIZE ? PAGE_SIZE : n >= 64 ? 64 : 16;
}

static void *kmalloc_from(size_t n, const void *site)
{
	return n > 4u << 20 ? NULL : get(n, kmalloc_align(n), site, kmalloc_kind);
}

void *kmalloc(size_t n)
{
	return kmalloc_from(n, SITE);
}

static void *cleared(void *p, size_t n)
{
	if (p)
		__builtin_memset(p, 0, n);
	return p;
}

void *kzalloc(size_t n)
{
	return cleared(kmalloc_from(n, SITE), n);
}

void *kcalloc(size_t n, size_t size)
{
	size_t all;

	if (__builtin_mul_overflow(n, size, &all))
		return NULL;
	return cleared(kmalloc_from(all, SITE), all);
}

void kfree(const void *p)
{
	put(p, kmalloc_kind);
}

size_t ksize(const void *p)
{
	return find(p, kmalloc_kind)->size;
}

void *krealloc(void *p, size_t n)
{
	size_t have = p ? ksize(p) : 0;
	void *q = kmalloc_from(n, SITE);

	if (!q)
		return NULL;
	if (p)
		__builtin_memcpy(q, p, have < n ? have : n);
	kfree(p);
	return q;
}

char *kstrdup(const char *s)
{
	size_t n = __builtin_strlen(s) + 1;
	char *p = kmalloc_from(n, SITE);

	return p ? __builtin_memcpy(p, s, n) : NULL;
}

void *pages_alloc(u32 order)
{
	return get(PAGE_SIZE << order, PAGE_SIZE, SITE, pages_kind);
}

void pages_free(void *p, u32 order)
{
	put(p, pages_kind);
}

bool sim_dma_low;

/* A block below 4 GiB; its record stands for it in the accounts. */
struct low_block {
	struct list_head node;
	void *memory;
	size_t size;
};
static LIST_HEAD(low_blocks);

static void *low_alloc(size_t size, phys_addr_t *bus)
{
	struct low_block *l = get(sizeof(*l), PAGE_SIZE, SITE, dma_kind);

	if (!l)
		return NULL;
	l->size = ALIGN_UP(size, (size_t)PAGE_SIZE);
	l->memory = mmap(NULL, l->size, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	if (l->memory == MAP_FAILED)
		sim_fatal("no memory below 4 GiB");
	list_add(&l->node, &low_blocks);
	*bus = (u64)l->memory;
	return l->memory;
}

void *dma_alloc(size_t size, phys_addr_t *bus)
{
	void *p;

	if (sim_dma_low)
		return low_alloc(size, bus);
	p = cleared(get(size, PAGE_SIZE, SITE, dma_kind), size);
	*bus = (u64)p;
	return p;
}

void dma_free(void *p, size_t size)
{
	struct low_block *l;

	list_for_each_entry(l, &low_blocks, node) {
		if (l->memory != p)
			continue;
		list_del(&l->node);
		munmap(p, l->size);
		put(l, dma_kind);
		return;
	}
	put(p, dma_kind);
}

phys_addr_t dma_addr(const void *p)
{
	return (u64)p;
}

void *vmalloc(size_t n)
{
	return get(n, PAGE_SIZE, SITE, vmalloc_kind);
}

void vfree(const void *p)
{
	put(p, vmalloc_kind);
}

/* One area: the distance between two copies, then the copies in whole cache lines. */
void *percpu_alloc(size_t n)
{
	size_t stride = ALIGN_UP(n, 64ul), all = 64 + stride * MAX_CPUS;
	u8 *p = cleared(get(all, 64, SITE, percpu_kind), all);

	if (p)
		*(size_t *)p = stride;
	return p;
}

void percpu_free(void *p)
{
	put(p, percpu_kind);
}

void *percpu_ptr(void *p, u32 cpu)
{
	return (u8 *)p + 64 + cpu * *(size_t *)p;
}

u32 percpu_cpus(void)
{
	return MAX_CPUS;
}

/* ---- caches ---- */

struct kmem_cache {
	const char *name;
	size_t size, align;
	u32 in_use;
};

struct kmem_cache *kmem_cache_create(const char *name, size_t size, size_t align)
{
	struct kmem_cache *c = kzalloc(sizeof(*c));

	if (!c)
		return NULL;
	c->name = name;
	c->size = size;
	c->align = align < 16 ? 16 : align;
	return c;
}

void kmem_cache_destroy(struct kmem_cache *c)
{
	if (c && c->in_use)
		sim_fatal("cache %s is destroyed with %u objects alive", c->name, c->in_use);
	kfree(c);
}

void *kmem_cache_alloc(struct kmem_cache *c)
{
	void *p = get(c->size, c->align, SITE, c->name);

	c->in_use += p != NULL;
	return p;
}

void *kmem_cache_zalloc(struct kmem_cache *c)
{
	return cleared(kmem_cache_alloc(c), c->size);
}

void kmem_cache_free(struct kmem_cache *c, void *p)
{
	c->in_use--;
	put(p, c->name);
}

u32 kmem_cache_in_use(const struct kmem_cache *c)
{
	return c->in_use;
}

void mem_stats_get(struct mem_stats *s)
{
	*s = (struct mem_stats){ .total_pages = 32768, .blocks_alive = alive };
}

/* ---- packets: the debug build's hooks ---- */

static LIST_HEAD(packets);

void pkt_debug_alloc(struct pkt *p, const void *site)
{
	p->debug_site = site;
	list_add_tail(&p->debug_node, &packets);
	if (!p->owner->free && p->owner != &pkt_clone_owner) {
		ASAN_UNPOISON_MEMORY_REGION(p->head, p->end - p->head);
		__builtin_memset(p->head, 0x5a, p->end - p->head);
	}
}

void pkt_debug_check(const struct pkt *p)
{
	if (!p->debug_site)
		sim_fatal("a packet is used after it was freed");
}

void pkt_debug_free(struct pkt *p)
{
	pkt_debug_check(p);
	p->debug_site = NULL;
	list_del(&p->debug_node);
	if (!p->owner->free && p->owner != &pkt_clone_owner)
		ASAN_POISON_MEMORY_REGION(p->head, p->end - p->head);
}

/* The pools' lists of free buffers would hide failures: while there are to be some, whatever lies
 * on them is taken away again and again. */
#define THEFT_NS (50 * NSEC_PER_USEC)

static LIST_HEAD(stolen);

static void steal(struct sim_event *e)
{
	u32 every = fail_alloc_every;
	struct pkt *p;

	fail_alloc_every = 1;
	while ((p = pkt_alloc(PKT_POOL_RX, 0, 0)))
		list_add(&p->node, &stolen);
	fail_alloc_every = every;
	sim_event_set(e, sim_now() + THEFT_NS);
}

void sim_fail_every(u32 n)
{
	static struct sim_event theft = { .fn = steal };

	fail_alloc_every = n;
	if (n) {
		sim_event_set(&theft, sim_now());
		return;
	}
	sim_event_cancel(&theft);
	while (!list_empty(&stolen)) {
		struct pkt *p = list_first_entry(&stolen, struct pkt, node);

		list_del(&p->node);
		pkt_free(p);
	}
}

static void packets_print(void)
{
	char where[200];
	struct pkt *p;

	list_for_each_entry(p, &packets, debug_node) {
		print_site(p->debug_site, where, sizeof(where));
		fprintf(stderr, "  alive: packet of %u bytes by %s, refs %d\n", p->len, where,
			p->refs.v);
	}
}

/* ---- before and after ---- */

static void (*shrink)(void);

void shrinker_add(void (*fn)(void))
{
	shrink = fn;
}

static u64 counted_blocks(void)
{
	u64 n = 0;
	size_t i;

	if (shrink)
		shrink();
	for (i = 0; i < capacity; i++)
		n += counts(&table[i]);
	return n;
}

void sim_memory_get(struct sim_memory *m)
{
	struct pkt_stats ps;

	pkt_stats_get(&ps);
	*m = (struct sim_memory){ .blocks = alive,
				  .held = counted_blocks(),
				  .bytes = alive_bytes,
				  .packets = ps.alive,
				  .failures = failures };
}

static struct {
	u64 blocks, packets;
	u32 files, records;
} mark;

void sim_mark(void)
{
	u32 every = fail_alloc_every;
	struct sim_memory m;

	sim_fail_every(0);
	sim_run_ms(50);
	sim_memory_get(&m);
	sim_fail_every(every);
	mark.blocks = counted_blocks();
	mark.packets = m.packets;
	mark.files = machine_files_count();
	mark.records = machine_ledger_count();
}

void sim_check(void)
{
	struct sim_memory m;

	sim_run_ms(50); /* RCU's callbacks, threads that ended */
	sim_memory_get(&m);
	if (m.packets != mark.packets) {
		packets_print();
		sim_fatal("%lu packets alive, %lu before", m.packets, mark.packets);
	}
	if (machine_ledger_count() != mark.records) {
		machine_ledger_print();
		sim_fatal("%u ledger records, %u before", machine_ledger_count(), mark.records);
	}
	if (machine_files_count() != mark.files) {
		machine_files_print();
		sim_fatal("%u files in /proc and /sys, %u before", machine_files_count(),
			  mark.files);
	}
	if (counted_blocks() != mark.blocks) {
		sim_memory_print();
		sim_fatal("%lu blocks alive, %lu before", counted_blocks(), mark.blocks);
	}
}
