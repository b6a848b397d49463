/* SPDX-License-Identifier: MIT */
/* netsys.c - /sys/class/net/NAME. Readers take no lock: removing a file waits for its readers,
 * under netif_lock. */
#include "ip.h"

enum net_file {
	F_ADDRESS,
	F_ADDR_LEN,
	F_BROADCAST,
	F_MTU,
	F_FLAGS,
	F_IFINDEX,
	F_IFLINK,
	F_OPERSTATE,
	F_CARRIER,
	F_TYPE,
	F_TXQLEN,
	F_PLAIN,
};

static const char *const plain_names[F_PLAIN] = {
	"address", "addr_len",	"broadcast", "mtu",  "flags",	     "ifindex",
	"iflink",  "operstate", "carrier",   "type", "tx_queue_len",
};

/* As Linux names them; several of its finer error counters are one here. */
static const struct {
	const char *name;
	u32 offset;
} stat_names[] = {
#define STAT(name, field)                                 \
	{                                                 \
		name, offsetof(struct netif_stats, field) \
	}
	STAT("rx_bytes", rx_bytes),	      STAT("rx_packets", rx_packets),
	STAT("rx_errors", rx_errors),	      STAT("rx_dropped", rx_dropped),
	STAT("rx_fifo_errors", rx_fifo),      STAT("rx_missed_errors", rx_fifo),
	STAT("rx_frame_errors", rx_frame),    STAT("rx_compressed", rx_compressed),
	STAT("multicast", rx_multicast),      STAT("tx_bytes", tx_bytes),
	STAT("tx_packets", tx_packets),	      STAT("tx_errors", tx_errors),
	STAT("tx_dropped", tx_dropped),	      STAT("tx_fifo_errors", tx_fifo),
	STAT("collisions", tx_collisions),    STAT("tx_carrier_errors", tx_carrier),
	STAT("tx_compressed", tx_compressed),
#undef STAT
};

#define NR_FILES (F_PLAIN + ARRAY_SIZE(stat_names))

struct net_dir;
struct net_entry {
	struct net_dir *dir;
	u32 which;
	struct procfile file;
	char path[64];
};

struct net_dir {
	struct netif *nif;
	char path[32];
	struct net_entry entry[NR_FILES];
};

static void show_bytes(struct seq *s, const u8 *p, u32 n)
{
	for (u32 i = 0; i < n; i++)
		seq_printf(s, "%s%02x", i ? ":" : "", p[i]);
	seq_puts(s, "\n");
}

static const char *operstate(const struct netif *nif)
{
	if (nif->flags & IFF_LOOPBACK)
		return "unknown";
	return netif_running(nif) ? "up" : "down";
}

static int show_plain(struct seq *s, struct netif *nif, u32 which)
{
	switch (which) {
	case F_ADDRESS:
		show_bytes(s, nif->mac, nif->link->addr_len);
		return 0;
	case F_BROADCAST:
		show_bytes(s, nif->link->broadcast, nif->link->addr_len);
		return 0;
	case F_OPERSTATE:
		return seq_printf(s, "%s\n", operstate(nif)), 0;
	case F_FLAGS:
		return seq_printf(s, "0x%x\n", nif->flags & ~(u32)IFF_RUNNING), 0;
	case F_CARRIER:
		if (!netif_is_up(nif))
			return -EINVAL;
		return seq_printf(s, "%u\n", nif->carrier), 0;
	case F_ADDR_LEN:
		return seq_printf(s, "%u\n", nif->link->addr_len), 0;
	case F_MTU:
		return seq_printf(s, "%u\n", nif->mtu), 0;
	case F_TYPE:
		return seq_printf(s, "%u\n", nif->type), 0;
	case F_TXQLEN:
		return seq_printf(s, "%u\n", nif->txqlen), 0;
	default:
		return seq_printf(s, "%u\n", nif->index), 0;
	}
}

static int entry_show(struct seq *s)
{
	struct net_entry *e = s->arg;
	struct netif *nif = e->dir->nif;
	struct netif_stats st;
	u64 v;

	if (e->which < F_PLAIN)
		return show_plain(s, nif, e->which);
	netif_stats_sum(nif, &st);
	memcpy(&v, (char *)&st + stat_names[e->which - F_PLAIN].offset, sizeof(v));
	seq_printf(s, "%lu\n", v);
	return 0;
}

static int mtu_write(void *arg, const char *text, size_t len)
{
	struct net_entry *e = arg;
	int mtu, err = kstrtoint(text, 0, &mtu);

	if (err || mtu < 0)
		return err ? err : -EINVAL;
	/* whoever holds the lock may be waiting for this very call to end */
	if (!netif_trylock())
		return -EBUSY;
	err = netif_set_mtu(e->dir->nif, mtu);
	netif_unlock();
	return err;
}

static int entry_add(struct net_dir *d, u32 which)
{
	struct net_entry *e = &d->entry[which];

	e->dir = d;
	e->which = which;
	if (which < F_PLAIN)
		snprintf(e->path, sizeof(e->path), "%s/%s", d->path, plain_names[which]);
	else
		snprintf(e->path, sizeof(e->path), "%s/statistics/%s", d->path,
			 stat_names[which - F_PLAIN].name);
	e->file.path = e->path;
	e->file.mode = which == F_MTU ? 0644 : 0444;
	e->file.show = entry_show;
	e->file.write = which == F_MTU ? mtu_write : NULL;
	e->file.arg = e;
	return sysfile_add(&e->file);
}

/* An interface works without its files: lack of memory here is only said. */
void netsys_add(struct netif *nif)
{
	struct net_dir *d = kzalloc(sizeof(*d));
	int err = d ? 0 : -ENOMEM;

	if (d) {
		d->nif = nif;
		snprintf(d->path, sizeof(d->path), "class/net/%s", nif->name);
		nif->sysfs = d;
		for (u32 i = 0; i < NR_FILES && !err; i++)
			err = entry_add(d, i);
	}
	if (err)
		pr_warn("%s: no /sys/class/net (%d)\n", nif->name, err);
}

void netsys_remove(struct netif *nif)
{
	struct net_dir *d = nif->sysfs;

	if (!d)
		return;
	for (u32 i = 0; i < NR_FILES; i++)
		sysfile_remove(&d->entry[i].file);
	sysfs_remove(d->path);
	nif->sysfs = NULL;
	kfree(d);
}
