/* SPDX-License-Identifier: MIT */
/* filepages.c - contents of a file in memory: a tree of pages, 64 ways a level, as high as the file
 * is long; what was never written is a hole. A page may come from outside (the boot image). The
 * lock covers the tree only, so that user memory, which may be a mapping of this very file, is
 * copied without it. */
#include "fs.h"

#define WAYS_SHIFT 6
#define WAYS (1u << WAYS_SHIFT)
#define MAX_HEIGHT 7

struct file_pages {
	struct super *super;
	struct spinlock lock;
	/* guarded by lock */
	u32 height; /* levels of nodes; 0: root is the page of index 0, if any */
	u64 nr;	    /* pages in it */
	void *root;
};

struct node {
	void *slot[WAYS]; /* nodes, or pages at the lowest level */
};

struct file_pages *file_pages_new(struct super *s)
{
	struct file_pages *fp = kzalloc(sizeof(*fp));

	if (fp)
		fp->super = s;
	return fp;
}

u64 file_pages_count(const struct file_pages *fp)
{
	return READ_ONCE(fp->nr);
}

static bool index_fits(u64 index, u32 height)
{
	return height * WAYS_SHIFT >= 64 || index >> (height * WAYS_SHIFT) == 0;
}

/* The slot of an index; NULL when it is in a hole (or, with create, without memory). Lock held. */
static void **find_slot(struct file_pages *fp, u64 index, bool create)
{
	void **slot = &fp->root;
	u32 h;

	while (!index_fits(index, fp->height)) {
		struct node *n;

		if (!create)
			return NULL;
		if (fp->root || fp->height) {
			n = kzalloc(sizeof(*n));
			if (!n)
				return NULL;
			n->slot[0] = fp->root;
			fp->root = n;
		} else {
			/* empty: as high as needed at once */
			fp->root = kzalloc(sizeof(*n));
			if (!fp->root)
				return NULL;
		}
		fp->height++;
	}
	for (h = fp->height; h; h--) {
		if (!*slot) {
			if (!create)
				return NULL;
			*slot = kzalloc(sizeof(struct node));
			if (!*slot)
				return NULL;
		}
		slot = &((struct node *)*slot)->slot[index >> ((h - 1) * WAYS_SHIFT) & (WAYS - 1)];
	}
	return slot;
}

static struct page *find_page(struct file_pages *fp, u64 index)
{
	void **slot;
	struct page *p;

	spin_lock(&fp->lock);
	slot = find_slot(fp, index, false);
	p = slot ? *slot : NULL;
	if (p)
		page_get(p);
	spin_unlock(&fp->lock);
	return p;
}

/* One more page of this super: false over its bound. */
static bool charge(struct super *s)
{
	s64 n = atomic64_add(&s->pages, 1);

	if (!s->max_pages || (u64)n <= s->max_pages)
		return true;
	atomic64_add(&s->pages, -1);
	return false;
}

/* Puts p at index unless there is one already. 0, -EEXIST, -ENOMEM. */
static int insert(struct file_pages *fp, u64 index, struct page *p)
{
	void **slot;
	int err = 0;

	spin_lock(&fp->lock);
	slot = find_slot(fp, index, true);
	if (!slot) {
		err = -ENOMEM;
	} else if (*slot) {
		err = -EEXIST;
	} else {
		*slot = p;
		fp->nr++;
	}
	spin_unlock(&fp->lock);
	if (!err)
		page_count_file(1);
	return err;
}

struct page *file_pages_get(struct file_pages *fp, u64 index, bool create)
{
	struct page *p = find_page(fp, index);
	int err;

	if (p || !create)
		return p;
	if (!charge(fp->super))
		return ERR_PTR(-ENOSPC);
	p = page_alloc_user(true);
	err = -ENOMEM;
	if (p) {
		page_get(p); /* the caller's */
		err = insert(fp, index, p);
		if (!err)
			return p;
		page_put(p);
		page_put(p);
	}
	atomic64_add(&fp->super->pages, -1);
	if (err != -EEXIST)
		return ERR_PTR(err);
	p = find_page(fp, index);
	return p ? p : ERR_PTR(-EAGAIN); /* truncated beside us: the caller has no lock */
}

int file_pages_adopt(struct file_pages *fp, u64 index, struct page *p)
{
	int err = insert(fp, index, p);

	if (!err)
		atomic64_add(&fp->super->pages, 1);
	return err;
}

/* Drops the pages from index first on below a slot of that height; true when none is left. */
static bool prune(struct file_pages *fp, void **slot, u32 height, u64 first)
{
	struct node *n = *slot;
	bool empty = true;
	u64 step;
	u32 i;

	if (!n)
		return true;
	if (!height) {
		if (first)
			return false;
		page_put(*slot);
		*slot = NULL;
		fp->nr--;
		page_count_file(-1);
		atomic64_add(&fp->super->pages, -1);
		return true;
	}
	step = 1ull << ((height - 1) * WAYS_SHIFT);
	for (i = 0; i < WAYS; i++) {
		u64 start = i * step;

		if (start + step <= first)
			empty &= !n->slot[i];
		else
			empty &= prune(fp, &n->slot[i], height - 1,
				       first > start ? first - start : 0);
	}
	if (!empty)
		return false;
	kfree(n);
	*slot = NULL;
	return true;
}

void file_pages_truncate(struct file_pages *fp, u64 size)
{
	u64 first = DIV_ROUND_UP(size, PAGE_SIZE);
	struct page *tail;

	spin_lock(&fp->lock);
	if (prune(fp, &fp->root, fp->height, first))
		fp->height = 0;
	spin_unlock(&fp->lock);
	if (size & (PAGE_SIZE - 1)) {
		tail = find_page(fp, size >> PAGE_SHIFT);
		if (tail) {
			u32 off = size & (PAGE_SIZE - 1);

			memset((u8 *)phys_to_virt(page_to_pa(tail)) + off, 0, PAGE_SIZE - off);
			page_put(tail);
		}
	}
}

void file_pages_free(struct file_pages *fp)
{
	if (!fp)
		return;
	prune(fp, &fp->root, fp->height, 0);
	kfree(fp);
}
