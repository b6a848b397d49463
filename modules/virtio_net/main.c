/* SPDX-License-Identifier: MIT */
/* main.c - the virtio network device on PCI, transitional, legacy or modern: joins it to PCI and to
 * the interface table. The device runs from open to stop. An interrupt only schedules the poller,
 * which takes frames until the ring is empty and only then lets the device interrupt again. */
#define LOG_NAME "virtio_net: "
#include "virtio_net.h"

#include <weft/module.h>
#include <weft/net/ether.h>
#include <weft/printk.h>
#include <weft/rcu.h>
#include <weft/string.h>

#define TX_TIMER_NS (5 * NSEC_PER_MSEC)
#define TX_EXPECT 32 /* packets out from which on an interrupt tells that they are done */
#define TX_BATCH 16  /* packets a batch may keep from the device, which works beside us */

static bool legacy;
module_param_bool(legacy, 0444, "use the legacy register interface where a device has both");

/* ---- interrupt context ---- */

static enum irq_return ring_vector(void *arg)
{
	struct nic *nic = arg;

	poller_schedule(&nic->poller);
	return IRQ_HANDLED;
}

static enum irq_return config_vector(void *arg)
{
	struct nic *nic = arg;

	WRITE_ONCE(nic->config_changed, true);
	poller_schedule(&nic->poller);
	return IRQ_HANDLED;
}

/* INTx, where reading the status acknowledges; or one message for all, which leaves no status. */
static enum irq_return any_cause(void *arg)
{
	struct nic *nic = arg;
	u8 isr = nic->regs->isr(nic);

	if (!isr && !nic->msix)
		return IRQ_NOT_MINE;
	if (isr & ISR_CONFIG)
		WRITE_ONCE(nic->config_changed, true);
	poller_schedule(&nic->poller);
	return IRQ_HANDLED;
}

/* ---- poll context ---- */

static u32 tx_outstanding(const struct nic *nic)
{
	return nic->tx.size / 2 - virtio_tx_room(nic);
}

/* Asks for one interrupt when most of what is out is done: senders wait for that, at a full ring or
 * with a full send buffer. True: it is done already. Transmit lock held. */
static bool expect_done(struct nic *nic)
{
	return !vq_interrupt_after(&nic->tx, max(tx_outstanding(nic) * 3 / 4, 1u));
}

static void wake_senders(struct nic *nic)
{
	struct netif *nif = nic->nif;
	bool wake = false, again = false;

	spin_lock(&nif->tx_lock);
	if (nic->up) {
		virtio_tx_reclaim(nic);
		wake = nif->tx_full && virtio_tx_room(nic) >= nic->tx.size / 8;
		if (tx_outstanding(nic) >= TX_EXPECT || (nif->tx_full && !wake))
			again = expect_done(nic);
		else
			vq_interrupt_off(&nic->tx);
	}
	spin_unlock(&nif->tx_lock);
	if (wake)
		netif_tx_wake(nif);
	if (again)
		poller_schedule(&nic->poller);
}

static u32 nic_poll(struct poller *poller, u32 budget)
{
	struct nic *nic = container_of(poller, struct nic, poller);
	u32 done = virtio_rx_poll(nic, budget);

	if (READ_ONCE(nic->config_changed)) {
		WRITE_ONCE(nic->config_changed, false);
		netif_carrier(nic->nif, virtio_link_up(nic));
	}
	if (virtio_tx_busy(nic) || vq_interrupt_expected(&nic->tx))
		wake_senders(nic);
	return done;
}

static bool nic_rest(struct poller *poller)
{
	struct nic *nic = container_of(poller, struct nic, poller);

	vq_publish(&nic->rx);
	if (vq_interrupt_on(&nic->rx))
		return false;
	vq_interrupt_off(&nic->rx);
	return true;
}

static void nic_watch(struct poller *poller)
{
	vq_interrupt_off(&container_of(poller, struct nic, poller)->rx);
}

static bool nic_pending(struct poller *poller)
{
	struct nic *nic = container_of(poller, struct nic, poller);

	return vq_pending(&nic->rx) || vq_pending(&nic->tx);
}

static bool nic_owed(struct poller *poller)
{
	return virtio_tx_busy(container_of(poller, struct nic, poller));
}

/* Shows the device what is queued, and takes back what it has done already. Transmit lock held.
 * True: tx_ring is due. */
