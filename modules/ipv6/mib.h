/* SPDX-License-Identifier: MIT */
/* mib.h - IPv6's counters, by Linux's names and in its order (RFC 4293): the lines of
 * /proc/net/snmp6 that begin with Ip6. Some are made from others when they are shown. */
#pragma once

#include <weft/net/mib.h>

#define IP6_MIB(X)                                    \
	X(IP6_IN_RECEIVES, "InReceives")              \
	X(IP6_IN_HDR_ERRORS, "InHdrErrors")           \
	X(IP6_IN_TOO_BIG_ERRORS, "InTooBigErrors")    \
	X(IP6_IN_NO_ROUTES, "InNoRoutes")             \
	X(IP6_IN_ADDR_ERRORS, "InAddrErrors")         \
	X(IP6_IN_UNKNOWN_PROTOS, "InUnknownProtos")   \
	X(IP6_IN_TRUNCATED, "InTruncatedPkts")        \
	X(IP6_IN_DISCARDS, "InDiscards")              \
	X(IP6_IN_DELIVERS, "InDelivers")              \
	X(IP6_OUT_FORW_DATAGRAMS, "OutForwDatagrams") \
	X(IP6_OUT_REQUESTS, "OutRequests")            \
	X(IP6_OUT_DISCARDS, "OutDiscards")            \
	X(IP6_OUT_NO_ROUTES, "OutNoRoutes")           \
	X(IP6_REASM_TIMEOUT, "ReasmTimeout")          \
	X(IP6_REASM_REQDS, "ReasmReqds")              \
	X(IP6_REASM_OKS, "ReasmOKs")                  \
	X(IP6_REASM_FAILS, "ReasmFails")              \
	X(IP6_FRAG_OKS, "FragOKs")                    \
	X(IP6_FRAG_FAILS, "FragFails")                \
	X(IP6_FRAG_CREATES, "FragCreates")            \
	X(IP6_IN_MCAST, "InMcastPkts")                \
	X(IP6_OUT_MCAST, "OutMcastPkts")              \
	X(IP6_IN_OCTETS, "InOctets")                  \
	X(IP6_OUT_OCTETS, "OutOctets")                \
	X(IP6_IN_MCAST_OCTETS, "InMcastOctets")       \
	X(IP6_OUT_MCAST_OCTETS, "OutMcastOctets")     \
	X(IP6_IN_BCAST_OCTETS, "InBcastOctets")       \
	X(IP6_OUT_BCAST_OCTETS, "OutBcastOctets")     \
	/* in the order of the two bits */            \
	X(IP6_IN_NO_ECT, "InNoECTPkts")               \
	X(IP6_IN_ECT1, "InECT1Pkts")                  \
	X(IP6_IN_ECT0, "InECT0Pkts")                  \
	X(IP6_IN_CE, "InCEPkts")                      \
	X(IP6_OUT_TRANSMITS, "OutTransmits")

enum { IP6_MIB(IP_MIB_ID) IP6_MIB_FIELDS };

extern struct ip_mib ip6_mib;
int ipv6_mib_init(void);
void ipv6_mib_exit(void);

/* Preemption off, as in all of the packet path. */
static inline void ip6_count(u32 field)
{
	ip_mib_inc_poll(&ip6_mib, field);
}

static inline void ip6_count_in_ecn(u8 tclass)
{
	ip6_count(IP6_IN_NO_ECT + (tclass & 3));
}
