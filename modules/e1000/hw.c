/* SPDX-License-Identifier: MIT */
/* hw.c - the device's registers: reset, address, filters, link, statistics. The receiver is
 * switched on once, at probe: it has no buffers until the interface is up, and so
 * nothing arrives. */
#include "e1000.h"

#include <weft/printk.h>
#include <weft/string.h>
#include <weft/time.h>

#define RESET_TIMEOUT_NS (10 * NSEC_PER_MSEC)
#define EEPROM_TIMEOUT_NS (2 * NSEC_PER_MSEC)

static bool mac_valid(const u8 *mac)
{
	static const u8 zero[6];

	return !(mac[0] & 1) && memcmp(mac, zero, 6) != 0;
}

/* One 16-bit word of the EEPROM (13.4.4; the 82574 has its fields elsewhere, 10.2.1.4). */
static int eeprom_read(struct nic *nic, u32 word, u16 *out)
{
	bool is_82574 = nic->family == FAMILY_82574;
	u32 done = is_82574 ? EERD_DONE_82574 : EERD_DONE_8254X;
	u64 deadline = ktime_get() + EEPROM_TIMEOUT_NS;
	u32 v;

	reg_write(nic, REG_EERD, EERD_START | word << (is_82574 ? 2 : 8));
	do {
		v = reg_read(nic, REG_EERD);
		if (v & done) {
			*out = v >> 16;
			return 0;
		}
	} while (ktime_get() < deadline);
	return -EIO;
}

static int read_mac(struct nic *nic)
{
	u32 low = reg_read(nic, REG_RAL0), high = reg_read(nic, REG_RAH0);
	u32 i;

	/* the device loads RAL0/RAH0 from its EEPROM at reset */
	for (i = 0; i < 4; i++)
		nic->mac[i] = low >> (8 * i);
	nic->mac[4] = high;
	nic->mac[5] = high >> 8;
	if ((high & RAH_AV) && mac_valid(nic->mac))
		return 0;
	for (i = 0; i < 3; i++) {
		u16 word;

		if (eeprom_read(nic, i, &word))
			return -EIO;
		nic->mac[2 * i] = word;
		nic->mac[2 * i + 1] = word >> 8;
	}
	return mac_valid(nic->mac) ? 0 : -EIO;
}

int e1000_hw_reset(struct nic *nic)
{
	u64 deadline = ktime_get() + RESET_TIMEOUT_NS;
	u32 i;

	reg_write(nic, REG_IMC, INT_ALL);
	/* a function that is gone reads as all ones */
	if (reg_read(nic, REG_STATUS) == 0xffffffffu)
		return -EIO;
	reg_write(nic, REG_CTRL, reg_read(nic, REG_CTRL) | CTRL_RST);
	while (reg_read(nic, REG_CTRL) & CTRL_RST) {
		if (ktime_get() > deadline)
			return -EIO;
	}
	reg_write(nic, REG_IMC, INT_ALL);
	reg_read(nic, REG_ICR);
	if (read_mac(nic))
		return -EIO;
	for (i = 0; i < 128; i++)
		reg_write(nic, REG_MTA + 4 * i, 0);
	e1000_hw_set_mac(nic, nic->mac);
	return 0;
}

void e1000_hw_set_mac(struct nic *nic, const u8 *mac)
{
	memcpy(nic->mac, mac, 6);
	reg_write(nic, REG_RAL0, mac[0] | mac[1] << 8 | mac[2] << 16 | (u32)mac[3] << 24);
	reg_write(nic, REG_RAH0, mac[4] | mac[5] << 8 | RAH_AV);
}

