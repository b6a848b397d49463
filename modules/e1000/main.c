/* SPDX-License-Identifier: MIT */
/* main.c - Intel 82540EM, 82545EM and 82574L gigabit Ethernet: joins the device to PCI and to the
 * interface table. An interrupt only masks and schedules the poller; the poller takes frames until
 * the ring is empty, and only then lets the device interrupt again. */
#define LOG_NAME "e1000: "
#include "e1000.h"

#include <weft/module.h>
#include <weft/net/ether.h>
#include <weft/printk.h>
#include <weft/string.h>

#define RX_CAUSES_LEGACY (INT_RXT0 | INT_RXDMT0 | INT_RXO)
#define TX_DRAIN_NS (20 * NSEC_PER_MSEC)
#define MAX_GROUPS 256

static unsigned int rx_ring = 64;
static unsigned int tx_ring = 256;
static unsigned int itr = 488;

static int ring_size_ok(const struct kparam *p, long long value)
{
	(void)p;
	return value >= 16 && value <= RX_RING_MAX && value % 8 == 0 ? 0 : -EINVAL;
}

module_param_uint(rx_ring, 0444, ring_size_ok, "receive descriptors: 16..1024, a multiple of 8");
module_param_uint(tx_ring, 0444, ring_size_ok, "transmit descriptors: 16..1024, a multiple of 8");
module_param_uint(itr, 0444, NULL, "least time between interrupts, in units of 256 ns");

/* Of two CPUs, one masking in its interrupt and one unmasking at the poller's rest, either the mask
 * comes last, and masked is true for the poller, which is scheduled behind it; or the device is not
 * masked, and a rest too many does no harm. */
static void irqs_on(struct nic *nic)
{
	WRITE_ONCE(nic->masked, false);
	reg_write(nic, REG_IMS, nic->rx_causes | nic->other_causes);
}

static void rx_irqs_off(struct nic *nic)
{
	reg_write(nic, REG_IMC, nic->rx_causes);
	WRITE_ONCE(nic->masked, true);
}

/* ---- interrupt context ---- */

static enum irq_return rx_vector(void *arg)
{
	struct nic *nic = arg;

	/* EIAC clears the cause: no register needs to be read */
	rx_irqs_off(nic);
	poller_schedule(&nic->poller);
	return IRQ_HANDLED;
}

static enum irq_return link_vector(void *arg)
{
	struct nic *nic = arg;

	reg_write(nic, REG_ICR, INT_OTHER | INT_OTHER_CAUSES);
	WRITE_ONCE(nic->link_changed, true);
	poller_schedule(&nic->poller);
	return IRQ_HANDLED;
}

/* INTx or MSI: one interrupt for all causes, the line perhaps shared. Reading has cleared them, so
 * the line is down: as a rule the device is not masked, which would take two more accesses. Only
 * where the next one comes before the poller has rested does it find frames without being told. */
static enum irq_return any_cause(void *arg)
{
	struct nic *nic = arg;
	u32 icr = reg_read(nic, REG_ICR);

	if (!(icr & (nic->rx_causes | nic->other_causes)))
		return IRQ_NOT_MINE;
	if (READ_ONCE(nic->interrupted))
		rx_irqs_off(nic);
	WRITE_ONCE(nic->interrupted, true);
	if (icr & INT_LSC)
		WRITE_ONCE(nic->link_changed, true);
	poller_schedule(&nic->poller);
	return IRQ_HANDLED;
}

/* ---- poll context ---- */

static u32 nic_poll(struct poller *poller, u32 budget)
{
	struct nic *nic = container_of(poller, struct nic, poller);
	u32 done = e1000_rx_poll(nic, budget);

	if (READ_ONCE(nic->link_changed)) {
		WRITE_ONCE(nic->link_changed, false);
		netif_carrier(nic->nif, e1000_hw_link_up(nic));
	}
	if (e1000_tx_busy(nic))
		e1000_tx_wake(nic);
	return done;
}

/* Forgets causes already served, looks once more, and only then unmasks: a frame that comes in
 * between raises its cause again and interrupts at once. Where it is not masked the interrupt of
 * such a frame has come or will. */
static bool nic_rest(struct poller *poller)
{
	struct nic *nic = container_of(poller, struct nic, poller);

	WRITE_ONCE(nic->interrupted, false);
	if (!READ_ONCE(nic->masked))
		return e1000_rx_pending(nic);
	reg_write(nic, REG_ICR, nic->rx_causes);
	if (e1000_rx_pending(nic))
		return true;
	irqs_on(nic);
	return false;
}

static void nic_watch(struct poller *poller)
{
	struct nic *nic = container_of(poller, struct nic, poller);

	if (!READ_ONCE(nic->masked))
		rx_irqs_off(nic);
}

static bool nic_pending(struct poller *poller)
{
	return e1000_rx_pending(container_of(poller, struct nic, poller));
}

