/* SPDX-License-Identifier: MIT */
/* lwipopts.h - lwIP as the benchmark measures it: no threads, the raw interface, checksums in
 * software, the window and segment size of the other side. */
#pragma once

#define NO_SYS 1
#define SYS_LIGHTWEIGHT_PROT 0
#define LWIP_NETCONN 0
#define LWIP_SOCKET 0
#define LWIP_HAVE_LOOPIF 1
#define LWIP_NETIF_LOOPBACK 1
#define LWIP_LOOPBACK_MAX_PBUFS 0
#define LWIP_ARP 0
#define LWIP_ETHERNET 0
#define LWIP_TCP 1
#define LWIP_UDP 1
#define LWIP_STATS 0
#define MEM_LIBC_MALLOC 1
#define MEMP_MEM_MALLOC 1
#define MEM_ALIGNMENT 8
#define TCP_MSS 1460
#define LWIP_WND_SCALE 1
#define TCP_RCV_SCALE 4
#define TCP_WND (256 * 1024)
#define TCP_SND_BUF (256 * 1024)
#define TCP_SND_QUEUELEN 1024
#define MEMP_NUM_TCP_SEG 1024
#define TCP_SNDLOWAT (32 * 1024)
#define TCP_SNDQUEUELOWAT 512
#define PBUF_POOL_SIZE 1024
#define PBUF_POOL_BUFSIZE 1536
