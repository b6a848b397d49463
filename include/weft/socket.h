/* SPDX-License-Identifier: MIT */
/* socket.h - BSD sockets: families register here by AF_ number, the core owns the file descriptor,
 * the wait queue and the receive queue, and copies addresses and data across the user border. A
 * family sees kernel memory only. */
#pragma once

#include <uapi/socket.h>
#include <weft/file.h>
#include <weft/ledger.h>
#include <weft/module.h>
#include <weft/mutex.h>
#include <weft/pkt.h>
#include <weft/rcu.h>

struct socket;

/* A message in kernel terms. name points to a sockaddr_storage sized kernel buffer; name_len is in
 * for sending, out for receiving (0: no name). control likewise. */
struct msg {
	struct iov_iter iter;
	u8 *name;
	u32 name_len; /* a receiver fills as many bytes of name */
	u8 *control;
	size_t control_len;  /* send: bytes given; receive: room */
	size_t control_used; /* receive: bytes put there, by msg_put_control */
	u32 flags;	     /* MSG_* in; receive: MSG_TRUNC, MSG_CTRUNC ... out */
};

enum socket_name {
	SOCKET_NAME_OWN,      /* getsockname */
	SOCKET_NAME_PEER,     /* getpeername: -ENOTCONN without one */
	SOCKET_NAME_ACCEPTED, /* accept: the peer, though it may have left meanwhile */
};

/* All in process context, with the socket's lock held unless said; they may drop it while waiting
 * by socket_wait(). An unset callback answers -EOPNOTSUPP (poll: socket_poll_default). Names are
 * validated for length >= 2 only. The core answers SOL_SOCKET itself and asks setsockopt/getsockopt
 * only for options it does not know. Of those that it has set and that may mean more than a field
 * (SO_REUSEADDR, SO_KEEPALIVE, buffer sizes, SO_PRIORITY ...; see sockcall.c) it tells the family
 * by the same call, whatever that answers. It refuses sends after SHUT_WR with the pending error,
 * else -EPIPE. */
struct socket_ops {
	int (*bind)(struct socket *s, const u8 *name, u32 len);
	int (*connect)(struct socket *s, const u8 *name, u32 len, bool nonblock);
	int (*listen)(struct socket *s, int backlog); /* 0: the core sets s->listening */
	/* Fills child's ops and priv (created with family, type, protocol of s, its lock not held).
	 */
	int (*accept)(struct socket *s, struct socket *child, bool nonblock);
	int (*name)(struct socket *s, u8 *name, u32 *len, enum socket_name which);
	long (*send)(struct socket *s, struct msg *m, size_t len);
	long (*recv)(struct socket *s, struct msg *m, size_t len);
	u32 (*poll)(struct socket *s);		    /* events now; without the lock */
	int (*shutdown)(struct socket *s, int how); /* SHUT_*; 0: the core sets s->shut, wakes */
	/* Above 0: the family has changed val, and so many bytes of it go back to the caller. */
	int (*setsockopt)(struct socket *s, int level, int opt, const void *val, u32 len);
	int (*getsockopt)(struct socket *s, int level, int opt, void *val, u32 *len);
	/* -ENOIOCTLCMD: not mine. arg is a user pointer. Without the lock. */
	long (*ioctl)(struct socket *s, u32 cmd, unsigned long arg);
	/* Last use: after it returned, nothing new may find s (s itself lives a grace period
	 * longer, and until its last packet on the way is freed). */
	void (*close)(struct socket *s);
	/* Connects two fresh sockets to each other (socketpair). Neither lock is held. */
	int (*pair)(struct socket *a, struct socket *b);
	/* mmap of the descriptor: the pages (all of them, from offset 0) with a reference for the
	 * mapping. ERR_PTR. Unset: -ENODEV. Without the lock, and may not take it: page faults
	 * wait for whoever maps. */
	struct socket_pages *(*mmap)(struct socket *s, u64 len);
};

/* What a socket has to tell by recvmsg(MSG_ERRQUEUE): errors, when something was sent, that memory
 * is free again. Allocated by socket_notice_alloc, freed by kfree. */
struct socket_notice {
	struct list_head node;
	struct sock_extended_err ee;
	u64 stamp_ns; /* ktime, 0: of no moment */
	u32 len;
	u8 *data; /* len bytes, in the same allocation */
};
#define SOCKET_NOTICES_MAX 256

