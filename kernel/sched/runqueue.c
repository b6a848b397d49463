/* SPDX-License-Identifier: MIT */
/* runqueue.c - the waiting threads of one CPU as a pairing heap ordered by vruntime. It lives in
 * the threads themselves, so that queueing needs no memory; insert is O(1), removing O(log n)
 * amortised. Callers hold the run queue's lock. */
#include "rq.h"

static bool before(const struct thread *a, const struct thread *b)
{
	return (s64)(a->vruntime - b->vruntime) < 0;
}

static struct thread *meld(struct thread *a, struct thread *b)
{
	struct thread *t;

	if (!a)
		return b;
	if (!b)
		return a;
	if (before(b, a)) {
		t = a;
		a = b;
		b = t;
	}
	list_add(&b->rq_node, &a->rq_children);
	return a;
}

/* The two passes of a pairing heap: pairs from the left, then all of them from the right. */
static struct thread *meld_children(struct thread *t)
{
	struct thread *root = NULL, *a, *b;
	LIST_HEAD(pairs);

	while (!list_empty(&t->rq_children)) {
		a = list_first_entry(&t->rq_children, struct thread, rq_node);
		list_del(&a->rq_node);
		b = list_first_entry_or_null(&t->rq_children, struct thread, rq_node);
		if (b) {
			list_del(&b->rq_node);
			a = meld(a, b);
		}
		list_add(&a->rq_node, &pairs);
	}
	while (!list_empty(&pairs)) {
		a = list_first_entry(&pairs, struct thread, rq_node);
		list_del(&a->rq_node);
		root = meld(root, a);
	}
	return root;
}

void rq_heap_insert(struct rq *rq, struct thread *t)
{
	list_init(&t->rq_node);
	list_init(&t->rq_children);
	t->in_heap = true;
	rq->heap = meld(rq->heap, t);
}

void rq_heap_remove(struct rq *rq, struct thread *t)
{
	struct thread *rest = meld_children(t);

	t->in_heap = false;
	if (rq->heap == t) {
		rq->heap = rest;
		return;
	}
	list_del(&t->rq_node);
	rq->heap = meld(rq->heap, rest);
}

/* A breadth-first walk would need memory; the children of the root are the interesting ones: each
 * is the next thread of some part of the queue. */
struct thread *rq_heap_next(struct thread *root, struct thread *t)
{
	if (!root)
		return NULL;
	if (!t)
		return root;
	if (t == root)
		return list_first_entry_or_null(&root->rq_children, struct thread, rq_node);
	if (t->rq_node.next == &root->rq_children)
		return NULL;
	return list_next_entry(t, rq_node);
}
