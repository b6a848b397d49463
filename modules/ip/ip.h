/* SPDX-License-Identifier: MIT */
/* ip.h - what the files of the IP core share and nobody else sees. Public contracts are in
 * include/weft/net. Each X_init is called by main.c in the order of this list and undone by
 * X_exit in the reverse order; inits return 0 or an errno with nothing left behind. */
#pragma once

#define LOG_NAME "ip: "

#include <weft/net/addr.h>
#include <weft/net/drop.h>
#include <weft/net/flow.h>
#include <weft/net/ifaddr.h>
#include <weft/net/link.h>
#include <weft/net/neigh.h>
#include <weft/net/netif.h>
#include <weft/net/proto.h>
#include <weft/net/route.h>
#include <weft/net/sock.h>
#include <weft/printk.h>
#include <weft/random.h>
#include <weft/seqfile.h>
#include <weft/string.h>
#include <weft/time.h>

void proto_init(void);
void diag_init(void); /* diag.c */
int drop_init(void);
void drop_exit(void);
int mib_init(void);
void mib_exit(void);
int port_init(void);
void port_exit(void);
int route_init(void);
void route_exit(void);
int redirect_init(void);
void redirect_exit(void);
void redirect_flush(u16 af); /* the family leaves; netif_lock held */
int ifaddr_init(void);
void ifaddr_exit(void);
int neigh_init(void);
void neigh_exit(void);
int pmtu_init(void);
void pmtu_exit(void);
int loopback_init(void);
void loopback_exit(void);
int raw_init(void);
void raw_exit(void);
int family_init(void);
void family_exit(void);
int ioctl_init(void);
void ioctl_exit(void);
int procnet_init(void);
void procnet_exit(void);

/* Drawn at load, so that nobody can aim at a hash bucket. */
extern u32 ip_hash_seed;

/* ---- addrlife.c: lifetimes ---- */
void ifaddr_age(const struct ifaddr *a); /* its lifetimes are new; netif_lock held */

/* ---- netif.c ---- */
bool netif_trylock(void);
void netif_free_parked(void); /* at exit: all that is left */

/* ---- watch.c ---- */
/* A watcher in and out of a list that netif_lock guards and RCU may read; its ledger entry too. */
void watch_enter(struct list_head *all, struct list_head *node);
void watch_leave(struct list_head *node, struct ledger_entry *e);
void netif_notify(struct netif *nif, enum netif_event ev); /* netif_lock held */
void ip_notify_addr(const struct ifaddr *a, bool added);
void ip_notify_route(const struct route *r, bool added);

/* ---- link.c ---- */
const struct link_type *link_type_find(u16 type); /* the sink when absent; netif_lock held */
bool link_is_sink(const struct link_type *l);
u32 link_type_show(struct seq *s);

/* ---- proto.c ---- */
const struct net_layer *net_layer_find(u16 ethertype); /* NULL: not loaded. Under RCU */

/* ---- netio.c, gso.c ---- */
bool netif_has_taps(void);
/* One frame, or a large packet that the device cuts, to the driver. Consumes. Under RCU. */
int netif_tx_frame(struct netif *nif, const struct netif_driver *d, struct pkt *p);
/* A large packet segment by segment to netif_tx_frame. Consumes. Under RCU. */
int gso_send(struct netif *nif, const struct netif_driver *d, struct pkt *p);
/* How many frames a large packet becomes, and the bytes of headers of each (0: it is malformed). */
u32 gso_segments(const struct pkt *p, u32 *headers);
bool gso_has_cwr(const struct pkt *p);

/* ---- loopback.c ---- */
/* Gives lo its address of af (0: of every family there is) if it is up and has none. netif_lock
 * held. */
void loopback_addresses(u16 af);
/* This host hears its own group and broadcast packets: p (data at the network header) comes
 * back in as if received on nif. Consumes. */
void loopback_return(struct netif *nif, struct pkt *p, u8 pkttype);

/* ---- flow.c, waiters ---- */
/* Hangs w on list unless it hangs somewhere already. */
void waiter_arm(struct list_head *list, struct ip_waiter *w);
void waiters_fire(struct list_head *list);

/* ---- neigh.c ---- */
/* Is the neighbour of f usable? Starts what is to be started; 0, -EAGAIN (w armed), -EHOSTUNREACH,
 * -ENOBUFS. Fills f's handle. park: an unknown one is as good. Under RCU. */
int neigh_check(struct netif *nif, struct flow *f, struct ip_waiter *w, bool park);
u32 neigh_count(void);
void neigh_proxy_flush(const struct netif *nif); /* netif_lock held */
void neigh_show(struct seq *s);

/* ---- proto.c, family.c ---- */
extern struct ip_family *ip_families[AF_MAX]; /* netif_lock to change, RCU to read */
/* The family of an address; NULL: not loaded. Under RCU. */
static inline struct ip_family *ip_family_of(const struct ip_addr *a)
{
	return rcu_dereference(ip_families[ip_addr_family(a)]);
}
/* door entered */
struct ip_proto *ip_proto_find_socket(u16 af, u16 type, int protocol, int *err);
void ip_family_show(struct seq *s);
void ip_proto_show(struct seq *s);
/* Runs the family's sleeping callbacks; netif_lock held. */
int ip_family_addr_check(struct ifaddr *a);
void ip_family_addr_event(struct ifaddr *a, bool added);
void ip_family_group_event(struct netif *nif, struct ip_group *g);
int ip_family_anycast(struct netif *nif, const struct ip_addr *addr, u32 *ticket, bool on);

/* ---- route.c, routelife.c ---- */
void routelife_init(void);
void routelife_exit(void);
void route_age(const struct route *r); /* it may have got an end; netif_lock held */
void route_nif_up(struct netif *nif);  /* its dormant routes are back */
int route_del_address(struct netif *nif, const struct ip_addr *addr);

