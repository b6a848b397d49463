/* SPDX-License-Identifier: MIT */
/* netlink.h - Linux's netlink messages (netlink(7)) and those of NETLINK_ROUTE (rtnetlink(7)), as
 * far as they are spoken here. All fields are in the machine's byte order, addresses in network
 * order. */
#pragma once

#include <weft/types.h>

#define NETLINK_ROUTE 0
#define NETLINK_SOCK_DIAG 4
#define SOL_NETLINK 270
#define NETLINK_ADD_MEMBERSHIP 1
#define NETLINK_DROP_MEMBERSHIP 2
#define NETLINK_PKTINFO 3
#define NETLINK_BROADCAST_ERROR 4
#define NETLINK_NO_ENOBUFS 5
#define NETLINK_CAP_ACK 10
#define NETLINK_EXT_ACK 11

struct sockaddr_nl {
	u16 nl_family;
	u16 nl_pad;
	u32 nl_pid;
	u32 nl_groups;
};

struct nlmsghdr {
	u32 nlmsg_len;
	u16 nlmsg_type;
	u16 nlmsg_flags;
	u32 nlmsg_seq;
	u32 nlmsg_pid;
};

#define NLM_F_REQUEST 0x01
#define NLM_F_MULTI 0x02
#define NLM_F_ACK 0x04
#define NLM_F_DUMP_INTR 0x10
#define NLM_F_ROOT 0x100
#define NLM_F_MATCH 0x200
#define NLM_F_DUMP 0x300
#define NLM_F_REPLACE 0x100
#define NLM_F_EXCL 0x200
#define NLM_F_CREATE 0x400
#define NLM_F_APPEND 0x800
#define NLM_F_CAPPED 0x100
#define NLMSG_ERROR 2
#define NLMSG_DONE 3
#define NLMSG_MIN_TYPE 16

struct nlattr {
	u16 nla_len;
	u16 nla_type;
};

/* ---- links ---- */
#define RTM_NEWLINK 16
#define RTM_DELLINK 17
#define RTM_GETLINK 18
#define RTM_SETLINK 19

struct ifinfomsg {
	u8 ifi_family;
	u8 ifi_pad;
	u16 ifi_type;
	int ifi_index;
	u32 ifi_flags;
	u32 ifi_change;
};

#define IFLA_ADDRESS 1
#define IFLA_BROADCAST 2
#define IFLA_IFNAME 3
#define IFLA_MTU 4
#define IFLA_LINK 5
#define IFLA_QDISC 6
#define IFLA_STATS 7
#define IFLA_MASTER 10
#define IFLA_TXQLEN 13
#define IFLA_OPERSTATE 16
#define IFLA_LINKMODE 17
#define IFLA_LINKINFO 18
#define IFLA_NET_NS_PID 19
#define IFLA_STATS64 23
#define IFLA_GROUP 27
#define IFLA_NET_NS_FD 28
#define IFLA_PROMISCUITY 30
#define IFLA_NUM_TX_QUEUES 31
#define IFLA_NUM_RX_QUEUES 32
#define IFLA_CARRIER 33
#define IFLA_MIN_MTU 50
#define IFLA_MAX_MTU 51

#define IF_OPER_UNKNOWN 0
#define IF_OPER_DOWN 2
#define IF_OPER_UP 6

/* ---- addresses ---- */
#define RTM_NEWADDR 20
#define RTM_DELADDR 21
#define RTM_GETADDR 22

struct ifaddrmsg {
	u8 ifa_family;
	u8 ifa_prefixlen;
	u8 ifa_flags;
	u8 ifa_scope;
	u32 ifa_index;
};

struct ifa_cacheinfo {
	u32 ifa_prefered;
	u32 ifa_valid;
	u32 cstamp;
	u32 tstamp;
};

#define IFA_ADDRESS 1
#define IFA_LOCAL 2
#define IFA_LABEL 3
#define IFA_BROADCAST 4
#define IFA_CACHEINFO 6
#define IFA_FLAGS 8

#define IFA_F_SECONDARY 0x01
#define IFA_F_TEMPORARY 0x01 /* IPv6's */
#define IFA_F_NODAD 0x02
#define IFA_F_OPTIMISTIC 0x04
#define IFA_F_DADFAILED 0x08
#define IFA_F_DEPRECATED 0x20
#define IFA_F_TENTATIVE 0x40
#define IFA_F_PERMANENT 0x80
#define IFA_F_MANAGETEMPADDR 0x100
#define IFA_F_NOPREFIXROUTE 0x200

/* ---- routes ---- */
#define RTM_NEWROUTE 24
#define RTM_DELROUTE 25
#define RTM_GETROUTE 26

struct rtmsg {
	u8 rtm_family;
	u8 rtm_dst_len;
	u8 rtm_src_len;
	u8 rtm_tos;
	u8 rtm_table;
	u8 rtm_protocol;
	u8 rtm_scope;
	u8 rtm_type;
	u32 rtm_flags;
};

