/* SPDX-License-Identifier: MIT */
/* icmp.h - the module's own border: ICMP for IPv4 (RFC 792, RFC 1122 3.2.2, RFC 1812 4.3). */
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

/* Computes and stores the checksum of a whole message. */
void icmp_finish(u8 *h, u32 len);

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

extern int icmp_echo_ignore_all, icmp_echo_ignore_broadcasts;

/* input.c */
int icmp_input(struct pkt *p, struct ip_rx *rx);

/* error.c: sending is the ip_error_sender; receiving parses the quote and hands it to its transport
 */
void icmp_send_error(const struct pkt *p, enum ip_error_kind kind, u32 info);
int icmp_receive_error(struct pkt *p, const struct ip_rx *rx);
void icmp_error_init(void);
extern int icmp_ratelimit_ms, icmp_msgs_per_sec;

/* ping.c: SOCK_DGRAM, IPPROTO_ICMP sockets */
int ping_socket(struct socket *s);
/* An echo reply or an error about a request of one of them. Do not consume. Poll context. */
bool ping_reply(struct pkt *p, const struct ip_rx *rx);
void ping_error(const struct ip_error *e, const u8 *quote, u32 quote_len);
int ping_init(void);
void ping_exit(void);
