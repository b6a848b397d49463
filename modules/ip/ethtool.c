/* SPDX-License-Identifier: MIT */
/* ethtool.c - SIOCETHTOOL: what an interface's driver is and what its hardware does for packets, as
 * ethtool -i and ethtool -k show it. Nothing can be changed: features are the driver's choice. */
#include "ip.h"

#include <weft/uaccess.h>

/* linux/ethtool.h */
#define ETHTOOL_GDRVINFO 0x03
#define ETHTOOL_GLINK 0x0a
#define ETHTOOL_GRXCSUM 0x14
#define ETHTOOL_GTXCSUM 0x16
#define ETHTOOL_GSG 0x18
#define ETHTOOL_GSTRINGS 0x1b
#define ETHTOOL_GTSO 0x1e
#define ETHTOOL_GGSO 0x23
#define ETHTOOL_GFLAGS 0x25
#define ETHTOOL_GGRO 0x2b
#define ETHTOOL_GSSET_INFO 0x37
#define ETHTOOL_GFEATURES 0x3a
#define ETHTOOL_GET_TS_INFO 0x41
#define ETH_SS_FEATURES 4
#define ETH_GSTRING_LEN 32

/* What ethtool calls it, and the bits of netif.features of which one is enough; 0: the stack does
 * it for every interface (segments are cut as late as can be, from pieces as they are). */
static const struct {
	char name[ETH_GSTRING_LEN];
	u32 bits;
} features[] = {
	{ "tx-scatter-gather", 0 },
	{ "tx-checksum-ip-generic", NETIF_F_TX_CSUM },
	{ "tx-tcp-segmentation", NETIF_F_TSO4 },
	{ "tx-tcp6-segmentation", NETIF_F_TSO6 },
	{ "tx-generic-segmentation", 0 },
	{ "tx-lockless", NETIF_F_NO_TX_LOCK },
	{ "rx-checksum", NETIF_F_RX_CSUM },
};

struct value {
	u32 cmd, data;
};

static u32 has(const struct netif *nif, u32 bits)
{
	return !bits || nif->features & bits;
}

static long driver_info(const struct netif *nif, void __user *to)
{
	struct {
		u32 cmd;
		char driver[32], version[32], fw[32], bus[32], erom[32], reserved[12];
		u32 numbers[5];
	} info = { .cmd = ETHTOOL_GDRVINFO };

	if (!nif->driver)
		return -ENODEV;
	strscpy(info.driver, nif->driver->name, sizeof(info.driver));
	return copy_to_user(to, &info, sizeof(info));
}

/* The sizes of the sets asked for, in the order of their bits. */
static long string_set_sizes(void __user *to)
{
	struct {
		u32 cmd, reserved;
		u64 sets;
		u32 size;
	} info;
	int err = copy_from_user(&info, to, offsetof(typeof(info), size));

	if (err)
		return err;
	info.reserved = 0;
	info.sets &= BIT(ETH_SS_FEATURES);
	info.size = ARRAY_SIZE(features);
	return copy_to_user(to, &info, offsetof(typeof(info), size) + (info.sets ? 4 : 0));
}

/* As many as there are: callers asked for their number before. */
static long feature_names(u8 __user *to)
{
	u32 head[3]; /* cmd, set, number */
	int err = copy_from_user(head, to, sizeof(head));

	if (!err && head[1] != ETH_SS_FEATURES)
		err = -EOPNOTSUPP;
	head[2] = ARRAY_SIZE(features);
	if (!err)
		err = copy_to_user(to, head, sizeof(head));
	for (u32 i = 0; i < ARRAY_SIZE(features) && !err; i++)
		err = copy_to_user(to + sizeof(head) + i * ETH_GSTRING_LEN, features[i].name,
				   ETH_GSTRING_LEN);
	return err;
}

/* One block of 32 features; the caller says how many he has room for. */
static long feature_bits(const struct netif *nif, void __user *to)
{
	struct {
		u32 cmd, blocks;
		u32 available, requested, active, never_changed;
	} f;
	u32 room;
	int err = copy_from_user(&f, to, offsetof(typeof(f), available));

	if (err)
		return err;
	room = f.blocks;
	memset(&f, 0, sizeof(f));
	f.cmd = ETHTOOL_GFEATURES;
	f.blocks = 1;
	f.never_changed = (u32)BIT(ARRAY_SIZE(features)) - 1;
	for (u32 i = 0; i < ARRAY_SIZE(features); i++) {
		if (has(nif, features[i].bits))
			f.active |= BIT(i);
	}
	return copy_to_user(to, &f, room ? sizeof(f) : offsetof(typeof(f), available));
}

/* struct ethtool_ts_info: what is stamped by software, and by no hardware clock. */
static long stamping_info(void __user *to)
{
	const struct {
		u32 cmd, stamping;
		s32 clock;
		u32 tx_types, tx_reserved[3], rx_filters, rx_reserved[3];
	} info = {
		.cmd = ETHTOOL_GET_TS_INFO,
		.stamping = SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE,
		.clock = -1,
	};

	return copy_to_user(to, &info, sizeof(info));
}

/* The questions with one number for an answer, older than the names. */
static long one_value(const struct netif *nif, struct value v, void __user *to)
{
	switch (v.cmd) {
	case ETHTOOL_GLINK:
		v.data = netif_running(nif);
		break;
	case ETHTOOL_GRXCSUM:
		v.data = has(nif, NETIF_F_RX_CSUM);
		break;
	case ETHTOOL_GTXCSUM:
		v.data = has(nif, NETIF_F_TX_CSUM);
		break;
	case ETHTOOL_GTSO:
		v.data = has(nif, NETIF_F_TSO4 | NETIF_F_TSO6);
		break;
	case ETHTOOL_GSG:
	case ETHTOOL_GGSO:
		v.data = 1;
		break;
	case ETHTOOL_GGRO:
	case ETHTOOL_GFLAGS:
		v.data = 0;
		break;
	default:
		return -EOPNOTSUPP;
	}
	v.data = v.data != 0;
	return copy_to_user(to, &v, sizeof(v));
}

long netif_ethtool(const struct netif *nif, u64 data)
{
	void __user *to = (void __user *)data;
	struct value v = { 0 };
	int err = copy_from_user(&v.cmd, to, sizeof(v.cmd));

	if (err)
		return err;
	switch (v.cmd) {
	case ETHTOOL_GDRVINFO:
		return driver_info(nif, to);
	case ETHTOOL_GSSET_INFO:
		return string_set_sizes(to);
	case ETHTOOL_GSTRINGS:
		return feature_names(to);
	case ETHTOOL_GFEATURES:
		return feature_bits(nif, to);
	case ETHTOOL_GET_TS_INFO:
		return stamping_info(to);
	default:
		return one_value(nif, v, to);
	}
}
