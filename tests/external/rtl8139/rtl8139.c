/* SPDX-License-Identifier: MIT */
/* rtl8139.c - a whole NIC driver in one file, outside the tree: Realtek RTL8139 (datasheet revision
 * 1.4). One receive ring of bytes that frames are copied out of, four transmit slots. docs/
 * writing-a-nic-driver.md walks through it. */
#define LOG_NAME "rtl8139: "
#include <weft/alloc.h>
#include <weft/module.h>
#include <weft/net/ether.h>
#include <weft/net/netif.h>
#include <weft/pci.h>
#include <weft/pkt.h>
#include <weft/poller.h>
#include <weft/printk.h>
#include <weft/string.h>
#include <weft/time.h>

/* Registers (section 5) and their bits. */
enum {
	IDR0 = 0x00,  /* station address, 6 bytes */
	MAR0 = 0x08,  /* multicast filter, 8 bytes */
	TSD0 = 0x10,  /* transmit status, 4 words */
	TSAD0 = 0x20, /* transmit address, 4 words */
	RBSTART = 0x30,
	CR = 0x37,
	CAPR = 0x38,
	IMR = 0x3c,
	ISR = 0x3e,
	TCR = 0x40,
	RCR = 0x44,
	MSR = 0x58,
};

#define CR_EMPTY BIT(0)
#define CR_TX_ON BIT(2)
#define CR_RX_ON BIT(3)
#define CR_RESET BIT(4)
#define INT_RX_OK BIT(0)
#define INT_RX_ERR BIT(1)
#define INT_TX_OK BIT(2)
#define INT_TX_ERR BIT(3)
#define INT_RX_OVERFLOW BIT(4)
#define INT_LINK BIT(5)
#define INT_RX_FIFO BIT(6)
#define INT_MASK (INT_RX_OK | INT_RX_ERR | INT_RX_OVERFLOW | INT_LINK | INT_RX_FIFO)
#define TSD_OWN BIT(13) /* the chip has fetched the frame */
#define RCR_ALL BIT(0)
#define RCR_MINE BIT(1)
#define RCR_MULTICAST BIT(2)
#define RCR_BROADCAST BIT(3)
#define RCR_WRAP BIT(7) /* a frame may run on behind the ring's end */
#define RCR_RING_32K (2u << 11)
#define RCR_DMA_UNLIMITED (7u << 8)
#define TCR_DMA_2048 (7u << 8)
#define TCR_IFG (3u << 24)
#define MSR_LINK_DOWN BIT(2)

#define RING_SIZE 32768
#define RING_BYTES (RING_SIZE + 16 + 2048) /* WRAP writes up to a frame behind the end */
#define RX_OK BIT(0)
#define TX_SLOTS 4
#define TX_SLOT_SIZE 1792

struct rtl {
	volatile u8 *regs;
	struct netif *nif;
	struct irq *irq;
	struct poller poller;
	u8 *ring;
	phys_addr_t ring_bus;
	u32 ring_pos; /* poll context */
	u8 *tx_buf;
	phys_addr_t tx_bus;
	u32 tx_next; /* guarded by the interface's tx_lock */
	bool link_changed;
	u8 mac[6];
};

/* Interrupt context: remember, mask, schedule. Everything else is the poller's. */
static enum irq_return rtl_interrupt(void *arg)
{
	struct rtl *r = arg;
	u16 isr = mmio_read16(r->regs + ISR);

	if (!(isr & INT_MASK))
		return IRQ_NOT_MINE;
	mmio_write16(r->regs + IMR, 0);
	if (isr & INT_LINK)
		WRITE_ONCE(r->link_changed, true);
	mmio_write16(r->regs + ISR, isr);
	poller_schedule(&r->poller);
	return IRQ_HANDLED;
}

static bool link_up(struct rtl *r)
{
	return !(mmio_read8(r->regs + MSR) & MSR_LINK_DOWN);
}

static void rx_restart(struct rtl *r)
{
	mmio_write8(r->regs + CR, CR_TX_ON);
	r->ring_pos = 0;
	mmio_write32(r->regs + RBSTART, (u32)r->ring_bus);
	mmio_write8(r->regs + CR, CR_TX_ON | CR_RX_ON);
	mmio_write16(r->regs + CAPR, (u16)-16);
}

