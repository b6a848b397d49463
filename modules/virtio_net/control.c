/* SPDX-License-Identifier: MIT */
/* control.c - the control queue (virtio 1.2, 5.1.6.5): promiscuity, groups, the station address.
 * One command at a time, waited for by looking: the device answers while it is notified. */
#define LOG_NAME "virtio_net: "
#include "virtio_net.h"

#include <weft/net/ether.h>
#include <weft/printk.h>
#include <weft/sched.h>
#include <weft/string.h>

#define ANSWER_NS (200 * NSEC_PER_MSEC)

/* The command page: class and command, then data, the answer in its last byte. */
#define COMMAND_PAGE 4096
#define COMMAND_DATA 2
#define COMMAND_ANSWER (COMMAND_PAGE - 1)

static int command(struct nic *nic, u8 class, u8 cmd, u32 len)
{
	phys_addr_t page = dma_addr(nic->command);
	struct vq_piece piece[3] = {
		{ page, COMMAND_DATA, false },
		{ page + COMMAND_DATA, len, false },
		{ page + COMMAND_ANSWER, 1, true },
	};
	u64 end = ktime_get() + ANSWER_NS;
	struct pkt *none;
	u32 written;

	nic->command[0] = class;
	nic->command[1] = cmd;
	nic->command[COMMAND_ANSWER] = 0xff;
	if (vq_add(&nic->control, piece, 3, NULL) < 0)
		return -EIO;
	vq_publish(&nic->control);
	while (!vq_take(&nic->control, &none, &written)) {
		if (ktime_get() > end || nic->control.broken) {
			pr_err("%s: no answer to control command %u.%u\n", nic->pci->name, class,
			       cmd);
			return -EIO;
		}
		sleep_ns(20 * NSEC_PER_USEC);
	}
	return READ_ONCE(nic->command[COMMAND_ANSWER]) == CTRL_OK ? 0 : -EIO;
}

static int set_flag(struct nic *nic, u8 cmd, bool on)
{
	nic->command[COMMAND_DATA] = on;
	return command(nic, CTRL_RX, cmd, 1);
}

int virtio_set_mac(struct nic *nic, const u8 *mac)
{
	if (!(nic->features & F_CTRL_MAC_ADDR))
		return -EOPNOTSUPP;
	if (!nic->up)
		return 0; /* told when the device is started */
	memcpy(nic->command + COMMAND_DATA, mac, ETH_ALEN);
	return command(nic, CTRL_MAC, CTRL_MAC_ADDR_SET, ETH_ALEN);
}

/* No unicast addresses but its own; at most MAC_TABLE_MAX groups. True: they are in the table. */
static bool set_groups(struct nic *nic)
{
	u8 *at = nic->command + COMMAND_DATA;
	struct netif_mcast *m;
	u32 n = 0, zero = 0;

	memcpy(at, &zero, sizeof(zero));
	list_for_each_entry(m, &nic->nif->mcast, node) {
		if (n == MAC_TABLE_MAX)
			return false;
		memcpy(at + 8 + n * ETH_ALEN, m->addr, ETH_ALEN);
		n++;
	}
	memcpy(at + 4, &n, sizeof(n));
	return command(nic, CTRL_MAC, CTRL_MAC_TABLE_SET, 8 + n * ETH_ALEN) == 0;
}

/* A device without these commands passes everything up. */
void virtio_rx_mode(struct nic *nic)
{
	u32 flags = nic->nif->flags;
	bool all;

	if (!(nic->features & F_CTRL_RX))
		return;
	all = (flags & IFF_ALLMULTI) || !set_groups(nic);
	if (set_flag(nic, CTRL_RX_PROMISC, flags & IFF_PROMISC) ||
	    set_flag(nic, CTRL_RX_ALLMULTI, all))
		pr_warn("%s: the receive filter could not be set\n", nic->nif->name);
}
