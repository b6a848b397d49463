/* SPDX-License-Identifier: MIT */
/* udp.h - the User Datagram Protocol (RFC 768) inside: sockets, where packets find them, counters.
 * One implementation for IPv4 and IPv6; addresses are the stack's 16-byte ones. In reading order:
 *
 *	main.c		what it registers
 *	input.c		a datagram or an error comes in;  table.c: whose it is, ports
 *	sock.c		a program's calls: bind, connect, receive, options, the end
 *	send.c		a program sends, whole or in pieces;  gso.c: or many of one size at once
 *	gro.c		a program receives, likewise
 *	proc.c		counters, /proc/net/udp;  diag.c: for ss(8) */
#pragma once

#include <weft/net/mib.h>
#include <weft/net/sock.h>
#include <weft/string.h>

#define UDP_HEADER 8
#define UDP_DATA_MAX (65535 - UDP_HEADER)
#define UDP_DATA_MAX_V4 (UDP_DATA_MAX - 20)

#define SOL_UDP 17 /* linux/udp.h */
#define UDP_CORK 1
#define UDP_NO_CHECK6_TX 101
#define UDP_NO_CHECK6_RX 102
#define UDP_SEGMENT 103
#define UDP_GRO 104
#define UDP_MAX_SEGMENTS 128

struct udp_sock;

/* Where a socket is found. Never changed while it is hashed: connect and bind put another one in
 * its place, so that a reader under RCU sees addresses and ports that belong together. */
struct udp_end {
	struct hlist_node by_port, by_pair; /* the table's lock to change, RCU to read */
	struct rcu_head rcu;
	struct udp_port *port; /* table.c's */
	struct udp_sock *us;
	struct ip_addr laddr, raddr; /* any: not bound, not connected */
	u16 lport, rport;
	bool bound, connected; /* neither address is any; to save asking for each packet */
};

/* What MSG_MORE and UDP_CORK keep back. */
struct udp_cork {
	u8 *buf;
	u32 len, room;
	u32 segment; /* UDP_SEGMENT of the first piece */
	struct flow flow;
};

/* What makes a send another one than most: all zero for those. */
union udp_ways {
	u64 any;
	struct {
		bool corking;		  /* a datagram is under way in cork */
		bool cork;		  /* UDP_CORK */
		bool no_check, no_check6; /* SO_NO_CHECK, UDP_NO_CHECK6_TX: without checksum */
		u16 segment;		  /* UDP_SEGMENT */
		bool stamps;		  /* SO_TIMESTAMPING of what is sent */
	};
};

/* What makes a receive another one than most. */
#define UDP_RECV_GRO BIT(0)  /* UDP_GRO; poll context looks too */
#define UDP_RECV_PEEK BIT(1) /* SO_PEEK_OFF */

/* All guarded by the socket's lock. */
struct udp_sock {
	struct inet_sock is; /* first: s->priv; is.flow is that of the last destination */
	struct rcu_head rcu;
	struct udp_end *end;	     /* NULL: no port yet. Group delivery compares it under RCU */
	bool addr_bound, port_bound; /* by bind(2), not by connect(2) or a send */
	u32 changes;		     /* of whatever a flow is made from */
	union udp_ways ways;
	u8 recv_ways;	   /* UDP_RECV_* */
	bool no_check6_rx; /* UDP_NO_CHECK6_RX */
	struct udp_cork cork;
};

static inline struct udp_sock *udp_of(const struct socket *s)
{
	return s->priv;
}

/* Linux's names; the sum of InErrors is made when it is shown. */
#define UDP_MIB(X)                            \
	X(UDP_IN, "InDatagrams")              \
	X(UDP_NO_PORTS, "NoPorts")            \
	X(UDP_IN_ERRORS, "InErrors")          \
	X(UDP_OUT, "OutDatagrams")            \
	X(UDP_RCVBUF_ERRORS, "RcvbufErrors")  \
	X(UDP_SNDBUF_ERRORS, "SndbufErrors")  \
	X(UDP_IN_CSUM_ERRORS, "InCsumErrors") \
	X(UDP_IGNORED_MULTI, "IgnoredMulti")  \
	X(UDP_MEM_ERRORS, "MemErrors")

