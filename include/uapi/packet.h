/* SPDX-License-Identifier: MIT */
/* packet.h - numbers and layouts of Linux's packet sockets (AF_PACKET, packet(7)). */
#pragma once

#include <weft/types.h>

#define SOL_PACKET 263

#define PACKET_ADD_MEMBERSHIP 1
#define PACKET_DROP_MEMBERSHIP 2
#define PACKET_RX_RING 5
#define PACKET_STATISTICS 6
#define PACKET_AUXDATA 8
#define PACKET_ORIGDEV 9
#define PACKET_VERSION 10
#define PACKET_HDRLEN 11
#define PACKET_RESERVE 12
#define PACKET_TX_RING 13
#define PACKET_LOSS 14
#define PACKET_VNET_HDR 15
#define PACKET_TX_TIMESTAMP 16
#define PACKET_TIMESTAMP 17
#define PACKET_FANOUT 18
#define PACKET_IGNORE_OUTGOING 23

#define PACKET_MR_MULTICAST 0
#define PACKET_MR_PROMISC 1
#define PACKET_MR_ALLMULTI 2
#define PACKET_MR_UNICAST 3

#define TPACKET_V2 1
#define TPACKET_ALIGNMENT 16

#define TP_STATUS_KERNEL 0
#define TP_STATUS_USER 1
#define TP_STATUS_LOSING 4
#define TP_STATUS_CSUMNOTREADY 8
#define TP_STATUS_CSUM_VALID 128

struct sockaddr_ll {
	u16 sll_family;
	u16 sll_protocol; /* network order */
	int sll_ifindex;
	u16 sll_hatype;
	u8 sll_pkttype;
	u8 sll_halen;
	u8 sll_addr[8];
};

/* Names of SOCK_PACKET sockets. */
struct sockaddr_pkt {
	u16 spkt_family;
	u8 spkt_device[14];
	u16 spkt_protocol; /* network order */
};

struct packet_mreq {
	int mr_ifindex;
	u16 mr_type;
	u16 mr_alen;
	u8 mr_address[8];
};

struct tpacket_stats {
	u32 tp_packets;
	u32 tp_drops;
};

/* What PACKET_RX_RING takes. */
struct tpacket_req {
	u32 tp_block_size;
	u32 tp_block_nr;
	u32 tp_frame_size;
	u32 tp_frame_nr;
};

/* In front of each frame of a ring; a struct sockaddr_ll follows. */
struct tpacket2_hdr {
	u32 tp_status;
	u32 tp_len;
	u32 tp_snaplen;
	u16 tp_mac;
	u16 tp_net;
	u32 tp_sec;
	u32 tp_nsec;
	u16 tp_vlan_tci;
	u16 tp_vlan_tpid;
	u8 tp_padding[4];
};

struct tpacket_auxdata {
	u32 tp_status;
	u32 tp_len;
	u32 tp_snaplen;
	u16 tp_mac;
	u16 tp_net;
	u16 tp_vlan_tci;
	u16 tp_vlan_tpid;
};
