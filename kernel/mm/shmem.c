/* SPDX-License-Identifier: MIT */
/* shmem.c - anonymous memory shared by a process and its children (MAP_SHARED | MAP_ANONYMOUS):
 * an object of pages by number, made when first touched, living as long as a VMA refers to it. */
#include <weft/err.h>
#include <weft/mutex.h>

#include "mm.h"

#define PER_CHUNK (PAGE_SIZE / sizeof(struct page *))

struct shared_pages {
	struct refcount refs;
	u64 nr_pages;
	struct mutex lock;     /* taken inside mm->lock */
	struct page **chunk[]; /* guarded by lock; NULL: no page of it was touched */
};

static void shared_put(struct shared_pages *sp)
{
	if (!refcount_dec_and_test(&sp->refs))
		return;
	for (u64 i = 0; i < DIV_ROUND_UP(sp->nr_pages, PER_CHUNK); i++) {
		if (!sp->chunk[i])
			continue;
		for (u64 k = 0; k < PER_CHUNK; k++) {
			if (sp->chunk[i][k])
				page_put(sp->chunk[i][k]);
		}
		kfree(sp->chunk[i]);
	}
	kfree(sp);
}

static struct page *shared_page(struct shared_pages *sp, u64 index)
{
	struct page ***chunk = &sp->chunk[index / PER_CHUNK];
	struct page **slot;

	if (!*chunk)
		*chunk = kzalloc(PAGE_SIZE);
	if (!*chunk)
		return ERR_PTR(-ENOMEM);
	slot = &(*chunk)[index % PER_CHUNK];
	if (!*slot)
		*slot = page_alloc_user(true);
	if (!*slot)
		return ERR_PTR(-ENOMEM);
	page_get(*slot);
	return *slot;
}

static struct page *shared_fault(struct vma *v, u64 off, bool write)
{
	struct shared_pages *sp = v->priv;
	struct page *p;

	if (off >> PAGE_SHIFT >= sp->nr_pages)
		return ERR_PTR(-EFAULT); /* grown by mremap: SIGBUS, as on Linux */
	mutex_lock(&sp->lock);
	p = shared_page(sp, off >> PAGE_SHIFT);
	mutex_unlock(&sp->lock);
	return p;
}

static void shared_open(struct vma *v)
{
	refcount_inc(&((struct shared_pages *)v->priv)->refs);
}

static void shared_close(struct vma *v)
{
	shared_put(v->priv);
}

static const struct vma_ops shared_ops = {
	.fault = shared_fault,
	.open = shared_open,
	.close = shared_close,
};

int shared_anon_attach(struct vma *v)
{
	u64 nr = (v->end - v->start) >> PAGE_SHIFT;
	struct shared_pages *sp;

	sp = kzalloc(sizeof(*sp) + DIV_ROUND_UP(nr, PER_CHUNK) * sizeof(sp->chunk[0]));
	if (!sp)
		return -ENOMEM;
	refcount_set(&sp->refs, 1);
	sp->nr_pages = nr;
	mutex_init(&sp->lock);
	v->ops = &shared_ops;
	v->priv = sp;
	v->pgoff = 0;
	return 0;
}
