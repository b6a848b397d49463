/* SPDX-License-Identifier: MIT */
/* proto.h - the tables that tie layers together without either naming the other: network layers
 * by EtherType, address families by AF_ number, transports by IP protocol number, and who turns
 * errors into packets. Structs are the registrant's, static; after x_unregister nobody is
 * inside x.
 *
 * Callbacks of the packet path run in poll context, which is an RCU reader; unregister unlinks,
 * waits a grace period and returns. Those that may sleep are entered through the counted door. */
#pragma once

#include <weft/ledger.h>
#include <weft/module.h>
#include <weft/net/drop.h>
#include <weft/net/flow.h>
#include <weft/net/ifaddr.h>
#include <weft/pkt.h>

struct socket;

/* What an input function may answer. */
#define IP_TAKEN 0    /* consumed (ip_drop returns this as well) */
#define IP_DECLINED 1 /* untouched: ask the next handler of the slot */

/* ---- network layers, by EtherType ---- */

/* A network header in which only these 16-bit fields differ between datagrams of one stream
 * (train.h); offsets in it. */
struct train_header {
	u8 len;		/* of the header, without options */
	u8 length_at;	/* the datagram's length */
	u8 length_from; /* and where that begins to count: 0, or behind the header */
	u8 id_at;	/* the identification; 0: there is none */
	u8 sum_at;	/* the header's checksum (RFC 1071); 0: there is none */
	/* Counts so many datagrams as received and delivered. Poll context. */
	void (*count)(u8 tos, u64 datagrams, u64 octets);
};

struct net_layer {
	u16 ethertype;
	const char *name;
	/* Data at the network header; p->nif, p->pkttype, p->link_off set. Consumes. Poll
	 * context. */
	int (*input)(struct netif *nif, struct pkt *p);
	const struct train_header *train; /* NULL: each has to be seen */
	struct module *owner;
	struct list_head node;
	struct ledger_entry ledger;
};
int net_layer_register_owner(struct net_layer *n, struct module *owner); /* -EEXIST */
void net_layer_unregister(struct net_layer *n);
#define net_layer_register(n) net_layer_register_owner(n, THIS_MODULE)
/* For link types: p->ethertype is set, data behind the link header. Consumes. */
int net_input(struct netif *nif, struct pkt *p);

/* ---- address families ---- */

/* What the network header of a quoted packet says. */
struct ip_quote {
	struct ip_addr src, dst;
	u32 transport; /* offset of the transport header, at most len */
	u32 proto_off; /* of the byte that says proto */
	u8 proto;
};

struct ip_family {
	u16 af;
	u16 ethertype;
	u8 header_len;	     /* shortest network header */
	u8 router_alert_len; /* what FLOW_ROUTER_ALERT adds to it */
	u32 min_mtu;	     /* every path takes this much, less is not believed. 0: any */
	u32 max_len;	     /* of a datagram with its header; 0: 65535 */
	const char *name;
	int *default_ttl;      /* may be a sysctl's value */
	int *forwarding;       /* likewise: not 0, this host is a router. NULL: never */
	int *accept_redirects; /* likewise. NULL: the family has refused what it does not want */

	/* Prepends the network header (unless FLOW_HDRINCL: then completes it), cuts p into
	 * fragments where it is longer than f->mtu, hands each to ip_output_link. f has been
	 * validated and is current. Consumes. Under RCU, poll or process context. */
	int (*output)(struct netif *nif, struct flow *f, struct pkt *p);
	/* Of output what most packets need, which are for one neighbour and not cut: prepends the
	 * header and counts the packet. False: p is untouched, output has to see it. Headroom has
	 * been asked for; else as output. Default: false. */
	bool (*prepend)(const struct netif *nif, struct flow *f, struct pkt *p);
	/* The source address for sending to dst over nif; of flags FLOW_PREFER_* count.
	 * -EADDRNOTAVAIL. Under RCU. */
	int (*source)(struct netif *nif, const struct ip_addr *dst, u32 flags, struct ip_addr *src);
	/* The MTU of nif's link, when the family has its own view of it. Under RCU. Default: the
	 * interface's. */
	u32 (*mtu)(const struct netif *nif);
	/* What a is, beyond what the route table says: limited broadcast, multicast, never
	 * valid. nif may be NULL. Pure. */
	enum ip_kind (*classify)(const struct netif *nif, const struct ip_addr *a);
	/* A new address before it goes in: checks it, fills defaults (broadcast, scope). 0 or
	 * -EINVAL. */
	int (*addr_check)(struct ifaddr *a);
	/* It is in (announce it, check for duplicates) / about to leave. Under netif_lock.
	 * Default: none. */
	void (*addr_event)(struct ifaddr *a, bool added);
	/* What members want of a group on nif has changed; with the last of them gone g has no
	 * users. For IGMP or MLD. Under netif_lock. Default: none. */
	void (*group_event)(struct netif *nif, struct ip_group *g);
	/* A socket joins an anycast address on nif and gets a ticket, or leaves with it.
	 * -EADDRNOTAVAIL nobody would send it here, -ENODEV, -ENOMEM. Under netif_lock. Default:
	 * -EADDRNOTAVAIL. */
	int (*anycast)(struct netif *nif, const struct ip_addr *addr, u32 *ticket, bool on);
	/* Reads the network header of a packet that an ICMP error quotes; options and further
	 * headers are skipped. 0, or -EINVAL: nothing that could be ours. Pure. Default: -EINVAL.
	 */
	int (*quote)(const u8 *h, u32 len, struct ip_quote *out);

