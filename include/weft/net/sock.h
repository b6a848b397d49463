/* SPDX-License-Identifier: MIT */
/* sock.h - what the sockets of all IP transports share: addresses, the SOL_IP options, waiting
 * for a flow, ancillary data, the error queue. A transport puts a struct inet_sock first in its
 * control block, which is s->priv, and calls these. Functions want the socket's lock unless
 * said. */
#pragma once

#include <weft/filter.h>
#include <weft/net/flow.h>
#include <weft/net/proto.h>
#include <weft/socket.h>

/* inet_sock.flags: options that are on or off and concern the socket as a whole */
#define INET_HDRINCL BIT(0)
#define INET_FREEBIND BIT(1)
#define INET_V6ONLY BIT(2)
#define INET_TRANSPARENT BIT(3)
#define INET_BIND_NO_PORT BIT(4) /* bind(2) to port 0 leaves the port to connect(2) or a send */
#define INET_ANY_SOURCE (INET_FREEBIND | INET_TRANSPARENT)

/* inet_settings.flags: likewise, for packets of one IP version */
#define INET_PKTINFO BIT(0)
#define INET_RECVERR BIT(1)
#define INET_RECVTTL BIT(2)
#define INET_RECVTOS BIT(3)
#define INET_RECVOPTS BIT(4)
#define INET_MCAST_LOOP BIT(5) /* default on */
#define INET_MCAST_ALL BIT(6)  /* default on */
#define INET_RECVORIGDST BIT(7)
#define INET_RECVLABEL BIT(8)
#define INET_RECVHOPOPTS BIT(9)
#define INET_RECVDSTOPTS BIT(10)
#define INET_RECVRTHDR BIT(11)
#define INET_PKTINFO_OLD BIT(12) /* the same by the numbers of RFC 2292 */
#define INET_RECVTTL_OLD BIT(13)
#define INET_RECVHOPOPTS_OLD BIT(14)
#define INET_RECVDSTOPTS_OLD BIT(15)
#define INET_RECVRTHDR_OLD BIT(16)
#define INET_RECVPATHMTU BIT(17)
#define INET_DONTFRAG BIT(18)
#define INET_SEND_LABEL BIT(19)	  /* sin6_flowinfo means something */
#define INET_NO_AUTOLABEL BIT(20) /* the family makes no flow labels */
#define INET_HOPS_0 BIT(21)	  /* ttl 0 is meant */
#define INET_RECVFRAGSIZE BIT(22)
/* whoever has one of these wants control messages with what it receives */
#define INET_RECV_CONTROL                                                                    \
	(INET_PKTINFO | INET_RECVTTL | INET_RECVTOS | INET_RECVOPTS | INET_RECVORIGDST |     \
	 INET_RECVLABEL | INET_RECVHOPOPTS | INET_RECVDSTOPTS | INET_RECVRTHDR |             \
	 INET_PKTINFO_OLD | INET_RECVTTL_OLD | INET_RECVHOPOPTS_OLD | INET_RECVDSTOPTS_OLD | \
	 INET_RECVRTHDR_OLD | INET_RECVFRAGSIZE)

#define INET_ERRQ_MAX 16 /* errors kept for MSG_ERRQUEUE */

/* What the options of one level say: SOL_IP's of IPv4 packets, SOL_IPV6's of IPv6 ones. A socket of
 * AF_INET6 sends and gets both. */
struct inet_settings {
	u32 flags;   /* INET_* */
	u8 tos, ttl; /* ttl 0: default */
	u8 mcast_ttl;
	u8 pmtudisc;		  /* IP_PMTUDISC_* */
	u8 min_ttl;		  /* what came farther is dropped (RFC 5082); 0: nothing is */
	u32 mcast_if, unicast_if; /* where to send through what says nothing itself, 0: by route */
};

/* IPv6 extension headers that a socket sends, one behind the other: of each its length. */
enum inet_header { INET_HEADER_HOP, INET_HEADER_DEST, INET_HEADER_ROUTING_DEST, INET_NR_HEADERS };
struct inet_headers {
	u8 len[INET_NR_HEADERS], total;
	u8 bytes[40];
};

struct inet_sock {
	struct socket *s;
	struct ip_addr laddr, raddr; /* any: not bound, not connected */
	u16 lport, rport;	     /* host order */
	u32 flags;		     /* INET_* */
	struct inet_settings v4, v6;
	u16 preferences; /* IPV6_PREFER_SRC_* */
	u8 opt_len;
	u8 opts[40]; /* IP_OPTIONS */
	struct inet_headers headers;
	u32 flow_label;		 /* to the connected peer */
	struct list_head labels; /* leased ones: flowlabel.c's */
	u32 frag_size;		 /* IPV6_MTU: packets are cut to it, 0: the path's MTU */
	struct ip_addr from;	 /* IPV6_PKTINFO: the source, any: the bound one; ... */
	u32 from_if;		 /* ... and the interface to send through */
	u32 nr_memberships;
	struct list_head memberships; /* read under RCU */
	u32 nr_anycasts;
	struct list_head anycasts; /* joined ones */
	struct flow flow;	   /* of a connected socket, revalidated at each use */
	struct ip_waiter waiter;
	u64 park_until; /* ktime: a neighbour was slow, so until then sends park at once */
	struct inet_error *path_mtu; /* what IPV6_RECVPATHMTU is to be told */
};