#define RTA_DST 1
#define RTA_OIF 4
#define RTA_GATEWAY 5
#define RTA_PRIORITY 6
#define RTA_PREFSRC 7
#define RTA_METRICS 8
#define RTA_MULTIPATH 9
#define RTA_TABLE 15
#define RTA_CACHEINFO 12
#define RTA_PREF 20
#define RTA_EXPIRES 23
#define RTAX_MTU 2

#define RT_TABLE_MAIN 254
#define RT_TABLE_LOCAL 255
#define RTPROT_KERNEL 2
#define RTPROT_BOOT 3
#define RTPROT_STATIC 4
#define RTPROT_RA 9
#define RT_SCOPE_UNIVERSE 0
#define RT_SCOPE_LINK 253
#define RT_SCOPE_HOST 254
#define RTN_UNICAST 1
#define RTN_LOCAL 2
#define RTN_BROADCAST 3
#define RTN_ANYCAST 4
#define RTN_MULTICAST 5
#define RTN_BLACKHOLE 6
#define RTN_UNREACHABLE 7
#define RTM_F_CLONED 0x200

struct rta_cacheinfo {
	u32 rta_clntref;
	u32 rta_lastuse;
	int rta_expires;
	u32 rta_error;
	u32 rta_used;
	u32 rta_id;
	u32 rta_ts;
	u32 rta_tsage;
};

/* RTA_PREF: RFC 4191's two bits */
#define ICMPV6_ROUTER_PREF_LOW 3
#define ICMPV6_ROUTER_PREF_MEDIUM 0
#define ICMPV6_ROUTER_PREF_HIGH 1

/* ---- neighbours ---- */
#define RTM_NEWNEIGH 28
#define RTM_DELNEIGH 29
#define RTM_GETNEIGH 30
#define RTM_MAX 123

struct ndmsg {
	u8 ndm_family;
	u8 ndm_pad1;
	u16 ndm_pad2;
	int ndm_ifindex;
	u16 ndm_state;
	u8 ndm_flags;
	u8 ndm_type;
};

struct nda_cacheinfo {
	u32 ndm_confirmed;
	u32 ndm_used;
	u32 ndm_updated;
	u32 ndm_refcnt;
};

#define NDA_DST 1
#define NDA_LLADDR 2
#define NDA_CACHEINFO 3

#define NUD_INCOMPLETE 0x01
#define NUD_REACHABLE 0x02
#define NUD_STALE 0x04
#define NUD_DELAY 0x08
#define NUD_PROBE 0x10
#define NUD_FAILED 0x20
#define NUD_PERMANENT 0x80
#define NTF_PROXY 0x08
#define NTF_ROUTER 0x80

/* ---- what routers said, for user space ---- */
#define RTM_NEWNDUSEROPT 68

struct nduseroptmsg {
	u8 nduseropt_family;
	u8 nduseropt_pad1;
	u16 nduseropt_opts_len;
	int nduseropt_ifindex;
	u8 nduseropt_icmp_type;
	u8 nduseropt_icmp_code;
	u16 nduseropt_pad2;
	u32 nduseropt_pad3;
};

#define NDUSEROPT_SRCADDR 1

#define RTM_NEWPREFIX 52

struct prefixmsg {
	u8 prefix_family;
	u8 prefix_pad1;
	u16 prefix_pad2;
	int prefix_ifindex;
	u8 prefix_type;
	u8 prefix_len;
	u8 prefix_flags; /* IF_PREFIX_* */
	u8 prefix_pad3;
};

#define IF_PREFIX_ONLINK 0x01
#define IF_PREFIX_AUTOCONF 0x02

struct prefix_cacheinfo {
	u32 preferred_time;
	u32 valid_time;
};

#define PREFIX_ADDRESS 1
#define PREFIX_CACHEINFO 2

/* ---- the policy table of RFC 6724 ---- */
#define RTM_NEWADDRLABEL 72
#define RTM_DELADDRLABEL 73
#define RTM_GETADDRLABEL 74

struct ifaddrlblmsg {
	u8 ifal_family;
	u8 __ifal_reserved;
	u8 ifal_prefixlen;
	u8 ifal_flags;
	u32 ifal_index;
	u32 ifal_seq;
};

#define IFAL_ADDRESS 1
#define IFAL_LABEL 2

/* ---- multicast groups ---- */
#define RTNLGRP_LINK 1
#define RTNLGRP_NEIGH 3
#define RTNLGRP_IPV4_IFADDR 5
#define RTNLGRP_IPV4_ROUTE 7
#define RTNLGRP_IPV6_IFADDR 9
#define RTNLGRP_IPV6_ROUTE 11
#define RTNLGRP_IPV6_PREFIX 18
#define RTNLGRP_ND_USEROPT 20
#define RTNLGRP_MAX 36
