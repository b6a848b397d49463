/* SPDX-License-Identifier: MIT */
/* model_e1000.c - registers, rings and interrupts of the 82540EM (PCI/PCI-X Family SDM) and the
 * 82574L (its datasheet). Transmission happens a microsecond after the doorbell and reads the
 * buffers then, so a driver that frees one too early is caught by the address sanitizer. */
#include "model_e1000.h"

#include <weft/bytes.h>
#include <weft/string.h>

#include "machine.h"

#define R(name) m->reg[(name) / 4]

enum {
	CTRL = 0x0,
	STATUS = 0x8,
	EERD = 0x14,
	CTRL_EXT = 0x18,
	ICR = 0xc0,
	ICS = 0xc8,
	IMS = 0xd0,
	IMC = 0xd8,
	EIAC = 0xdc,
	IVAR = 0xe4,
	RCTL = 0x100,
	TCTL = 0x400,
	RDBAL = 0x2800,
	RDBAH = 0x2804,
	RDLEN = 0x2808,
	RDH = 0x2810,
	RDT = 0x2818,
	TDBAL = 0x3800,
	TDBAH = 0x3804,
	TDLEN = 0x3808,
	TDH = 0x3810,
	TDT = 0x3818,
	STATS = 0x4000,
	CRCERRS = 0x4000,
	MPC = 0x4010,
	ROC = 0x40ac,
	STATS_END = 0x4100,
	RXCSUM = 0x5000,
	MTA = 0x5200,
	RAL0 = 0x5400,
	RAH0 = 0x5404,
};

#define CTRL_RST BIT(26)
#define ICR_TXDW BIT(0)
#define ICR_LSC BIT(2)
#define ICR_RXDMT0 BIT(4)
#define ICR_RXO BIT(6)
#define ICR_RXT0 BIT(7)
#define ICR_RXQ0 BIT(20)
#define ICR_TXQ0 BIT(22)
#define ICR_OTHER BIT(24)
#define TX_DELAY_NS 1000

struct descriptor {
	u64 addr;
	u32 word;
	u8 status, popts;
	u16 special;
};

struct rx_descriptor {
	u64 addr;
	u16 length, csum;
	u8 status, errors;
	u16 special;
};

/* ---- interrupts ---- */

static bool msix(const struct model_e1000 *m)
{
	return m->kind == MODEL_82574 && m->pci.vector[1].fn;
}

static void raise_vector(struct model_e1000 *m, u32 ivar_shift, u32 cause)
{
	u32 field = R(IVAR) >> ivar_shift & 15;

	if (!(R(ICR) & R(IMS) & cause) || !(field & 8))
		return;
	/* 82574 10.2.4.8: the message clears what EIAC names */
	R(ICR) &= ~(R(EIAC) & cause);
	m->irqs++;
	sim_irq_raise(&m->pci.vector[field & 7]);
}

static void update_irq(struct model_e1000 *m)
{
	if (msix(m)) {
		if (R(ICR) & (ICR_LSC | ICR_RXO))
			R(ICR) |= ICR_OTHER;
		raise_vector(m, 0, ICR_RXQ0);
		raise_vector(m, 8, ICR_TXQ0);
		raise_vector(m, 16, ICR_OTHER);
	} else if ((R(ICR) & R(IMS)) && m->pci.vector[0].fn) {
		m->irqs++;
		sim_irq_raise(&m->pci.vector[0]);
	}
}

static void cause(struct model_e1000 *m, u32 bits)
{
	R(ICR) |= bits;
	update_irq(m);
}

/* ---- receive ---- */

static bool is_group(const u8 *mac)
{
	return mac[0] & 1;
}

