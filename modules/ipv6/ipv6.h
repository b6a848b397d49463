/* SPDX-License-Identifier: MIT */
/* ipv6.h - the module's own border: IPv6 (RFC 8200), neighbour discovery (RFC 4861), address
 * configuration (RFC 4862) and multicast listeners (RFC 9777), and what its files give each other.
 *
 *	main.c		the family, the order of init and exit
 *	input.c		a datagram comes in;  exthdr.c: its further headers;  reasm.c: its fragments
 *	output.c	a datagram goes out, in fragments if need be;  forward.c: through
 *	nd.c		neighbour discovery messages, in and out, options;  resolver.c: the question
 *	dad.c		duplicate address detection;  announce.c: and then saying so
 *	redirect.c	redirects, both ways;  anycast.c, proxy.c: answering for others
 *	conf.c		what is kept of each interface: settings, timers;  addr.c: its addresses
 *	router.c	default routers;  prefix.c: what a router says of prefixes;  origin.c: and
 *			which one;  rs.c: asking
 *	slaac.c		making addresses;  temp.c: temporary ones
 *	source.c	choosing among them;  label.c: by their labels
 *	mld.c		telling routers which groups are listened to;  icmp.c: ICMPv6 as such
 *	proc.c, mib.c	/proc/net and counters
 *
 * Locks: netif_lock (a sleeping lock) guards configuration: struct ipv6_if but for its settings,
 * addresses, routers, prefixes. What arrives from the wire in poll context is checked there,
 * copied into a bounded queue where it changes configuration, and applied by a work item under
 * netif_lock. Settings are plain ints, read anywhere. */
#pragma once

#include <weft/net/flow.h>
#include <weft/net/neigh.h>
#include <weft/net/proto.h>
#include <weft/net/route.h>
#include <weft/string.h>

#define IPV6_HEADER 40
#define IPV6_MIN_MTU 1280
#define IPV6_MAX_LEN 65535 /* of the payload; longer ones (RFC 2675) are refused */
#define IPV6_LABEL_MASK 0xfffff

/* Next header values that are not transports. */
#define IPV6_NH_HOP 0
#define IPV6_NH_ROUTING 43
#define IPV6_NH_FRAGMENT 44
#define IPV6_NH_ESP 50
#define IPV6_NH_AH 51
#define IPV6_NH_NONE 59
#define IPV6_NH_DEST 60

#define IPV6_OPT_PADN 1
#define IPV6_OPT_ROUTER_ALERT 5 /* RFC 2711 */
#define IPV6_ROUTER_ALERT_LEN 8 /* of a hop-by-hop header with nothing else */

/* A header, parsed once: after ipv6_parse gave 0 no length is checked again. */
struct ipv6_header {
	struct ip_addr src, dst;
	u32 flow_label;
	u16 payload_len;
	u8 next, hop_limit, tclass;
	bool jumbo; /* payload_len was 0, and is what there is: to be refused */
};
/* 0, or the drop reason. avail bytes are there. */
int ipv6_parse(const u8 *h, u32 avail, struct ipv6_header *out);

/* Scopes of RFC 4291 2.7 and RFC 6724 3.1, also of unicast addresses. */
#define IPV6_SCOPE_INTERFACE 1
#define IPV6_SCOPE_LINK 2
#define IPV6_SCOPE_SITE 5
#define IPV6_SCOPE_GLOBAL 14
u8 ipv6_scope(const struct ip_addr *a); /* source.c; IPv4 mapped ones too */

extern const struct ip_addr ipv6_all_nodes, ipv6_all_routers; /* ff02::1, ff02::2; main.c */
/* RFC 4291 2.7.1: ff02::1:ff and the last three bytes. */
struct ip_addr ipv6_solicited_node(const struct ip_addr *a);

/* ================ packets: input.c exthdr.c reasm.c output.c forward.c ================ */

/* The network layer's and the family's callbacks, see <weft/net/proto.h>. */
int ipv6_input(struct netif *nif, struct pkt *p);
extern const struct train_header ipv6_train;
int ipv6_output(struct netif *nif, struct flow *f, struct pkt *p);
bool ipv6_prepend(const struct netif *nif, struct flow *f, struct pkt *p);
int ipv6_quote(const u8 *h, u32 len, struct ip_quote *out);

