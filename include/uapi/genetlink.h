/* SPDX-License-Identifier: MIT */
/* genetlink.h - Linux's generic netlink: numbers for families by name, which a controller tells. */
#pragma once

#include <weft/types.h>

#define NETLINK_GENERIC 16
#define GENL_ID_CTRL 0x10
#define GENL_NAMSIZ 16

struct genlmsghdr {
	u8 cmd;
	u8 version;
	u16 reserved;
};

#define CTRL_CMD_NEWFAMILY 1
#define CTRL_CMD_GETFAMILY 3

#define CTRL_ATTR_FAMILY_ID 1
#define CTRL_ATTR_FAMILY_NAME 2
#define CTRL_ATTR_VERSION 3
#define CTRL_ATTR_HDRSIZE 4
#define CTRL_ATTR_MAXATTR 5
#define CTRL_ATTR_OPS 6
#define CTRL_ATTR_MCAST_GROUPS 7

#define CTRL_ATTR_OP_ID 1
#define CTRL_ATTR_OP_FLAGS 2
#define GENL_CMD_CAP_DO 0x02
#define GENL_CMD_CAP_DUMP 0x04
#define GENL_CMD_CAP_HASPOL 0x08

#define CTRL_ATTR_MCAST_GRP_NAME 1
#define CTRL_ATTR_MCAST_GRP_ID 2
