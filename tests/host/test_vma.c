/* SPDX-License-Identifier: MIT */
/* test_vma.c - address spaces against a naive model: an array that knows for each page of a small
 * window what mmap, munmap, mprotect, mremap, madvise and fork should have made of it. Contents are
 * read and written through mm_access, so faults, copies on write and file pages are part of the
 * game. */
/* cflags: -Itests/host/mm */
/* sources: kernel/mm/vma.c kernel/mm/mmap.c kernel/mm/remap.c kernel/mm/fault.c kernel/mm/fork.c */
/* sources: kernel/mm/access.c kernel/mm/shmem.c kernel/mm/page.c kernel/mm/slab.c */
/* sources: kernel/mm/kmalloc.c kernel/lib/parse.c tests/host/fake_arch.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <core/vfs.h>
#include <uapi/mman.h>

#include "kernel/mm/mm.h"
#include "fake_arch.h"

#define ARENA_PAGES 8192
#define FILE_PAGES 64
#define STAMP 0x1000
#define FENCE_PAGES ((USER_END - 2 * PAGE_SIZE) / PAGE_SIZE - WINDOW_PAGES)

struct proc *init_proc;

struct model_page {
	bool mapped, file;
	u8 prot;
	u32 value; /* the page's first word */
	u32 index; /* of a file page */
};

struct model {
	struct proc_mm *mm;
	struct model_page page[WINDOW_PAGES];
};

static struct file *file;

static u64 at(u32 i)
{
	return WINDOW_START + i * PAGE_SIZE;
}

/* The list is sorted, disjoint, counted, and says of each page what the model says. */
static void check_list(struct model *m)
{
	struct vma *v;
	u64 last = 0, pages = 0;
	u32 n = 0;

	list_for_each_entry(v, &m->mm->vmas, node) {
		if (v->flags & VM_IO)
			continue; /* a fence */
		assert_true(v->start < v->end && v->start >= last);
		last = v->end;
		pages += (v->end - v->start) / PAGE_SIZE;
		n++;
		for (u64 va = v->start; va < v->end; va += PAGE_SIZE) {
			struct model_page *p = &m->page[(va - WINDOW_START) / PAGE_SIZE];

			assert_true(p->mapped);
			assert_int_equal(p->file, v->file != NULL);
			assert_int_equal(p->prot, v->flags & (VM_READ | VM_WRITE | VM_EXEC));
			if (p->file)
				assert_int_equal(p->index, (v->pgoff + va - v->start) / PAGE_SIZE);
		}
	}
	assert_int_equal(n + 2, m->mm->nr_vmas);
	assert_int_equal(pages + FENCE_PAGES, m->mm->total_pages);
	for (u32 i = 0; i < WINDOW_PAGES; i++)
		pages -= m->page[i].mapped;
	assert_int_equal(pages, 0);
}

/* What was passed over before is never the answer. */
static void check_gap(struct model *m)
{
	u64 len = (1 + rand() % 12) * PAGE_SIZE, top = m->mm->mmap_base, want = 0;
	struct vma *v;

	for (u64 at = ALIGN_DOWN(top - len, PAGE_SIZE); at >= WINDOW_START && !want;
	     at -= PAGE_SIZE) {
		bool used = false;

		list_for_each_entry(v, &m->mm->vmas, node)
			used |= at < v->end && v->start < at + len;
		if (!used)
			want = at;
	}
	if (want)
		assert_int_equal(vma_find_gap(m->mm, 0, len), want);
}

static void check_page(struct model *m, u32 i)
{
	struct model_page *p = &m->page[i];
	u32 value = 0;
	long n = mm_access(m->mm, at(i), &value, sizeof(value), false);

	if (!p->mapped || !p->prot) {
		assert_int_equal(n, -EFAULT);
		return;
	}
	assert_int_equal(n, sizeof(value));
	assert_int_equal(value, p->value);
}

static void touch_page(struct model *m, u32 i)
{
	struct model_page *p = &m->page[i];
	u32 value = rand();
	long n = mm_access(m->mm, at(i), &value, sizeof(value), true);

	if (!p->mapped || !(p->prot & VM_WRITE)) {
		assert_int_equal(n, -EFAULT);
		return;
	}
	assert_int_equal(n, sizeof(value));
	p->value = value;
}

static void model_map(struct model *m, u32 i, u32 n, int prot, bool is_file, u32 index)
{
	for (u32 k = 0; k < n; k++) {
		m->page[i + k] = (struct model_page){ true, is_file, prot,
						      is_file ? STAMP + index + k : 0, index + k };
	}
}