/* exthdr.c: walks what stands behind the fixed header of a datagram that is for this host. From
 * *next (type and offset from p->data, at the fixed header) it goes on until a transport, a
 * fragment header or the end. */
struct ipv6_chain {
	u8 next;      /* type of the header at off */
	u32 off;      /* from the fixed header */
	u32 next_off; /* where the byte that named it stands, for pointers in errors */
	bool router_alert;
	u16 alert; /* its value (RFC 2711 2.1) */
};
/* 0: chain stands at what is none of hop-by-hop, destination options, routing. Else p was consumed
 * (dropped, with the error that the RFC wants). first: only the hop-by-hop header, as a router. */
int ipv6_chain_walk(struct pkt *p, struct ipv6_chain *c, bool first);
/* RFC 7112: does what stands from off on, of type next, go as far as a transport's header? */
bool ipv6_chain_whole(const u8 *h, u32 len, u32 off, u8 next);
extern int ipv6_max_hop_options, ipv6_max_dest_options; /* sysctls, as is the next one */
extern int ipv6_auto_flowlabels;

/* reasm.c: p's data at the fixed header, c at the fragment header. The whole datagram when this
 * completes it (fixed header in front, c at what follows it, ip_rx filled), else NULL. Consumes.
 * Poll context. */
struct pkt *ipv6_reassemble(struct pkt *p, const struct ipv6_header *h, struct ipv6_chain *c);
void ipv6_reasm_show(struct seq *s);
int ipv6_reasm_init(void);
void ipv6_reasm_exit(void);

/* forward.c: for somebody else. Consumes. Poll context. */
int ipv6_forward(struct netif *nif, struct pkt *p, const struct ipv6_header *h,
		 const struct ipv6_chain *c);
void ipv6_output_init(void);

/* ================ interfaces and addresses: conf.c addr.c ================ */

/* Settings under net/ipv6/conf/{all,default,IF}/: Linux's names and defaults. conf.c has the table
 * of names and bounds. */
struct ipv6_conf {
	int forwarding, hop_limit, mtu, disable_ipv6;
	int accept_ra, accept_ra_defrtr, accept_ra_pinfo, accept_ra_rtr_pref, accept_ra_mtu;
	int accept_ra_min_hop_limit, accept_ra_from_local, accept_ra_rt_info_max_plen;
	int accept_redirects, accept_untracked_na, drop_unsolicited_na, ndisc_notify, proxy_ndp,
		suppress_frag_ndisc;
	int autoconf, addr_gen_mode, max_addresses, keep_addr_on_down;
	int accept_dad, dad_transmits, enhanced_dad, optimistic_dad, use_optimistic;
	int use_tempaddr, temp_valid_lft, temp_prefered_lft, regen_max_retry, max_desync_factor;
	int router_solicitations, router_solicitation_interval, router_solicitation_delay;
	int router_solicitation_max_interval;
	int drop_unicast_in_l2_multicast;
	int force_mld_version, mldv1_unsolicited_report_interval;
	int mldv2_unsolicited_report_interval;
	int ra_defrtr_metric, accept_ra_min_lft, accept_ra_rt_info_min_plen, router_probe_interval;
	int regen_min_advance;
};

/* What the module keeps of an interface, from NETIF_COMING until NETIF_GONE or rmmod. Its owners
 * are the files named; others look with a function of theirs. */
