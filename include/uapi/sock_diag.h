/* SPDX-License-Identifier: MIT */
/* sock_diag.h - Linux's messages of NETLINK_SOCK_DIAG (sock_diag(7)): what ss(8) asks about sockets
 * and what it is told. Ports and addresses are in network order, all else in the machine's. */
#pragma once

#include <weft/types.h>

/* What Linux had before 3.3; 19 asks for DCCP. */
#define TCPDIAG_GETSOCK 18
#define DCCPDIAG_GETSOCK 19
#define SOCK_DIAG_BY_FAMILY 20
#define SOCK_DESTROY 21

/* Each request begins so. */
struct sock_diag_req {
	u8 sdiag_family;
	u8 sdiag_protocol;
};

/* Multicast groups: closed sockets. Nothing is told to them here. */
#define SKNLGRP_MAX 4

/* ---- memory of a socket: u32s by these ---- */
#define SK_MEMINFO_RMEM_ALLOC 0
#define SK_MEMINFO_RCVBUF 1
#define SK_MEMINFO_WMEM_ALLOC 2
#define SK_MEMINFO_SNDBUF 3
#define SK_MEMINFO_FWD_ALLOC 4
#define SK_MEMINFO_WMEM_QUEUED 5
#define SK_MEMINFO_OPTMEM 6
#define SK_MEMINFO_BACKLOG 7
#define SK_MEMINFO_DROPS 8
#define SK_MEMINFO_VARS 9

/* ---- AF_INET, AF_INET6 ---- */
struct inet_diag_sockid {
	u16 idiag_sport;
	u16 idiag_dport;
	u32 idiag_src[4];
	u32 idiag_dst[4];
	u32 idiag_if;
	u32 idiag_cookie[2];
};
#define INET_DIAG_NOCOOKIE (~0u)

struct inet_diag_req_v2 {
	u8 sdiag_family;
	u8 sdiag_protocol;
	u8 idiag_ext; /* bit n - 1: attribute n of the answer is wanted */
	u8 pad;	      /* of SOCK_RAW: the protocol */
	u32 idiag_states;
	struct inet_diag_sockid id;
};

#define INET_DIAG_REQ_BYTECODE 1
#define INET_DIAG_REQ_PROTOCOL 3

struct inet_diag_bc_op {
	u8 code;
	u8 yes;
	u16 no;
};

#define INET_DIAG_BC_NOP 0
#define INET_DIAG_BC_JMP 1
#define INET_DIAG_BC_S_GE 2
#define INET_DIAG_BC_S_LE 3
#define INET_DIAG_BC_D_GE 4
#define INET_DIAG_BC_D_LE 5
#define INET_DIAG_BC_AUTO 6
#define INET_DIAG_BC_S_COND 7
#define INET_DIAG_BC_D_COND 8
#define INET_DIAG_BC_DEV_COND 9
#define INET_DIAG_BC_MARK_COND 10
#define INET_DIAG_BC_S_EQ 11
#define INET_DIAG_BC_D_EQ 12

struct inet_diag_hostcond {
	u8 family;
	u8 prefix_len;
	int port; /* -1: any */
	u32 addr[];
};

struct inet_diag_markcond {
	u32 mark;
	u32 mask;
};

struct inet_diag_msg {
	u8 idiag_family;
	u8 idiag_state;
	u8 idiag_timer;
	u8 idiag_retrans;
	struct inet_diag_sockid id;
	u32 idiag_expires;
	u32 idiag_rqueue;
	u32 idiag_wqueue;
	u32 idiag_uid;
	u32 idiag_inode;
};

#define INET_DIAG_MEMINFO 1
#define INET_DIAG_INFO 2
#define INET_DIAG_CONG 4
#define INET_DIAG_TOS 5
#define INET_DIAG_TCLASS 6
#define INET_DIAG_SKMEMINFO 7
#define INET_DIAG_SHUTDOWN 8
#define INET_DIAG_PROTOCOL 10
#define INET_DIAG_SKV6ONLY 11
#define INET_DIAG_MARK 15
#define INET_DIAG_CLASS_ID 17
#define INET_DIAG_SOCKOPT 22

struct inet_diag_meminfo {
	u32 idiag_rmem;
	u32 idiag_wmem;
	u32 idiag_fmem;
	u32 idiag_tmem;
};

/* ---- AF_UNIX ---- */
struct unix_diag_req {
	u8 sdiag_family;
	u8 sdiag_protocol;
	u16 pad;
	u32 udiag_states;
	u32 udiag_ino;
	u32 udiag_show;
	u32 udiag_cookie[2];
};