static void do_mmap(struct model *m, u32 i, u32 n)
{
	bool is_file = rand() % 3 == 0;
	u32 index = is_file ? rand() % (FILE_PAGES / 2) : 0;
	int prot = rand() % 8, flags = MAP_PRIVATE;
	long ret;

	n = min(n, FILE_PAGES / 2u);
	flags |= is_file ? 0 : MAP_ANONYMOUS;
	if (rand() % 2) {
		ret = mm_mmap(m->mm, at(i), n * PAGE_SIZE, prot, flags | MAP_FIXED, file,
			      index * PAGE_SIZE);
		assert_int_equal(ret, at(i));
	} else {
		ret = mm_mmap(m->mm, 0, n * PAGE_SIZE, prot, flags, file, index * PAGE_SIZE);
		if (ret == -ENOMEM)
			return;
		assert_true(ret >= (long)WINDOW_START && (u64)ret + n * PAGE_SIZE <= WINDOW_END);
		i = (ret - WINDOW_START) / PAGE_SIZE;
		for (u32 k = 0; k < n; k++)
			assert_false(m->page[i + k].mapped);
	}
	model_map(m, i, n, prot, is_file, index);
}

static void do_munmap(struct model *m, u32 i, u32 n)
{
	assert_int_equal(mm_munmap(m->mm, at(i), n * PAGE_SIZE), 0);
	memset(&m->page[i], 0, n * sizeof(m->page[0]));
}

static bool all_mapped(const struct model *m, u32 i, u32 n)
{
	for (u32 k = 0; k < n; k++) {
		if (!m->page[i + k].mapped)
			return false;
	}
	return true;
}

static void do_mprotect(struct model *m, u32 i, u32 n)
{
	int prot = rand() % 8;
	int ret = mm_mprotect(m->mm, at(i), n * PAGE_SIZE, prot);

	assert_int_equal(ret, all_mapped(m, i, n) ? 0 : -ENOMEM);
	for (u32 k = 0; k < n && !ret; k++)
		m->page[i + k].prot = prot;
}

static void do_dontneed(struct model *m, u32 i, u32 n)
{
	int ret = mm_madvise(m->mm, at(i), n * PAGE_SIZE, MADV_DONTNEED);

	assert_int_equal(ret, all_mapped(m, i, n) ? 0 : -ENOMEM);
	for (u32 k = 0; k < n; k++) {
		struct model_page *p = &m->page[i + k];

		p->value = p->file ? STAMP + p->index : 0;
	}
}

static void do_mremap(struct model *m, u32 i, u32 n)
{
	u32 new_n = 1 + rand() % 40, old = i, to;
	struct model_page moved[40] = { 0 };
	struct vma *v = mm_find_vma(m->mm, at(i));
	bool covered;
	long ret;

	n = min(n, 40u);
	covered = v && n <= (v->end - at(i)) / PAGE_SIZE;
	ret = mm_mremap(m->mm, at(i), n * PAGE_SIZE, new_n * PAGE_SIZE, MREMAP_MAYMOVE, 0);
	if (!covered) {
		assert_int_equal(ret, -EFAULT);
		return;
	}
	if (ret == -ENOMEM)
		return;
	assert_true(ret > 0);
	to = (ret - WINDOW_START) / PAGE_SIZE;
	for (u32 k = 0; k < new_n; k++) {
		struct model_page *p = &moved[k];

		if (k < n) {
			*p = m->page[old + k];
			continue;
		}
		*p = moved[0];
		p->index = moved[0].file ? moved[0].index + k : 0;
		p->value = p->file ? STAMP + p->index : 0;
	}
	memset(&m->page[old], 0, n * sizeof(m->page[0]));
	memcpy(&m->page[to], moved, new_n * sizeof(m->page[0]));
}

static void do_anything(struct model *m)
{
	u32 i = rand() % WINDOW_PAGES, n = 1 + rand() % 40;

	n = min(n, (u32)(WINDOW_PAGES - i));
	switch (rand() % 12) {
	case 0:
	case 1:
		do_mmap(m, i, n);
		break;
	case 2:
		do_munmap(m, i, n);
		break;
	case 3:
		do_mprotect(m, i, n);
		break;
	case 4:
		do_dontneed(m, i, n);
		break;
	case 5:
		do_mremap(m, i, n);
		break;
	default:
		/* pages of a grown mapping may lie behind the end of the file: SIGBUS */
		if (m->page[i].file && m->page[i].index >= FILE_PAGES)
			break;
		if (rand() % 2)
			touch_page(m, i);
		else
			check_page(m, i);
	}
}

static struct proc_mm *new_mm(void)
{
	struct proc_mm *mm = mm_new();

