/* SPDX-License-Identifier: MIT */
/* pkt.h - one packet, one linear buffer. Headroom in front takes every header below; the buffer
 * knows who owns its memory, so a NIC driver may lend its DMA buffers. Functions that take a packet
 * consume it, whatever they return; pkt_* helpers do not.
 *
 *   head <= data <= data+len <= end          headroom = data - head, tailroom = end - (data+len)
 */
#pragma once

#include <weft/atomic.h>
#include <weft/list.h>
#include <weft/types.h>

struct netif;
struct pkt;
struct socket;

/* Who gets the buffer back when the last reference is gone; the struct itself is the core's and
 * goes after free() returned. Any context but interrupt. */
struct pkt_owner {
	void (*free)(struct pkt *p);
	const char *name;
};

enum pkt_csum {
	PKT_CSUM_NONE, /* nothing known: receivers verify, senders have it in place */
	PKT_CSUM_OK,   /* receive: verified by the device (or the packet never left this host) */
	PKT_CSUM_FILL, /* send: device or netif_tx sums from csum_start, stores at
			* csum_start+csum_off; the field holds the folded, uncomplemented
			* pseudo-header sum */
};

/* Whose budget a buffer is in. LOCAL: what waits to be read by a program and came from one of this
 * host, so that nobody who does not read keeps others from sending or the network from receiving.
 */
enum pkt_pool { PKT_POOL_RX, PKT_POOL_TX, PKT_POOL_CONTROL, PKT_POOL_LOCAL, PKT_NR_POOLS };

struct pkt {
	struct list_head node; /* for whoever queues it */
	u8 *head, *data, *end;
	u32 len;      /* bytes from data */
	u32 truesize; /* what it costs: buffer and struct */
	union {
		struct {
			struct refcount refs; /* of the struct; > 1: header space is read only */
			u32 share; /* of the buffer: 2 for each clone alive, 1 for this itself */
		};
		u64 holders; /* both at once: see PKT_SOLE */
	};
	const struct pkt_owner *owner;
	void *owner_priv;
	struct socket *sock; /* whose send buffer it is charged to; NULL: nobody's */
	struct netif
		*nif; /* received on / sent through; valid in poll context, or held by the queue */
	u16 link_off, net_off,
		trans_off; /* offsets of the layers' headers from head, set on the way */
	u16 ethertype;	   /* host order */
	u8 csum;	   /* enum pkt_csum */
	u8 pkttype;	   /* PKT_HOST ... */
	u8 ip_proto;
	u8 looped; /* our own group or broadcast packet, come back to ourselves;
		    * in a socket's queue PKT_PEEKED, once SO_PEEK_OFF came by */
	union {
		struct {
			/* from data at the time of netif_tx: offsets from head */
			u16 csum_start, csum_off;
		};
		u32 lost_before; /* in a socket's queue (SO_RXQ_OVFL): its drops until then */
	};
	u16 gso_size;  /* payload bytes a segment, 0: a single packet */
	u16 frag_size; /* of the longest fragment, where it came in some (IP_RX_FRAGMENTED) */
	u8 gso_type;   /* PKT_GSO_* */
	u8 tx_stamps;  /* PKT_STAMP_*: its sender wants to know when it leaves */
	u8 pool;       /* enum pkt_pool */
	union {
		u64 stamp_ns; /* ktime at reception */
		u32 tx_key;   /* with tx_stamps: which of its sender's it is */
	};
	u8 cb[48]; /* the present holder's */
#ifdef WEFT_DEBUG
	struct list_head debug_node; /* of all packets alive */
	const void *debug_site;	     /* who allocated it; NULL: freed */
#endif
};

/* What gso_size cuts. The whole has csum PKT_CSUM_FILL, trans_off at the TCP or UDP header, and
 * above it one IP header whose total length may be over the MTU: who cuts it makes each segment's.
 * No device is asked to cut UDP's; on lo they stay whole, and a received one says by gso_size where
 * its datagrams end. */
#define PKT_GSO_TCP4 1
#define PKT_GSO_TCP6 2
#define PKT_GSO_UDP4 3
#define PKT_GSO_UDP6 4

#define PKT_STAMP_SCHED BIT(0) /* when it comes to its interface */
#define PKT_STAMP_SENT BIT(1)  /* when it goes to the driver */
#define PKT_STAMP_FREE BIT(2)  /* it is charged to its socket until then alone */

#define PKT_PEEKED 2

#define PKT_SOLE (1ull << 32 | 1) /* holders: one of the struct, and no clone */

#define PKT_HOST 0 /* Linux's PACKET_* values */
#define PKT_BROADCAST 1
#define PKT_MULTICAST 2
#define PKT_OTHERHOST 3
#define PKT_OUTGOING 4

#define PKT_HEADROOM 128     /* enough for every header below a transport, and a tunnel */
#define PKT_BUF_SIZE 2048    /* the pools' common buffer */
#define PKT_LARGE_SIZE 65536 /* the large buffer, for packets that are cut below */
#define PKT_LARGE_MIN 16384  /* what is over it takes a large one */

