/* SPDX-License-Identifier: MIT */
/* if_arp.h - Linux's struct arpreq and its flags, for SIOCSARP, SIOCGARP, SIOCDARP. */
#pragma once

#include <uapi/socket.h>

#define ATF_COM 0x02
#define ATF_PERM 0x04
#define ATF_PUBL 0x08

struct arpreq {
	struct sockaddr arp_pa; /* protocol address: sockaddr_in */
	struct sockaddr arp_ha; /* hardware address: sa_family is ARPHRD_* */
	int arp_flags;
	struct sockaddr arp_netmask;
	char arp_dev[IFNAMSIZ];
};
