/* SPDX-License-Identifier: MIT */
/* procnet.c - the IP core's windows: /proc/net/dev and route as Linux prints them, and
 * /proc/net/weft with the tables as they are. */
#include "ip.h"

static int dev_show(struct seq *s)
{
	struct netif_stats st;
	struct netif *nif;

	seq_puts(s, "Inter-|   Receive                                                |  Transmit\n"
		    " face |bytes    packets errs drop fifo frame compressed multicast|bytes    "
		    "packets errs drop fifo colls carrier compressed\n");
	netif_lock();
	netif_for_each(nif) {
		if (!netif_present(nif))
			continue;
		netif_stats_sum(nif, &st);
		seq_printf(s, "%6s: %7lu %7lu %4lu %4lu %4lu %5lu %10lu %9lu", nif->name,
			   st.rx_bytes, st.rx_packets, st.rx_errors, st.rx_dropped, st.rx_fifo,
			   st.rx_frame, st.rx_compressed, st.rx_multicast);
		seq_printf(s, " %8lu %7lu %4lu %4lu %4lu %5lu %7lu %10lu\n", st.tx_bytes,
			   st.tx_packets, st.tx_errors, st.tx_dropped, st.tx_fifo, st.tx_collisions,
			   st.tx_carrier, st.tx_compressed);
	}
	netif_unlock();
	return 0;
}

static void show_route(const struct route *r, void *arg)
{
	struct seq *s = arg;
	char line[160];

	if (r->type == ROUTE_LOCAL || r->type == ROUTE_BROADCAST)
		return;
	snprintf(line, sizeof(line), "%s\t%08X\t%08X\t%04X\t0\t0\t%u\t%08X\t%u\t0\t0",
		 r->nif ? r->nif->name : "*", r->prefix.w[3],
		 ip_addr_is_any(&r->gateway) ? 0 : r->gateway.w[3], r->flags, r->metric,
		 htonl(ip_plen_to_mask(r->plen)), r->mtu);
	seq_printf(s, "%-127s\n", line);
}

static int route_show(struct seq *s)
{
	seq_printf(s, "%-127s\n",
		   "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask"
		   "\t\tMTU\tWindow\tIRTT");
	netif_lock();
	route_for_each(AF_INET, show_route, s);
	netif_unlock();
	return 0;
}

static int interfaces_show(struct seq *s)
{
	struct netif *nif;

	seq_puts(s, "index name             state  link arphrd mtu   flags      features "
		    "driver     module\n");
	netif_lock();
	netif_for_each(nif) {
		const char *state = !netif_present(nif) ? "parked" :
				    netif_is_up(nif)	? "up" :
							  "down";

		seq_printf(s, "%-5u %-16s %-6s %-4s %-6u %-5u 0x%08x 0x%06x %-10s %s\n", nif->index,
			   nif->name, state, nif->carrier ? "yes" : "no", nif->type, nif->mtu,
			   nif->flags, nif->features, nif->driver ? nif->driver->name : "-",
			   nif->driver ? module_name(nif->owner) : "-");
	}
	netif_unlock();
	return 0;
}

static int links_show(struct seq *s)
{
	link_type_show(s);
	return 0;
}

static int protocols_show(struct seq *s)
{
	ip_family_show(s);
	ip_proto_show(s);
	return 0;
}

static int neighbours_show(struct seq *s)
{
	neigh_show(s);
	return 0;
}

static struct procfile files[] = {
	{ .path = "net/dev", .mode = 0444, .show = dev_show },
	{ .path = "net/route", .mode = 0444, .show = route_show },
	{ .path = "net/weft/interfaces", .mode = 0444, .show = interfaces_show },
	{ .path = "net/weft/links", .mode = 0444, .show = links_show },
	{ .path = "net/weft/protocols", .mode = 0444, .show = protocols_show },
	{ .path = "net/weft/neighbours", .mode = 0444, .show = neighbours_show },
};

int procnet_init(void)
{
	for (u32 i = 0; i < ARRAY_SIZE(files); i++) {
		int err = procfile_add(&files[i]);

		if (err) {
			while (i--)
				procfile_remove(&files[i]);
			return err;
		}
	}
	return 0;
}

void procnet_exit(void)
{
	for (u32 i = ARRAY_SIZE(files); i--;)
		procfile_remove(&files[i]);
}