/* A packet with at least headroom and room bytes behind it, len 0, data after the headroom. NULL
 * when its pool is exhausted (counted). Cheap: headroom + room up to PKT_BUF_SIZE, and from
 * PKT_LARGE_MIN to PKT_LARGE_SIZE; other sizes are allocated each time. Physically contiguous, not
 * cleared. Poll and process context. */
struct pkt *pkt_alloc(enum pkt_pool pool, u32 headroom, u32 room) __must_check;
/* n of them, with PKT_BUF_SIZE for headroom and room, for less than so many calls would cost.
 * Fewer, and 0, when the pool is exhausted. A few at a time: preemption is off meanwhile. */
u32 pkt_alloc_bulk(enum pkt_pool pool, u32 headroom, struct pkt **out, u32 n);
void pkt_free(struct pkt *p); /* drops one reference; see ip_drop for drops with a reason */
void pkt_free_list(struct list_head *l); /* the same of a few; l is empty behind it */
struct pkt *pkt_get(struct pkt *p);
/* A second packet over p's buffer: own data, len, cb, offsets, flags; charged to no socket; freed
 * like any other, and the buffer goes with the last of them (p may be freed first: its charge goes
 * then). It is for sending what one keeps. Who may write where:
 *   what p held when it was cloned, and everything behind: nobody, while a clone is alive;
 *   the room in front of it: the clone, while it is the only one (pkt_writable knows), so layers
 *   below push their headers there; the holder of p does not touch it while a clone is alive.
 * To send again: clone, pkt_writable (copies if the last clone is still out), then the headers.
 * NULL without memory. Poll and process context. */
struct pkt *pkt_clone(struct pkt *p) __must_check;
/* p, which waits for a reader from now on, counts in that pool. False: there is no room. A packet
 * that is LOCAL or came in from outside stays what it is. Poll and process context. */
bool pkt_move_local(struct pkt *p) __must_check;
/* Charged to its sender's socket no more. */
void pkt_orphan(struct pkt *p);
/* Of the RX pool's budget little is left: only what must not be lost may stay for long. */
extern bool pkt_rx_scarce;
/* What is left is for packets on their way alone: nothing more may wait for a reader, not even one
 * packet each, or the cards would have no buffers for anybody. */
extern bool pkt_rx_last;
/* A private copy with its own buffer, at least headroom in front. NULL without memory. */
struct pkt *pkt_copy(const struct pkt *p, enum pkt_pool pool, u32 headroom) __must_check;
/* Returns p itself when it is unshared and has the headroom, else a copy, having freed p. A packet
 * with clones is shared, an only clone is not: see above for what of it may be written. NULL:
 * freed. */
struct pkt *pkt_writable(struct pkt *p, u32 headroom) __must_check;

/* Nobody but the holder has p or its buffer: room and bytes may be changed. False for clones. */
bool pkt_owned(const struct pkt *p);

/* Is p somebody else's buffer? */
extern const struct pkt_owner pkt_clone_owner;
static inline bool pkt_is_clone(const struct pkt *p)
{
	return p->owner == &pkt_clone_owner;
}

static inline u32 pkt_headroom(const struct pkt *p)
{
	return p->data - p->head;
}

static inline u32 pkt_tailroom(const struct pkt *p)
{
	return p->end - p->data - p->len;
}

void pkt_no_room(const struct pkt *p, u32 n) __noreturn; /* says who asked for it */

/* Prepends n bytes of header room: the new data. The caller has asked for the headroom: too little
 * is a bug. */
static inline u8 *pkt_push(struct pkt *p, u32 n)
{
	if (unlikely(pkt_headroom(p) < n))
		pkt_no_room(p, n);
	p->data -= n;
	p->len += n;
	return p->data;
}

/* Likewise, where whoever handed p down has asked for the headroom of all below him. */
static inline u8 *pkt_push_asked(struct pkt *p, u32 n)
{
	p->data -= n;
	p->len += n;
	return p->data;
}

/* Strips n bytes in front: the new data, or NULL when the packet is shorter. */
static inline u8 *pkt_pull(struct pkt *p, u32 n)
{
	if (unlikely(n > p->len))
		return NULL;
	p->data += n;
	p->len -= n;
	return p->data;
}

/* Appends n bytes: where they go. Too little tailroom is a bug. */
static inline u8 *pkt_put(struct pkt *p, u32 n)
{
	u8 *at = p->data + p->len;

	if (unlikely(pkt_tailroom(p) < n))
		pkt_no_room(p, n);
	p->len += n;
	return at;
}

/* Cuts to n bytes; already shorter packets stay. */
static inline void pkt_trim(struct pkt *p, u32 n)
{
	if (n < p->len)
		p->len = n;
}

static inline u8 *pkt_at(const struct pkt *p, u16 off)
{
	return p->head + off;
}

/* For a driver lending its own memory: wraps buf (size bytes from head), len 0, data at
 * buf+headroom. */
struct pkt *pkt_wrap(void *buf, u32 size, u32 headroom, const struct pkt_owner *owner, void *priv);

struct pkt_stats {
	u64 alive, bytes, limit[PKT_NR_POOLS], used[PKT_NR_POOLS], failed[PKT_NR_POOLS];
};
void pkt_stats_get(struct pkt_stats *s); /* shown by /proc/net/weft/pkt */
