/* SPDX-License-Identifier: MIT */
/* icmp.h - the module's own border: ICMP for IPv4 (RFC 792, RFC 1122 3.2.2, RFC 1812 4.3) and for
 * IPv6 (RFC 4443). What both do alike is written once: echo, the limits, ping sockets. */
#pragma once

#include <weft/net/flow.h>
#include <weft/net/proto.h>

#define ICMP_HEADER 8

enum icmp_type {
	ICMP_ECHO_REPLY = 0,
	ICMP_UNREACHABLE = 3,
	ICMP_SOURCE_QUENCH = 4,
	ICMP_REDIRECT = 5,
	ICMP_ECHO = 8,
	ICMP_ROUTER_ADVERTISEMENT = 9,
	ICMP_ROUTER_SOLICITATION = 10,
	ICMP_TIME_EXCEEDED = 11,
	ICMP_PARAMETER = 12,
	ICMP_TIMESTAMP = 13,
	ICMP_TIMESTAMP_REPLY = 14,
	ICMP_INFO = 15,
	ICMP_INFO_REPLY = 16,
	ICMP_MASK = 17,
	ICMP_MASK_REPLY = 18,
};

/* Codes of ICMP_UNREACHABLE that this module speaks itself. */
#define ICMP_NET 0
#define ICMP_HOST 1
#define ICMP_PROTOCOL 2
#define ICMP_PORT 3
#define ICMP_NEEDS_FRAG 4
#define ICMP_SOURCE_ROUTE_FAILED 5
#define ICMP_ADMIN 13

static inline bool icmp_is_error(u8 type)
{
	return type == ICMP_UNREACHABLE || type == ICMP_SOURCE_QUENCH || type == ICMP_REDIRECT ||
	       type == ICMP_TIME_EXCEEDED || type == ICMP_PARAMETER;
}

/* RFC 4443 2.1: errors are below 128. */
enum icmp6_type {
	ICMP6_UNREACHABLE = 1,
	ICMP6_TOO_BIG = 2,
	ICMP6_TIME_EXCEEDED = 3,
	ICMP6_PARAMETER = 4,
	ICMP6_ECHO = 128,
	ICMP6_ECHO_REPLY = 129,
	/* multicast listener discovery and neighbour discovery: IPv6's own */
	ICMP6_MLD_FIRST = 130,
	ICMP6_ND_REDIRECT = 137,
	ICMP6_MLD2_REPORT = 143,
};

static inline bool icmp6_is_error(u8 type)
{
	return type < 128;
}

/* Computes and stores the checksum of a whole message that begins with h; src and dst count for
 * IPv6 only. */
void icmp_finish(u8 *h, u32 len, const struct ip_addr *src, const struct ip_addr *dst);
/* Sends the request p back as a reply of that type by f; keeps what it carries. Consumes. */
int icmp_echo_reply(struct pkt *p, const struct ip_rx *rx, struct flow *f, u8 reply);
/* How many of the len bytes behind an error's header are the quoted packet: RFC 4884 4 puts
 * extensions behind it. words: the header's length field, of so many bytes each. */
u32 icmp_quote_len(u32 len, u8 words, u32 word);

/* mib.c: counted by message type, shown by /proc/net/snmp */
enum icmp_count {
	ICMP_IN_MALFORMED,
	ICMP_IN_BADSUM,
	ICMP_OUT_FAILED,
	ICMP_LIMITED_ALL,
	ICMP_LIMITED_HOST,
	ICMP_NR_COUNTS,
};
void icmp_count(enum icmp_count c);
void icmp_count_in(u8 type);
void icmp_count_out(u8 type);
int icmp_mib_init(void);
void icmp_mib_exit(void);

/* ICMPv6's by type are counted by IPv6. */
void icmp6_count(enum icmp_count c);

/* limit.c: may an error about p go to dst? Counts refusals. fixed: only the bound on all of them
 * holds. As on Linux what this host does to itself is not limited. */
bool icmp_allowed(const struct pkt *p, const struct ip_addr *dst, u64 interval_ms, bool fixed);
void icmp_limit_init(void);
extern int icmp_msgs_per_sec;

/* input.c */
int icmp_input(struct pkt *p, struct ip_rx *rx);
extern int icmp_echo_ignore_all, icmp_echo_ignore_broadcasts;

/* error.c: sending is the ip_error_sender; receiving parses the quote and hands it to its transport
 */
void icmp_send_error(const struct pkt *p, enum ip_error_kind kind, u32 info);
int icmp_receive_error(struct pkt *p, const struct ip_rx *rx);
extern int icmp_ratelimit_ms;

/* input6.c, error6.c: the same of IPv6 */
int icmp6_input(struct pkt *p, struct ip_rx *rx);
void icmp6_send_error(const struct pkt *p, enum ip_error_kind kind, u32 info);
int icmp6_receive_error(struct pkt *p, const struct ip_rx *rx);
int icmp6_init(void); /* the settings */
void icmp6_exit(void);
/* error_anycast: an address that others have too may be the source of errors. */
extern int icmp6_ratelimit_ms, icmp6_error_anycast;
bool icmp6_is_limited(u8 type); /* stands in the rate mask */

/* ping.c: SOCK_DGRAM sockets of IPPROTO_ICMP and IPPROTO_ICMPV6 */
int ping_socket(struct socket *s);
/* An echo reply, its ip_rx in place. Does not consume. Poll context. */
bool ping_reply(struct pkt *p, struct ip_rx *rx);
/* An error about a request of one of them; their ip_proto's error. */
void ping_error(const struct ip_error *e, const u8 *quote, u32 quote_len);
int ping_init(void);
void ping_exit(void);