	assert_non_null(mm);
	mm->mmap_base = WINDOW_END;
	return mm;
}

/* Everything outside of the window is taken. */
static struct proc_mm *fenced_mm(void)
{
	struct proc_mm *mm = new_mm();

	vma_link(mm, vma_alloc(2 * PAGE_SIZE, WINDOW_START, VM_IO, NULL, 0));
	vma_link(mm, vma_alloc(WINDOW_END, USER_END, VM_IO, NULL, 0));
	return mm;
}

static void random_against_model(void **state)
{
	static struct model m[3];
	u64 users = page_user_count();

	memset(m, 0, sizeof(m));
	m[0].mm = fenced_mm();
	for (u32 step = 0; step < 30000; step++) {
		struct model *cur = &m[rand() % 3];
		struct model *other = &m[rand() % 3];

		if (!cur->mm)
			cur = &m[0];
		fake_cpu = rand() % MAX_CPUS;
		do_anything(cur);
		if (step % 16 == 0)
			check_list(cur);
		if (step % 4 == 0)
			check_gap(cur);
		if (step % 500 == 0 && other != &m[0] && other != cur) {
			if (other->mm)
				mm_put(other->mm);
			*other = *cur;
			other->mm = mm_fork(cur->mm);
			assert_non_null(other->mm);
			check_list(other);
		}
	}
	for (u32 k = 0; k < 3; k++) {
		for (u32 i = 0; m[k].mm && i < WINDOW_PAGES; i++) {
			if (!m[k].page[i].file || m[k].page[i].index < FILE_PAGES)
				check_page(&m[k], i);
		}
		mm_put(m[k].mm);
	}
	assert_int_equal(page_user_count(), users);
	assert_int_equal(refcount_read(&file->refs), 1);
}

/* What a fork shares is private to each side as soon as one of them writes. */
static void fork_copies_on_write(void **state)
{
	struct proc_mm *a = new_mm(), *b;
	u32 v = 1, shootdowns;

	mm_mmap(a, WINDOW_START, 4 * PAGE_SIZE, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, NULL, 0);
	mm_access(a, WINDOW_START, &v, sizeof(v), true);
	shootdowns = fake_shootdowns;
	b = mm_fork(a);
	assert_true(fake_shootdowns > shootdowns);
	assert_int_equal(page_user_count(), 1);
	v = 2;
	mm_access(b, WINDOW_START, &v, sizeof(v), true);
	assert_int_equal(page_user_count(), 2);
	mm_access(a, WINDOW_START, &v, sizeof(v), false);
	assert_int_equal(v, 1);
	mm_put(b);
	/* alone again: written in place */
	v = 3;
	mm_access(a, WINDOW_START, &v, sizeof(v), true);
	assert_int_equal(page_user_count(), 1);
	assert_int_equal(a->rss_pages, 1);
	mm_put(a);
	assert_int_equal(page_user_count(), 0);
}

static void shared_memory_is_shared(void **state)
{
	struct proc_mm *a = new_mm(), *b;
	u32 v = 7;

	mm_mmap(a, WINDOW_START, 9 * PAGE_SIZE, PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, NULL, 0);
	b = mm_fork(a);
	mm_access(a, at(5), &v, sizeof(v), false);
	assert_int_equal(v, 0);
	v = 9;
	mm_access(b, at(5), &v, sizeof(v), true);
	mm_munmap(b, at(4), PAGE_SIZE);
	v = 0;
	mm_access(a, at(5), &v, sizeof(v), false);
	assert_int_equal(v, 9);
	mm_put(b);
	mm_access(a, at(5), &v, sizeof(v), false);
	assert_int_equal(v, 9);
	mm_put(a);
	assert_int_equal(page_user_count(), 0);
}

static void relro_survives_fork(void **state)
{
	struct proc_mm *a = new_mm(), *b;
	u32 v = 77;

	mm_mmap(a, WINDOW_START, 4 * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED,
		file, 0);
	mm_access(a, at(1), &v, sizeof(v), true);
	mm_mprotect(a, WINDOW_START, 2 * PAGE_SIZE, PROT_READ);
	b = mm_fork(a);
	v = 0;
	mm_access(b, at(1), &v, sizeof(v), false);
	assert_int_equal(v, 77);
	mm_access(b, at(2), &v, sizeof(v), false);
	assert_int_equal(v, STAMP + 2);
	mm_put(a);
	mm_put(b);
}