#define UDIAG_SHOW_NAME 0x01
#define UDIAG_SHOW_VFS 0x02
#define UDIAG_SHOW_PEER 0x04
#define UDIAG_SHOW_ICONS 0x08
#define UDIAG_SHOW_RQLEN 0x10
#define UDIAG_SHOW_MEMINFO 0x20
#define UDIAG_SHOW_UID 0x40

struct unix_diag_msg {
	u8 udiag_family;
	u8 udiag_type;
	u8 udiag_state;
	u8 pad;
	u32 udiag_ino;
	u32 udiag_cookie[2];
};

#define UNIX_DIAG_NAME 0
#define UNIX_DIAG_VFS 1
#define UNIX_DIAG_PEER 2
#define UNIX_DIAG_ICONS 3
#define UNIX_DIAG_RQLEN 4
#define UNIX_DIAG_MEMINFO 5
#define UNIX_DIAG_SHUTDOWN 6
#define UNIX_DIAG_UID 7

struct unix_diag_vfs {
	u32 udiag_vfs_ino;
	u32 udiag_vfs_dev;
};

struct unix_diag_rqlen {
	u32 udiag_rqueue;
	u32 udiag_wqueue;
};

/* ---- AF_PACKET ---- */
struct packet_diag_req {
	u8 sdiag_family;
	u8 sdiag_protocol;
	u16 pad;
	u32 pdiag_ino;
	u32 pdiag_show;
	u32 pdiag_cookie[2];
};

#define PACKET_SHOW_INFO 0x01
#define PACKET_SHOW_MCLIST 0x02
#define PACKET_SHOW_RING_CFG 0x04
#define PACKET_SHOW_FANOUT 0x08
#define PACKET_SHOW_MEMINFO 0x10
#define PACKET_SHOW_FILTER 0x20

struct packet_diag_msg {
	u8 pdiag_family;
	u8 pdiag_type;
	u16 pdiag_num;
	u32 pdiag_ino;
	u32 pdiag_cookie[2];
};

#define PACKET_DIAG_INFO 0
#define PACKET_DIAG_MCLIST 1
#define PACKET_DIAG_RX_RING 2
#define PACKET_DIAG_UID 5
#define PACKET_DIAG_MEMINFO 6
#define PACKET_DIAG_FILTER 7

struct packet_diag_info {
	u32 pdi_index;
	u32 pdi_version;
	u32 pdi_reserve;
	u32 pdi_copy_thresh;
	u32 pdi_tstamp;
	u32 pdi_flags;
};

#define PDI_RUNNING 0x1
#define PDI_AUXDATA 0x2
#define PDI_ORIGDEV 0x4

struct packet_diag_mclist {
	u32 pdmc_index;
	u32 pdmc_count;
	u16 pdmc_type;
	u16 pdmc_alen;
	u8 pdmc_addr[32];
};

struct packet_diag_ring {
	u32 pdr_block_size;
	u32 pdr_block_nr;
	u32 pdr_frame_size;
	u32 pdr_frame_nr;
	u32 pdr_retire_tmo;
	u32 pdr_sizeof_priv;
	u32 pdr_features;
};

/* ---- AF_NETLINK ---- */
struct netlink_diag_req {
	u8 sdiag_family;
	u8 sdiag_protocol; /* NDIAG_PROTO_ALL */
	u16 pad;
	u32 ndiag_ino;
	u32 ndiag_show;
	u32 ndiag_cookie[2];
};

#define NDIAG_PROTO_ALL 0xff
#define NDIAG_SHOW_MEMINFO 0x01
#define NDIAG_SHOW_GROUPS 0x02
#define NDIAG_SHOW_FLAGS 0x08

struct netlink_diag_msg {
	u8 ndiag_family;
	u8 ndiag_type;
	u8 ndiag_protocol;
	u8 ndiag_state;
	u32 ndiag_portid;
	u32 ndiag_dst_portid;
	u32 ndiag_dst_group;
	u32 ndiag_ino;
	u32 ndiag_cookie[2];
};

#define NETLINK_DIAG_MEMINFO 0
#define NETLINK_DIAG_GROUPS 1
#define NETLINK_DIAG_FLAGS 4

#define NDIAG_FLAG_CB_RUNNING 0x01
#define NDIAG_FLAG_PKTINFO 0x02
#define NDIAG_FLAG_BROADCAST_ERROR 0x04
#define NDIAG_FLAG_NO_ENOBUFS 0x08
#define NDIAG_FLAG_CAP_ACK 0x20