/* Section 6.2: each frame is preceded by status and length (with FCS), and starts on a dword. */
static bool rx_one(struct rtl *r)
{
	const u8 *h = r->ring + r->ring_pos;
	u32 status = h[0] | h[1] << 8, len = h[2] | h[3] << 8;
	struct pkt *p;

	if (!(status & RX_OK) || len < ETH_HLEN + ETH_FCS_LEN || len > ETH_MTU + ETH_HLEN + 8) {
		netif_stats_this(r->nif)->rx_errors++;
		ip_drop_count(DROP_RX_ERROR);
		rx_restart(r); /* the ring is out of step: what it holds is lost */
		return false;
	}
	p = pkt_alloc(PKT_POOL_RX, 66, len);
	if (p) {
		memcpy(pkt_put(p, len - ETH_FCS_LEN), h + 4, len - ETH_FCS_LEN);
		netif_rx(r->nif, p);
	} else {
		netif_stats_this(r->nif)->rx_dropped++;
		ip_drop_count(DROP_NO_MEMORY);
	}
	r->ring_pos = (r->ring_pos + 4 + len + 3) & ~3u & (RING_SIZE - 1);
	mmio_write16(r->regs + CAPR, r->ring_pos - 16);
	return true;
}

static u32 rtl_poll(struct poller *poller, u32 budget)
{
	struct rtl *r = container_of(poller, struct rtl, poller);
	u32 done = 0;

	if (READ_ONCE(r->link_changed)) {
		WRITE_ONCE(r->link_changed, false);
		netif_carrier(r->nif, link_up(r));
	}
	while (done < budget) {
		if (mmio_read8(r->regs + CR) & CR_EMPTY) {
			/* unmask, then look once more: a frame in between interrupts by itself */
			mmio_write16(r->regs + IMR, INT_MASK);
			return done;
		}
		done++;
		if (!rx_one(r))
			break;
	}
	return budget;
}

/* Under tx_lock. The chip reads a slot some time after the write of its TSD. */
static int rtl_xmit(struct netif *nif, struct pkt *p)
{
	struct rtl *r = nif->priv;
	u32 slot = r->tx_next, len = max(p->len, (u32)ETH_ZLEN);
	u8 *buf = r->tx_buf + slot * TX_SLOT_SIZE;

	if (p->len > TX_SLOT_SIZE)
		return ip_drop(p, DROP_TOO_LONG), -ENOBUFS;
	if (!(mmio_read32(r->regs + TSD0 + 4 * slot) & TSD_OWN))
		return ip_drop(p, DROP_RING_FULL), -ENOBUFS;
	memcpy(buf, p->data, p->len);
	memset(buf + p->len, 0, len - p->len);
	mmio_write32(r->regs + TSAD0 + 4 * slot, (u32)r->tx_bus + slot * TX_SLOT_SIZE);
	mmio_write32(r->regs + TSD0 + 4 * slot, len);
	r->tx_next = (slot + 1) % TX_SLOTS;
	pkt_free(p);
	return 0;
}

static void rtl_rx_mode(struct netif *nif)
{
	struct rtl *r = nif->priv;
	u32 rcr = RCR_MINE | RCR_BROADCAST | RCR_WRAP | RCR_RING_32K | RCR_DMA_UNLIMITED;

	/* 64 hash bits filter so little that any group opens them all */
	if ((nif->flags & (IFF_PROMISC | IFF_ALLMULTI)) || !list_empty(&nif->mcast))
		rcr |= RCR_MULTICAST;
	if (nif->flags & IFF_PROMISC)
		rcr |= RCR_ALL;
	mmio_write32(r->regs + MAR0, 0xffffffff);
	mmio_write32(r->regs + MAR0 + 4, 0xffffffff);
	mmio_write32(r->regs + RCR, rcr);
}

static int rtl_open(struct netif *nif)
{
	struct rtl *r = nif->priv;

	poller_add(&r->poller);
	rx_restart(r);
	rtl_rx_mode(nif);
	mmio_write32(r->regs + TCR, TCR_DMA_2048 | TCR_IFG);
	netif_carrier(nif, link_up(r));
	mmio_write16(r->regs + ISR, 0xffff);
	mmio_write16(r->regs + IMR, INT_MASK);
	return 0;
}

