/* SPDX-License-Identifier: MIT */
/* list.h - doubly linked circular lists threaded through their members, and singly headed hash
 * lists whose readers may walk under RCU. The caller's lock guards all writers. */
#pragma once

#include <weft/atomic.h>
#include <weft/types.h>

struct list_head {
	struct list_head *next, *prev;
};

#define LIST_HEAD_INIT(name)     \
	{                        \
		&(name), &(name) \
	}
#define LIST_HEAD(name) struct list_head name = LIST_HEAD_INIT(name)

static inline void list_init(struct list_head *h)
{
	h->next = h->prev = h;
}

static inline void list_insert_between(struct list_head *n, struct list_head *prev,
				       struct list_head *next)
{
	n->next = next;
	n->prev = prev;
	next->prev = n;
	/* an RCU reader that meets n must see its next */
	__atomic_store_n(&prev->next, n, __ATOMIC_RELEASE);
}

/* list_add puts n first, list_add_tail last. Safe beside RCU readers of ->next. */
static inline void list_add(struct list_head *n, struct list_head *h)
{
	list_insert_between(n, h, h->next);
}

static inline void list_add_tail(struct list_head *n, struct list_head *h)
{
	list_insert_between(n, h->prev, h);
}

/* Unlinks n and leaves its own pointers, so that an RCU reader standing on it finds its way on. */
static inline void list_del_rcu(struct list_head *n)
{
	n->next->prev = n->prev;
	__atomic_store_n(&n->prev->next, n->next, __ATOMIC_RELEASE);
}

/* Unlinks n and makes it an empty list: list_empty(n) then tells that it is on none. */
static inline void list_del(struct list_head *n)
{
	list_del_rcu(n);
	list_init(n);
}

static inline bool list_empty(const struct list_head *h)
{
	return READ_ONCE(h->next) == h;
}

static inline void list_move_tail(struct list_head *n, struct list_head *h)
{
	list_del_rcu(n);
	list_add_tail(n, h);
}

/* Moves what stands in front of n, from's member or from itself, to to, which was not in use. */
static inline void list_cut_before(struct list_head *from, struct list_head *n,
				   struct list_head *to)
{
	list_init(to);
	if (from->next == n)
		return;
	to->next = from->next;
	to->prev = n->prev;
	to->next->prev = to->prev->next = to;
	from->next = n;
	n->prev = from;
}

/* Appends all of from to the end of to; from is left empty. */
static inline void list_splice_tail(struct list_head *from, struct list_head *to)
{
	if (list_empty(from))
		return;
	from->next->prev = to->prev;
	to->prev->next = from->next;
	from->prev->next = to;
	to->prev = from->prev;
	list_init(from);
}

#define list_entry(p, type, member) container_of(p, type, member)
#define list_first_entry(h, type, member) list_entry((h)->next, type, member)
#define list_first_entry_or_null(h, type, member) \
	(list_empty(h) ? NULL : list_first_entry(h, type, member))
#define list_last_entry(h, type, member) list_entry((h)->prev, type, member)
/* e->member by arithmetic: at a list's end e is the head taken for an entry, and may be less
 * aligned than one. */
#define list_node_of(e, member) \
	((struct list_head *)((char *)(e) + offsetof(__typeof__(*(e)), member)))
#define list_next_entry(e, member) \
	list_entry(list_node_of(e, member)->next, __typeof__(*(e)), member)

#define list_for_each(p, h) for ((p) = (h)->next; (p) != (h); (p) = (p)->next)
#define list_for_each_entry(e, h, member)                                      \
	for ((e) = list_entry(READ_ONCE((h)->next), __typeof__(*(e)), member); \
	     list_node_of(e, member) != (h);                                   \
	     (e) = list_entry(READ_ONCE((e)->member.next), __typeof__(*(e)), member))
#define list_for_each_entry_safe(e, tmp, h, member)               \
	for ((e) = list_first_entry(h, __typeof__(*(e)), member), \
	    (tmp) = list_next_entry(e, member);                   \
	     list_node_of(e, member) != (h); (e) = (tmp), (tmp) = list_next_entry(tmp, member))

struct hlist_head {
	struct hlist_node *first;
};

struct hlist_node {
	struct hlist_node *next, **pprev; /* pprev NULL: on no list */
};

static inline void hlist_add_head(struct hlist_node *n, struct hlist_head *h)
{
	n->next = h->first;
	n->pprev = &h->first;
	if (h->first)
		h->first->pprev = &n->next;
	__atomic_store_n(&h->first, n, __ATOMIC_RELEASE);
}

/* Unlinks n; n->next stays, for RCU readers. Does nothing when n is on no list. */
static inline void hlist_del(struct hlist_node *n)
{
	if (!n->pprev)
		return;
	__atomic_store_n(n->pprev, n->next, __ATOMIC_RELEASE);
	if (n->next)
		n->next->pprev = n->pprev;
	n->pprev = NULL;
}

#define hlist_entry_or_null(p, type, member)                          \
	({                                                            \
		struct hlist_node *hlist_p = (p);                     \
		hlist_p ? container_of(hlist_p, type, member) : NULL; \
	})
#define hlist_for_each_entry(e, h, member)                                                    \
	for ((e) = hlist_entry_or_null(READ_ONCE((h)->first), __typeof__(*(e)), member); (e); \
	     (e) = hlist_entry_or_null(READ_ONCE((e)->member.next), __typeof__(*(e)), member))
