/* SPDX-License-Identifier: MIT */
/* sockmap.c - mmap of a socket: the family's pages in the program's address space. The page tables
 * are emptied before a mapping gives its reference back, so the pages are then nobody else's. */
#include <core/vm.h>

#include "socket_internal.h"

static struct page *fault(struct vma *v, u64 off, bool write)
{
	const struct socket_pages *sp = v->priv;
	struct page *p;

	if (off / PAGE_SIZE >= sp->nr)
		return ERR_PTR(-EFAULT);
	p = pa_to_page(virt_to_phys(sp->page[off / PAGE_SIZE]));
	page_get(p);
	return p;
}

static void copied(struct vma *v)
{
	struct socket_pages *sp = v->priv;

	refcount_inc(&sp->refs);
}

static void closed(struct vma *v)
{
	socket_pages_put(v->priv);
}

static const struct vma_ops socket_vma_ops = { .fault = fault, .open = copied, .close = closed };

/* The address space is locked here and a socket's lock is held over copies to it: only the door. */
int socket_mmap(struct file *f, struct vma *v)
{
	struct socket *s = f->priv;
	struct socket_pages *sp;

	if (!socket_inside(s))
		return -ENODEV;
	if (!s->ops || !s->ops->mmap)
		sp = ERR_PTR(-ENODEV);
	else if (v->pgoff || !(v->flags & VM_SHARED))
		sp = ERR_PTR(-EINVAL);
	else
		sp = s->ops->mmap(s, v->end - v->start);
	socket_outside(s);
	if (IS_ERR(sp))
		return PTR_ERR(sp);
	v->ops = &socket_vma_ops;
	v->priv = sp;
	return 0;
}