struct ipv6_if {
	struct list_head node; /* all of them: netif_lock to change, RCU to read */
	struct rcu_head rcu;
	struct netif *nif; /* referenced */
	struct ipv6_conf conf;
	/* what the last advertisement said; 0: nothing (RFC 4861 6.3.2) */
	int ra_hop_limit, ra_mtu, ra_reachable_ms, ra_retrans_ms;
	u8 ra_flags; /* managed, other config: for whoever runs DHCPv6 */
	bool link_local_ready;
	/* conf.c */
	bool off;	       /* switched off, or the link's MTU is too small for IPv6 */
	bool ready;	       /* up, with a link: what comes with that is done */
	bool router;	       /* the routers' groups are joined */
	bool going;	       /* leaves: its settings' writers are not to wait for anything */
	void *sysctls;	       /* settings.c's */
	void *time_files;      /* resolver.c's */
	struct ip_addr secret; /* stable_secret (RFC 7217), any: the host's */
	u8 dad_count;	       /* slaac.c: addresses given up as duplicates, for RFC 7217 5 */
	/* rs.c */
	u32 rs_sent;
	u64 rs_due, rs_interval; /* ktime, ns; 0: not asking */
	/* lists of router.c, prefix.c, temp.c, rdnss.c: what routers of this link said */
	struct list_head routes, prefixes, temps, servers;
	struct list_head announcements; /* announce.c */
	struct list_head anycasts;	/* anycast.c; read under RCU */
	struct list_head origins;	/* origin.c; read under RCU */
	u32 nr_routes, nr_prefixes, nr_servers, nr_origins;
};
/* Under RCU or netif_lock. NULL: not known yet, or IPv6 is switched off there. */
struct ipv6_if *ipv6_if(const struct netif *nif);
struct ipv6_if *ipv6_if_any(const struct netif *nif); /* switched off ones too */
#define ipv6_if_for_each(i) list_for_each_entry(i, &ipv6_interfaces, node)
extern struct list_head ipv6_interfaces;
/* The settings of nif, or of `default` where it has none (yet). Under RCU or netif_lock. */
const struct ipv6_conf *ipv6_conf(const struct netif *nif);
extern struct ipv6_conf ipv6_conf_all, ipv6_conf_default;
int ipv6_hop_limit(const struct netif *nif); /* for packets sent through it */
u32 ipv6_mtu(const struct netif *nif);	     /* the link's, or less by setting or advertisement */
bool ipv6_is_router(const struct netif *nif);
bool ipv6_accepts_ra(const struct ipv6_if *i);
/* The files' one timer: their X_tick run at the latest then; each says when it wants to be called
 * next (ktime, 0: not). Under netif_lock, as the ticks. */
void ipv6_tick_at(u64 when);
static inline u64 ipv6_sooner(u64 a, u64 b)
{
	return !a || (b && b < a) ? b : a;
}
/* Seconds, ~0u for ever, as ktime, 0 for ever; and what is left. */
u64 ipv6_lifetime(u32 seconds, u64 now);
u32 ipv6_seconds_left(u64 until, u64 now);

/* settings.c: the files under net/ipv6/conf. changed: applied under netif_lock, by conf.c. */
int settings_init(void);
void settings_exit(void);
void settings_add(struct ipv6_if *i); /* netif_lock held, also by the next two */
void settings_remove(struct ipv6_if *i);
extern struct ip_addr ipv6_default_secret; /* stable_secret of `default` */
void settings_woken(void);	    /* whoever waits for a change to be applied looks again */
void ipv6_conf_changed(void);	    /* conf.c: something was set */
bool ipv6_conf_applied(u32 ticket); /* has what was set before it been applied? */
u32 ipv6_conf_ticket(void);

/* addr.c: the family's callbacks; joins solicited-node groups, starts DAD, keeps lifetimes. */
int ipv6_addr_check(struct ifaddr *a);
void ipv6_addr_event(struct ifaddr *a, bool added);
/* Makes or refreshes an address that the module configures itself. lifetimes in seconds, ~0u: for
 * ever. Under netif_lock. As ifaddr_add. */
int ipv6_addr_set(struct netif *nif, const struct ip_addr *addr, u8 plen, u32 flags, u32 preferred,
		  u32 valid);
/* DAD ended: the address is good, or somebody has it. In process context under netif_lock; a may be
 * deleted by the second. */
void ipv6_addr_unique(struct ifaddr *a);
void ipv6_addr_duplicate(struct ifaddr *a);
/* fe80:: of the interface that is no more tentative. Under RCU or netif_lock. NULL: none. */
const struct ifaddr *ipv6_link_local(const struct netif *nif);
/* A new interface's address, or one that a user left here (enter: checked anew once it is up);
 * leave undoes it. Under netif_lock. */
