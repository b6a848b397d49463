/* SPDX-License-Identifier: MIT */
/* ethernet.c - the Ethernet link type: DIX frames (RFC 894), IEEE 802.3 with LLC and SNAP (RFC
 * 1042) and 802.1Q priority tags on input, DIX frames on output. Real VLANs are another
 * module's; the NIC pads short frames and checks the FCS. */
#define LOG_NAME "ethernet: "

#include <weft/module.h>
#include <weft/net/drop.h>
#include <weft/net/ether.h>
#include <weft/net/link.h>
#include <weft/net/netif.h>
#include <weft/net/proto.h>

#define VLAN_TAG_LEN 4
#define VLAN_ID_MASK 0x0fff
#define LLC_SNAP_LEN 8

/* RFC 1042: DSAP and SSAP 170, unnumbered information, organisation 0: an EtherType follows. */
static const u8 llc_snap[6] = { 0xaa, 0xaa, 0x03, 0x00, 0x00, 0x00 };

static int rx_bad(struct netif *nif, struct pkt *p, enum drop_reason why)
{
	struct netif_stats *st = netif_stats_this(nif);

	st->rx_errors++;
	st->rx_frame++;
	return ip_drop(p, why);
}

static int rx_unknown(struct netif *nif, struct pkt *p, enum drop_reason why)
{
	netif_stats_this(nif)->rx_dropped++;
	return ip_drop(p, why);
}

static u8 classify(struct netif *nif, const u8 *dst)
{
	if (likely(eth_eq(dst, nif->mac)))
		return PKT_HOST;
	if (!eth_is_multicast(dst))
		return PKT_OTHERHOST;
	netif_stats_this(nif)->rx_multicast++;
	return eth_is_broadcast(dst) ? PKT_BROADCAST : PKT_MULTICAST;
}

static int deliver(struct netif *nif, struct pkt *p, u16 ethertype, u32 header)
{
	p->ethertype = ethertype;
	pkt_pull(p, header);
	return net_input(nif, p);
}

/* An 802.3 frame: the field is the length of what follows; behind that is padding. */
static int input_802_3(struct netif *nif, struct pkt *p, u32 header, u32 length)
{
	const u8 *llc = p->data + header;

	if (length > ETH_MTU || length > p->len - header)
		return rx_bad(nif, p, DROP_LENGTH_FIELD);
	if (length < LLC_SNAP_LEN || memcmp(llc, llc_snap, sizeof(llc_snap)))
		return rx_unknown(nif, p, DROP_LLC);
	pkt_trim(p, header + length);
	return deliver(nif, p, get_be16(llc + 6), header + LLC_SNAP_LEN);
}

static int input_tagged(struct netif *nif, struct pkt *p)
{
	u16 type;

	if (p->len < ETH_HLEN + VLAN_TAG_LEN)
		return rx_bad(nif, p, DROP_RUNT);
	/* IEEE 802.1Q 6.9: VLAN 0 says only a priority; the frame is untagged otherwise */
	type = get_be16(p->data + ETH_HLEN + 2);
	if ((get_be16(p->data + ETH_HLEN) & VLAN_ID_MASK) || type == ETH_P_8021Q ||
	    type == ETH_P_8021AD)
		return rx_unknown(nif, p, DROP_VLAN);
	if (type >= ETH_P_802_3_MIN)
		return deliver(nif, p, type, ETH_HLEN + VLAN_TAG_LEN);
	return input_802_3(nif, p, ETH_HLEN + VLAN_TAG_LEN, type);
}

static __noinline int input_any(struct netif *nif, struct pkt *p)
{
	u16 type;

	if (unlikely(p->len < ETH_HLEN))
		return rx_bad(nif, p, DROP_RUNT);
	p->pkttype = classify(nif, p->data);
	/* the device is promiscuous: taps have seen it, the stack is not concerned */
	if (p->pkttype == PKT_OTHERHOST)
		return ip_drop(p, DROP_OTHERHOST);
	/* IEEE 802.3 3.2.3: a source is never a group */
	if (unlikely(eth_is_multicast(p->data + ETH_ALEN)))
		return rx_bad(nif, p, DROP_LINK_ADDR);
	type = get_be16(p->data + 2 * ETH_ALEN);
	if (unlikely(type == ETH_P_8021Q))
		return input_tagged(nif, p);
	if (likely(type >= ETH_P_802_3_MIN))
		return deliver(nif, p, type, ETH_HLEN);
	return input_802_3(nif, p, ETH_HLEN, type);
}

/* In front of all that a frame may be stands what it mostly is: a DIX frame for us. */
static int ethernet_input(struct netif *nif, struct pkt *p)
{
	const u8 *h = p->data;
	u16 type = get_be16(h + 2 * ETH_ALEN);

	if (unlikely(p->len < ETH_HLEN || !eth_eq(h, nif->mac) || eth_is_multicast(h + ETH_ALEN) ||
		     type < ETH_P_802_3_MIN || type == ETH_P_8021Q))
		return input_any(nif, p);
	p->pkttype = PKT_HOST;
	p->ethertype = type;
	p->data += ETH_HLEN;
	p->len -= ETH_HLEN;
	return net_input(nif, p);
}

static void ethernet_header(const struct netif *nif, u8 *hdr, u16 ethertype, const u8 *dst,
			    const u8 *src)
{
	memcpy(hdr, dst, ETH_ALEN);
	memcpy(hdr + ETH_ALEN, src ? src : nif->mac, ETH_ALEN);
	put_be16(hdr + 2 * ETH_ALEN, ethertype);
}

/* RFC 1112 6.4: 01-00-5e and the low 23 bits; RFC 2464 7: 33-33 and the last four bytes. */
static int ethernet_multicast(const struct ip_addr *group, u8 *addr)
{
	if (!ip_addr_is_multicast(group))
		return -EINVAL;
	if (ip_addr_is_v4(group)) {
		put_be16(addr, 0x0100);
		put_be32(addr + 2, 0x5e000000 | (ip_addr_to_v4(group) & 0x7fffff));
	} else {
		put_be16(addr, 0x3333);
		memcpy(addr + 2, group->b + 12, 4);
	}
	return 0;
}

static struct link_type ethernet = {
	.type = ARPHRD_ETHER,
	.name = "ethernet",
	.addr_len = ETH_ALEN,
	.header_len = ETH_HLEN,
	.if_flags = IFF_BROADCAST | IFF_MULTICAST,
	.flags = LINK_RESOLVES,
	.default_mtu = ETH_MTU,
	.min_mtu = 68,
	.max_mtu = 65535,
	.broadcast = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff },
	.input = ethernet_input,
	.header = ethernet_header,
	.multicast = ethernet_multicast,
	.valid_addr = eth_is_valid,
};

static int ethernet_init(void)
{
	return link_type_register(&ethernet);
}

static void ethernet_exit(void)
{
	link_type_unregister(&ethernet);
}

module_entry_points(ethernet_init, ethernet_exit);
MODULE_LICENSE("MIT");
MODULE_DESCRIPTION("Ethernet: DIX, 802.3 with SNAP, priority tags");
