/* SPDX-License-Identifier: MIT */
/* model_virtio.c - registers, split queues and interrupts of a virtio network device. Transmission
 * happens a microsecond after the notification, unless the test wants it at once, and reads the
 * buffers then, so a driver that frees one too early is caught by the address sanitizer. */
#include "model_virtio.h"

#include <weft/bytes.h>
#include <weft/string.h>

#include "../../../modules/virtio_net/regs.h"
#include "machine.h"

#define TX_DELAY_NS 1000
#define AT_COMMON 0x000
#define AT_ISR 0x100
#define AT_DEVICE 0x200
#define AT_NOTIFY 0x300
#define NOTIFY_STEP 4
#define BAR_BYTES 0x400

/* 4.1.4: vendor capabilities, the second one for a BAR that does not exist */
#define CAP(next, len, type, bar, off, bytes) \
	0x09, next, len, type, bar, 0, 0, 0, (off)&0xff, (off) >> 8, 0, 0, bytes, 0, 0, 0
static const u8 caps[] = {
	CAP(0x50, 16, CFG_COMMON, 5, 0, 64),
	CAP(0x60, 16, CFG_COMMON, 0, AT_COMMON, 64),
	CAP(0x74, 20, CFG_NOTIFY, 0, AT_NOTIFY, 64),
	NOTIFY_STEP,
	0,
	0,
	0,
	CAP(0x84, 16, CFG_ISR, 0, AT_ISR, 4),
	CAP(0x00, 16, CFG_DEVICE, 0, AT_DEVICE, 16),
};

/* ---- interrupts ---- */

static void interrupt(struct model_virtio *m, u16 vector, u8 isr)
{
	if (m->pci.msix_vectors) {
		if (vector >= m->pci.msix_vectors || !m->pci.vector[vector].fn)
			return;
		m->irqs++;
		sim_irq_raise(&m->pci.vector[vector]);
		return;
	}
	m->isr |= isr;
	if (m->pci.vector[0].fn) {
		m->irqs++;
		sim_irq_raise(&m->pci.vector[0]);
	}
}

/* ---- queues ---- */

static struct vq_avail *avail_of(const struct model_virtq *q)
{
	return (struct vq_avail *)q->avail;
}

static struct vq_used *used_of(const struct model_virtq *q)
{
	return (struct vq_used *)q->used;
}

static u16 *avail_event(const struct model_virtq *q)
{
	return (u16 *)&used_of(q)->ring[q->size];
}

static bool event_idx(const struct model_virtio *m)
{
	return m->features & F_EVENT_IDX;
}

/* The next chain offered; -1: none. */
static int next_chain(struct model_virtio *m, struct model_virtq *q)
{
	struct vq_avail *a = avail_of(q);
	u16 head;

	if (!q->enabled || !(m->status & STATUS_DRIVER_OK) || a->idx == q->seen)
		return -1;
	if ((u16)(a->idx - q->seen) > q->size)
		sim_fatal("the driver offers more chains than the queue has descriptors");
	head = a->ring[q->seen % q->size];
	if (head >= q->size)
		sim_fatal("the driver offers descriptor %u", head);
	q->seen++;
	if (event_idx(m))
		*avail_event(q) = q->seen;
	return head;
}

static void use(struct model_virtio *m, struct model_virtq *q, u32 head, u32 len)
{
	struct vq_used *u = used_of(q);
	struct vq_used_elem *e = &u->ring[u->idx % q->size];

	*e = (struct vq_used_elem){ .id = m->bad_id ? q->size + 7u : head, .len = len };
	m->bad_id = false;
	u->idx++;
}

static void tell(struct model_virtio *m, struct model_virtq *q, u16 old)
{
	struct vq_used *u = used_of(q);
	u16 event = avail_of(q)->ring[q->size];
	bool wanted = event_idx(m) ? (u16)(u->idx - event - 1) < (u16)(u->idx - old) :
				     !(avail_of(q)->flags & AVAIL_NO_INTERRUPT);

	if (wanted && u->idx != old)
		interrupt(m, q->vector, ISR_QUEUE);
}