void e1000_hw_start(struct nic *nic)
{
	struct rx_ring *rx = &nic->rx;
	struct tx_ring *tx = &nic->tx;

	reg_write(nic, REG_CTRL,
		  (reg_read(nic, REG_CTRL) | CTRL_SLU | CTRL_ASDE) & ~(CTRL_RST | CTRL_VME));

	reg_write(nic, REG_RDBAL, (u32)rx->bus);
	reg_write(nic, REG_RDBAH, (u32)(rx->bus >> 32));
	reg_write(nic, REG_RDLEN, rx->size * sizeof(struct rx_desc));
	reg_write(nic, REG_RDH, 0);
	reg_write(nic, REG_RDT, 0);
	reg_write(nic, REG_RDTR, 0);
	reg_write(nic, REG_RADV, 0);
	/* the 82574 checks IP, TCP and UDP sums; the 8254x says "ignore" in each descriptor */
	reg_write(nic, REG_RXCSUM, RXCSUM_TUOFL);

	reg_write(nic, REG_TDBAL, (u32)tx->bus);
	reg_write(nic, REG_TDBAH, (u32)(tx->bus >> 32));
	reg_write(nic, REG_TDLEN, tx->size * sizeof(struct tx_desc));
	reg_write(nic, REG_TDH, 0);
	reg_write(nic, REG_TDT, 0);
	reg_write(nic, REG_TXDCTL,
		  TXDCTL_FULL_WB | (nic->family == FAMILY_82574 ? TXDCTL_COUNT_DESC : 0));
	/* 13.4.34: inter-packet gap for copper full duplex */
	reg_write(nic, REG_TIPG, 8 | 8 << 10 | 6 << 20);
	reg_write(nic, REG_TCTL, TCTL_EN | TCTL_PSP | TCTL_CT(15) | TCTL_COLD(64) | TCTL_RTLC);

	nic->rctl = RCTL_EN | RCTL_BAM | RCTL_BSIZE_2048 | RCTL_SECRC;
	reg_write(nic, REG_RCTL, nic->rctl);
}

void e1000_hw_quiesce(struct nic *nic)
{
	reg_write(nic, REG_IMC, INT_ALL);
	reg_write(nic, REG_RCTL, 0);
	reg_write(nic, REG_TCTL, 0);
	/* a reset also takes back descriptors that the device has already fetched */
	reg_write(nic, REG_CTRL, reg_read(nic, REG_CTRL) | CTRL_RST);
	reg_read(nic, REG_STATUS);
	reg_write(nic, REG_IMC, INT_ALL);
	reg_read(nic, REG_ICR);
}

bool e1000_hw_link_up(struct nic *nic)
{
	return reg_read(nic, REG_STATUS) & STATUS_LU;
}

/* 13.5.1, filter type 0: bits 47:36 of the address choose one of 4096 hash bits. */
static u32 mta_hash(const u8 *mac)
{
	return (mac[4] >> 4 | (u32)mac[5] << 4) & 0xfff;
}

void e1000_hw_rx_mode(struct nic *nic, bool promisc, bool allmulti, const u8 (*groups)[6], u32 n)
{
	u32 want = nic->rctl & ~(RCTL_UPE | RCTL_MPE);
	u32 mta[128] = { 0 };
	u32 i;

	for (i = 0; i < n; i++) {
		u32 hash = mta_hash(groups[i]);

		mta[hash >> 5] |= BIT(hash & 31);
	}
	for (i = 0; i < 128; i++)
		reg_write(nic, REG_MTA + 4 * i, allmulti ? INT_ALL : mta[i]);
	if (promisc)
		want |= RCTL_UPE | RCTL_MPE;
	if (want != nic->rctl) {
		nic->rctl = want;
		reg_write(nic, REG_RCTL, want);
	}
}

void e1000_hw_read_stats(struct nic *nic)
{
	spin_lock(&nic->stats_lock);
	nic->crc_errors += reg_read(nic, REG_CRCERRS);
	nic->missed += reg_read(nic, REG_MPC);
	nic->collisions += reg_read(nic, REG_COLC);
	nic->length_errors += reg_read(nic, REG_RLEC);
	nic->rx_errors += reg_read(nic, REG_RXERRC);
	spin_unlock(&nic->stats_lock);
}