void ipv6_addr_enter(struct ifaddr *a);
void ipv6_addr_leave(struct ifaddr *a);
/* Last of all inits, first of all exits: interfaces start with it, and need all the others; it
 * takes what the module configured away. */
int ipv6_conf_init(void);
void ipv6_conf_exit(void);

/* source.c: RFC 6724 5. The family's callback; and ipv6_scope above. */
int ipv6_source(struct netif *nif, const struct ip_addr *dst, u32 flags, struct ip_addr *src);
/* label.c: the policy table's defaults. */
int ipv6_label_init(void);
void ipv6_label_exit(void);

/* ================ neighbour discovery: nd.c resolver.c dad.c redirect.c ================ */

#define ND_RS 133
#define ND_RA 134
#define ND_NS 135
#define ND_NA 136
#define ND_REDIRECT 137

/* The options of a message, each NULL or at its first byte; len of option o is o[1] * 8. Those that
 * may come several times are not among them. */
struct nd_options {
	const u8 *source_ll, *target_ll, *mtu, *redirected, *nonce;
	const u8 *start, *end; /* all of them */
};
#define ND_OPT_SOURCE_LL 1
#define ND_OPT_TARGET_LL 2
#define ND_OPT_PREFIX 3
#define ND_OPT_REDIRECTED 4
#define ND_OPT_MTU 5
#define ND_OPT_NONCE 14
#define ND_OPT_ROUTE 24
#define ND_OPT_RDNSS 25
#define ND_OPT_DNSSL 31
/* RFC 4861 4.6: 0, or a drop reason when one of length 0 or past the end is among them. */
int nd_options_parse(const u8 *at, u32 len, struct nd_options *o);

/* ndsend.c: a message of type to dst through nif, 4 bytes of flags (host order), the target where
 * there is one, options as given and, behind them, more. src NULL: the family chooses; any: the
 * unspecified address. hw: the station's link address, else the neighbour cache is asked for dst,
 * which must be on the link. */
struct nd_message {
	const struct ip_addr *src, *dst, *target;
	const u8 *hw, *options, *more;
	u32 options_len, more_len, flags;
	u8 type;
};
/* Hop limit 255, from the control pool. Poll or process context. 0 or an errno. */
int nd_send_message(struct netif *nif, const struct nd_message *m);
static inline int nd_send(struct netif *nif, const struct ip_addr *src, const struct ip_addr *dst,
			  u8 type, u32 flags, const struct ip_addr *target, const u8 *options,
			  u32 options_len)
{
	const struct nd_message m = { .src = src,
				      .dst = dst,
				      .type = type,
				      .flags = flags,
				      .target = target,
				      .options = options,
				      .options_len = options_len };

	return nd_send_message(nif, &m);
}
/* Writes the option with nif's link-layer address: its length, 0 when the link has none. */
#define ND_LL_MAX 16
u32 nd_put_ll(const struct netif *nif, u8 *at, u8 type);
/* The same of any address of nif's link. */
u32 nd_put_hw(const struct netif *nif, u8 *at, u8 type, const u8 *hw);
/* announce.c: says unasked that addr is ours to all nodes (RFC 4861 7.2.6), who shall forget what
 * they knew. */
void nd_announce(struct netif *nif, const struct ip_addr *addr);
/* To all routers (RFC 9131 6.1), who shall not, now and some more times until the address leaves
 * (stop) or all do (flush). Under netif_lock. */
void announce_new(struct ipv6_if *i, const struct ip_addr *addr);
void announce_stop(struct ipv6_if *i, const struct ip_addr *addr);
void announce_flush(struct ipv6_if *i);
u64 announce_tick(struct ipv6_if *i, u64 now);

#define ND_NA_ROUTER 0x80000000u
#define ND_NA_SOLICITED 0x40000000u
#define ND_NA_OVERRIDE 0x20000000u

/* What /proc/net/weft/nd counts beside drops. */
enum nd_counter {
	ND_SOLICITATIONS_SENT,
	ND_DAD_CHECKS,	   /* addresses that were checked */
	ND_DAD_DUPLICATES, /* that somebody else had */
	ND_DAD_LOOPS,	   /* our own question came back (RFC 7527) */
	ND_CONFLICTS,	   /* somebody advertised an address that we use */
	ND_REDIRECTS_SENT,
	ND_COUNTERS,
};
void nd_count(enum nd_counter c);