	/* the core's */
	u64 no_routes, unknown_protos; /* counted */
	struct module *owner;
	struct ledger_entry ledger;
	struct door door; /* for addr_*, group_event and anycast */
};
/* -EEXIST, -EINVAL */
int ip_family_register_owner(struct ip_family *fam, struct module *owner);
/* Its addresses and routes stay (unused) for the next one of that number. */
void ip_family_unregister(struct ip_family *fam);
#define ip_family_register(f) ip_family_register_owner(f, THIS_MODULE)
struct ip_family *ip_family_find(u16 af); /* NULL: not loaded. Under RCU */

/* ---- what the network layer found out about a received packet, parsed once, kept in p->cb ---- */
#define IP_RX_BROADCAST BIT(0) /* sent to a broadcast address of the network layer */
#define IP_RX_MULTICAST BIT(1)
#define IP_RX_REASSEMBLED BIT(2)
#define IP_RX_OPTIONS BIT(3)
#define IP_RX_LINK_GROUP BIT(4) /* the frame itself was broadcast or multicast */
#define IP_RX_FRAGMENTED BIT(5) /* had a fragment header, though it may have been the only one */
#define IP_RX_ROUTER_ALERT BIT(6)

struct ip_rx {
	struct ip_addr src, dst;
	u32 ifindex;	/* it came in on */
	u16 header_len; /* network header with options; it starts at p->net_off */
	u8 ttl, tos;	/* hop limit, traffic class */
	u8 flags;	/* IP_RX_* */
	u8 proto;
	u16 sport; /* the transport's: its source port, host order */
	u32 flow_label;
};
static inline struct ip_rx *ip_rx(struct pkt *p)
{
	_Static_assert(sizeof(struct ip_rx) <= sizeof(p->cb), "ip_rx must fit into cb");
	return (struct ip_rx *)p->cb;
}
static inline const struct ip_rx *ip_rx_const(const struct pkt *p)
{
	return (const struct ip_rx *)p->cb;
}
static inline bool ip_rx_is_group(const struct ip_rx *rx)
{
	return rx->flags & (IP_RX_BROADCAST | IP_RX_MULTICAST | IP_RX_LINK_GROUP);
}

/* ---- errors, independent of the IP version ---- */
enum ip_error_kind {
	IP_ERR_NET_UNREACH,
	IP_ERR_HOST_UNREACH,
	IP_ERR_PROTO_UNREACH,
	IP_ERR_PORT_UNREACH,
	IP_ERR_TOO_BIG, /* info: MTU of the next link */
	IP_ERR_SOURCE_ROUTE,
	IP_ERR_ADMIN,
	IP_ERR_TTL,
	IP_ERR_REASSEMBLY,
	IP_ERR_HEADER,	    /* info: offset of the bad byte in the network header */
	IP_ERR_NEXT_HEADER, /* info: likewise */
	IP_ERR_OPTION,	    /* info: likewise */
	IP_ERR_CHAIN,	    /* info: likewise; a first fragment without all of the headers */
	IP_ERR_SCOPE,	    /* the destination is farther away than its source means anything */
	IP_ERR_REDIRECT,    /* incoming only: gateway is nearer to remote; err is 0 */
	IP_ERR_OTHER,	    /* incoming only */
};

