/* SPDX-License-Identifier: MIT */
/* flow.h - sending in two stages. ip_reserve finds route, source, next hop and neighbour and
 * gives an empty buffer, or says why not and wakes the caller when it is worth asking again;
 * nothing was assembled by then. ip_commit takes the filled buffer down. A flow holds values
 * and generation numbers, never pointers: it may live in a socket for hours and is revalidated
 * at each use.
 *
 *	struct flow f = { .dst = dst, .proto = IPPROTO_UDP };
 *	p = ip_reserve(&f, len, &waiter);
 *	if (IS_ERR(p)) ...				-EAGAIN: wait for the waiter's call
 *	memcpy(pkt_put(p, len), ...);			f.saddr is known here, for checksums
 *	ip_commit(&f, p); */
#pragma once

#include <weft/net/addr.h>
#include <weft/net/netif.h>

/* What an address means on a link. */
enum ip_kind {
	IP_KIND_UNICAST,
	IP_KIND_LOCAL,
	IP_KIND_BROADCAST,
	IP_KIND_MULTICAST,
	IP_KIND_INVALID,
};

/* flow.flags: the caller's wishes */
#define FLOW_DF BIT(0)		  /* never fragment: too long is -EMSGSIZE (sets DF for IPv4) */
#define FLOW_BROADCAST BIT(1)	  /* broadcast destinations allowed (SO_BROADCAST), else -EACCES */
#define FLOW_DONTROUTE BIT(2)	  /* only on-link destinations */
#define FLOW_HDRINCL BIT(3)	  /* the caller brings the whole network header; len counts it */
#define FLOW_PARK BIT(4)	  /* cannot wait nor retry: one packet a neighbour may be parked */
#define FLOW_CONTROL BIT(5)	  /* take the buffer from the control pool */
#define FLOW_ANY_SOURCE BIT(6)	  /* src need not be ours (IP_FREEBIND, IP_HDRINCL) */
#define FLOW_NO_PMTU BIT(7)	  /* ignore a learnt path MTU (IP_PMTUDISC_PROBE) */
#define FLOW_NO_SOURCE BIT(8)	  /* src any is meant: the unspecified address (DHCP, DAD) */
#define FLOW_NO_LOOP BIT(9)	  /* no copy of multicasts to this host (IP_MULTICAST_LOOP off) */
#define FLOW_ROUTER_ALERT BIT(10) /* RFC 2113, 2711 */
#define FLOW_GSO BIT(11)	  /* the packet will have gso_size set: len may exceed the MTU */
#define FLOW_PMTU BIT(12)	  /* path MTU discovery: DF in what needs no fragmentation */
#define FLOW_WHOLE BIT(13)	  /* too long is -EMSGSIZE, but routers may fragment */
#define FLOW_NO_LABEL BIT(14)	  /* flow_label 0 is meant: the family makes none */
#define FLOW_PREFER_TEMPORARY BIT(15) /* of several sources a temporary one (RFC 5014) ... */
#define FLOW_PREFER_PUBLIC BIT(16)    /* ... or a public one, whatever the setting says */
#define FLOW_HOPS_0 BIT(17)	 /* ttl 0 is meant: what goes to a group does not leave this host */
#define FLOW_STAMP_SCHED BIT(18) /* inet_reserve: the packet gets PKT_STAMP_SCHED ... */
#define FLOW_STAMP_SENT BIT(19)	 /* ... or PKT_STAMP_SENT */

struct flow {
	/* the caller's; changing any but ports, tos, ttl needs flow_reset() */
	struct ip_addr dst; /* IPv4 mapped or IPv6; says the family */
	struct ip_addr src; /* any: chosen by the route */
	u32 oif;	    /* interface index to send through, 0: any */
	u32 mark;
	u32 flags;	  /* FLOW_* */
	u16 sport, dport; /* host order; for whoever filters or hashes flows */
	u8 proto;	  /* IP protocol number */
	u8 tos, ttl;	  /* ttl 0: the family's default, 1 for multicasts */
	u8 opt_len;	  /* network-layer options, multiple of 4 (IPv6: 8) */
	/* IPv6's are extension headers, each naming itself in its first byte */
	u8 opts[40];
	u32 flow_label; /* IPv6's (RFC 6437); 0: the family makes one of addresses and ports */
	/* filled in by ip_reserve; read only for callers */
	struct ip_addr saddr; /* the source in use */
	struct ip_addr next_hop;
	u32 ifindex;
	u32 mtu;	/* of the path: network header and payload */
	u16 net_header; /* bytes the family will put in front */
	u16 headroom;	/* bytes needed before the payload in all */
	u8 kind;	/* enum ip_kind of dst */
	u16 addr_sum;	/* RFC 1071: of saddr and dst, folded; see flow_pseudo_sum */
	u32 features;	/* NETIF_F_* of the interface */
	/* generations that make the above valid; 0: not yet */
	u32 route_gen;
	u32 neigh_slot, neigh_id;
	/* the family's: the label it has made for these ports; 0: none yet */
	u32 auto_label, auto_label_ports;
};