/* 13.4.22, 13.5.1: exact match in RAL0, hash of bits 47:36 in the multicast table, broadcasts. */
static bool filter(const struct model_e1000 *m, const u8 *dst)
{
	static const u8 all[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	u32 rctl = R(RCTL), hash, i;

	if (!memcmp(dst, all, 6))
		return rctl & BIT(15);
	if (is_group(dst)) {
		hash = (dst[4] >> 4 | (u32)dst[5] << 4) & 0xfff;
		return (rctl & BIT(4)) || (R(MTA + 4 * (hash >> 5)) & BIT(hash & 31));
	}
	if (rctl & BIT(3))
		return true;
	if (!(R(RAH0) & BIT(31)))
		return false;
	for (i = 0; i < 6; i++) {
		u8 own = i < 4 ? R(RAL0) >> 8 * i : R(RAH0) >> 8 * (i - 4);

		if (own != dst[i])
			return false;
	}
	return true;
}

/* 82574 7.1.11: IPv4 header, and TCP or UDP of whole datagrams. */
static void check_sums(const u8 *f, u32 len, struct rx_descriptor *d)
{
	const u8 *ip = f + 14;
	u32 hlen, total, seed;

	d->status |= BIT(2);
	if (len < 34 || get_be16(f + 12) != 0x800 || ip[0] >> 4 != 4)
		return;
	hlen = (ip[0] & 15) * 4;
	total = get_be16(ip + 2);
	if (hlen < 20 || total < hlen || total > len - 14)
		return;
	d->status = (d->status & ~BIT(2)) | BIT(6);
	if (wire_sum_add(ip, hlen, 0) != 0xffff)
		d->errors |= BIT(6);
	if ((get_be16(ip + 6) & 0x3fff) || (ip[9] != 6 && ip[9] != 17))
		return;
	d->status |= ip[9] == 6 ? BIT(5) : BIT(4);
	seed = get_be16(ip + 12) + get_be16(ip + 14) + get_be16(ip + 16) + get_be16(ip + 18) +
	       ip[9] + total - hlen;
	if (wire_sum_add(ip + hlen, total - hlen, seed) != 0xffff)
		d->errors |= BIT(5);
}

u32 model_e1000_rx_free(const struct model_e1000 *m)
{
	u32 size = R(RDLEN) / 16;

	return size ? (R(RDT) + size - R(RDH)) % size : 0;
}

static void receive(struct sim_end *end, const u8 *frame, u32 len)
{
	struct model_e1000 *m = container_of(end, struct model_e1000, end);
	u32 size = R(RDLEN) / 16;
	struct rx_descriptor *d, done = { .status = 3 };

	if (!(R(RCTL) & BIT(1)) || !m->link_up || !sim_pci_master(&m->pci))
		return;
	if (len < 14 || !filter(m, frame)) {
		m->rx_filtered++;
		return;
	}
	if (len > 1518) { /* without LPE; 4 bytes of FCS make it 1522 */
		R(ROC)++;
		return;
	}
	if (!model_e1000_rx_free(m)) {
		m->rx_missed++;
		R(MPC)++;
		cause(m, ICR_RXO);
		return;
	}
	d = (struct rx_descriptor *)(((u64)R(RDBAH) << 32 | R(RDBAL)) + 16 * R(RDH));
	memcpy((void *)d->addr, frame, len);
	done.addr = d->addr;
	done.length = len;
	if (m->kind == MODEL_82574 && (R(RXCSUM) & BIT(9)))
		check_sums(frame, len, &done);
	else
		done.status |= BIT(2);
	*d = done;
	R(RDH) = (R(RDH) + 1) % size;
	m->rx_frames++;
	cause(m, ICR_RXT0 | (m->kind == MODEL_82574 ? ICR_RXQ0 : 0) |
			 (model_e1000_rx_free(m) <= size / 2 ? ICR_RXDMT0 : 0));
}

/* ---- transmit ---- */

static void fill_sum(u8 *frame, u32 len, u32 css, u32 cso, u32 end)
{
	u16 sum;

	if (css >= len || cso + 2u > len)
		sim_fatal("checksum context beyond the frame: start %u, field %u, length %u", css,
			  cso, len);
	sum = ~wire_sum_add(frame + css, end - css, 0);
	put_be16(frame + cso, sum);
}

static void send_wire(struct model_e1000 *m, const u8 *frame, u32 len)
{
	m->tx_frames++;
	m->tx_runts += len < 60;
	if (m->link_up)
		sim_link_send(&m->end, frame, len);
}

static void send_frame(struct model_e1000 *m)
{
	if (m->tx_popts & 2)
		fill_sum(m->tx_buf, m->tx_len, (u8)(m->context >> 32), (u8)(m->context >> 40),
			 m->tx_len);
	send_wire(m, m->tx_buf, m->tx_len);
}

/* 3.5: each segment is the prototype header with lengths, identification, sequence number and sums
 * of its own; FIN and PSH are the last one's. */
static void send_segments(struct model_e1000 *m)
{
	u32 ip = m->tso.offsets & 255, ip_sum = m->tso.offsets >> 8 & 255;
	u32 ip_end = m->tso.offsets >> 16 & 0xffff, tcp = m->tso.offsets >> 32 & 255;
	u32 tcp_sum = m->tso.offsets >> 40 & 255, headers = m->tso.headers, off, i = 0;
	u32 total = m->tx_len - headers;

	if (headers > m->tx_len || total != m->tso.payload || !m->tso.mss || tcp + 20 > headers)
		sim_fatal("segmentation context: %u bytes of headers, %u of payload, frame %u",
			  headers, m->tso.payload, m->tx_len);
	m->tx_large++;
	for (off = 0; off < total; off += m->tso.mss, i++) {
		u32 len = min(total - off, m->tso.mss), size = headers + len;
		u8 frame[16384];

		memcpy(frame, m->tx_buf, headers);
		memcpy(frame + headers, m->tx_buf + headers + off, len);
		put_be32(frame + tcp + 4, get_be32(frame + tcp + 4) + off);
		if (off + len < total)
			frame[tcp + 13] &= ~9;
		if (m->tso.v4) {
			put_be16(frame + ip + 2, size - ip);
			put_be16(frame + ip + 4, get_be16(frame + ip + 4) + i);
		} else {
			put_be16(frame + ip + 4, size - ip - 40);
		}
		if (m->tx_popts & 2) {
			put_be16(frame + tcp_sum,
				 wire_sum_add((u8[]){ (size - tcp) >> 8, size - tcp }, 2,
					      get_be16(frame + tcp_sum)));
			fill_sum(frame, size, tcp, tcp_sum, size);
		}
		if (m->tx_popts & 1)
			fill_sum(frame, size, ip, ip_sum, ip_end + 1);
		send_wire(m, frame, size);
	}
}

/* One data descriptor's bytes. */
static void gather(struct model_e1000 *m, const struct descriptor *d)
{
	bool dext = d->word & BIT(29);
	u32 len = d->word & 0xffff; /* emulations look at no more */

	if (!len || (d->word & 0xf0000) || m->tx_len + len > sizeof(m->tx_buf))
		sim_fatal("transmit descriptor of %u bytes", d->word & 0xfffff);
	if (d->addr >> 16 != (d->addr + len - 1) >> 16 && len > 4096)
		sim_fatal("a large descriptor over a 64 KiB border");
	if (!m->tx_len) {
		m->tx_popts = dext ? d->popts : 0;
		m->tx_tso = dext && (d->word & BIT(26));
	}
	memcpy(m->tx_buf + m->tx_len, (const void *)d->addr, len);
	m->tx_len += len;
	if (!(d->word & BIT(25)))
		sim_fatal("a frame without its FCS");
	if (m->tx_tso != (dext && (d->word & BIT(26))))
		sim_fatal("TSE differs within a packet");
	if (!(d->word & BIT(24)))
		return;
	if (m->tx_tso)
		send_segments(m);
	else
		send_frame(m);
	m->tx_len = 0;
}

static void load_context(struct model_e1000 *m, const struct descriptor *d)
{
	m->tx_contexts++;
	if (!(d->word & BIT(26))) {
		m->context = d->addr;
		return;
	}
	m->tso.offsets = d->addr;
	m->tso.payload = d->word & 0xfffff;
	m->tso.mss = d->special;
	m->tso.headers = d->popts;
	m->tso.v4 = d->word & BIT(25);
	m->context = 0; /* one of both kinds is all that a driver may count on */
}

static void transmit(struct sim_event *e)
{
	struct model_e1000 *m = container_of(e, struct model_e1000, tx_event);
	u32 size = R(TDLEN) / 16;
	bool any = false;

	if (m->tx_hold || !(R(TCTL) & BIT(1)) || !size || !sim_pci_master(&m->pci))
		return;
	while (R(TDH) != R(TDT)) {
		struct descriptor *d =
			(struct descriptor *)(((u64)R(TDBAH) << 32 | R(TDBAL)) + 16 * R(TDH));
		if ((d->word & BIT(29)) && (d->word >> 20 & 15) == 0)
			load_context(m, d);
		else
			gather(m, d);
		if (d->word & BIT(27)) {
			d->status |= 1;
			m->tx_reports++;
		}
		R(TDH) = (R(TDH) + 1) % size;
		any = true;
	}
	if (any)
		cause(m, ICR_TXDW | (m->kind == MODEL_82574 ? ICR_TXQ0 : 0));
}

void model_e1000_tx_go(struct model_e1000 *m)
{
	m->tx_hold = false;
	sim_event_set(&m->tx_event, sim_now() + TX_DELAY_NS);
}

/* ---- registers ---- */

static void reset(struct model_e1000 *m)
{
	memset(m->reg, 0, sizeof(m->reg));
	sim_event_cancel(&m->tx_event);
	m->tx_len = 0;
	R(STATUS) = BIT(0);
	if (!m->eeprom_only) {
		R(RAL0) = m->mac[0] | m->mac[1] << 8 | m->mac[2] << 16 | (u32)m->mac[3] << 24;
		R(RAH0) = m->mac[4] | m->mac[5] << 8 | BIT(31);
	}
}

static u32 eeprom(const struct model_e1000 *m, u32 v)
{
	bool is_82574 = m->kind == MODEL_82574;
	u32 word = is_82574 ? v >> 2 & 0x3fff : v >> 8 & 0xff;
	u16 data = word < 3 ? m->mac[2 * word] | m->mac[2 * word + 1] << 8 : 0xffff;

	return (v & 0xffff) | (is_82574 ? BIT(1) : BIT(4)) | (u32)data << 16;
}

static u32 reg_read(struct sim_pci_model *pci, u32 reg, u32 size)
{
	struct model_e1000 *m = container_of(pci, struct model_e1000, pci);
	u32 v;

	if (size != 4 || reg & 3)
		sim_fatal("register %#x read with %u bytes", reg, size);
	m->accesses++;
	if (m->dead)
		return 0xffffffff;
	if (reg >= sizeof(m->reg))
		return 0;
	v = R(reg);
	if (reg == STATUS)
		v |= m->link_up ? BIT(1) : 0;
	else if (reg == ICR || (reg >= STATS && reg < STATS_END))
		R(reg) = 0;
	return v;
}

static void write_queue_tail(struct model_e1000 *m, u32 reg, u32 v, u32 len_reg)
{
	if (v >= R(len_reg) / 16)
		sim_fatal("tail register %#x set to %u, the ring has %u", reg, v, R(len_reg) / 16);
	R(reg) = v;
}

static void reg_write(struct sim_pci_model *pci, u32 reg, u32 size, u32 v)
{
	struct model_e1000 *m = container_of(pci, struct model_e1000, pci);

	if (size != 4 || reg & 3 || reg >= sizeof(m->reg))
		sim_fatal("register %#x written with %u bytes", reg, size);
	m->accesses++;
	switch (reg) {
	case CTRL:
		if (v & CTRL_RST)
			reset(m);
		R(CTRL) = v & ~CTRL_RST;
		break;
	case STATUS:
		break;
	case EERD:
		R(EERD) = eeprom(m, v);
		break;
	case ICR:
		R(ICR) &= ~v;
		break;
	case ICS:
		cause(m, v);
		break;
	case IMS:
		R(IMS) |= v;
		update_irq(m);
		break;
	case IMC:
		R(IMS) &= ~v;
		break;
	case RDT:
		m->rdt_writes++;
		if (R(RDLEN))
			write_queue_tail(m, reg, v, RDLEN);
		break;
	case TDT:
		m->tdt_writes++;
		if (R(TDLEN))
			write_queue_tail(m, reg, v, TDLEN);
		if (!m->tx_hold)
			sim_event_set(&m->tx_event, sim_now() + TX_DELAY_NS);
		break;
	case RDLEN:
	case TDLEN:
		if (v % 128)
			sim_fatal("ring length %u is no multiple of 128", v);
		R(reg) = v;
		break;
	default:
		R(reg) = v;
	}
}

void model_e1000_init(struct model_e1000 *m, enum model_e1000_kind kind, const u8 *mac)
{
	*m = (struct model_e1000){
		.kind = kind, .link_up = true,
		.pci = {
			.vendor = 0x8086, .device = kind == MODEL_82574 ? 0x10d3 : 0x100e,
			.devfn = 3 << 3,
			.bar_size = 0x20000, .msix_vectors = kind == MODEL_82574 ? 5 : 0,
			.read = reg_read, .write = reg_write,
		},
		.end = { .receive = receive },
		.tx_event = { .fn = transmit },
	};
	memcpy(m->mac, mac, 6);
	reset(m);
}

void model_e1000_link(struct model_e1000 *m, bool up)
{
	if (m->link_up == up)
		return;
	m->link_up = up;
	cause(m, ICR_LSC);
}
