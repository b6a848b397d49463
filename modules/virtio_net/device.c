/* SPDX-License-Identifier: MIT */
/* device.c - bringing a device up and down (virtio 1.2, 3.1): reset, features, queues, go. A
 * stopped interface is a reset device: there is no other way to make it forget buffers that it was
 * lent. */
#define LOG_NAME "virtio_net: "
#include "virtio_net.h"

#include <weft/net/ether.h>
#include <weft/printk.h>
#include <weft/random.h>
#include <weft/sched.h>
#include <weft/string.h>

#define RESET_TIMEOUT_NS (100 * NSEC_PER_MSEC)

#define FEATURES_ALWAYS                                                                    \
	(F_CSUM | F_GUEST_CSUM | F_MTU | F_MAC | F_HOST_TSO4 | F_HOST_TSO6 | F_HOST_ECN |  \
	 F_MRG_RXBUF | F_STATUS | F_CTRL_VQ | F_CTRL_RX | F_CTRL_MAC_ADDR | F_ANY_LAYOUT | \
	 F_EVENT_IDX | F_VERSION_1)
/* Large received frames come in several buffers or not at all. */
#define FEATURES_MERGED (F_GUEST_TSO4 | F_GUEST_TSO6 | F_GUEST_ECN)

static int device_reset(struct nic *nic)
{
	u64 end = ktime_get() + RESET_TIMEOUT_NS;

	nic->regs->set_status(nic, 0);
	while (nic->regs->status(nic)) {
		if (ktime_get() > end)
			return -EIO;
		sleep_ns(100 * NSEC_PER_USEC);
	}
	return 0;
}

/* Up to FEATURES_OK; the same answer each time. */
static int agree(struct nic *nic)
{
	u64 offered, want;
	int err = device_reset(nic);

	if (err)
		return err;
	nic->regs->set_status(nic, STATUS_ACKNOWLEDGE | STATUS_DRIVER);
	offered = nic->regs->features(nic);
	want = FEATURES_ALWAYS;
	/* 5.1.3.1: what needs what */
	if ((offered & F_MRG_RXBUF) && (offered & F_GUEST_CSUM))
		want |= FEATURES_MERGED;
	if (!(offered & F_CSUM))
		want &= ~(F_HOST_TSO4 | F_HOST_TSO6 | F_HOST_ECN);
	if (!(offered & F_CTRL_VQ))
		want &= ~(F_CTRL_RX | F_CTRL_MAC_ADDR);
	nic->features = offered & want;
	return nic->regs->set_features(nic, nic->features);
}

static void read_mac(struct nic *nic)
{
	u32 i;

	if (nic->features & F_MAC)
		for (i = 0; i < ETH_ALEN; i++)
			nic->mac[i] = nic->regs->config8(nic, NET_CFG_MAC + i);
	if (eth_is_valid(nic->mac))
		return;
	/* 5.1.4.2: without one, a locally administered one at random */
	random_bytes(nic->mac, ETH_ALEN);
	nic->mac[0] = (nic->mac[0] & 0xfc) | 2;
}

bool virtio_link_up(struct nic *nic)
{
	if (!(nic->features & F_STATUS))
		return true;
	return nic->regs->config8(nic, NET_CFG_STATUS) & NET_STATUS_LINK_UP;
}

static u32 netif_features(const struct nic *nic)
{
	u32 f = NETIF_F_NO_TX_LOCK; /* it takes it, and rings without it */

	if (nic->features & F_CSUM)
		f |= NETIF_F_TX_CSUM;
	if (nic->features & F_GUEST_CSUM)
		f |= NETIF_F_RX_CSUM;
	if (nic->features & F_HOST_TSO4)
		f |= NETIF_F_TSO4;
	if (nic->features & F_HOST_TSO6)
		f |= NETIF_F_TSO6;
	return f;
}

static u32 device_mtu(struct nic *nic)
{
	u32 mtu;

	if (!(nic->features & F_MTU))
		return ETH_MTU;
	mtu = nic->regs->config8(nic, NET_CFG_MTU) | (u32)nic->regs->config8(nic, NET_CFG_MTU + 1)
							     << 8;
	return mtu >= 68 && mtu <= 65535 ? mtu : ETH_MTU;
}

int virtio_device_probe(struct nic *nic)
{
	int err = agree(nic);

	if (err) {
		pr_err("%s: the device does not come out of reset or refuses its features\n",
		       nic->pci->name);
		return err;
	}
	read_mac(nic);
	nic->has_control = nic->features & F_CTRL_VQ;
	nic->rx_one_desc = nic->features & (F_MRG_RXBUF | F_ANY_LAYOUT | F_VERSION_1);
	nic->header = nic->features & (F_MRG_RXBUF | F_VERSION_1) ? sizeof(struct net_header) :
								    NET_HEADER_SHORT;
	nic->driver.features = netif_features(nic);
	/* larger frames would need larger receive buffers */
	nic->driver.max_mtu = min(device_mtu(nic), (u32)ETH_MTU);
	return 0;
}

static int queue_setup(struct nic *nic, struct virtq *q, u16 index, u16 vector)
{
	u16 size = nic->regs->queue_size(nic, index);
	int err;

	if (!size || (size & (size - 1)))
		return -ENODEV;
	/* a legacy device's queue is as large as it says (4.1.5.1.3) */
	if (size > QUEUE_MAX && (nic->features & F_VERSION_1))
		size = QUEUE_MAX;
	err = vq_alloc(q, nic, index, size);
	return err ? err : nic->regs->queue_start(q, vector);
}

static int queues_setup(struct nic *nic)
{
	int err = queue_setup(nic, &nic->rx, QUEUE_RX, 0);

	if (!err)
		err = queue_setup(nic, &nic->tx, QUEUE_TX, 0);
	if (!err && nic->has_control)
		err = queue_setup(nic, &nic->control, QUEUE_CONTROL, NO_VECTOR);
	if (err)
		return err;
	nic->tx_headers = dma_alloc(nic->tx.size * sizeof(struct net_header), &nic->tx_headers_bus);
	return nic->tx_headers ? 0 : -ENOMEM;
}

int virtio_device_start(struct nic *nic)
{
	u64 agreed = nic->features;
	int err = agree(nic);

	if (!err && nic->features != agreed)
		err = -EIO;
	if (!err && nic->msix)
		err = nic->regs->config_vector(nic, nic->irq_config ? 1 : NO_VECTOR);
	if (!err)
		err = queues_setup(nic);
	if (!err) {
		vq_interrupt_off(&nic->rx);
		vq_interrupt_off(&nic->tx);
		if (nic->has_control)
			vq_interrupt_off(&nic->control);
		err = virtio_rx_fill(nic);
	}
	if (err) {
		virtio_device_stop(nic);
		return err;
	}
	nic->regs->set_status(nic, nic->regs->status(nic) | STATUS_DRIVER_OK);
	vq_publish(&nic->rx);
	return 0;
}

void virtio_device_stop(struct nic *nic)
{
	if (device_reset(nic))
		pr_err("%s: the device does not reset\n", nic->pci->name);
	vq_free(&nic->rx);
	if (nic->tx_headers)
		dma_free(nic->tx_headers, nic->tx.size * sizeof(struct net_header));
	nic->tx_headers = NULL;
	vq_free(&nic->tx);
	vq_free(&nic->control);
}