/* Copies a chain's readable part out; its length. */
static u32 chain_read(const struct model_virtq *q, u32 head, u8 *to, u32 room)
{
	const struct vq_desc *table = (const struct vq_desc *)q->desc;
	u32 n = 0, i = head, steps;

	for (steps = 0; steps < q->size; steps++) {
		const struct vq_desc *d = &table[i];

		if (!(d->flags & DESC_WRITE)) {
			if (n + d->len > room)
				sim_fatal("a chain of more than %u bytes", room);
			memcpy(to + n, (const void *)d->addr, d->len);
			n += d->len;
		}
		if (!(d->flags & DESC_NEXT))
			return n;
		i = d->next;
	}
	sim_fatal("a chain without an end");
}

/* Fills a chain's writable part; the bytes that fit. */
static u32 chain_write(const struct model_virtq *q, u32 head, const u8 *from, u32 len)
{
	const struct vq_desc *table = (const struct vq_desc *)q->desc;
	u32 n = 0, i = head, steps, part;

	for (steps = 0; steps < q->size; steps++) {
		const struct vq_desc *d = &table[i];

		if (d->flags & DESC_WRITE) {
			part = len - n < d->len ? len - n : d->len;
			memcpy((void *)d->addr, from + n, part);
			n += part;
		}
		if (!(d->flags & DESC_NEXT) || n == len)
			return n;
		i = d->next;
	}
	sim_fatal("a chain without an end");
}

/* ---- receive ---- */

static u32 header_len(const struct model_virtio *m)
{
	return m->features & (F_MRG_RXBUF | F_VERSION_1) ? sizeof(struct net_header) :
							   NET_HEADER_SHORT;
}

static u32 chain_room(const struct model_virtq *q, u32 head)
{
	const struct vq_desc *table = (const struct vq_desc *)q->desc;
	u32 n = table[head].len;

	while (table[head].flags & DESC_NEXT) {
		head = table[head].next;
		n += table[head].len;
	}
	return n;
}

static void deliver(struct model_virtio *m, struct net_header *h, const u8 *frame, u32 len)
{
	struct model_virtq *q = &m->q[QUEUE_RX];
	static u8 whole[66100];
	u32 hlen = header_len(m), total = hlen + len, done = 0, n = 0, heads[64], lens[64], i;
	u16 seen = q->seen, old;

	if (!m->link_up || !q->enabled || !(m->status & STATUS_DRIVER_OK) ||
	    !sim_pci_master(&m->pci))
		return;
	old = used_of(q)->idx;
	memcpy(whole + hlen, frame, len);
	while (done < total && n < 64) {
		int head = next_chain(m, q);
		u32 room;

		if (head < 0 || (n && !(m->features & F_MRG_RXBUF))) {
			q->seen = seen;
			m->rx_dropped++;
			return;
		}
		room = chain_room(q, head);
		heads[n] = head;
		lens[n++] = total - done < room ? total - done : room;
		done += lens[n - 1];
	}
	h->num_buffers = m->bad_buffers ? m->bad_buffers : n;
	m->bad_buffers = 0;
	memcpy(whole, h, hlen);
	for (i = 0, done = 0; i < n; done += lens[i++]) {
		chain_write(q, heads[i], whole + done, lens[i]);
		use(m, q, heads[i], lens[i]);
	}
	m->rx_frames++;
	m->rx_buffers += n;
	tell(m, q, old);
}

static void receive(struct sim_end *end, const u8 *frame, u32 len)
{
	struct net_header h = { 0 };

	deliver(container_of(end, struct model_virtio, end), &h, frame, len);
}

void model_virtio_receive_gso(struct model_virtio *m, const u8 *frame, u32 len, u16 gso_size,
			      u16 csum_start)
{
	struct net_header h = { .flags = NET_HDR_NEEDS_CSUM,
				.gso_type = NET_GSO_TCPV4,
				.gso_size = gso_size,
				.hdr_len = 54,
				.csum_start = csum_start,
				.csum_offset = 16 };

	deliver(m, &h, frame, len);
}