static void rtl_stop(struct netif *nif)
{
	struct rtl *r = nif->priv;

	mmio_write16(r->regs + IMR, 0);
	poller_remove(&r->poller);
	mmio_write16(r->regs + IMR, 0);
	mmio_write8(r->regs + CR, 0);
}

static const struct netif_driver rtl_driver = {
	.name = "rtl8139",
	.ops = { .open = rtl_open, .stop = rtl_stop, .xmit = rtl_xmit, .rx_mode = rtl_rx_mode },
	.type = ARPHRD_ETHER,
	.max_mtu = ETH_MTU,
};

static int reset(struct rtl *r)
{
	u64 deadline = ktime_get() + 10 * NSEC_PER_MSEC;
	u32 i;

	mmio_write8(r->regs + CR, CR_RESET);
	while (mmio_read8(r->regs + CR) & CR_RESET)
		if (ktime_get() > deadline)
			return -EIO;
	for (i = 0; i < 6; i++)
		r->mac[i] = mmio_read8(r->regs + IDR0 + i);
	return eth_is_valid(r->mac) ? 0 : -EIO;
}

static int rtl_probe(struct pci_dev *pci, const struct pci_id *id)
{
	struct rtl *r = kzalloc(sizeof(*r));
	int err = -ENOMEM;

	(void)id;
	if (!r)
		return -ENOMEM;
	r->poller = (struct poller){ .poll = rtl_poll, .name = "rtl8139" };
	pci_enable(pci);
	r->regs = pci_map_bar(pci, 1);
	r->ring = dma_alloc(RING_BYTES, &r->ring_bus);
	r->tx_buf = dma_alloc(TX_SLOTS * TX_SLOT_SIZE, &r->tx_bus);
	if (!r->regs || !r->ring || !r->tx_buf)
		goto undo;
	err = reset(r);
	if (err)
		goto undo;
	r->irq = pci_irq_request(pci, rtl_interrupt, r, "rtl8139");
	if (IS_ERR(r->irq)) {
		err = PTR_ERR(r->irq);
		goto undo;
	}
	r->nif = netif_attach(&rtl_driver, r, r->mac, "eth%d");
	if (IS_ERR(r->nif)) {
		err = PTR_ERR(r->nif);
		irq_free(r->irq);
		goto undo;
	}
	pci->drvdata = r;
	pr_info("%s: %s\n", pci->name, r->nif->name);
	return 0;
undo:
	if (r->tx_buf)
		dma_free(r->tx_buf, TX_SLOTS * TX_SLOT_SIZE);
	if (r->ring)
		dma_free(r->ring, RING_BYTES);
	if (r->regs)
		pci_unmap_bar(pci, 1, (void *)r->regs);
	pci_disable(pci);
	kfree(r);
	return err;
}

static void rtl_remove(struct pci_dev *pci)
{
	struct rtl *r = pci->drvdata;

	netif_detach(r->nif); /* closes it; nobody is inside our operations any more */
	irq_free(r->irq);
	mmio_write8(r->regs + CR, CR_RESET);
	dma_free(r->tx_buf, TX_SLOTS * TX_SLOT_SIZE);
	dma_free(r->ring, RING_BYTES);
	pci_unmap_bar(pci, 1, (void *)r->regs);
	pci_disable(pci);
	kfree(r);
}

static const struct pci_id ids[] = {
	{ .vendor = 0x10ec, .device = 0x8139 },
	{ 0 },
};

static struct pci_driver driver = {
	.name = "rtl8139",
	.ids = ids,
	.probe = rtl_probe,
	.remove = rtl_remove,
};

static int __init rtl_init(void)
{
	return pci_register_driver(&driver);
}

static void __exit rtl_exit(void)
{
	pci_unregister_driver(&driver);
}

module_entry_points(rtl_init, rtl_exit);
MODULE_LICENSE("MIT");
MODULE_DESCRIPTION("Realtek RTL8139 Fast Ethernet");
MODULE_PCI_ALIAS("10EC", "8139");