static void brk_is_exact(void **state)
{
	struct proc_mm *mm = new_mm();
	u64 start = at(10) + 0x123;
	u32 v = 5;

	mm->brk_start = mm->brk = start;
	assert_int_equal(mm_brk(mm, 0), start);
	assert_int_equal(mm_brk(mm, start + 0xd40), start + 0xd40);
	assert_int_equal(mm->nr_vmas, 0); /* still within the page that the image has */
	assert_int_equal(mm_brk(mm, start + 0x21000), start + 0x21000);
	assert_int_equal(mm_access(mm, at(20), &v, sizeof(v), true), sizeof(v));
	assert_int_equal(mm_brk(mm, at(100)), at(100));
	assert_int_equal(mm->nr_vmas, 1);
	assert_int_equal(mm_brk(mm, at(15)), at(15));
	assert_int_equal(mm_access(mm, at(20), &v, sizeof(v), true), -EFAULT);
	mm_mmap(mm, at(30), PAGE_SIZE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, NULL, 0);
	assert_int_equal(mm_brk(mm, at(31)), at(15));
	mm->data_limit = 5 * PAGE_SIZE;
	assert_int_equal(mm_brk(mm, at(17)), at(15));
	mm_put(mm);
	assert_int_equal(page_user_count(), 0);
}

static void stack_grows_to_its_limit(void **state)
{
	struct proc_mm *mm = new_mm();
	u32 v = 1;

	mm->as_limit = ~0ull;
	mm->stack_limit = 100 * PAGE_SIZE;
	assert_int_equal(mm_map_area(mm, at(500), 4 * PAGE_SIZE, VM_READ | VM_WRITE | VM_STACK,
				     NULL, 0, 0),
			 0);
	assert_int_equal(mm_access(mm, at(450), &v, sizeof(v), true), sizeof(v));
	assert_int_equal(mm->total_pages, 54);
	assert_int_equal(mm_access(mm, at(403), &v, sizeof(v), true), -EFAULT);
	assert_int_equal(mm_access(mm, at(404), &v, sizeof(v), true), sizeof(v));
	mm_put(mm);
}

static void elf_segment_tail_is_zero(void **state)
{
	struct proc_mm *mm = new_mm();
	u32 v, big[2];

	/* 0x1010 bytes of the file from 0x2ffc, then zeros for some pages */
	assert_int_equal(mm_map_area(mm, at(4) + 0xffc, 0x4000, VM_READ | VM_WRITE, file, 0x2ffc,
				     0x1008),
			 0);
	assert_int_equal(mm->nr_vmas, 2);
	mm_access(mm, at(4), &v, sizeof(v), false);
	assert_int_equal(v, STAMP + 2);
	mm_access(mm, at(5), &v, sizeof(v), false);
	assert_int_equal(v, STAMP + 3);
	mm_access(mm, at(6), big, sizeof(big), false);
	assert_int_equal(big[0], STAMP + 4); /* its first four bytes belong to the file part */
	assert_int_equal(big[1], 0);
	mm_access(mm, at(7), &v, sizeof(v), false);
	assert_int_equal(v, 0);
	assert_int_equal(mm_map_area(mm, at(8), PAGE_SIZE, VM_READ, NULL, 0, 0), -EEXIST);
	mm_put(mm);
}

static void faults_take_neighbours(void **state)
{
	struct proc_mm *mm = new_mm();
	u32 v;

	mm_mmap(mm, at(3), 40 * PAGE_SIZE, PROT_READ, MAP_PRIVATE | MAP_FIXED, file, 0);
	mm_access(mm, at(20), &v, sizeof(v), false);
	assert_int_equal(mm->rss_pages, 16);
	mm_access(mm, at(4), &v, sizeof(v), false);
	assert_int_equal(mm->rss_pages, 16 + 13);
	mm_put(mm);
}

static void end_of_file_is_an_error(void **state)
{
	struct proc_mm *mm = new_mm();

	mm_mmap(mm, at(0), 10 * PAGE_SIZE, PROT_READ, MAP_PRIVATE | MAP_FIXED, file,
		(FILE_PAGES - 2) * PAGE_SIZE);
	mutex_lock(&mm->lock);
	assert_int_equal(mm_fault_locked(mm, at(1), false, false), 0);
	assert_int_equal(mm_fault_locked(mm, at(2), false, false), -EIO);
	assert_int_equal(mm_fault_locked(mm, at(1), true, false), -EFAULT);
	mutex_unlock(&mm->lock);
	mm_put(mm);
}