/* ---- transmit and control ---- */

static void send_frame(struct model_virtio *m, u32 len)
{
	struct net_header h = { 0 };
	u32 hlen = header_len(m);
	u8 *f = m->tx_buf + hlen;

	if (len < hlen + 14)
		sim_fatal("a frame of %u bytes with its header", len);
	memcpy(&h, m->tx_buf, hlen);
	len -= hlen;
	if (h.flags & NET_HDR_NEEDS_CSUM) {
		if (!(m->features & F_CSUM) || h.csum_start + h.csum_offset + 2u > len)
			sim_fatal("checksum beyond the frame, or not agreed on");
		put_be16(f + h.csum_start + h.csum_offset,
			 ~wire_sum_add(f + h.csum_start, len - h.csum_start, 0));
	}
	if (h.gso_type) {
		if (!(m->features & F_HOST_TSO4) || !(h.flags & NET_HDR_NEEDS_CSUM) || !h.gso_size)
			sim_fatal("a GSO frame that was not agreed on");
		m->tx_gso++;
	} else if (len > 1518) {
		sim_fatal("a frame of %u bytes without GSO", len);
	}
	m->tx_frames++;
	if (m->link_up)
		sim_link_send(&m->end, f, len);
}

static void transmit(struct sim_event *e)
{
	struct model_virtio *m = container_of(e, struct model_virtio, tx_event);
	struct model_virtq *q = &m->q[QUEUE_TX];
	u16 old;
	int head;

	if (m->tx_hold || !q->enabled)
		return;
	old = used_of(q)->idx;
	while ((head = next_chain(m, q)) >= 0) {
		send_frame(m, chain_read(q, head, m->tx_buf, sizeof(m->tx_buf)));
		use(m, q, head, 0);
	}
	tell(m, q, old);
}

void model_virtio_tx_go(struct model_virtio *m)
{
	m->tx_hold = false;
	if (m->tx_at_once)
		transmit(&m->tx_event);
	else
		sim_event_set(&m->tx_event, sim_now() + TX_DELAY_NS);
}

void model_virtio_at_work(struct model_virtio *m, u32 queue)
{
	*avail_event(&m->q[queue]) = m->q[queue].seen - 1;
}

void model_virtio_waits(struct model_virtio *m, u32 queue)
{
	*avail_event(&m->q[queue]) = avail_of(&m->q[queue])->idx - 1;
}

static u8 obey(struct model_virtio *m, const u8 *c, u32 len)
{
	u32 groups;

	if (m->refuse_control || len < 3)
		return 1;
	if (c[0] == CTRL_RX && c[1] == CTRL_RX_PROMISC) {
		m->promisc = c[2];
	} else if (c[0] == CTRL_RX && c[1] == CTRL_RX_ALLMULTI) {
		m->allmulti = c[2];
	} else if (c[0] == CTRL_MAC && c[1] == CTRL_MAC_TABLE_SET && len >= 10) {
		memcpy(&groups, c + 6, 4);
		if (len != 10 + groups * 6)
			return 1;
		m->groups = groups;
	} else if (c[0] == CTRL_MAC && c[1] == CTRL_MAC_ADDR_SET && len == 8) {
		memcpy(m->mac, c + 2, 6);
	} else {
		return 1;
	}
	return CTRL_OK;
}

static void control(struct model_virtio *m)
{
	struct model_virtq *q = &m->q[QUEUE_CONTROL];
	u8 buf[512], answer;
	int head;

	while ((head = next_chain(m, q)) >= 0) {
		answer = obey(m, buf, chain_read(q, head, buf, sizeof(buf)));
		use(m, q, head, chain_write(q, head, &answer, 1));
	}
}

static void notified(struct model_virtio *m, u16 queue)
{
	m->notifies++;
	m->rung += queue == QUEUE_TX;
	m->rung_locked += queue == QUEUE_TX && m->watched && *m->watched;
	if (queue == QUEUE_TX && m->tx_at_once)
		transmit(&m->tx_event);
	else if (queue == QUEUE_TX)
		sim_event_set(&m->tx_event, sim_now() + TX_DELAY_NS);
	else if (queue == QUEUE_CONTROL)
		control(m);
}