static bool tx_flush(struct nic *nic)
{
	bool ring = vq_show(&nic->tx);

	virtio_tx_reclaim(nic);
	if (tx_outstanding(nic) >= TX_EXPECT && !vq_interrupt_expected(&nic->tx) &&
	    expect_done(nic))
		poller_schedule(&nic->poller);
	if (virtio_tx_busy(nic) && !timer_pending(&nic->tx_timer))
		timer_set(&nic->tx_timer, ktime_get() + TX_TIMER_NS);
	return ring;
}

/* Without the transmit lock, as a hypervisor takes its time: senders and the poll context on other
 * CPUs would spin meanwhile. Preemption is off since the flush, an RCU section that stop waits for.
 */
static void tx_ring(struct nic *nic)
{
	nic->regs->notify(&nic->tx);
}

static void tx_kick(struct batch_end *b)
{
	struct nic *nic = container_of(b, struct nic, tx_kick);
	bool ring;

	spin_lock(&nic->nif->tx_lock);
	ring = nic->up && tx_flush(nic);
	spin_unlock(&nic->nif->tx_lock);
	if (ring)
		tx_ring(nic);
	if (unlikely(READ_ONCE(nic->nif->tx_full)))
		wake_senders(nic);
}

static void tx_timer(struct timer *t)
{
	struct nic *nic = container_of(t, struct nic, tx_timer);

	tx_kick(&nic->tx_kick);
	wake_senders(nic);
}

/* ---- the interface's operations ---- */

/* Transmit lock held; -ENETDOWN: p is the caller's. */
static int queue_frame(struct nic *nic, struct pkt *p, bool *ring)
{
	int err;

	if (!nic->up)
		return -ENETDOWN;
	err = virtio_tx_xmit(nic, p);
	if (batch_open() && virtio_tx_untold(nic) < TX_BATCH && virtio_tx_room(nic) >= 2)
		batch_end_add(&nic->tx_kick);
	else
		*ring = tx_flush(nic);
	if (unlikely(virtio_tx_room(nic) < 2)) {
		netif_tx_stop(nic->nif);
		if (expect_done(nic))
			poller_schedule(&nic->poller);
	}
	return err;
}

static int nic_xmit(struct netif *nif, struct pkt *p)
{
	struct nic *nic = nif->priv;
	bool ring = false;
	int err;

	spin_lock(&nif->tx_lock);
	err = queue_frame(nic, p, &ring);
	spin_unlock(&nif->tx_lock);
	if (ring)
		tx_ring(nic);
	if (unlikely(err == -ENETDOWN))
		pkt_free(p);
	return err;
}

static void nic_rx_mode(struct netif *nif)
{
	virtio_rx_mode(nif->priv);
}

static int nic_open(struct netif *nif)
{
	struct nic *nic = nif->priv;
	int err;

	/* a user may open it before probe has come back from netif_attach */
	nic->nif = nif;
	err = virtio_device_start(nic);
	if (err)
		return err;
	poller_add(&nic->poller);
	spin_lock(&nif->tx_lock);
	nic->up = true;
	spin_unlock(&nif->tx_lock);
	if (!eth_eq(nif->mac, nic->mac))
		virtio_set_mac(nic, nif->mac);
	virtio_rx_mode(nic);
	netif_carrier(nif, virtio_link_up(nic));
	/* its first run looks at the ring and lets the device interrupt */
	poller_schedule(&nic->poller);
	return 0;
}

static void nic_stop(struct netif *nif)
{
	struct nic *nic = nif->priv;

	spin_lock(&nif->tx_lock);
	nic->up = false;
	vq_publish(&nic->tx);
	spin_unlock(&nif->tx_lock);
	poller_remove(&nic->poller);
	timer_cancel_sync(&nic->tx_timer);
	synchronize_rcu(); /* senders that saw it up */
	virtio_device_stop(nic);
}

static int nic_set_mac(struct netif *nif, const u8 *mac)
{
	if (!eth_is_valid(mac))
		return -EADDRNOTAVAIL;
	return virtio_set_mac(nif->priv, mac);
}

static const struct netif_driver driver_template = {
	.name = "virtio_net",
	.ops = {
		.open = nic_open,
		.stop = nic_stop,
		.xmit = nic_xmit,
		.rx_mode = nic_rx_mode,
		.set_mac = nic_set_mac,
	},
	.type = ARPHRD_ETHER,
};

/* ---- PCI ---- */

/* One vector for both rings, of which the transmit ring only interrupts when many are out, and one
 * for the link; control never interrupts. */
