/* SPDX-License-Identifier: MIT */
/* proc.c - UDP's windows: /proc/net/udp and udp6 in Linux's format, its lines in /proc/net/snmp,
 * snmp6, sockstat and sockstat6. */
#include "udp.h"

#include <weft/net/diag.h>
#include <weft/seqfile.h>

#define LINE_WIDTH 127 /* Linux pads IPv4's lines to it */

/* Linux's numbers of TCP states */
#define STATE_CONNECTED 1
#define STATE_UNCONNECTED 7

static void show_address(struct seq *s, const struct ip_addr *a, u16 af, u16 port)
{
	if (af == AF_INET)
		seq_printf(s, " %08X:%04X", a->w[3], port);
	else
		seq_printf(s, " %08X%08X%08X%08X:%04X", a->w[0], a->w[1], a->w[2], a->w[3], port);
}

static void end_line(struct seq *s, size_t start, u16 af)
{
	if (af == AF_INET && !s->failed && s->len - start < LINE_WIDTH)
		seq_printf(s, "%*s", (int)(LINE_WIDTH - (s->len - start)), "");
	seq_puts(s, "\n");
}

struct listing {
	struct seq *s;
	u32 bucket;
};

static bool show_end(const struct udp_end *e, void *arg)
{
	const struct listing *l = arg;
	struct seq *s = l->s;
	u16 af = (u16)(unsigned long)s->arg;
	const struct socket *sock = e->us->is.s;
	size_t start = s->len;
	bool connected = !ip_addr_is_any(&e->raddr);

	if (sock->family != af)
		return true;
	seq_printf(s, "%5u:", l->bucket);
	show_address(s, &e->laddr, af, e->lport);
	show_address(s, &e->raddr, af, e->rport);
	/* the pointer column tells sockets apart, no more */
	seq_printf(s, " %02X %08X:%08X 00:00000000 00000000 %5u %8d %lu %d %016lx %u",
		   connected ? STATE_CONNECTED : STATE_UNCONNECTED, socket_tx_bytes(sock),
		   READ_ONCE(sock->rx_bytes), sock->uid, 0, sock->ino, 2, diag_cookie(sock),
		   READ_ONCE(sock->rx_drops));
	end_line(s, start, af);
	return true;
}

static int show_sockets(struct seq *s)
{
	struct listing l = { .s = s };
	u16 af = (u16)(unsigned long)s->arg;

	seq_puts(s, af == AF_INET ? "   sl  local_address rem_address   st" :
				    "  sl  local_address                         "
				    "remote_address                        st");
	seq_puts(s, " tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer"
		    " drops");
	end_line(s, 0, af);
	rcu_read_lock();
	udp_walk(&l.bucket, show_end, &l);
	rcu_read_unlock();
	return 0;
}

static const char *const mib_names[] = { UDP_MIB(IP_MIB_NAME) };

/* InErrors counts all that were lost for whatever reason, the others say why. */
static void mib_fill(s64 *v)
{
	v[UDP_IN_ERRORS] += v[UDP_RCVBUF_ERRORS] + v[UDP_IN_CSUM_ERRORS] + v[UDP_MEM_ERRORS];
}

struct ip_mib udp_mib = {
	.name = "Udp",
	.file = IP_MIB_SNMP,
	.rank = 50,
	.fields = mib_names,
	.nr_fields = UDP_MIB_FIELDS,
	.fill = mib_fill,
};

struct ip_mib udp6_mib = {
	.name = "Udp6",
	.file = IP_MIB_SNMP6,
	.rank = 50,
	.fields = mib_names,
	.nr_fields = UDP_MIB_FIELDS,
	.fill = mib_fill,
};

static bool add_queued(const struct udp_end *e, void *arg)
{
	*(u64 *)arg += READ_ONCE(e->us->is.s->rx_bytes);
	return true;
}

/* mem is in pages. */
static void show_sockstat(struct seq *s)
{
	u64 queued = 0;
	u32 bucket = 0;

	rcu_read_lock();
	udp_walk(&bucket, add_queued, &queued);
	rcu_read_unlock();
	seq_printf(s, "UDP: inuse %u mem %lu\n", udp_sockets(AF_INET),
		   DIV_ROUND_UP(queued, PAGE_SIZE));
}

static void show_sockstat6(struct seq *s)
{
	seq_printf(s, "UDP6: inuse %u\n", udp_sockets(AF_INET6));
}

static struct ip_mib sockstat[] = {
	{ .name = "UDP", .file = IP_MIB_SOCKSTAT, .rank = 20, .show = show_sockstat },
	{ .name = "UDP6", .file = IP_MIB_SOCKSTAT6, .rank = 20, .show = show_sockstat6 },
};

static struct procfile files[] = {
	{ .path = "net/udp", .mode = 0444, .show = show_sockets, .arg = (void *)AF_INET },
	{ .path = "net/udp6", .mode = 0444, .show = show_sockets, .arg = (void *)AF_INET6 },
};

int udp_proc_init(void)
{
	int err;

	err = ip_mib_register(&udp_mib);
	if (!err)
		err = ip_mib_register(&udp6_mib);
	for (u32 i = 0; i < ARRAY_SIZE(sockstat) && !err; i++)
		err = ip_mib_register(&sockstat[i]);
	for (u32 i = 0; i < ARRAY_SIZE(files) && !err; i++)
		err = procfile_add(&files[i]);
	if (err)
		udp_proc_exit();
	return err;
}

/* Also of those that init did not come to: that does nothing. */
void udp_proc_exit(void)
{
	for (u32 i = 0; i < ARRAY_SIZE(files); i++)
		procfile_remove(&files[i]);
	for (u32 i = 0; i < ARRAY_SIZE(sockstat); i++)
		ip_mib_unregister(&sockstat[i]);
	ip_mib_unregister(&udp6_mib);
	ip_mib_unregister(&udp_mib);
}