/* ---- registers ---- */

static void reset(struct model_virtio *m)
{
	u32 i;

	m->status = 0;
	m->features = 0;
	m->isr = 0;
	m->promisc = m->allmulti = false;
	sim_event_cancel(&m->tx_event);
	for (i = 0; i < MODEL_VIRTIO_QUEUES; i++)
		m->q[i] = (struct model_virtq){ .size = MODEL_VIRTIO_QUEUE_SIZE,
						.vector = NO_VECTOR };
}

static void set_status(struct model_virtio *m, u8 v)
{
	if (!v)
		reset(m);
	else
		m->status = v;
	if ((v & STATUS_FEATURES_OK) && !(m->features & F_VERSION_1))
		m->status &= ~STATUS_FEATURES_OK;
}

static u32 config_read(struct model_virtio *m, u32 off)
{
	if (off < 6)
		return m->mac[off];
	return off == NET_CFG_STATUS ? m->link_up : 0;
}

static struct model_virtq *selected(struct model_virtio *m)
{
	return m->queue_select < MODEL_VIRTIO_QUEUES ? &m->q[m->queue_select] : NULL;
}

static void set_features(struct model_virtio *m, u64 mask, u64 v)
{
	m->features = (m->features & ~mask) | (v & mask);
	if (m->features & ~m->offered)
		sim_fatal("the driver takes features that were not offered: %lx", m->features);
}

static u32 common_read(struct model_virtio *m, u32 reg)
{
	struct model_virtq *q = selected(m);

	switch (reg) {
	case COMMON_DEVICE_FEATURE:
		return m->select_device ? m->offered >> 32 : (u32)m->offered;
	case COMMON_NUM_QUEUES:
		return MODEL_VIRTIO_QUEUES;
	case COMMON_DEVICE_STATUS:
		return m->status;
	case COMMON_QUEUE_SIZE:
		return q ? q->size : 0;
	case COMMON_CONFIG_MSIX_VECTOR:
		return m->config_vector;
	case COMMON_QUEUE_MSIX_VECTOR:
		return q ? q->vector : NO_VECTOR;
	case COMMON_QUEUE_NOTIFY_OFF:
		return m->queue_select;
	default:
		return 0;
	}
}

static void set_half(u64 *v, u32 high, u32 half)
{
	*v = high ? (*v & 0xffffffff) | (u64)half << 32 : (*v & ~0xffffffffull) | half;
}

static void common_write(struct model_virtio *m, u32 reg, u32 v)
{
	struct model_virtq *q = selected(m);

	switch (reg) {
	case COMMON_DEVICE_FEATURE_SELECT:
		m->select_device = v;
		break;
	case COMMON_DRIVER_FEATURE_SELECT:
		m->select_driver = v;
		break;
	case COMMON_DRIVER_FEATURE:
		set_features(m, m->select_driver ? ~0xffffffffull : 0xffffffff,
			     m->select_driver ? (u64)v << 32 : v);
		break;
	case COMMON_CONFIG_MSIX_VECTOR:
		m->config_vector = v;
		break;
	case COMMON_DEVICE_STATUS:
		set_status(m, v);
		break;
	case COMMON_QUEUE_SELECT:
		m->queue_select = v;
		break;
	case COMMON_QUEUE_SIZE:
		if (q)
			q->size = v;
		break;
	case COMMON_QUEUE_MSIX_VECTOR:
		if (q)
			q->vector = v;
		break;
	case COMMON_QUEUE_ENABLE:
		if (q)
			q->enabled = v;
		break;
	default:
		if (q && reg >= COMMON_QUEUE_DESC && reg < COMMON_SIZE)
			set_half((u64 *[]){ &q->desc, &q->avail,
					    &q->used }[(reg - COMMON_QUEUE_DESC) / 8],
				 reg & 4, v);
	}
}

static u8 read_isr(struct model_virtio *m)
{
	u8 v = m->isr;

	m->isr = 0;
	return v;
}

