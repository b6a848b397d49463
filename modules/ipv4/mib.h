/* SPDX-License-Identifier: MIT */
/* mib.h - IPv4's counters, by Linux's names (RFC 2011, RFC 4293): the lines Ip of /proc/net/snmp
 * and IpExt of /proc/net/netstat. Some are made from others when they are shown. */
#pragma once

#include <weft/net/mib.h>

#define IP_MIB(X)                                  \
	X(IP_FORWARDING, "Forwarding")             \
	X(IP_DEFAULT_TTL, "DefaultTTL")            \
	X(IP_IN_RECEIVES, "InReceives")            \
	X(IP_IN_HDR_ERRORS, "InHdrErrors")         \
	X(IP_IN_ADDR_ERRORS, "InAddrErrors")       \
	X(IP_FORW_DATAGRAMS, "ForwDatagrams")      \
	X(IP_IN_UNKNOWN_PROTOS, "InUnknownProtos") \
	X(IP_IN_DISCARDS, "InDiscards")            \
	X(IP_IN_DELIVERS, "InDelivers")            \
	X(IP_OUT_REQUESTS, "OutRequests")          \
	X(IP_OUT_DISCARDS, "OutDiscards")          \
	X(IP_OUT_NO_ROUTES, "OutNoRoutes")         \
	X(IP_REASM_TIMEOUT, "ReasmTimeout")        \
	X(IP_REASM_REQDS, "ReasmReqds")            \
	X(IP_REASM_OKS, "ReasmOKs")                \
	X(IP_REASM_FAILS, "ReasmFails")            \
	X(IP_FRAG_OKS, "FragOKs")                  \
	X(IP_FRAG_FAILS, "FragFails")              \
	X(IP_FRAG_CREATES, "FragCreates")          \
	X(IP_OUT_TRANSMITS, "OutTransmits")

#define IPEXT_MIB(X)                                \
	X(IPEXT_IN_NO_ROUTES, "InNoRoutes")         \
	X(IPEXT_IN_TRUNCATED, "InTruncatedPkts")    \
	X(IPEXT_IN_MCAST, "InMcastPkts")            \
	X(IPEXT_OUT_MCAST, "OutMcastPkts")          \
	X(IPEXT_IN_BCAST, "InBcastPkts")            \
	X(IPEXT_OUT_BCAST, "OutBcastPkts")          \
	X(IPEXT_IN_OCTETS, "InOctets")              \
	X(IPEXT_OUT_OCTETS, "OutOctets")            \
	X(IPEXT_IN_MCAST_OCTETS, "InMcastOctets")   \
	X(IPEXT_OUT_MCAST_OCTETS, "OutMcastOctets") \
	X(IPEXT_IN_BCAST_OCTETS, "InBcastOctets")   \
	X(IPEXT_OUT_BCAST_OCTETS, "OutBcastOctets") \
	X(IPEXT_IN_CSUM_ERRORS, "InCsumErrors")     \
	X(IPEXT_IN_NO_ECT, "InNoECTPkts")           \
	X(IPEXT_IN_ECT1, "InECT1Pkts")              \
	X(IPEXT_IN_ECT0, "InECT0Pkts")              \
	X(IPEXT_IN_CE, "InCEPkts")                  \
	X(IPEXT_REASM_OVERLAPS, "ReasmOverlaps")

enum { IP_MIB(IP_MIB_ID) IP_MIB_FIELDS };
enum { IPEXT_MIB(IP_MIB_ID) IPEXT_MIB_FIELDS };

extern struct ip_mib ip_mib, ipext_mib;
int ipv4_mib_init(void);
void ipv4_mib_exit(void);

/* Preemption off, as in all of the packet path. */
static inline void ip_count(u32 field)
{
	ip_mib_inc_poll(&ip_mib, field);
}

static inline void ipext_count(u32 field)
{
	ip_mib_inc_poll(&ipext_mib, field);
}