/* What holds for packets to and from a. */
static inline const struct inet_settings *inet_settings(const struct inet_sock *is,
							const struct ip_addr *a)
{
	return ip_addr_is_v4(a) ? &is->v4 : &is->v6;
}
static inline bool inet_wants_control(const struct inet_sock *is)
{
	return (is->v4.flags | is->v6.flags) & INET_RECV_CONTROL;
}
static inline bool inet_wants_errors(const struct inet_sock *is, const struct ip_addr *remote)
{
	return inet_settings(is, remote)->flags & INET_RECVERR;
}

/* Settings that the families show. Under net/ipv6: bindv6only, for new sockets, and mld_max_msf;
 * under each: ip_nonlocal_bind. */
extern int inet_bindv6only, inet_max_sources_v6;
extern int inet_nonlocal_bind, inet_nonlocal_bind_v6;

/* Has any socket ever set min_ttl? Until then nobody pays for it. */
extern bool inet_min_ttl_used;
/* Did it come from farther than is wants to hear? Streams ask and drop; Linux's others do not. */
static inline bool inet_too_far(const struct inet_sock *is, const struct ip_rx *rx)
{
	return unlikely(READ_ONCE(inet_min_ttl_used)) &&
	       rx->ttl < READ_ONCE(inet_settings(is, &rx->src)->min_ttl);
}

/* is is all zero. s may be NULL: a connection that nobody has accepted yet. */
void inet_sock_init(struct inet_sock *is, struct socket *s);
/* Cancels the waiter, leaves groups, drops errors. Before the control block is freed. */
void inet_sock_release(struct inet_sock *is);

/* SOL_IP and SOL_IPV6, as far as all share them. -ENOPROTOOPT: not one of them. */
int inet_setsockopt(struct inet_sock *is, int level, int opt, const void *val, u32 len);
int inet_getsockopt(struct inet_sock *is, int level, int opt, void *val, u32 *len);

/* IPV6_ADDRFORM: may an AF_INET6 socket, which is connected or not, turn into one of AF_INET? 0,
 * -EINVAL, -ENOTCONN, -EADDRNOTAVAIL: its peer has no IPv4 address. become then makes it one. */
int inet_may_become_v4(const struct inet_sock *is, bool connected, const void *val, u32 len);
void inet_become_v4(struct inet_sock *is);

/* Everything that options said, for a connection out of a listener. */
void inet_inherit(struct inet_sock *child, const struct inet_sock *l);

/* A sockaddr that a socket of this family may bind to: parsed, and checked to be any, ours, a
 * group or a broadcast address (INET_FREEBIND: anything). One that needs a scope binds the socket
 * to its interface. -EADDRNOTAVAIL, -EAFNOSUPPORT, -EINVAL, -ENODEV. */
int inet_bind_address(struct inet_sock *is, const u8 *name, u32 len, struct ip_addr *addr,
		      u16 *port);
/* getsockname / getpeername; -ENOTCONN. */
int inet_name(struct inet_sock *is, u8 *name, u32 *len, bool peer);

/* Whom a sockaddr means. */
struct inet_peer {
	struct ip_addr addr; /* never any: that is this host */
	u16 port;
	u32 scope, flow_label; /* 0: not told */
};
/* -EINVAL, -EAFNOSUPPORT, -ENETUNREACH: of a version that the socket does not speak. */
int inet_peer_address(struct inet_sock *is, const u8 *name, u32 len, struct inet_peer *peer);
/* connect() to one whose address needs a scope: the socket is bound to its interface. -EINVAL:
 * nobody said which, or it is bound to another. */
int inet_connect_scope(struct inet_sock *is, const struct inet_peer *peer);
/* connect(AF_UNSPEC) of a datagram socket: the peer and, as on Linux, the interface. */
void inet_forget_peer(struct inet_sock *is);

/* What a send wants: destination from m->name or the connection, options from the socket and
 * from control messages (IP_PKTINFO, IP_TTL, IP_TOS and IPv6's). f is a fresh one. *port the
 * destination's. -EDESTADDRREQ, -EINVAL, -EAFNOSUPPORT, -EOPNOTSUPP (MSG_OOB). */
int inet_send_flow(struct inet_sock *is, const struct msg *m, struct flow *f, u16 *port);
/* Does m, without control messages, go where f went? Then *port is the destination's. */
bool inet_same_name(const struct inet_sock *is, const struct msg *m, const struct flow *f,
		    u16 *port); /* m has one */