/* socket.tells */
#define SOCKET_TELLS_STAMP BIT(0)    /* SO_TIMESTAMP, ... */
#define SOCKET_TELLS_STAMP_NS BIT(1) /* ... SO_TIMESTAMPNS: one of the two */
#define SOCKET_TELLS_DROPS BIT(2)    /* SO_RXQ_OVFL */
#define SOCKET_TELLS_PEEKED BIT(3)   /* SO_PEEK_OFF: where the next look begins */
#define SOCKET_TELLS_INQ BIT(4)	     /* the family's: TCP_INQ */
#define SOCKET_TELLS_STAMPING BIT(5) /* SO_TIMESTAMPING: when it came */

struct socket {
	/* fixed once created; but a family may put another table here in setsockopt, which differs
	 * in calls that hold lock alone */
	const struct socket_ops *ops;
	u16 family;   /* AF_ */
	u8 type;      /* SOCK_ */
	bool filters; /* set by create: the family asks filter.h about each packet */
	int protocol;
	void *priv; /* the family's control block */
	struct file *file;
	struct module_ref ref; /* on the module that implements it; see socket_set_owner */
	/* whoever is in ops without the lock is inside: who polls, maps, waits in socket_wait ...
	 */
	struct door door;
	/* changed under lock, read under RCU */
	struct socket_filter *filter;
	/* guarded by lock */
	struct mutex lock;
	u32 sndtimeo_ms, rcvtimeo_ms; /* 0: none */
	bool reuseaddr, reuseport, broadcast, keepalive, dontroute, oobinline, passcred;
	u8 tells;      /* SOCKET_TELLS_*: what a receive does beside giving the data */
	bool no_check; /* SO_NO_CHECK */
	bool listening;
	bool closed;	    /* ops->close has run */
	bool filter_locked; /* SO_LOCK_FILTER */
	int rcvlowat;
	u32 wake_seen;		      /* the core's: wake_seq when the holder of lock last looked */
	u32 priority, mark, bound_if; /* SO_BINDTODEVICE: interface index */
	int linger;		      /* seconds, -1: off */
	int peek_off;		      /* SO_PEEK_OFF; below 0: off */
	u32 stamping;		      /* SO_TIMESTAMPING: SOF_TIMESTAMPING_* */
	u32 stamp_key;	/* SOF_TIMESTAMPING_OPT_ID: the next one's; TCP: the first byte's */
	bool zerocopy;	/* SO_ZEROCOPY */
	u32 zerocopies; /* sends with MSG_ZEROCOPY until now */
	/* guarded by rx_lock: the receive queue, filled in poll context */
	struct spinlock rx_lock;
	struct list_head rx; /* of struct pkt */
	u64 rx_looks;	     /* how often somebody looked into it */
	u64 rx_told;  /* rx_looks when all who sleep were last told of a packet; without the lock */
	u32 rx_bytes; /* true size */
	u32 rcvbuf, sndbuf;	/* bounds, as SO_RCVBUF reports them (doubled) */
	struct atomic tx_bytes; /* true size of packets on their way, + 1 while it is open */
	u32 wake_seq;		/* counts wake-ups */
	u32 nr_notices;
	struct list_head notices; /* of struct socket_notice */
	u32 rx_drops;
	int error;		/* pending, reported once (SO_ERROR) */
	u8 shut;		/* 1: receive, 2: send */
	bool abort_told;	/* the core's: a caller has heard of it */
	bool dead;		/* its protocol was taken away: every call gives -ECONNABORTED */
	bool tx_waiting;	/* somebody waits for room in the send buffer */
	struct wait_queue wait; /* readiness; woken with POLL* keys */
	u32 uid;
	u32 visit; /* this and all_node are the core's */
	u64 ino;
	union {
		struct list_head all_node; /* while it is open */
		struct rcu_head rcu;	   /* at its end */
	};
};

/* ---- pages that a family shares with programs (a capture's ring) ---- */
struct socket_pages {
	struct refcount refs; /* the family's, and one for each mapping */
	u32 nr;
	u8 *page[]; /* 4096 bytes each, cleared when made */
};
/* NULL without memory. Process context, as put. */
struct socket_pages *socket_pages_alloc(u32 nr) __must_check;
void socket_pages_put(struct socket_pages *sp);