/* ---- the interface's operations ---- */

static void nic_rx_mode(struct netif *nif)
{
	struct nic *nic = nif->priv;
	u8(*groups)[6] = kmalloc(MAX_GROUPS * 6);
	struct netif_mcast *m;
	u32 n = 0;

	/* without memory, or with too many groups for the table to filter well: take them all */
	list_for_each_entry(m, &nif->mcast, node) {
		if (groups && n < MAX_GROUPS)
			memcpy(groups[n], m->addr, 6);
		n++;
	}
	if (groups && n <= MAX_GROUPS)
		e1000_hw_rx_mode(nic, nif->flags & IFF_PROMISC, nif->flags & IFF_ALLMULTI, groups,
				 n);
	else
		e1000_hw_rx_mode(nic, nif->flags & IFF_PROMISC, true, NULL, 0);
	kfree(groups);
}

static int nic_open(struct netif *nif)
{
	struct nic *nic = nif->priv;
	int err;

	/* a user may open it before probe has come back from netif_attach */
	nic->nif = nif;
	err = e1000_rx_fill(nic);
	if (err)
		return err;
	poller_add(&nic->poller);
	spin_lock(&nif->tx_lock);
	nic->up = true;
	spin_unlock(&nif->tx_lock);
	nic_rx_mode(nif);
	netif_carrier(nif, e1000_hw_link_up(nic));
	irqs_on(nic);
	return 0;
}

/* The receiver stays on, without anybody to hear it: its buffers are full after a ring of
 * frames. */
static void nic_stop(struct netif *nif)
{
	struct nic *nic = nif->priv;
	u64 deadline = ktime_get() + TX_DRAIN_NS;

	spin_lock(&nif->tx_lock);
	nic->up = false;
	rcu_read_lock(); /* preemption stays off while the lock is given away */
	e1000_tx_ring(nic);
	rcu_read_unlock();
	spin_unlock(&nif->tx_lock);
	reg_write(nic, REG_IMC, INT_ALL);
	/* and whoever saw it up has left: it waits for RCU readers, which senders are */
	poller_remove(&nic->poller);
	timer_cancel_sync(&nic->tx_timer);
	do {
		spin_lock(&nif->tx_lock);
		e1000_tx_reclaim(nic);
		spin_unlock(&nif->tx_lock);
	} while (e1000_tx_busy(nic) && ktime_get() < deadline);
	/* nic_poll may have let it interrupt a last time */
	reg_write(nic, REG_IMC, INT_ALL);
}

static int nic_set_mac(struct netif *nif, const u8 *mac)
{
	if (!eth_is_valid(mac))
		return -EADDRNOTAVAIL;
	e1000_hw_set_mac(nif->priv, mac);
	return 0;
}

static void nic_stats(struct netif *nif, struct netif_stats *s)
{
	struct nic *nic = nif->priv;

	e1000_hw_read_stats(nic);
	s->rx_errors += nic->crc_errors + nic->rx_errors + nic->length_errors;
	s->rx_frame += nic->crc_errors;
	s->rx_fifo += nic->missed;
	s->tx_collisions += nic->collisions;
}

static const struct netif_driver driver_template = {
	.name = "e1000",
	.ops = {
		.open = nic_open,
		.stop = nic_stop,
		.xmit = e1000_tx_xmit,
		.rx_mode = nic_rx_mode,
		.set_mac = nic_set_mac,
		.stats = nic_stats,
	},
	.type = ARPHRD_ETHER,
	.features = NETIF_F_TX_CSUM | NETIF_F_TSO4 | NETIF_F_NO_TX_LOCK,
	.max_mtu = ETH_MTU,
};

static void choose_features(struct nic *nic)
{
	struct netif_driver *d = &nic->driver;

	*d = driver_template;
	if (nic->family == FAMILY_82574) {
		d->features |= NETIF_F_RX_CSUM | NETIF_F_TSO6;
	} else if (nic->tx.size > 2 * TX_CUT_MAX) {
		/* one can be filled in while the device has another */
		d->features |= NETIF_F_TSO6;
		d->tso6_segments = TX_CUT_SEGMENTS;
		nic->tx.packet_max = TX_CUT_MAX;
	}
}

/* ---- PCI ---- */

/* The 82574 has a vector for the receive queue and one for everything else; without MSI-X, and on
 * the 8254x always, one interrupt serves all causes. */