static int request_irqs(struct nic *nic)
{
	nic->irq = pci_msix_request(nic->pci, 0, 0, ring_vector, nic, "virtio-rings");
	if (!IS_ERR(nic->irq)) {
		nic->irq_config =
			pci_msix_request(nic->pci, 1, 0, config_vector, nic, "virtio-config");
		if (!IS_ERR(nic->irq_config)) {
			nic->msix = true;
			return 0;
		}
		irq_free(nic->irq);
	}
	nic->irq_config = NULL;
	nic->irq = pci_irq_request(nic->pci, any_cause, nic, "virtio");
	if (IS_ERR(nic->irq))
		return PTR_ERR(nic->irq);
	nic->msix = irq_is_msi(nic->irq);
	return 0;
}

static void free_irqs(struct nic *nic)
{
	if (nic->irq_config)
		irq_free(nic->irq_config);
	irq_free(nic->irq);
}

static int find_interface(struct nic *nic)
{
	int err = legacy ? virtio_legacy_find(nic) : virtio_modern_find(nic);

	if (err == -ENODEV)
		err = legacy ? virtio_modern_find(nic) : virtio_legacy_find(nic);
	return err;
}

static int nic_probe(struct pci_dev *pci, const struct pci_id *id)
{
	struct nic *nic = kzalloc(sizeof(*nic));
	int err = -ENOMEM;

	if (!nic)
		return -ENOMEM;
	nic->pci = pci;
	nic->driver = driver_template;
	timer_init(&nic->tx_timer, tx_timer);
	nic->poller = (struct poller){
		.poll = nic_poll,
		.rest = nic_rest,
		.watch = nic_watch,
		.pending = nic_pending,
		.owed = nic_owed,
		.name = "virtio_net",
	};
	nic->tx_kick.fn = tx_kick;
	nic->command = pages_alloc(0);
	if (!nic->command)
		goto free_nic;
	pci_enable(pci);
	err = find_interface(nic);
	if (err)
		goto disable;
	err = request_irqs(nic);
	if (err)
		goto unmap;
	err = virtio_device_probe(nic);
	if (err)
		goto free_irq;
	nic->nif = netif_attach(&nic->driver, nic, nic->mac, "eth%d");
	if (IS_ERR(nic->nif)) {
		err = PTR_ERR(nic->nif);
		goto free_irq;
	}
	pci->drvdata = nic;
	netif_carrier(nic->nif, virtio_link_up(nic));
	pr_info("%s: %s, %s, features %lx, %02x:%02x:%02x:%02x:%02x:%02x\n", pci->name,
		nic->nif->name, nic->regs->name, nic->features, nic->mac[0], nic->mac[1],
		nic->mac[2], nic->mac[3], nic->mac[4], nic->mac[5]);
	return 0;
free_irq:
	free_irqs(nic);
unmap:
	virtio_modern_unmap(nic);
disable:
	pci_disable(pci);
	pages_free(nic->command, 0);
free_nic:
	kfree(nic);
	return err;
}

static void nic_remove(struct pci_dev *pci)
{
	struct nic *nic = pci->drvdata;

	netif_detach(nic->nif);
	/* a batch on another CPU may still hold tx_kick; batches are RCU readers */
	synchronize_rcu();
	nic->regs->set_status(nic, 0);
	free_irqs(nic);
	virtio_modern_unmap(nic);
	pci_disable(pci);
	pci->drvdata = NULL;
	pages_free(nic->command, 0);
	kfree(nic);
}

static const struct pci_id ids[] = {
	{ .vendor = VIRTIO_VENDOR, .device = VIRTIO_NET_TRANSITIONAL },
	{ .vendor = VIRTIO_VENDOR, .device = VIRTIO_NET_MODERN },
	{ 0 },
};

static struct pci_driver driver = {
	.name = "virtio_net",
	.ids = ids,
	.probe = nic_probe,
	.remove = nic_remove,
};

static int __init virtio_net_init(void)
{
	return pci_register_driver(&driver);
}

static void __exit virtio_net_exit(void)
{
	pci_unregister_driver(&driver);
}

module_entry_points(virtio_net_init, virtio_net_exit);
MODULE_LICENSE("MIT");
MODULE_DESCRIPTION("virtio network device on PCI");
MODULE_PCI_ALIAS("1AF4", "1000");
MODULE_PCI_ALIAS("1AF4", "1041");