/* resolver.c: the neighbour cache's questions. */
int resolver_init(void);
void resolver_exit(void);
/* The files of one interface; netif_lock held. */
int resolver_files_add(struct ipv6_if *i);
void resolver_files_remove(struct ipv6_if *i);
u32 nd_retrans_ms(const struct netif *nif); /* RetransTimer */

/* dad.c. Is an address with these flags checked on nif? If so it starts tentative. */
bool dad_needed(const struct netif *nif, u32 flags);
/* a is tentative from here on, and checked as soon as nif runs, or from the start if it is being
 * checked; unless it need not be: then ipv6_addr_unique is called at once. Under netif_lock, when a
 * was added and each time that nif comes up or gets its link. stop: a is about to leave. */
void dad_start(struct ifaddr *a);
void dad_stop(struct ifaddr *a);
/* A solicitation (from somebody without an address) or advertisement of another station named
 * target; true: it concerns an address that we are checking, and nothing more is to be done. Poll
 * context. */
bool dad_heard(struct netif *nif, const struct ip_addr *target, u8 type, const u8 *nonce);
int dad_init(void);
void dad_exit(void);

/* anycast.c: the subnet-router addresses and those of sockets. Under netif_lock: a of a router's
 * interface is there, or about to leave; i became a router, or is one no more; i is up again and
 * may have lost its routes; i goes. */
void anycast_join(struct ipv6_if *i, const struct ifaddr *a);
void anycast_leave(struct ipv6_if *i, const struct ifaddr *a);
void anycast_router(struct ipv6_if *i);
void anycast_up(struct ipv6_if *i);
void anycast_flush(struct ipv6_if *i);
/* The family's. */
int anycast_member(struct netif *nif, const struct ip_addr *addr, u32 *ticket, bool on);
bool anycast_is(const struct ipv6_if *i, const struct ip_addr *addr); /* under RCU */
int anycast_init(void);
void anycast_exit(void);

/* proxy.c: does this host answer for addr on nif? Under RCU, as the next one. */
bool proxy_speaks_for(const struct netif *nif, const struct ip_addr *addr);
/* p, data at the fixed header, is for such a one and about where he is: not to be sent on. */
bool proxy_hears(const struct netif *nif, const struct pkt *p, const struct ipv6_header *h);
/* The answer to a solicitation by asker (any: of an unspecified address), who is at hw (NULL: not
 * told). Poll context. */
void proxy_answer(struct netif *nif, const struct ip_addr *target, const struct ip_addr *asker,
		  const u8 *hw, bool at_once);
int proxy_group(struct netif *nif, const struct ip_addr *addr, bool on); /* the resolver's */
void proxy_init(void);
void proxy_exit(void);

/* redirect.c: a redirect came in, lengths and options are good. Consumes. */
int redirect_input(struct pkt *p, const struct ip_rx *rx, const struct nd_options *o);
/* p (p->net_off at the fixed header), just received on nif, is going out there again, to target, be
 * that a router or its destination. Tells its sender, where RFC 4861 8.2 says so. Poll context. */
void redirect_send(struct netif *nif, const struct pkt *p, const struct ip_addr *target);
void nd_redirect_init(void);

int nd_init(void); /* registers protocol 58 for types 133 to 137, the resolver, DAD's work */
void nd_exit(void);

/* ================ routers and prefixes: router.c prefix.c rs.c slaac.c temp.c ================ */

/* An advertisement that has passed RFC 4861 6.1.2, data at the ICMPv6 header. Copies what it needs
 * into a bounded queue. Poll context. Does not consume. */
void router_advert(struct netif *nif, const struct pkt *p, const struct ip_rx *rx);
/* The neighbour cache saw a router's reachability change (RFC 4861 6.3.6). Poll or process. */
void router_reachable(struct netif *nif, const struct ip_addr *router, u8 state, bool is_router);
/* A solicitation came; hosts ignore it. */
int router_init(void);
void router_exit(void);