static inline void flow_reset(struct flow *f)
{
	f->route_gen = 0;
	f->neigh_id = 0;
}

/* The sum, to be folded, of the pseudo header in front of len bytes of a transport (see
 * ip_pseudo_sum, which looks at the addresses each time). A flow that has its answers. */
static inline u32 flow_pseudo_sum(const struct flow *f, u8 proto, u16 len)
{
	return f->addr_sum + htons(proto) + htons(len);
}

/* Somebody who waits for a flow to become possible. fn is called once after each -EAGAIN that
 * armed it, in poll or process context with a spin lock held: it may wake threads and schedule
 * work, not call into the stack. The memory stays until ip_waiter_cancel returned. */
struct ip_waiter {
	struct list_head node; /* guarded by the waiters' lock, as is armed */
	bool armed;
	bool used; /* armed at least once: most never are */
	void (*fn)(struct ip_waiter *w);
};
void ip_waiter_init(struct ip_waiter *w, void (*fn)(struct ip_waiter *w));
void ip_waiter_cancel_used(struct ip_waiter *w);
/* After it fn neither runs nor will. Any context but interrupt; nobody arms it meanwhile. */
static inline void ip_waiter_cancel(struct ip_waiter *w)
{
	if (unlikely(w->used))
		ip_waiter_cancel_used(w);
}

/* Room for len bytes above the network header: an empty packet (len 0) with the headroom for
 * all that is below it. Longer than the MTU is allowed without FLOW_DF (up to 65535 with the
 * header) and will be fragmented. Poll or process context; does not sleep. ERR_PTR:
 * -ENETUNREACH no route, -EHOSTUNREACH reject route or the neighbour did not answer, -EMSGSIZE,
 * -ENETDOWN interface down, -EACCES broadcast not allowed, -EADDRNOTAVAIL src is not ours,
 * -EINVAL, -EAFNOSUPPORT its family is not loaded, -ENOBUFS no buffer. -EAGAIN: the neighbour
 * is being resolved or the ring is full; w (unless NULL) is armed. Without w only FLOW_PARK
 * callers get through a cold neighbour. */
struct pkt *ip_reserve(struct flow *f, u32 len, struct ip_waiter *w);
/* The same decisions without a buffer, for callers that reuse one (echo replies): len is what
 * they will commit. 0 or the errors above. */
int ip_flow_check(struct flow *f, u32 len, struct ip_waiter *w);
/* Sends p (data at the transport header; headroom f->headroom or more). The flow must have
 * passed ip_reserve or ip_flow_check; if the world has changed since, it is looked up again.
 * Consumes. 0 or the errors above. */
int ip_commit(struct flow *f, struct pkt *p);
/* Both stages at once, for a flow that has been reserved before: p is from PKT_POOL_TX, with
 * ip_headroom(f) in front, filled (f->saddr is that of the last time), and fits f->mtu with
 * f->net_header. -EAGAIN: ip_reserve would have to look closer, and p is still the caller's. Else
 * as ip_commit. Under RCU. */
int ip_send_now(struct flow *f, struct pkt *p);
static inline u32 ip_headroom(const struct flow *f)
{
	return max(f->headroom, (u16)PKT_HEADROOM);
}
/* For families: the packet with its network header goes to the flow's next hop. Consumes. */
int ip_output_link(struct netif *nif, struct flow *f, struct pkt *p);
/* Likewise, but it does not leave this host: only its members of the group hear it. */
int ip_output_here(struct netif *nif, struct flow *f, struct pkt *p);

/* ---- path MTU (RFC 1191, 8201): a bounded cache, entries expire after 10 minutes ---- */
/* only ever lowers; bumps generations */
void ip_pmtu_update(const struct ip_addr *dst, u32 mtu);
u32 ip_pmtu_get(const struct ip_addr *dst); /* 0: nothing learnt */