static void bad_arguments(void **state)
{
	struct proc_mm *mm = new_mm();
	struct file *ro = fake_file(1, 0, O_RDONLY);
	int anon = MAP_PRIVATE | MAP_ANONYMOUS;

	assert_int_equal(mm_mmap(mm, 0, 0, PROT_READ, anon, NULL, 0), -EINVAL);
	assert_int_equal(mm_mmap(mm, 0, PAGE_SIZE, PROT_READ, MAP_ANONYMOUS, NULL, 0), -EINVAL);
	assert_int_equal(mm_mmap(mm, at(1) + 1, PAGE_SIZE, 1, anon | MAP_FIXED, NULL, 0), -EINVAL);
	assert_int_equal(mm_mmap(mm, 0, ~0ull, PROT_READ, anon, NULL, 0), -ENOMEM);
	assert_int_equal(mm_mmap(mm, USER_END, PAGE_SIZE, 1, anon | MAP_FIXED, NULL, 0), -ENOMEM);
	assert_int_equal(mm_mmap(mm, 0, PAGE_SIZE, PROT_WRITE, MAP_SHARED, ro, 0), -EACCES);
	assert_int_equal(mm_mmap(mm, 0, PAGE_SIZE, PROT_READ, MAP_PRIVATE, NULL, 0), -EBADF);
	assert_int_equal(mm_mmap(mm, 0, PAGE_SIZE, PROT_READ, MAP_PRIVATE, ro, 1), -EINVAL);
	assert_int_equal(mm_munmap(mm, at(0) + 1, PAGE_SIZE), -EINVAL);
	assert_int_equal(mm_munmap(mm, at(0), ~0ull), -EINVAL);
	assert_int_equal(mm_munmap(mm, at(0), PAGE_SIZE), 0);
	assert_int_equal(mm_mprotect(mm, at(0), ~0ull, 1), -ENOMEM);
	assert_int_equal(mm_mremap(mm, at(0), PAGE_SIZE, PAGE_SIZE, 0, 0), -EFAULT);
	assert_int_equal(mm_mremap(mm, at(0), PAGE_SIZE, 0, 0, 0), -EINVAL);
	assert_int_equal(mm_mremap(mm, ~0ull << 12, PAGE_SIZE, 2 * PAGE_SIZE, 1, 0), -EINVAL);
	assert_int_equal(mm_madvise(mm, at(0), PAGE_SIZE, 9999), -EINVAL);
	assert_int_equal(mm_access(mm, ~0ull, &mm, 8, false), -EFAULT);
	mm_mmap(mm, at(0), PAGE_SIZE, PROT_READ, MAP_SHARED | MAP_FIXED, ro, 0);
	assert_int_equal(mm_mprotect(mm, at(0), PAGE_SIZE, PROT_WRITE), -EACCES);
	mm_put(mm);
	fake_file_close(ro);
	assert_int_equal(fake_files_open, 1);
}

/* Without memory for tables every operation fails cleanly, and nothing is lost. */
static void table_failures(void **state)
{
	for (int n = 0; n < 60; n++) {
		struct proc_mm *a = new_mm(), *b;
		u32 v = 5;

		mm_mmap(a, at(0), 20 * PAGE_SIZE, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, NULL,
			0);
		for (u32 i = 0; i < 20; i++)
			mm_access(a, at(i), &v, sizeof(v), true);
		fake_map_failures = n;
		b = mm_fork(a);
		if (b)
			mm_mremap(b, at(0), 20 * PAGE_SIZE, 30 * PAGE_SIZE, MREMAP_MAYMOVE, 0);
		mm_mremap(a, at(0), 20 * PAGE_SIZE, 20 * PAGE_SIZE, MREMAP_MAYMOVE | MREMAP_FIXED,
			  at(100));
		fake_map_failures = -1;
		v = 0;
		if (mm_access(a, at(7), &v, sizeof(v), false) != sizeof(v))
			mm_access(a, at(107), &v, sizeof(v), false);
		assert_int_equal(v, 5);
		mm_put(b);
		mm_put(a);
		assert_int_equal(page_user_count(), 0);
	}
}

static int setup(void **state)
{
	srand(1);
	fake_ram(ARENA_PAGES);
	page_init();
	slab_init();
	vma_init();
	fault_init();
	file = fake_file(FILE_PAGES, STAMP, O_RDWR);
	return 0;
}

static int teardown(void **state)
{
	fake_file_close(file);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fork_copies_on_write),
		cmocka_unit_test(shared_memory_is_shared),
		cmocka_unit_test(relro_survives_fork),
		cmocka_unit_test(brk_is_exact),
		cmocka_unit_test(stack_grows_to_its_limit),
		cmocka_unit_test(elf_segment_tail_is_zero),
		cmocka_unit_test(faults_take_neighbours),
		cmocka_unit_test(end_of_file_is_an_error),
		cmocka_unit_test(bad_arguments),
		cmocka_unit_test(table_failures),
		cmocka_unit_test(random_against_model),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
