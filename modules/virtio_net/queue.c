/* SPDX-License-Identifier: MIT */
/* queue.c - split virtqueues (virtio 1.2, 2.7): a table of descriptors, a ring of chains offered to
 * the device and a ring of those it is done with. One memory block in the legacy layout (2.7.2),
 * which modern devices take as well. What the device writes is checked before it is used as an
 * index. */
#define LOG_NAME "virtio_net: "
#include "virtio_net.h"

#include <weft/printk.h>
#include <weft/string.h>

static u16 *used_event(struct virtq *q)
{
	return &q->avail->ring[q->size];
}

static u16 *avail_event(const struct virtq *q)
{
	return (u16 *)&q->used->ring[q->size];
}

int vq_alloc(struct virtq *q, struct nic *nic, u16 index, u16 size)
{
	u32 front = size * sizeof(struct vq_desc) + sizeof(struct vq_avail) + (size + 1) * 2;
	u32 back = sizeof(struct vq_used) + size * sizeof(struct vq_used_elem) + 2;
	u32 i;

	*q = (struct virtq){ .nic = nic, .index = index, .size = size };
	q->event_idx = nic->features & F_EVENT_IDX;
	q->bytes = ALIGN_UP(front, (u32)LEGACY_PAGE) + back;
	q->memory = dma_alloc(q->bytes, &q->bus);
	q->pkt = kcalloc(size, sizeof(*q->pkt));
	q->busy = kzalloc(size);
	if (!q->memory || !q->pkt || !q->busy) {
		vq_free(q);
		return -ENOMEM;
	}
	q->desc = q->memory;
	q->avail = q->memory + size * sizeof(struct vq_desc);
	q->used = q->memory + ALIGN_UP(front, (u32)LEGACY_PAGE);
	q->avail_bus = q->bus + size * sizeof(struct vq_desc);
	q->used_bus = q->bus + ALIGN_UP(front, (u32)LEGACY_PAGE);
	for (i = 0; i < size; i++)
		q->desc[i].next = i + 1;
	q->nr_free = size;
	return 0;
}

void vq_free(struct virtq *q)
{
	u32 i;

	for (i = 0; q->pkt && i < q->size; i++)
		if (q->pkt[i])
			pkt_free(q->pkt[i]);
	kfree(q->pkt);
	kfree(q->busy);
	if (q->memory)
		dma_free(q->memory, q->bytes);
	*q = (struct virtq){ 0 };
}

int vq_add(struct virtq *q, const struct vq_piece *pieces, u32 n, struct pkt *p)
{
	u16 head = q->free_head, at = head;
	u32 i;

	if (unlikely(q->nr_free < n))
		return -ENOSPC;
	for (i = 0; i < n; i++) {
		struct vq_desc *d = &q->desc[at];

		d->addr = pieces[i].addr;
		d->len = pieces[i].len;
		d->flags = (pieces[i].device_writes ? DESC_WRITE : 0) | (i + 1 < n ? DESC_NEXT : 0);
		at = d->next;
	}
	q->free_head = at;
	q->nr_free -= n;
	q->busy[head] = n;
	q->pkt[head] = p;
	q->avail->ring[q->avail_idx & (q->size - 1)] = head;
	q->avail_idx++;
	return head;
}

/* Has the device asked to be told of something that is in the ring now and that it was not told of?
 * The question covers all since the last notification (2.7.10), not this step alone: what a device
 * asked for too late to be seen then is seen the next time. */
static bool notification_due(const struct virtq *q)
{
	if (q->event_idx)
		return (u16)(q->told - READ_ONCE(*avail_event(q)) - 1) < (u16)(q->told - q->rung);
	return q->told != q->rung && !(READ_ONCE(q->used->flags) & USED_NO_NOTIFY);
}

bool vq_show(struct virtq *q)
{
	if (q->told != q->avail_idx) {
		q->told = q->avail_idx;
		smp_wmb(); /* descriptors before the index */
		WRITE_ONCE(q->avail->idx, q->told);
		dma_mb(); /* the index before the look at whether the device sleeps (2.7.13.4.1) */
	}
	if (!notification_due(q))
		return false;
	q->rung = q->told;
	return true;
}

void vq_publish(struct virtq *q)
{
	if (vq_show(q))
		q->nic->regs->notify(q);
}

bool vq_pending(const struct virtq *q)
{
	return q->memory && !q->broken && READ_ONCE(q->used->idx) != q->used_seen;
}

static void give_back(struct virtq *q, u16 head)
{
	u16 last = head;
	u32 i;

	for (i = 1; i < q->busy[head]; i++)
		last = q->desc[last].next;
	q->desc[last].next = q->free_head;
	q->free_head = head;
	q->nr_free += q->busy[head];
	q->busy[head] = 0;
}

bool vq_take(struct virtq *q, struct pkt **p, u32 *len)
{
	const struct vq_used_elem *e;
	u32 id;

	if (!vq_pending(q))
		return false;
	smp_rmb(); /* the index before the element */
	e = &q->used->ring[q->used_seen & (q->size - 1)];
	id = READ_ONCE(e->id);
	if (unlikely(id >= q->size || !q->busy[id])) {
		q->broken = true;
		pr_err("%s: the device returned descriptor %u of queue %u, which it has not\n",
		       q->nic->pci->name, id, q->index);
		return false;
	}
	*len = READ_ONCE(e->len);
	*p = q->pkt[id];
	q->pkt[id] = NULL;
	give_back(q, id);
	q->used_seen++;
	return true;
}

/* With EVENT_IDX the event that was passed last keeps the device silent. */
void vq_interrupt_off(struct virtq *q)
{
	if (q->event_idx)
		*used_event(q) = q->used_seen - 1;
	else
		q->avail->flags = AVAIL_NO_INTERRUPT;
}

bool vq_interrupt_on(struct virtq *q)
{
	if (q->event_idx)
		WRITE_ONCE(*used_event(q), q->used_seen);
	else
		WRITE_ONCE(q->avail->flags, 0);
	dma_mb(); /* the wish before the last look */
	return !vq_pending(q);
}

bool vq_interrupt_after(struct virtq *q, u16 n)
{
	if (q->event_idx)
		WRITE_ONCE(*used_event(q), q->used_seen + n - 1);
	else
		WRITE_ONCE(q->avail->flags, 0);
	dma_mb();
	return (u16)(READ_ONCE(q->used->idx) - q->used_seen) < n;
}

bool vq_interrupt_expected(const struct virtq *q)
{
	if (q->event_idx)
		return (u16)(q->avail->ring[q->size] - q->used_seen) < q->size;
	return !(q->avail->flags & AVAIL_NO_INTERRUPT);
}