/* An error that came in about a packet this host sent. */
struct ip_error {
	u8 kind;		      /* enum ip_error_kind */
	u8 proto;		      /* of the quoted packet */
	u8 icmp_type, icmp_code;      /* as on the wire, for IP_RECVERR */
	bool fatal;		      /* RFC 1122 3.2.2.1: hard, not soft */
	int err;		      /* positive errno for SO_ERROR */
	u32 info;		      /* MTU, pointer */
	u32 ifindex;		      /* it came in on */
	struct ip_addr local, remote; /* source and destination of the quoted packet */
	struct ip_addr offender;      /* who sent the error */
	const struct ip_rx *rx;	      /* of the message that says so */
	/* of IP_ERR_REDIRECT */
	struct ip_addr gateway;
	bool on_link;	      /* remote is on the link of ifindex itself; gateway is remote */
	const u8 *gateway_hw; /* the link address that the message gives to it, NULL: none */
};

/* For transports that got IP_ERR_REDIRECT and know that they sent the quoted packet: checks it as
 * RFC 1122 3.2.2.2 and RFC 4861 8.1 say and, some time later, sends by the other gateway. False:
 * not believed. Poll context. */
bool ip_redirect(const struct ip_error *e);

/* Who turns ip_send_error into a packet; without one errors are silent. */
struct ip_error_sender {
	u16 af;
	const char *name;
	/* p is borrowed: p->net_off at the network header, ip_rx(p) filled, p->nif valid.
	 * Applies the RFC's rules on when to be silent and the rate limit. Poll or process
	 * context, under RCU. */
	void (*send)(const struct pkt *p, enum ip_error_kind kind, u32 info);
	struct module *owner;
	struct ledger_entry ledger;
};
/* -EEXIST */
int ip_error_sender_register_owner(struct ip_error_sender *s, struct module *owner);
void ip_error_sender_unregister(struct ip_error_sender *s);
#define ip_error_sender_register(s) ip_error_sender_register_owner(s, THIS_MODULE)
/* Answers p with an error. Does not consume p. Poll or process context. */
void ip_send_error(const struct pkt *p, enum ip_error_kind kind, u32 info);
/* The same, then ip_drop. */
int ip_reject(struct pkt *p, enum drop_reason why, enum ip_error_kind kind, u32 info);

/* ---- transports, by IP protocol number ---- */
#define IP_PROTO_SILENT BIT(0)	/* after unregister its packets are dropped without an error */
#define IP_PROTO_DEFAULT BIT(1) /* socket(2) with protocol 0 and its sock_type means this one */

struct ip_proto {
	const char *name;
	u8 number;
	u16 af;	       /* AF_INET, AF_INET6, 0: both */
	u16 sock_type; /* SOCK_* it makes, 0: none */
	u32 flags;     /* IP_PROTO_* */
	/* Data at the transport header, p->trans_off and *rx (= ip_rx(p)) set, length as the
	 * network header says. IP_TAKEN or IP_DECLINED. Poll context. */
	int (*input)(struct pkt *p, struct ip_rx *rx);
	/* quote borrows the quoted packet, data at its transport header (often only 8 bytes of
	 * it). Poll context. Default: ignored. */
	void (*error)(const struct ip_error *e, const u8 *quote, u32 quote_len);
	/* Sets s->ops and s->priv. Process context, through the door. */
	int (*socket)(struct socket *s);
	struct module *owner;
	struct list_head node;
	struct ledger_entry ledger;
	struct door door;
};
/* A slot is a short list: handlers of one number are asked in the order they came. -EEXIST when the
 * same struct, or one of the same number and socket type, is there. */
int ip_proto_register_owner(struct ip_proto *p, struct module *owner);
void ip_proto_unregister(struct ip_proto *p);
#define ip_proto_register(p) ip_proto_register_owner(p, THIS_MODULE)

/* For families: a whole datagram for this host, data at the transport header, p->net_off,
 * p->trans_off, ip_rx(p) and its proto set. Raw sockets see it, then the transport; nobody:
 * protocol unreachable. Consumes. Poll context. */
int ip_deliver(struct pkt *p);
/* RFC 2113, RFC 2711: p, its data at the network header and ip_rx(p) set, is for somebody else and
 * asks routers on its way to look, as value says. Does a raw socket want such? Then deliver gives a
 * copy to each, and as on Linux the packet has come to its end. Consumes. Both in poll context. */
bool ip_alert_wanted(const struct ip_rx *rx, u16 value);
int ip_deliver_alert(struct pkt *p, u16 value);
/* For error receivers: to raw sockets and the transport that sent the quoted packet. quote
 * starts at the quoted transport header. Poll context. */
void ip_deliver_error(const struct ip_error *e, const u8 *quote, u32 quote_len);