/* ---- families ---- */
struct socket_family {
	u16 family;
	const char *name;
	/* Sets s->ops and s->priv for s->type, s->protocol. Errnos of socket(2): EPROTONOSUPPORT,
	 * ESOCKTNOSUPPORT, EPERM ... Process context. s->ref holds the family's module; when
	 * another module implements the socket, socket_set_owner() moves it there. */
	int (*create)(struct socket *s);
	struct module *owner; /* filled in by the macro */
	struct list_head node;
	struct ledger_entry ledger;
	struct door door;
};
/* -EEXIST when the number is taken. After unregister nobody is inside create. */
int socket_family_register_owner(struct socket_family *f, struct module *owner);
void socket_family_unregister(struct socket_family *f);
#define socket_family_register(f) socket_family_register_owner(f, THIS_MODULE)

/* ---- for families ---- */
/* Makes m the module that implements s, instead of the family's. -EAGAIN: it is leaving. */
int socket_set_owner(struct socket *s, struct module *m);
/* Queues a received packet and wakes readers. Over the bound: counts, frees, -ENOBUFS. Poll
 * context; also beside ops->close. */
int socket_queue(struct socket *s, struct pkt *p);
/* The same of a few, for less than so many calls cost; l is empty behind it. How many were over the
 * bound. */
u32 socket_queue_list(struct socket *s, struct list_head *l);
/* Takes the first queued packet, waiting unless flags have MSG_DONTWAIT, as long as the receive
 * time-out says; with MSG_PEEK it stays and a reference is returned. NULL: the receive side is shut
 * down. ERR_PTR(-EAGAIN, -ERESTARTSYS, -EINTR, -ECONNABORTED, pending error). Lock held. */
struct pkt *socket_dequeue(struct socket *s, u32 flags);
/* With SO_PEEK_OFF the first that a look has not passed; the bytes of it that were passed are
 * socket_peek_within, and after a receive or a look of n bytes socket_peek_moved is due. Lock held.
 */
static inline bool socket_peeks_on(const struct socket *s, u32 flags)
{
	return unlikely(s->tells & SOCKET_TELLS_PEEKED) && (flags & MSG_PEEK);
}
u32 socket_peek_within(struct socket *s, const struct pkt *p);
void socket_peek_moved(struct socket *s, u32 flags, u32 n);
/* Where a look into a list of packets begins: *off is the offset in it, of what stands in s and of
 * the packet. Whoever guards the list does so. NULL: it has all been looked at. */
struct pkt *socket_peek_find(const struct socket *s, struct list_head *packets, u32 *off);
/* The body of recvmsg for a datagram: copies data[skip..] of p to m, sets MSG_TRUNC and the time
 * stamp. Returns what recv returns (with MSG_TRUNC in m->flags the true length); p stays the
 * caller's. */
long socket_copy_datagram(struct socket *s, struct msg *m, const struct pkt *p, u32 skip,
			  size_t len);
/* Waits, dropping and retaking the lock, until the socket is woken (or was since the lock was
 * taken, so a caller that looked under the lock misses nothing); deadline as in wait.h. 0: look
 * again, -ERESTARTSYS or (when there is a deadline) -EINTR for a signal, -EAGAIN at the deadline,
 * -ECONNABORTED when it was killed. */
int socket_wait(struct socket *s, u64 deadline_ns);
/* The same, and of several that wait so one wake-up wakes one: whoever comes back without taking
 * what there is, or leaves something, wakes the next by socket_wake. */
int socket_wait_one(struct socket *s, u64 deadline_ns);
/* The deadline of a call that begins now, from SO_RCVTIMEO or SO_SNDTIMEO. */
u64 socket_deadline_after(u32 ms);
static inline u64 socket_deadline(const struct socket *s, bool send)
{
	u32 ms = send ? s->sndtimeo_ms : s->rcvtimeo_ms;

	return likely(!ms) ? 0 : socket_deadline_after(ms);
}
/* A packet for sending, from PKT_POOL_TX and charged to s until it is freed. Waits for room in the
 * send buffer unless flags have MSG_DONTWAIT. ERR_PTR(-EAGAIN, -EPIPE, -EMSGSIZE: never fits,
 * -ENOBUFS: the pool is empty, pending error, as socket_wait). Lock held. */