/* ---- sock.c ---- */
/* May what it binds to, and sends from, be nobody's address? */
bool inet_any_source(const struct inet_sock *is, bool v4);

/* ---- sockctl.c ---- */
/* What m's control messages want of a flow. */
int inet_send_control(struct inet_sock *is, const struct msg *m, struct flow *f);
/* inet_recv_control of what rx says alone; p NULL: the packet is not here any more. */
void inet_rx_control(struct inet_sock *is, struct msg *m, const struct ip_rx *rx, struct pkt *p);

/* ---- sockopt.c, sockopt6.c ---- */
/* RFC 3168: a stream's ECN bits are not its user's. */
u8 inet_tos_allowed(const struct inet_sock *is, u8 old, u8 wanted);
/* IP_TRANSPARENT, IP_UNICAST_IF (network order) and those of IPv6. -EPERM; -EADDRNOTAVAIL: no such
 * interface; -EINVAL: the socket is bound to one. */
int inet_set_transparent(struct inet_sock *is, bool on);
int inet_set_unicast_if(const struct inet_sock *is, struct inet_settings *set, u32 index_be);
int inet_set_min_ttl(struct inet_settings *set, int v); /* -EINVAL */
/* The MTU of the path to the connected peer; -ENOTCONN. */
int inet_path_mtu(struct inet_sock *is);
int inet6_setsockopt(struct inet_sock *is, int opt, const void *val, u32 len);
int inet6_getsockopt(struct inet_sock *is, int opt, void *val, u32 *len);

/* ---- sockhdr.c ---- */
/* Is opt one of IPV6_HOPOPTS and its kin? Then these set and tell it. */
bool inet6_is_header(int opt);
int inet6_set_header(struct inet_sock *is, int opt, const u8 *val, u32 len);
int inet6_get_header(const struct inet_sock *is, int opt, u8 *val, u32 *len);
/* The same said by a control message, for one packet. -EINVAL, -EPERM, -ENOBUFS. */
int inet6_control_header(struct inet_headers *hs, const struct cmsg_view *c);
/* The flow's packets carry them. */
void inet6_flow_headers(struct flow *f, const struct inet_headers *hs);

/* ---- mcast.c: a socket's groups ---- */
void inet_leave_groups(struct inet_sock *is, u16 af); /* 0: of both versions */
/* IP_ADD_MEMBERSHIP, MCAST_JOIN_GROUP and their kin. -ENOPROTOOPT: not one of them. */
int inet_set_group_option(struct inet_sock *is, int level, int opt, const void *val, u32 len);
int inet_get_group_option(struct inet_sock *is, int level, int opt, void *val, u32 *len);
int mcast_init(void);
void mcast_exit(void);

/* ---- anycast.c: a socket's anycast addresses ---- */
/* IPV6_JOIN_ANYCAST and IPV6_LEAVE_ANYCAST. */
int inet_anycast_option(struct inet_sock *is, bool join, const u8 *val, u32 len);
void inet_leave_anycasts(struct inet_sock *is);

/* ---- flowlabel.c ---- */
/* IPV6_FLOWLABEL_MGR. What it answers in val: so many bytes, or the errno. */
int inet_set_flow_label(struct inet_sock *is, void *val, u32 len);
int inet_get_flow_label(const struct inet_sock *is, void *val, u32 *len);
/* May the socket's packets bear it? While somebody has one for himself only if it was leased. */
bool inet_label_allowed(const struct inet_sock *is, u32 label);
void inet_release_labels(struct inet_sock *is);
int flowlabel_init(void);
void flowlabel_exit(void);

/* ---- sockerr.c ---- */
/* A notice of a socket of AF_INET or AF_INET6. The core's own (MSG_ZEROCOPY) have less. */
struct inet_error {
	struct socket_notice n;
	struct ip_addr offender, remote; /* offender any: this host */
	u16 remote_port;
	u32 ifindex; /* it came in on, or left by */
	bool has_rx;
	struct ip_rx rx; /* of the message that said so, or of the packet that left */
};
void inet_drop_errors(struct inet_sock *is); /* what IPV6_RECVPATHMTU would tell */
/* A send was longer than the path allows: queued like an error that came in, with the MTU, for
 * those who asked by INET_RECVERR. */
void inet_error_too_long(struct inet_sock *is, const struct flow *f);
/* What IPV6_RECVPATHMTU waits for, if there is some; else false. */
bool inet_recv_path_mtu(struct inet_sock *is, struct msg *m);

/* ---- sockstamp.c ---- */
/* The flow of m carries what it, or its socket, wants to know by SO_TIMESTAMPING. -EINVAL */
int inet_stamp_flow(struct socket *s, const struct msg *m, struct flow *f);
int stamps_init(void);
void stamps_exit(void);

/* ---- raw.c ---- */
int raw_create(struct socket *s);
extern struct hlist_head raw_socks[256];
/* Copies for all that want it; true when there was one. Under RCU. */
bool raw_deliver(struct pkt *p, struct ip_rx *rx);
static inline bool raw_listens(u8 proto)
{
	return unlikely(READ_ONCE(raw_socks[proto].first) != NULL);
}
void raw_error(const struct ip_error *e, const u8 *quote, u32 quote_len);

/* ---- rtioctl.c ---- */
long route_ioctl(struct socket *s, u32 cmd, unsigned long arg);

/* ---- ethtool.c ---- */
long netif_ethtool(const struct netif *nif, u64 data); /* data: user memory; netif_lock held */

/* ---- netsys.c: /sys/class/net/NAME ---- */
void netsys_add(struct netif *nif);
void netsys_remove(struct netif *nif);