static int request_irqs(struct nic *nic)
{
	nic->rx_causes = RX_CAUSES_LEGACY;
	nic->other_causes = INT_LSC;
	if (nic->family == FAMILY_82574) {
		nic->irq = pci_msix_request(nic->pci, 0, 0, rx_vector, nic, "e1000-rx");
		if (!IS_ERR(nic->irq)) {
			nic->irq_link =
				pci_msix_request(nic->pci, 1, 0, link_vector, nic, "e1000-link");
			if (!IS_ERR(nic->irq_link)) {
				nic->msix = true;
				nic->rx_causes = INT_RXQ0;
				nic->other_causes = INT_OTHER | INT_LSC;
				reg_write(nic, REG_IVAR,
					  IVAR_RXQ0(0) | IVAR_TXQ0(0) | IVAR_OTHER(1));
				reg_write(nic, REG_EIAC, INT_RXQ0);
				reg_write(nic, REG_CTRL_EXT,
					  reg_read(nic, REG_CTRL_EXT) | CTRL_EXT_PBA_CLR);
				return 0;
			}
			nic->irq_link = NULL;
			irq_free(nic->irq);
		}
	}
	nic->irq = pci_irq_request(nic->pci, any_cause, nic, "e1000");
	return IS_ERR(nic->irq) ? (int)PTR_ERR(nic->irq) : 0;
}

static void free_irqs(struct nic *nic)
{
	if (nic->irq_link)
		irq_free(nic->irq_link);
	irq_free(nic->irq);
}

static void nic_init(struct nic *nic)
{
	spin_init(&nic->stats_lock);
	e1000_tx_init(nic);
	nic->poller = (struct poller){
		.poll = nic_poll,
		.rest = nic_rest,
		.watch = nic_watch,
		.pending = nic_pending,
		.name = "e1000",
	};
}

static int nic_probe(struct pci_dev *pci, const struct pci_id *id)
{
	struct nic *nic = kzalloc(sizeof(*nic));
	int err = -ENOMEM;

	if (!nic)
		return -ENOMEM;
	nic->pci = pci;
	nic->family = id->data;
	nic_init(nic);
	pci_enable(pci);
	nic->regs = pci_map_bar(pci, 0);
	if (!nic->regs)
		goto disable;
	err = e1000_hw_reset(nic);
	if (err)
		goto unmap;
	err = e1000_rx_alloc(nic, rx_ring);
	if (err)
		goto unmap;
	err = e1000_tx_alloc(nic, tx_ring);
	if (err)
		goto free_rx;
	e1000_hw_start(nic);
	reg_write(nic, REG_ITR, itr & 0xffff);
	err = request_irqs(nic);
	if (err)
		goto quiesce;
	choose_features(nic);
	nic->nif = netif_attach(&nic->driver, nic, nic->mac, "eth%d");
	if (IS_ERR(nic->nif)) {
		err = PTR_ERR(nic->nif);
		goto free_irq;
	}
	pci->drvdata = nic;
	netif_carrier(nic->nif, e1000_hw_link_up(nic));
	pr_info("%s: %s, %04x:%04x, %02x:%02x:%02x:%02x:%02x:%02x\n", pci->name, nic->nif->name,
		pci->vendor, pci->device, nic->mac[0], nic->mac[1], nic->mac[2], nic->mac[3],
		nic->mac[4], nic->mac[5]);
	return 0;
free_irq:
	free_irqs(nic);
quiesce:
	e1000_hw_quiesce(nic);
	e1000_tx_free(nic);
free_rx:
	e1000_rx_free(nic);
unmap:
	pci_unmap_bar(pci, 0, (void *)nic->regs);
disable:
	pci_disable(pci);
	kfree(nic);
	return err;
}

static void nic_remove(struct pci_dev *pci)
{
	struct nic *nic = pci->drvdata;

	netif_detach(nic->nif);
	/* a batch on another CPU may still hold tx_kick; batches are RCU readers */
	synchronize_rcu();
	free_irqs(nic);
	e1000_hw_quiesce(nic);
	e1000_tx_free(nic);
	e1000_rx_free(nic);
	pci_unmap_bar(pci, 0, (void *)nic->regs);
	pci_disable(pci);
	pci->drvdata = NULL;
	kfree(nic);
}

static const struct pci_id ids[] = {
	{ .vendor = 0x8086, .device = 0x100e, .data = FAMILY_8254X }, /* 82540EM */
	{ .vendor = 0x8086, .device = 0x100f, .data = FAMILY_8254X }, /* 82545EM */
	{ .vendor = 0x8086, .device = 0x10d3, .data = FAMILY_82574 }, /* 82574L */
	{ 0 },
};

static struct pci_driver driver = {
	.name = "e1000",
	.ids = ids,
	.probe = nic_probe,
	.remove = nic_remove,
};

static int __init e1000_init(void)
{
	return pci_register_driver(&driver);
}

static void __exit e1000_exit(void)
{
	pci_unregister_driver(&driver);
}

module_entry_points(e1000_init, e1000_exit);
MODULE_LICENSE("MIT");
MODULE_DESCRIPTION("Intel 82540EM, 82545EM and 82574L gigabit Ethernet");
MODULE_PCI_ALIAS("8086", "100E");
MODULE_PCI_ALIAS("8086", "100F");
MODULE_PCI_ALIAS("8086", "10D3");
