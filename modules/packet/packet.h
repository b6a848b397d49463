/* SPDX-License-Identifier: MIT */
/* packet.h - what the files of the packet sockets share. A socket that listens is a tap: frames are
 * filtered and copied in the tap's callback, so that nothing else in the stack knows of them. */
#pragma once

#define LOG_NAME "packet: "

#include <uapi/packet.h>
#include <weft/filter.h>
#include <weft/net/ether.h>
#include <weft/net/netif.h>
#include <weft/printk.h>
#include <weft/socket.h>
#include <weft/time.h>

/* A membership of a socket: counted in the interface until it is dropped. Guarded by s->lock. */
struct packet_member {
	struct list_head node;
	struct netif *nif; /* referenced */
	u16 type;	   /* PACKET_MR_* */
	u16 addr_len;
	u8 addr[LINK_ADDR_MAX];
	u32 users;
};

struct packet_ring;

struct packet_sock {
	/* fixed once created */
	struct socket *s;
	struct rcu_head rcu;
	/* guarded by all_lock (main.c), written with s->lock held too */
	struct list_head all_node;
	/* changed under s->lock while the tap is off, read in it */
	u16 protocol;	/* host order, 0: hears nothing */
	u32 ifindex;	/* 0: every interface */
	bool listening; /* the tap is on */
	struct netif_tap tap;
	/* guarded by s->lock, flags also read by the tap */
	bool auxdata, origdev, ignore_outgoing;
	struct list_head members;
	u32 version, reserve;	  /* of the next ring */
	struct packet_ring *ring; /* read under RCU; NULL: frames are queued */
	u64 stamp_ns;		  /* ktime of the packet received last, 0: none */
	/* since they were last asked for */
	struct atomic packets, drops;
};

/* What p->cb holds of a queued frame. */
struct packet_cb {
	struct sockaddr_ll from;
	u32 true_len; /* before the filter cut it, from the data on */
	u16 mac, net; /* offsets for auxdata */
	u32 status;   /* TP_STATUS_* */
};

static inline struct packet_sock *packet_of(const struct socket *s)
{
	return s->priv;
}
static inline struct packet_cb *packet_cb(struct pkt *p)
{
	_Static_assert(sizeof(struct packet_cb) <= sizeof(p->cb), "packet_cb must fit into cb");
	return (struct packet_cb *)p->cb;
}

/* ---- main.c ---- */
void packet_list_add(struct packet_sock *ps);
void packet_list_remove(struct packet_sock *ps);

/* ---- sock.c ---- */
int packet_create(struct socket *s);
/* What the frames of an interface are called where a name has room for it. */
void packet_device_name(u32 ifindex, u8 name[14]);

/* ---- option.c ---- */
int packet_setsockopt(struct socket *s, int level, int opt, const void *val, u32 len);
int packet_getsockopt(struct socket *s, int level, int opt, void *val, u32 *len);
void packet_leave_all(struct packet_sock *ps);

/* ---- recv.c ---- */
void packet_frame(struct netif_tap *t, struct netif *nif, struct pkt *p, bool sent);
long packet_recv(struct socket *s, struct msg *m, size_t len);

/* ---- ring.c ---- */
int packet_ring_set(struct packet_sock *ps, const void *val, u32 len);
void packet_ring_free(struct packet_ring *r); /* NULL is fine */
/* The next frame, cut to what fits; false: it is not free. Under RCU. */
bool packet_ring_put(struct packet_ring *r, const struct packet_cb *cb, const u8 *data, u32 len);
bool packet_ring_readable(struct packet_ring *r);
struct socket_pages *packet_mmap(struct socket *s, u64 len);

struct packet_diag_ring;
void packet_ring_describe(const struct packet_ring *r, struct packet_diag_ring *to);

/* ---- diag.c: for ss(8) ---- */
extern struct diag_table packet_diag;

/* ---- send.c ---- */
long packet_send(struct socket *s, struct msg *m, size_t len);