static u32 modern_read(struct sim_pci_model *pci, u32 reg, u32 size)
{
	struct model_virtio *m = container_of(pci, struct model_virtio, pci);

	if (reg == AT_ISR)
		return read_isr(m);
	if (reg >= AT_DEVICE)
		return config_read(m, reg - AT_DEVICE);
	return common_read(m, reg);
}

static void modern_write(struct sim_pci_model *pci, u32 reg, u32 size, u32 v)
{
	struct model_virtio *m = container_of(pci, struct model_virtio, pci);

	if (reg >= AT_NOTIFY)
		notified(m, (reg - AT_NOTIFY) / NOTIFY_STEP);
	else if (reg < AT_ISR)
		common_write(m, reg, v);
}

static void legacy_queue(struct model_virtq *q, u64 page)
{
	u64 at = page * LEGACY_PAGE, n = q->size;

	q->desc = at;
	q->avail = at + n * sizeof(struct vq_desc);
	q->used = ALIGN_UP(q->avail + 6 + 2 * n, (u64)LEGACY_PAGE);
	q->enabled = page != 0;
}

static u32 legacy_read(struct sim_pci_model *pci, u32 reg, u32 size)
{
	struct model_virtio *m = container_of(pci, struct model_virtio, pci);
	u32 config = m->pci.msix_vectors ? 24 : 20;

	if (reg >= config)
		return config_read(m, reg - config);
	switch (reg) {
	case LEGACY_DEVICE_FEATURES:
		return m->offered;
	case LEGACY_QUEUE_SIZE:
		return selected(m) ? selected(m)->size : 0;
	case LEGACY_STATUS:
		return m->status;
	case LEGACY_ISR:
		return read_isr(m);
	case LEGACY_CONFIG_VECTOR:
		return m->config_vector;
	case LEGACY_QUEUE_VECTOR:
		return selected(m) ? selected(m)->vector : NO_VECTOR;
	default:
		return 0;
	}
}

static void legacy_write(struct sim_pci_model *pci, u32 reg, u32 size, u32 v)
{
	struct model_virtio *m = container_of(pci, struct model_virtio, pci);
	struct model_virtq *q = selected(m);

	if (reg == LEGACY_DRIVER_FEATURES)
		set_features(m, 0xffffffff, v);
	else if (reg == LEGACY_QUEUE_SELECT)
		m->queue_select = v;
	else if (reg == LEGACY_QUEUE_PFN && q)
		legacy_queue(q, v);
	else if (reg == LEGACY_QUEUE_NOTIFY)
		notified(m, v);
	else if (reg == LEGACY_STATUS && v)
		m->status = v;
	else if (reg == LEGACY_STATUS)
		reset(m);
	else if (reg == LEGACY_CONFIG_VECTOR)
		m->config_vector = v;
	else if (reg == LEGACY_QUEUE_VECTOR && q)
		q->vector = v;
}

void model_virtio_link(struct model_virtio *m, bool up)
{
	m->link_up = up;
	interrupt(m, m->config_vector, ISR_CONFIG);
}

void model_virtio_init(struct model_virtio *m, bool legacy, u64 offered, const u8 *mac)
{
	*m = (struct model_virtio){ .legacy = legacy, .link_up = true };
	m->offered = legacy ? offered & ~F_VERSION_1 : offered;
	memcpy(m->mac, mac, 6);
	m->pci.vendor = VIRTIO_VENDOR;
	m->pci.device = legacy ? VIRTIO_NET_TRANSITIONAL : VIRTIO_NET_MODERN;
	m->pci.devfn = 4 << 3;
	m->pci.bar_size = BAR_BYTES;
	m->pci.bar_io = legacy;
	m->pci.caps = legacy ? NULL : caps;
	m->pci.caps_len = legacy ? 0 : sizeof(caps);
	m->pci.msix_vectors = 3;
	m->pci.read = legacy ? legacy_read : modern_read;
	m->pci.write = legacy ? legacy_write : modern_write;
	m->end.receive = receive;
	m->tx_event.fn = transmit;
	reset(m);
}