struct pkt *socket_tx_alloc(struct socket *s, u32 flags, u32 headroom, u32 room);
/* Charges p, allocated elsewhere, to s. */
static inline void socket_charge_tx(struct socket *s, struct pkt *p)
{
	atomic_add(&s->tx_bytes, p->truesize);
	p->sock = s;
}
static inline u32 socket_tx_bytes(const struct socket *s)
{
	int n = atomic_read(&s->tx_bytes) - 1;

	return n > 0 ? n : 0;
}
/* Is the send buffer not full? */
static inline bool socket_has_tx_room(const struct socket *s)
{
	return atomic_read(&s->tx_bytes) <= (int)s->sndbuf; /* the one for being open counts */
}
/* Readiness of a datagram socket: from queue, error, shutdown and send buffer. */
u32 socket_poll_default(struct socket *s);
void socket_wake(struct socket *s, u32 events);	      /* any context but interrupt */
void socket_set_error(struct socket *s, int err);     /* err > 0 errno; wakes */
static inline int socket_take_error(struct socket *s) /* -errno or 0, cleared */
{
	return likely(!READ_ONCE(s->error)) ? 0 : -xchg(&s->error, 0);
}
/* A notice that begins a struct of so many bytes, cleared, with a copy of len bytes of data. NULL
 * without memory. Any context but interrupt. */
void *socket_notice_alloc(u32 size, const void *data, u32 len) __must_check;
/* Queues it and wakes; frees it where `most` wait already, or s is closed. Likewise. */
void socket_notice_queue(struct socket *s, struct socket_notice *n, u32 most);
/* The first one, which is the caller's then; the errno of the next becomes what SO_ERROR says. */
struct socket_notice *socket_notice_take(struct socket *s);
static inline bool socket_has_notice(const struct socket *s)
{
	return !list_empty(&s->notices);
}
/* recvmsg(MSG_ERRQUEUE) for who has no more to say: the data, the time, and the notice itself as a
 * control message. -EAGAIN: there is none. Lock held. */
long socket_recv_notice(struct socket *s, struct msg *m, size_t len, int level, int type);
/* SIGURG for the owner set by F_SETOWN or FIOSETOWN. s has its file: it is not being closed. Poll
 * or process context. */
void socket_urgent(struct socket *s);
/* Appends one control message, sets MSG_CTRUNC when it does not fit. */
void msg_put_control(struct msg *m, int level, int type, const void *data, u32 len);
/* Appends what s->tells says of data that came at stamp_ns (ktime, 0: now). */
void msg_put_stamp(struct socket *s, struct msg *m, u64 stamp_ns);
/* The same of a notice: SO_TIMESTAMPING's moment may be that of a packet that left. */
void msg_put_sent_stamp(struct socket *s, struct msg *m, u64 stamp_ns);
/* Walks control messages of a send: NULL at the end or when malformed. */
struct cmsg_view {
	int level, type;
	const u8 *data;
	u32 len;
};
bool msg_next_control(const struct msg *m, size_t *pos, struct cmsg_view *out);
/* Calls fn for each open socket of a module (holders, rmmod -f). */
void socket_for_each(struct module *m, void (*fn)(struct socket *s, void *arg), void *arg);
u32 socket_count(void); /* of all families */
/* Takes the family's control block away: sleepers wake, ops->close runs, the module is released;
 * later calls answer -ECONNABORTED. Process context; not from inside ops. */
void socket_kill(struct socket *s);

/* ---- interfaces, for SO_BINDTODEVICE: ip tells ---- */
struct socket_netif_ops {
	u32 (*index)(const char *name);		     /* 0: no such interface */
	int (*name)(u32 index, char name[IFNAMSIZ]); /* -ENODEV */
	struct door door;			     /* the core's, as the rest */
	struct ledger_entry ledger;
};
/* -EEXIST when somebody is registered. */
int socket_netif_register_owner(struct socket_netif_ops *o, struct module *owner);
void socket_netif_unregister(struct socket_netif_ops *o);
#define socket_netif_register(o) socket_netif_register_owner(o, THIS_MODULE)

/* ---- ioctls on any socket ----
 * SIOC* numbers belong to whoever owns the data; a socket of any family reaches them, its own
 * family first. A number of the network range (0x8900..0x89ff) that nobody claims is -ENOPKG: the
 * protocol it belongs to is not loaded. Other unclaimed numbers are -ENOTTY, and so is one that its
 * owner does not serve. */
struct socket_ioctl {
	u32 first, last; /* inclusive range of commands */
	/* Process context, no socket lock. */
	long (*fn)(struct socket *s, u32 cmd,
		   unsigned long arg); /* -ENOIOCTLCMD: ask the next owner */
	struct module *owner;
	struct list_head node;
	struct ledger_entry ledger;
	struct door door;
};
int socket_ioctl_register_owner(struct socket_ioctl *i, struct module *owner);
void socket_ioctl_unregister(struct socket_ioctl *i);
#define socket_ioctl_register(i) socket_ioctl_register_owner(i, THIS_MODULE)
#define ENOIOCTLCMD 515