static inline bool inet_same_peer(const struct inet_sock *is, const struct msg *m,
				  const struct flow *f, u16 *port)
{
	if (m->name_len)
		return inet_same_name(is, m, f, port);
	*port = is->rport;
	return ip_addr_eq(&is->raddr, &f->dst) && f->flow_label == is->flow_label;
}
/* FLOW_* of IP_MTU_DISCOVER, for packets to dst. */
u32 inet_pmtu_flags(const struct inet_sock *is, const struct ip_addr *dst);
/* A flow to addr with the socket's options; for connected use. */
void inet_flow_init(struct inet_sock *is, struct flow *f, const struct ip_addr *dst);
/* ip_reserve, waiting as m's flags and SO_SNDTIMEO say (the lock is dropped meanwhile). A neighbour
 * that does not answer within some milliseconds, or a non-blocking caller, has the packet parked
 * instead. */
struct pkt *inet_reserve(struct inet_sock *is, struct flow *f, u32 len, u32 msg_flags);
/* Would inet_reserve wait for nothing but what ip_send_now finds out? Who sends so charges the
 * packet to the socket himself. */
static inline bool inet_send_ready(const struct inet_sock *is)
{
	const struct socket *s = is->s;

	return likely(!is->frag_size && socket_has_tx_room(s) && !READ_ONCE(s->error));
}
/* A send of more than any packet holds: -EMSGSIZE. As on Linux the error queue of who sends by IPv6
 * learns what the path would take, which is how tracepath begins. */
int inet_refuse_long(struct inet_sock *is, const struct msg *m);
/* The control messages that the socket's options ask for, of a received packet (ip_rx(p)
 * intact). */
void inet_recv_control(struct inet_sock *is, struct msg *m, struct pkt *p);
/* Is a group's packet what the socket's memberships and filters let through? Under RCU. */
bool inet_wants_group(const struct inet_sock *is, const struct ip_rx *rx);
/* Fits SO_BINDTODEVICE and, for groups, the memberships? Under RCU, without the lock. */
static inline bool inet_accepts(const struct inet_sock *is, const struct ip_rx *rx)
{
	u32 bound = READ_ONCE(is->s->bound_if);

	if (unlikely(bound && bound != rx->ifindex))
		return false;
	return likely(!(rx->flags & IP_RX_MULTICAST)) || inet_wants_group(is, rx);
}
/* What the program of SO_ATTACH_FILTER leaves of p, which it sees from the offset start on; false:
 * nothing. For families that set s->filters. Poll context. */
bool inet_filter_run(const struct inet_sock *is, struct pkt *p, u16 start);
static inline bool inet_filter(const struct inet_sock *is, struct pkt *p, u16 start)
{
	return likely(!socket_has_filter(is->s)) || inet_filter_run(is, p, start);
}

/* Records an incoming error: in the queue when INET_RECVERR is on, as SO_ERROR when it is on or the
 * socket connected. Poll context, without the lock. */
void inet_error(struct inet_sock *is, const struct ip_error *e, u16 remote_port, const u8 *quote,
		u32 quote_len);
/* recvmsg(MSG_ERRQUEUE): the quoted payload, a struct sock_extended_err as control. -EAGAIN:
 * empty. */
long inet_recv_error(struct inet_sock *is, struct msg *m, size_t len);
static inline bool inet_has_error(const struct inet_sock *is)
{
	return socket_has_notice(is->s);
}
/* The two halves of inet_op_recv, for who does more with a datagram: the next one, which is the
 * caller's then, or NULL and in *ret what recv answers; and its name, control messages and data
 * from the offset skip on. */
struct pkt *inet_recv_begin(struct inet_sock *is, struct msg *m, size_t len, long *ret);
long inet_recv_packet(struct inet_sock *is, struct msg *m, struct pkt *p, u32 skip, size_t len);
/* socket_poll_default, and not writable while the waiter is armed; POLLERR for queued errors. */
u32 inet_poll(struct inet_sock *is);
/* connect() of a datagram socket: remembers the peer, chooses the source, AF_UNSPEC forgets
 * both. */
int inet_connect_datagram(struct inet_sock *is, const u8 *name, u32 len);

/* ---- for struct socket_ops, as they are: s->priv begins with its inet_sock ---- */
int inet_op_name(struct socket *s, u8 *name, u32 *len, enum socket_name which);
u32 inet_op_poll(struct socket *s);
int inet_op_setsockopt(struct socket *s, int level, int opt, const void *val, u32 len);
int inet_op_getsockopt(struct socket *s, int level, int opt, void *val, u32 *len);
/* The next three are for datagrams. recv takes the peer's port from ip_rx(p)->sport. */
int inet_op_connect(struct socket *s, const u8 *name, u32 len, bool nonblock);
long inet_op_recv(struct socket *s, struct msg *m, size_t len);
int inet_op_shutdown(struct socket *s, int how);

/* ---- ports (RFC 6056); any context, no lock ---- */
/* net/ipv4/ip_local_port_range, both ends included. */
void inet_port_range(u16 *low, u16 *high);
/* Stands in ip_local_reserved_ports: never picked, may be bound to. */
bool inet_port_reserved(u16 port);
/* Below ip_unprivileged_port_start: for root alone. */
bool inet_port_privileged(u16 port);
/* RFC 6056 3.3.3: where in the range the search begins for a connection to one peer, by a keyed
 * hash. The caller adds a counter of its own, modulo the range's width. */
u32 inet_port_offset(const struct ip_addr *laddr, const struct ip_addr *raddr, u16 rport);
