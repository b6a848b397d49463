/* SPDX-License-Identifier: MIT */
/* regs.h - registers and descriptors of the 8254x and 82574 families, named as in Intel's manuals
 * (PCI/PCI-X Family of Gigabit Ethernet Controllers SDM, chapter 13; 82574 datasheet, chapter
 * 10). */
#pragma once

#include <weft/types.h>

enum {
	REG_CTRL = 0x0000,
	REG_STATUS = 0x0008,
	REG_EERD = 0x0014,
	REG_CTRL_EXT = 0x0018,
	REG_ICR = 0x00c0,
	REG_ITR = 0x00c4,
	REG_IMS = 0x00d0,
	REG_IMC = 0x00d8,
	REG_EIAC = 0x00dc, /* 82574 */
	REG_IVAR = 0x00e4, /* 82574 */
	REG_RCTL = 0x0100,
	REG_TCTL = 0x0400,
	REG_TIPG = 0x0410,
	REG_RDBAL = 0x2800,
	REG_RDBAH = 0x2804,
	REG_RDLEN = 0x2808,
	REG_RDH = 0x2810,
	REG_RDT = 0x2818,
	REG_RDTR = 0x2820,
	REG_RADV = 0x282c,
	REG_TDBAL = 0x3800,
	REG_TDBAH = 0x3804,
	REG_TDLEN = 0x3808,
	REG_TDH = 0x3810,
	REG_TDT = 0x3818,
	REG_TIDV = 0x3820,
	REG_TXDCTL = 0x3828,
	REG_STATS_FIRST = 0x4000, /* CRCERRS; the block is cleared by reading it */
	REG_CRCERRS = 0x4000,
	REG_RXERRC = 0x400c,
	REG_MPC = 0x4010,
	REG_COLC = 0x4028,
	REG_RLEC = 0x4040,
	REG_STATS_LAST = 0x40fc,
	REG_RXCSUM = 0x5000,
	REG_MTA = 0x5200, /* 128 words */
	REG_RAL0 = 0x5400,
	REG_RAH0 = 0x5404,
};

#define CTRL_FD BIT(0)
#define CTRL_ASDE BIT(5)
#define CTRL_SLU BIT(6)
#define CTRL_RST BIT(26)
#define CTRL_VME BIT(30)

#define STATUS_FD BIT(0)
#define STATUS_LU BIT(1)

#define EERD_START BIT(0)
#define EERD_DONE_8254X BIT(4)
#define EERD_DONE_82574 BIT(1)

#define CTRL_EXT_PBA_CLR BIT(31) /* 82574: pending MSI-X bits are cleared with the cause */

#define INT_TXDW BIT(0)
#define INT_LSC BIT(2)
#define INT_RXDMT0 BIT(4)
#define INT_RXO BIT(6)
#define INT_RXT0 BIT(7)
#define INT_RXQ0 BIT(20)  /* 82574 with MSI-X */
#define INT_OTHER BIT(24) /* 82574 with MSI-X */
/* What sets INT_OTHER: LSC, RXO, MDAC, SRPD, ACK, MNG. One that stays set raises it again and
 * again. */
#define INT_OTHER_CAUSES (INT_LSC | INT_RXO | BIT(9) | BIT(16) | BIT(17) | BIT(18))
#define INT_ALL 0xffffffffu

/* IVAR of the 82574 (10.2.4.9): 4 bits a cause, bit 3 of each says valid. */
#define IVAR_RXQ0(vec) ((vec) | 0x8u)
#define IVAR_TXQ0(vec) (((vec) | 0x8u) << 8)
#define IVAR_OTHER(vec) (((vec) | 0x8u) << 16)

#define RCTL_EN BIT(1)
#define RCTL_UPE BIT(3)
#define RCTL_MPE BIT(4)
#define RCTL_BAM BIT(15)
#define RCTL_BSIZE_2048 0
#define RCTL_SECRC BIT(26)

#define TCTL_EN BIT(1)
#define TCTL_PSP BIT(3)
#define TCTL_CT(n) ((u32)(n) << 4)
#define TCTL_COLD(n) ((u32)(n) << 12)
#define TCTL_RTLC BIT(24)

#define TXDCTL_FULL_WB 0x01010000u /* write back each descriptor, granularity descriptors */
#define TXDCTL_COUNT_DESC BIT(22)  /* 82574: must be set (7.2.7) */

#define RXCSUM_TUOFL BIT(9)

#define RAH_AV BIT(31)

/* Legacy receive descriptor (3.2.3). */
struct rx_desc {
	u64 addr;
	u16 length;
	u16 csum;
	u8 status;
	u8 errors;
	u16 special;
};

#define RX_STATUS_DD BIT(0)
#define RX_STATUS_EOP BIT(1)
#define RX_STATUS_IXSM BIT(2)  /* ignore the checksum bits */
#define RX_STATUS_UDPCS BIT(4) /* 82574 */
#define RX_STATUS_TCPCS BIT(5)
#define RX_STATUS_IPCS BIT(6)
#define RX_ERROR_FRAME 0x97 /* CE, SE, SEQ, CXE, RXE: the frame is bad */
#define RX_ERROR_TCPE BIT(5)
#define RX_ERROR_IPE BIT(6)

/* Transmit data and context descriptors (3.3.6, 3.3.7): the same 16 bytes. */
struct tx_desc {
	u64 addr; /* context: IPCSS IPCSO IPCSE(16) TUCSS TUCSO TUCSE(16) */
	union {
		struct {
			u32 cmd; /* DTALEN or PAYLEN 0-19, DTYP 20-23, DCMD/TUCMD 24-31 */
			u8 status;
			u8 popts;    /* context: HDRLEN */
			u16 special; /* context: MSS */
		};
		u64 how; /* all of these */
	};
};

#define TX_POPTS_SHIFT 40
#define TX_MSS_SHIFT 48

#define TX_DTYP_CONTEXT (0u << 20)
#define TX_DTYP_DATA BIT(20)
#define TX_CMD_EOP BIT(24)
#define TX_CMD_IFCS BIT(25)
#define TX_CMD_TSE BIT(26)
#define TX_CMD_RS BIT(27)
#define TX_CMD_DEXT BIT(29)
#define TX_TUCMD_TCP BIT(24)
#define TX_TUCMD_IP BIT(25)
#define TX_STATUS_DD BIT(0)
#define TX_POPTS_IXSM BIT(0)
#define TX_POPTS_TXSM BIT(1)
