/* SPDX-License-Identifier: MIT */
/* ipv4.h - the module's own border: IPv4 (RFC 791, 1122, 1812) and ARP (RFC 826, 5227). Addresses
 * are u32 in host order inside this module and struct ip_addr outside of it. */
#pragma once

#include <weft/net/flow.h>
#include <weft/net/proto.h>
#include <weft/spinlock.h>
#include <weft/string.h>

#include "mib.h"

#define IPV4_HEADER 20
#define IPV4_HEADER_MAX 60
#define IPV4_MAX_LEN 65535

#define IPV4_DF 0x4000
#define IPV4_MF 0x2000
#define IPV4_OFFSET_MASK 0x1fff

/* A header, parsed once: after ipv4_parse gave 0 no length is checked again. */
struct ipv4_header {
	u32 src, dst;
	u16 total_len, id;
	u32 frag_off; /* bytes */
	bool df, mf;
	u8 header_len, ttl, proto, tos;
};

/* 0, or the drop reason. h has at least avail bytes of which total_len are the datagram. */
int ipv4_parse(const u8 *h, u32 avail, struct ipv4_header *out);

static inline bool ipv4_is_multicast(u32 a)
{
	return (a & 0xf0000000) == 0xe0000000;
}
/* 240/4 and the limited broadcast (RFC 1112 4) */
static inline bool ipv4_is_class_e(u32 a)
{
	return (a & 0xf0000000) == 0xf0000000;
}
static inline bool ipv4_is_loopback(u32 a)
{
	return a >> 24 == 127;
}
/* "this network" (RFC 1122 3.2.1.3 a, b) */
static inline bool ipv4_is_zero_net(u32 a)
{
	return a >> 24 == 0;
}

/* RFC 1071: the header's sum out of that of its words as they lie in memory, complemented. */
static inline u16 ipv4_words_sum(u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	return csum_fold((sum & 0xffffffff) + (sum >> 32));
}

/* Likewise over any header: nearly all have five words. */
static inline u16 ipv4_header_sum(const u8 *h, u32 header_len)
{
	u32 w[IPV4_HEADER / 4];

	if (unlikely(header_len != IPV4_HEADER))
		return csum_fold(csum_partial(h, header_len, 0));
	memcpy(w, h, sizeof(w));
	return ipv4_words_sum((u64)w[0] + w[1] + w[2] + w[3] + w[4]);
}

/* input.c */
int ipv4_input(struct netif *nif, struct pkt *p);
extern const struct train_header ipv4_train;

/* options.c: looks at the options of a received header (RFC 791 3.1, RFC 1122 3.2.1.8). 0, or a
 * drop reason with *pointer at the bad byte. Source routes are refused (RFC 7126 4.3). */
int ipv4_options_check(const u8 *h, u32 header_len, u32 *pointer);
/* RFC 2113: is there one among them, which were checked, that asks routers to look? */
bool ipv4_options_alert(const u8 *h, u32 header_len);
/* The options that each fragment carries (copied bit set): writes them padded to a multiple of 4,
 * returns the length. out has room for 40 bytes. */
u32 ipv4_options_copied(const u8 *opts, u32 len, u8 *out);

/* reasm.c: takes a fragment (data at the IP header). The whole datagram when it completes one, else
 * NULL. Consumes. Poll context. */
struct pkt *ipv4_reassemble(struct pkt *p, const struct ipv4_header *h);
void ipv4_reasm_show(struct seq *s); /* for /proc/net/sockstat */
int ipv4_reasm_init(void);
void ipv4_reasm_exit(void);

/* output.c */
int ipv4_output(struct netif *nif, struct flow *f, struct pkt *p);
bool ipv4_prepend(const struct netif *nif, struct flow *f, struct pkt *p);
void ipv4_header_finish(u8 *h, u32 header_len); /* stores the header checksum */
void ipv4_output_init(void);

/* forward.c: a datagram for somebody else. Consumes. Poll context. */
int ipv4_forward(struct netif *nif, struct pkt *p, const struct ipv4_header *h);
extern int ipv4_forwarding; /* sysctl net/ipv4/ip_forward */
extern int ipv4_default_ttl;
/* sysctl net/ipv4/conf/all/drop_unicast_in_l2_multicast */
extern int ipv4_drop_unicast_in_l2_multicast;

/* arp.c */
int arp_init(void);
void arp_exit(void);
/* Tells the link that addr is ours (RFC 5227 2.3). Poll or process context. */
void arp_announce(struct netif *nif, u32 addr);
extern u64 arp_conflicts; /* seen since load */

/* Asks whether anybody uses addr, without claiming it (RFC 5227 2.1.1). */
void arp_probe(struct netif *nif, u32 addr);

/* RFC 5227 1.1: a new address is announced so often. */
#define ANNOUNCE_NUM 2
#define ANNOUNCE_INTERVAL_NS (2 * NSEC_PER_SEC)

/* acd.c: probing new addresses, where that is switched on: they start tentative. event is the
 * family's addr_event. */
bool acd_wanted(const struct netif *nif);
void acd_addr_event(struct ifaddr *a, bool added);
/* An ARP packet of another station spoke of this address: true when we were probing it. */
bool acd_heard(const struct netif *nif, u32 spa, u32 tpa);
int acd_init(void);
void acd_exit(void);

/* igmp.c. group_event is the family's; netif_lock held. */
int igmp_init(void);
void igmp_exit(void);
void igmp_group_event(struct netif *nif, struct ip_group *now);

/* arpctl.c: /proc/net/arp and the SIOC?ARP ioctls */
int arpctl_init(void);
void arpctl_exit(void);