enum { UDP_MIB(IP_MIB_ID) UDP_MIB_FIELDS };
extern struct ip_mib udp_mib, udp6_mib;
/* Each IP version has its counters. */
static inline struct ip_mib *udp_mib_for(const struct ip_addr *a)
{
	return likely(ip_addr_is_v4(a)) ? &udp_mib : &udp6_mib;
}

/* table.c */
void udp_table_init(void);
/* Gives a socket without one a port: want, or a free one when that is 0, on the local address
 * is->laddr. -EADDRINUSE, -ENOBUFS, -ENOMEM. The socket's lock. */
int udp_take_port(struct udp_sock *us, u16 want);
/* Addresses or remote port in us->is have changed: found by the new ones from here on. -ENOMEM:
 * nothing has changed. The socket's lock. */
int udp_rehash(struct udp_sock *us);
/* Not found any more; the port is free. The socket's lock. */
void udp_leave(struct udp_sock *us);
/* The socket for a datagram of rx's addresses. Under RCU. */
struct udp_sock *udp_find(const struct ip_rx *rx, u16 lport, u16 rport);
/* Calls fn for each socket that a broadcast or multicast is for. Under RCU. */
void udp_find_all(const struct ip_rx *rx, u16 lport, u16 rport,
		  void (*fn)(struct udp_sock *us, void *arg), void *arg);
/* A connected socket of AF_INET6 becomes one of AF_INET. The socket's lock. */
void udp_become_v4(struct udp_sock *us);
u32 udp_sockets(u16 af); /* that have a port */
/* Calls fn for each bound socket from *bucket on, which says where it is, until fn says no. Under
 * RCU. */
void udp_walk(u32 *bucket, bool (*fn)(const struct udp_end *e, void *arg), void *arg);

/* input.c */
int udp_input(struct pkt *p, struct ip_rx *rx);
void udp_error(const struct ip_error *e, const u8 *quote, u32 quote_len);
/* UDP_NO_CHECK6_RX: datagrams of IPv6 without checksum are heard too (RFC 6935). The socket's lock.
 */
void udp_hear_unchecked(struct udp_sock *us, bool on);
/* A datagram whose header is behind it waits for its reader. Consumes. Poll context. */
void udp_queue(struct udp_sock *us, struct pkt *p);

/* gro.c */
/* Several in one packet: as a whole for who takes that, else one by one. As udp_queue. */
void udp_queue_large(struct udp_sock *us, struct pkt *p);
long udp_recv(struct socket *s, struct msg *m, size_t len);

/* sock.c */
int udp_socket(struct socket *s);

/* send.c */
long udp_send(struct socket *s, struct msg *m, size_t len);
/* Sends what is corked, 0 when there is nothing. */
long udp_cork_push(struct udp_sock *us, u32 msg_flags);
void udp_cork_drop(struct udp_sock *us);
/* What a send of len bytes that failed with err answers. */
long udp_not_sent(struct udp_sock *us, const struct flow *f, u32 len, int err);
/* Likewise of any send, which is counted. */
static inline long udp_sent(struct udp_sock *us, const struct flow *f, u32 len, int err)
{
	if (unlikely(err))
		return udp_not_sent(us, f, len, err);
	ip_mib_inc(udp_mib_for(&f->dst), UDP_OUT);
	return len;
}
/* Is a datagram to dst to go without checksum? */
static inline bool udp_no_check(const struct udp_sock *us, const struct ip_addr *dst)
{
	return ip_addr_is_v4(dst) ? us->ways.no_check : us->ways.no_check6;
}

/* gso.c */
/* The size of the datagrams that m is to be cut into, 0: it is one. -EINVAL. */
int udp_segment_size(const struct udp_sock *us, const struct msg *m);
/* Fills p, reserved for it all, with len bytes as datagrams of that size and sends it. Consumes.
 * -EMSGSIZE: one does not fit the path; -EINVAL: too many, or without checksum. */
long udp_emit_segments(struct udp_sock *us, struct flow *f, struct pkt *p, struct iov_iter *from,
		       u32 len, u32 size);

/* proc.c */
int udp_proc_init(void);
void udp_proc_exit(void);

/* diag.c: for ss(8) */
extern struct diag_table udp_diag;
