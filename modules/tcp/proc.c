/* SPDX-License-Identifier: MIT */
/* proc.c - TCP's windows: /proc/net/tcp and tcp6 in Linux's format, listeners first, half-open and
 * TIME-WAIT ends included; its lines in /proc/net/snmp, netstat and sockstat. */
#include <weft/net/diag.h>
#include <weft/seqfile.h>

#include "listen.h"
#include "table.h"
#include "timewait.h"

#define LINE_WIDTH 149 /* Linux pads IPv4's lines to it */
#define TICK_NS (10 * NSEC_PER_MSEC)

/* ---- /proc/net/tcp ---- */

/* One pass over the table for one file. */
struct listing {
	struct seq *s;
	u16 af;
	u32 line;
	u64 now;
};

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

static void show_details(struct seq *s, const struct tcp_conn *tc)
{
	u32 mss = max((u32)tc->mss, 1u);

	seq_printf(s, " %lu %lu %u %u %d", (u64)(tc->rto_ns / TICK_NS),
		   tc->deadline[TCP_TIMER_DELACK] ? 4ul : 0ul,
		   (u32)tc->quick_acks << 1 | tc->pingpong, tc->cc.cwnd / mss,
		   tc->cc.ssthresh >= TCP_CC_SSTHRESH_INFINITE ? -1 : (int)(tc->cc.ssthresh / mss));
}

/* tc: NULL, or locked: its socket stays. */
static void show_line(struct listing *l, struct tcp_end *e, const struct tcp_conn *tc)
{
	bool listens = tc && tc->listen;
	struct seq *s = l->s;
	size_t start = s->len;
	struct diag_sock d;

	tcp_describe(e, &d, l->now);
	seq_printf(s, "%4u:", l->line++);
	show_address(s, &d.laddr, l->af, d.lport);
	show_address(s, &d.raddr, l->af, d.rport);
	/* the pointer column tells ends apart, no more */
	seq_printf(s, " %02X %08X:%08X %02X:%08lX %08X %5u %8u %lu %d %016lx", d.state,
		   listens ? 0 : d.wqueue, d.rqueue, d.timer,
		   (u64)DIV_ROUND_UP(d.timer_left_ns, TICK_NS), tc ? tc->backoff : d.retrans, d.uid,
		   tc ? tc->keep_probes : 0, d.ino,
		   tc			    ? 1 :
		   d.state == TCP_TIME_WAIT ? 3 :
					      0,
		   d.cookie);
	if (tc)
		show_details(s, tc);
	end_line(s, start, l->af);
}

static void show_end(struct tcp_end *e, void *arg)
{
	struct tcp_conn *tc = e->kind == TCP_END_CONN ? tcp_of_end(e) : NULL;
	struct listing *l = arg;

	if (e->family != l->af)
		return;
	if (tc)
		spin_lock(&tc->lock);
	show_line(l, e, tc);
	if (tc)
		spin_unlock(&tc->lock);
}

static int show_ends(struct seq *s)
{
	struct listing l = { .s = s, .af = (u16)(unsigned long)s->arg, .now = ktime_get() };

	seq_puts(s, l.af == AF_INET ? "  sl  local_address rem_address   st" :
				      "  sl  local_address                         "
				      "remote_address                        st");
	seq_puts(s, " tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode");
	end_line(s, 0, l.af);
	tcp_for_each(show_end, &l);
	return 0;
}

static struct procfile files[] = {
	{ .path = "net/tcp", .mode = 0444, .show = show_ends, .arg = (void *)AF_INET },
	{ .path = "net/tcp6", .mode = 0444, .show = show_ends, .arg = (void *)AF_INET6 },
};

/* ---- counters ---- */

#define NAME(name) #name,
static const char *const snmp_names[] = { TCP_SNMP_COUNTERS(NAME) };
static const char *const ext_names[] = { TCP_EXT_COUNTERS(NAME) };

/* RFC 4022: the RTO's algorithm is "other", as Linux says; its bounds are in ms; connections have
 * none. */
static void fill_limits(s64 *v)
{
	v[TCP_RtoAlgorithm] = 1;
	v[TCP_RtoMin] = 200;
	v[TCP_RtoMax] = 120000;
	v[TCP_MaxConn] = -1;
	v[TCP_CurrEstab] = atomic_read(&tcp_nr_established);
}

struct ip_mib tcp_mib = {
	.name = "Tcp",
	.file = IP_MIB_SNMP,
	.rank = 40,
	.fields = snmp_names,
	.nr_fields = TCP_NR_SNMP,
	.fill = fill_limits,
};

struct ip_mib tcp_ext_mib = {
	.name = "TcpExt",
	.file = IP_MIB_NETSTAT,
	.rank = 10,
	.fields = ext_names,
	.nr_fields = TCP_NR_COUNTERS - TCP_NR_SNMP,
};

struct family_count {
	u16 af;
	u32 n;
};

static void count_conn(struct tcp_end *e, void *arg)
{
	struct family_count *c = arg;

	if (e->kind == TCP_END_CONN && e->family == c->af && !tcp_of_end(e)->orphan)
		c->n++;
}

static u32 sockets_of(u16 af)
{
	struct family_count c = { .af = af };

	tcp_for_each(count_conn, &c);
	return c.n;
}

/* mem is in pages. */
static void show_sockstat(struct seq *s)
{
	seq_printf(s, "TCP: inuse %u orphan %d tw %u alloc %u mem %lu\n", sockets_of(AF_INET),
		   atomic_read(&tcp_nr_orphans), (u32)atomic_read(&tcp_nr_timewaits),
		   tcp_nr_alive(), tcp_memory_pages());
}

static void show_sockstat6(struct seq *s)
{
	seq_printf(s, "TCP6: inuse %u\n", sockets_of(AF_INET6));
}

static struct ip_mib sockstat[] = {
	{ .name = "TCP", .file = IP_MIB_SOCKSTAT, .rank = 10, .show = show_sockstat },
	{ .name = "TCP6", .file = IP_MIB_SOCKSTAT6, .rank = 10, .show = show_sockstat6 },
};

int tcp_count_init(void)
{
	int err = ip_mib_register(&tcp_mib);

	if (!err)
		err = ip_mib_register(&tcp_ext_mib);
	if (err)
		tcp_count_exit();
	return err;
}

void tcp_count_exit(void)
{
	ip_mib_unregister(&tcp_ext_mib);
	ip_mib_unregister(&tcp_mib);
}

/* ---- start and end ---- */

int tcp_proc_init(void)
{
	int err = 0;

	for (u32 i = 0; i < ARRAY_SIZE(sockstat) && !err; i++)
		err = ip_mib_register(&sockstat[i]);
	for (u32 i = 0; i < ARRAY_SIZE(files) && !err; i++)
		err = procfile_add(&files[i]);
	if (err)
		tcp_proc_exit();
	return err;
}

/* Also of those that init did not come to: that does nothing. */
void tcp_proc_exit(void)
{
	for (u32 i = 0; i < ARRAY_SIZE(files); i++)
		procfile_remove(&files[i]);
	for (u32 i = 0; i < ARRAY_SIZE(sockstat); i++)
		ip_mib_unregister(&sockstat[i]);
}
