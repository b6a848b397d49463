/* SPDX-License-Identifier: MIT */
/* diag.h - what transports and packet sockets tell of their sockets, in structs that know no
 * message format: one table for each (family, protocol), with a walk that can stop and go on, and a
 * way to end one socket. Whoever shows sockets looks here and names no protocol. */
#pragma once

#include <uapi/sock_diag.h>
#include <weft/ledger.h>
#include <weft/module.h>
#include <weft/net/addr.h>
#include <weft/time.h>

struct socket;
struct inet_sock;

/* Linux's numbers, which it uses for sockets of all kinds. */
#define DIAG_STATE_ESTABLISHED 1
#define DIAG_STATE_CLOSE 7
#define DIAG_STATE_LISTEN 10

/* diag_sock.timer */
#define DIAG_TIMER_NONE 0
#define DIAG_TIMER_RETRANS 1
#define DIAG_TIMER_KEEPALIVE 2
#define DIAG_TIMER_TIMEWAIT 3
#define DIAG_TIMER_PERSIST 4

/* What only packet sockets have. */
struct diag_packet {
	u16 protocol;			      /* host order */
	u32 ifindex, version, reserve, flags; /* PDI_* */
	const struct packet_diag_ring *ring;  /* NULL: none */
	const struct packet_diag_mclist *members;
	u32 nr_members;
};

/* One socket, or what is left of one. Pointers are good for as long as the call that gets it. */
struct diag_sock {
	u16 family;	   /* AF_* of the socket */
	u8 type;	   /* SOCK_* */
	u8 state;	   /* DIAG_STATE_* and TCP's others */
	u8 timer, retrans; /* DIAG_TIMER_*; retransmissions or probes */
	u8 shutdown;	   /* 1: receive, 2: send */
	bool port_bound;   /* by bind(2) */
	u64 timer_left_ns; /* when timer says that there is one */
	u64 cookie;	   /* tells sockets apart, as long as they live */
	u64 ino;
	u32 uid;
	struct ip_addr laddr, raddr;
	u16 lport, rport; /* host order; a raw socket's protocol stands in lport */
	u32 ifindex;	  /* bound to, 0: none */
	u32 mark;
	u32 rqueue, wqueue;	    /* bytes; a listener's: connections that wait, and may wait */
	const struct socket *s;	    /* NULL: half open, TIME-WAIT, an orphan */
	const struct inet_sock *is; /* for options; NULL likewise, but for orphans */
	const char *cong;	    /* NULL: none */
	const void *info;	    /* of diag_walk.info; NULL: none */
	u32 info_len;
	u32 mem[SK_MEMINFO_VARS];
	const struct diag_packet *packet; /* NULL: is none */
};

/* A walk over one table, bucket by bucket. */
struct diag_walk {
	u16 family; /* of the sockets wanted, AF_UNSPEC: all */
	u32 states; /* bit n: state n is wanted; what is not may be shown all the same */
	bool info;  /* fill diag_sock.info */
	u32 bucket; /* begin there; whoever walks keeps here where he is */
	/* False: stop. Under RCU or a spin lock: may not sleep. */
	bool (*fn)(struct diag_walk *w, const struct diag_sock *d);
	void *arg;
};

struct diag_table {
	const char *name;
	u16 family; /* AF_INET stands for AF_INET6 too */
	u8 protocol;
	/* Process context, no locks. */
	void (*walk)(struct diag_walk *w);
	/* Ends the socket or its remains that *which, seen in a walk, tells of: its user gets
	 * ECONNABORTED. -ENOENT: it is gone. NULL: cannot. As walk. */
	int (*destroy)(const struct diag_sock *which);
	struct module *owner;
	struct list_head node;
	struct ledger_entry ledger;
	struct door door;
};
/* -EEXIST. After unregister nobody is inside. */
int diag_register_owner(struct diag_table *t, struct module *owner);
void diag_unregister(struct diag_table *t);
#define diag_register(t) diag_register_owner(t, THIS_MODULE)

/* The table for sockets of a family and protocol, inside its door; NULL: nobody has registered. */
struct diag_table *diag_enter(u16 family, u8 protocol) __must_check;
static inline void diag_leave(struct diag_table *t)
{
	door_leave(&t->door);
}

/* What every open socket can tell by itself: type, uid, inode, mark, cookie, interface and memory
 * (buffers as struct socket has them). The rest of d is zeroed. */
void diag_from_socket(struct diag_sock *d, const struct socket *s);
/* And with an inet_sock: addresses, ports, options; rqueue and wqueue as datagrams have them. */
void diag_from_inet(struct diag_sock *d, const struct inet_sock *is);
/* diag_table.destroy of datagram sockets, which m implements: the error, and the peer is forgotten.
 */
int diag_destroy_datagram(struct module *m, const struct diag_sock *which);
/* What tells it from all others while it lives, and says nothing of where it lies. */
u64 diag_cookie(const void *p);
