/* SPDX-License-Identifier: MIT */
/* regs.h - names of the virtio 1.2 specification (OASIS, 2022) for the network device on PCI:
 * feature bits, status bits, the split virtqueue's memory layout, the headers in front of frames
 * and control commands. All fields are little-endian. */
#pragma once

#include <weft/types.h>

#define VIRTIO_VENDOR 0x1af4
#define VIRTIO_NET_TRANSITIONAL 0x1000 /* 4.1.2.1 */
#define VIRTIO_NET_MODERN 0x1041       /* 0x1040 + device type 1 */

/* 2.1 device status */
#define STATUS_ACKNOWLEDGE 1
#define STATUS_DRIVER 2
#define STATUS_DRIVER_OK 4
#define STATUS_FEATURES_OK 8
#define STATUS_NEEDS_RESET 64
#define STATUS_FAILED 128

/* 5.1.3 and 6: feature bits */
#define F_CSUM BIT64(0)
#define F_GUEST_CSUM BIT64(1)
#define F_MTU BIT64(3)
#define F_MAC BIT64(5)
#define F_GUEST_TSO4 BIT64(7)
#define F_GUEST_TSO6 BIT64(8)
#define F_GUEST_ECN BIT64(9)
#define F_HOST_TSO4 BIT64(11)
#define F_HOST_TSO6 BIT64(12)
#define F_HOST_ECN BIT64(13)
#define F_MRG_RXBUF BIT64(15)
#define F_STATUS BIT64(16)
#define F_CTRL_VQ BIT64(17)
#define F_CTRL_RX BIT64(18)
#define F_CTRL_MAC_ADDR BIT64(23)
#define F_ANY_LAYOUT BIT64(27)
#define F_EVENT_IDX BIT64(29)
#define F_VERSION_1 BIT64(32)

/* 4.1.4 virtio structure PCI capabilities */
#define PCI_CAP_VENDOR 0x09
#define CAP_CFG_TYPE 3
#define CAP_BAR 4
#define CAP_OFFSET 8
#define CAP_LENGTH 12
#define CAP_NOTIFY_MULTIPLIER 16
#define CFG_COMMON 1
#define CFG_NOTIFY 2
#define CFG_ISR 3
#define CFG_DEVICE 4

/* 4.1.4.3 common configuration */
#define COMMON_DEVICE_FEATURE_SELECT 0
#define COMMON_DEVICE_FEATURE 4
#define COMMON_DRIVER_FEATURE_SELECT 8
#define COMMON_DRIVER_FEATURE 12
#define COMMON_CONFIG_MSIX_VECTOR 16
#define COMMON_NUM_QUEUES 18
#define COMMON_DEVICE_STATUS 20
#define COMMON_CONFIG_GENERATION 21
#define COMMON_QUEUE_SELECT 22
#define COMMON_QUEUE_SIZE 24
#define COMMON_QUEUE_MSIX_VECTOR 26
#define COMMON_QUEUE_ENABLE 28
#define COMMON_QUEUE_NOTIFY_OFF 30
#define COMMON_QUEUE_DESC 32
#define COMMON_QUEUE_DRIVER 40
#define COMMON_QUEUE_DEVICE 48
#define COMMON_SIZE 56

/* 4.1.4.8 legacy: registers in I/O BAR 0 */
#define LEGACY_DEVICE_FEATURES 0
#define LEGACY_DRIVER_FEATURES 4
#define LEGACY_QUEUE_PFN 8
#define LEGACY_QUEUE_SIZE 12
#define LEGACY_QUEUE_SELECT 14
#define LEGACY_QUEUE_NOTIFY 16
#define LEGACY_STATUS 18
#define LEGACY_ISR 19
#define LEGACY_CONFIG_VECTOR 20 /* these two only while MSI-X is enabled */
#define LEGACY_QUEUE_VECTOR 22
#define LEGACY_PAGE 4096

#define ISR_QUEUE 1
#define ISR_CONFIG 2
#define NO_VECTOR 0xffff

/* 5.1.4 device configuration */
#define NET_CFG_MAC 0
#define NET_CFG_STATUS 6
#define NET_CFG_MTU 10
#define NET_STATUS_LINK_UP 1

/* 5.1.2 virtqueues of a device with one pair */
#define QUEUE_RX 0
#define QUEUE_TX 1
#define QUEUE_CONTROL 2

/* 2.7 split virtqueues */
#define DESC_NEXT 1
#define DESC_WRITE 2
#define AVAIL_NO_INTERRUPT 1
#define USED_NO_NOTIFY 1

struct vq_desc {
	u64 addr;
	u32 len;
	u16 flags, next;
};

struct vq_avail {
	u16 flags, idx;
	u16 ring[]; /* then used_event */
};

struct vq_used_elem {
	u32 id, len;
};

struct vq_used {
	u16 flags, idx;
	struct vq_used_elem ring[]; /* then avail_event */
};

/* 5.1.6 in front of every frame; without MRG_RXBUF a legacy device leaves num_buffers out */
struct net_header {
	u8 flags, gso_type;
	u16 hdr_len, gso_size, csum_start, csum_offset;
	u16 num_buffers;
};
#define NET_HEADER_SHORT 10
#define NET_HDR_NEEDS_CSUM 1
#define NET_HDR_DATA_VALID 2
#define NET_GSO_NONE 0
#define NET_GSO_TCPV4 1
#define NET_GSO_UDP 3
#define NET_GSO_TCPV6 4
#define NET_GSO_ECN 0x80

/* 5.1.6.5 control commands */
#define CTRL_RX 0
#define CTRL_RX_PROMISC 0
#define CTRL_RX_ALLMULTI 1
#define CTRL_MAC 1
#define CTRL_MAC_TABLE_SET 0
#define CTRL_MAC_ADDR_SET 1
#define CTRL_OK 0
