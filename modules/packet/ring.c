/* SPDX-License-Identifier: MIT */
/* ring.c - PACKET_RX_RING in its second version: frames go straight into pages that the capture has
 * mapped. A frame's status word says whose it is; the program may write anything there and into the
 * rest, so nothing but that word is ever read, and it only decides whether a frame is dropped. */
#include "packet.h"

#include <uapi/sock_diag.h>
#include <weft/alloc.h>
#include <weft/string.h>

#define PAGE 4096u
#define RING_BYTES_MAX (64u << 20)
#define HEADER (ALIGN_UP((u32)sizeof(struct tpacket2_hdr), 16u) + (u32)sizeof(struct sockaddr_ll))

struct packet_ring {
	/* fixed once made */
	struct socket_pages *pages;
	u32 block_size, frame_size, frame_nr, per_block, reserve;
	/* guarded by lock: taps run on every CPU */
	struct spinlock lock;
	u32 head; /* the frame to be filled next */
	u32 losing;
};

/* ---- the pages ---- */

/* Frames may begin and end anywhere in a page. */
static void put_bytes(struct packet_ring *r, u32 at, const void *from, u32 len)
{
	const u8 *p = from;

	while (len) {
		u32 n = min(len, PAGE - at % PAGE);

		memcpy(r->pages->page[at / PAGE] + at % PAGE, p, n);
		at += n;
		p += n;
		len -= n;
	}
}

static u32 frame_at(const struct packet_ring *r, u32 index)
{
	return index / r->per_block * r->block_size + index % r->per_block * r->frame_size;
}

/* Aligned to 16, so it lies in one page. */
static u32 *status_word(const struct packet_ring *r, u32 index)
{
	u32 at = frame_at(r, index);

	return (u32 *)(r->pages->page[at / PAGE] + at % PAGE);
}

/* ---- the tap's side ---- */

bool packet_ring_put(struct packet_ring *r, const struct packet_cb *cb, const u8 *data, u32 len)
{
	u32 mac_len = max((u32)cb->net, 16u), at, room, *status;
	u64 now = ktime_get_real();
	struct tpacket2_hdr h = {
		.tp_len = cb->true_len,
		.tp_sec = now / NSEC_PER_SEC,
		.tp_nsec = now % NSEC_PER_SEC,
	};
	bool taken = false;

	h.tp_net = ALIGN_UP(HEADER + mac_len, 16u) + r->reserve;
	h.tp_mac = h.tp_net - cb->net;
	room = r->frame_size - h.tp_mac;
	h.tp_snaplen = min(len, room);
	spin_lock(&r->lock);
	status = status_word(r, r->head);
	if (smp_load_acquire(status) == TP_STATUS_KERNEL) {
		at = frame_at(r, r->head);
		/* the header's own status word stays the kernel's until all the rest is there */
		put_bytes(r, at, &h, sizeof(h));
		put_bytes(r, at + ALIGN_UP((u32)sizeof(h), 16u), &cb->from, sizeof(cb->from));
		put_bytes(r, at + h.tp_mac, data, h.tp_snaplen);
		smp_store_release(status, cb->status | (r->losing ? TP_STATUS_LOSING : 0));
		r->head = r->head + 1 == r->frame_nr ? 0 : r->head + 1;
		r->losing = 0;
		taken = true;
	} else {
		r->losing = 1;
	}
	spin_unlock(&r->lock);
	return taken;
}

/* The frame filled last has not been given back: there is something to read. */
bool packet_ring_readable(struct packet_ring *r)
{
	u32 head = READ_ONCE(r->head);

	return smp_load_acquire(status_word(r, head ? head - 1 : r->frame_nr - 1)) !=
	       TP_STATUS_KERNEL;
}

/* ---- making and removing ---- */

static int check(const struct tpacket_req *q, u32 reserve)
{
	u64 bytes = (u64)q->tp_block_size * q->tp_block_nr;

	if (!q->tp_block_size || q->tp_block_size % PAGE || q->tp_frame_size % TPACKET_ALIGNMENT ||
	    q->tp_frame_size > q->tp_block_size ||
	    q->tp_frame_size < HEADER + reserve + LINK_HEADER_MAX + 16)
		return -EINVAL;
	if (bytes > RING_BYTES_MAX)
		return -ENOMEM;
	if ((u64)(q->tp_block_size / q->tp_frame_size) * q->tp_block_nr != q->tp_frame_nr)
		return -EINVAL;
	return 0;
}

static struct packet_ring *ring_new(const struct tpacket_req *q, u32 reserve)
{
	struct packet_ring *r;
	int err = check(q, reserve);

	if (err)
		return ERR_PTR(err);
	r = kzalloc(sizeof(*r));
	if (!r)
		return ERR_PTR(-ENOMEM);
	r->pages = socket_pages_alloc((u64)q->tp_block_size * q->tp_block_nr / PAGE);
	if (!r->pages) {
		kfree(r);
		return ERR_PTR(-ENOMEM);
	}
	spin_init(&r->lock);
	r->block_size = q->tp_block_size;
	r->frame_size = q->tp_frame_size;
	r->frame_nr = q->tp_frame_nr;
	r->per_block = q->tp_block_size / q->tp_frame_size;
	r->reserve = reserve;
	return r;
}

/* Nobody is in the tap any more, or it no longer finds r. */
void packet_ring_free(struct packet_ring *r)
{
	if (!r)
		return;
	socket_pages_put(r->pages);
	kfree(r);
}

int packet_ring_set(struct packet_sock *ps, const void *val, u32 len)
{
	struct packet_ring *r = NULL, *old = ps->ring;
	struct tpacket_req q;

	if (ps->version != TPACKET_V2 || len < sizeof(q))
		return -EINVAL;
	memcpy(&q, val, sizeof(q));
	if (old && (q.tp_block_nr || refcount_read(&old->pages->refs) > 1))
		return -EBUSY;
	if (!q.tp_block_nr && q.tp_frame_nr)
		return -EINVAL;
	if (q.tp_block_nr)
		r = ring_new(&q, ps->reserve);
	if (IS_ERR(r))
		return PTR_ERR(r);
	rcu_assign_pointer(ps->ring, r);
	if (old) {
		synchronize_rcu();
		packet_ring_free(old);
	}
	return 0;
}

void packet_ring_describe(const struct packet_ring *r, struct packet_diag_ring *to)
{
	to->pdr_block_size = r->block_size;
	to->pdr_block_nr = r->frame_nr / r->per_block;
	to->pdr_frame_size = r->frame_size;
	to->pdr_frame_nr = r->frame_nr;
}

struct socket_pages *packet_mmap(struct socket *s, u64 len)
{
	struct socket_pages *sp = NULL;
	struct packet_ring *r;

	rcu_read_lock();
	r = rcu_dereference(packet_of(s)->ring);
	if (r && (u64)r->pages->nr * PAGE == len && refcount_inc_not_zero(&r->pages->refs))
		sp = r->pages;
	rcu_read_unlock();
	return sp ? sp : ERR_PTR(-EINVAL);
}