/* rs.c: nif has a usable link-local address (RFC 4861 6.3.7, 7559): starts asking. stop: an
 * advertisement came, or it went down. Under netif_lock. */
void rs_start(struct ipv6_if *i);
void rs_stop(struct ipv6_if *i);

/* slaac.c: makes the link-local address. Under netif_lock. */
void slaac_link_local(struct ipv6_if *i);
/* An autonomous prefix was advertised (RFC 4862 5.5.3). Seconds. Under netif_lock. */
void slaac_prefix(struct ipv6_if *i, const struct ip_addr *prefix, u8 plen, u32 preferred,
		  u32 valid);
/* The stable address made from prefix, NULL: none. Under netif_lock. */
struct ifaddr *slaac_find(const struct netif *nif, const struct ip_addr *prefix);
void slaac_random_iid(u8 iid[8]);
bool slaac_room(const struct ipv6_if *i); /* for another address (max_addresses)? */
/* The address a turned out a duplicate: another one, if RFC 7217 5 allows it. */
void slaac_retry(struct ipv6_if *i, const struct ip_addr *duplicate);
/* temp.c: RFC 8981. The stable address a of a prefix was made or refreshed; the time for a new
 * temporary one has come. Under netif_lock. */
void temp_refresh(struct ipv6_if *i, const struct ifaddr *stable, u32 preferred, u32 valid);
u64 temp_tick(struct ipv6_if *i, u64 now);
/* a, a temporary one, turned out a duplicate or leaves. */
void temp_duplicate(struct ipv6_if *i, const struct ifaddr *a);
void temp_gone(struct ipv6_if *i, const struct ifaddr *a);

u64 rs_tick(struct ipv6_if *i, u64 now);
u64 router_tick(struct ipv6_if *i, u64 now);
void router_flush(struct ipv6_if *i); /* forgets all that routers said */
/* prefix.c: a router's prefix information option, 32 bytes. */
void prefix_option(struct ipv6_if *i, const struct ip_addr *from, const u8 *opt);
u64 prefix_tick(struct ipv6_if *i, u64 now);
void prefix_flush(struct ipv6_if *i);
/* origin.c: a router advertised a prefix, valid for so many seconds. */
void origin_said(struct ipv6_if *i, const struct ip_addr *router, const struct ip_addr *prefix,
		 u8 plen, u32 valid);
/* Is addr in a prefix of that router's? Under RCU. */
bool origin_is(const struct ipv6_if *i, const struct ip_addr *router, const struct ip_addr *addr);
u64 origin_tick(struct ipv6_if *i, u64 now);
void origin_flush(struct ipv6_if *i);
/* rdnss.c: RFC 8106's options, bounded, with lifetimes, in /proc/net/weft/rdnss. */
void rdnss_option(struct ipv6_if *i, const struct ip_addr *from, const u8 *opt);
u64 rdnss_tick(struct ipv6_if *i, u64 now);
void rdnss_flush(struct ipv6_if *i);
int rdnss_init(void);
void rdnss_exit(void);

/* ================ ICMPv6 itself: icmp.c ================ */
/* A message of protocol 58 for this host before anybody has seen it, data at its header, ip_rx set:
 * counts it by its type and verifies its checksum (p->csum becomes PKT_CSUM_OK). 0, or the drop
 * reason. Poll context. input.c calls it in front of ip_deliver. */
int ipv6_icmp_check(struct pkt *p);
/* A message is sent, whoever made it; output.c. Any context but interrupt. */
void ipv6_icmp_count_out(u8 type);
int ipv6_icmp_init(void); /* the Icmp6 lines of /proc/net/snmp6 */
void ipv6_icmp_exit(void);

/* ================ groups: mld.c, on top of <weft/net/listener.h> ================ */
void mld_group_event(struct netif *nif, struct ip_group *g); /* the family's */
/* nif came up with a link, or its link-local address became usable: reports again. netif_lock. */
void mld_nif_up(struct netif *nif);
int mld_init(void); /* registers protocol 58 for types 130 to 132 and 143, /proc/net/igmp6 */
void mld_exit(void);

/* ================ proc.c ================ */
int ipv6_proc_init(void);
void ipv6_proc_exit(void);
