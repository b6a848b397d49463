/* SPDX-License-Identifier: MIT */
/* proc.c - UDP's files: /proc/net/udp and udp6 in Linux's format, the counters in
 * /proc/net/weft/udp, and the range that ports are picked from. */
#include "udp.h"

#include <weft/random.h>
#include <weft/seqfile.h>

#define LINE_WIDTH 127 /* Linux pads IPv4's lines to it */

/* Linux's numbers of TCP states */
#define STATE_CONNECTED 1
#define STATE_UNCONNECTED 7

static struct siphash_key pointer_key;

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

static void show_end(const struct udp_end *e, u32 bucket, void *arg)
{
	struct seq *s = arg;
	u16 af = (u16)(unsigned long)s->arg;
	const struct socket *sock = e->us->is.s;
	size_t start = s->len;
	bool connected = !ip_addr_is_any(&e->raddr);

	if (sock->family != af)
		return;
	seq_printf(s, "%5u:", bucket);
	show_address(s, &e->laddr, af, e->lport);
	show_address(s, &e->raddr, af, e->rport);
	/* the pointer column tells sockets apart, no more */
	seq_printf(s, " %02X %08X:%08X 00:00000000 00000000 %5u %8d %lu %d %016lx %lu",
		   connected ? STATE_CONNECTED : STATE_UNCONNECTED, socket_tx_bytes(sock),
		   READ_ONCE(sock->rx_bytes), sock->uid, 0, sock->ino, 2,
		   siphash(&sock, sizeof(sock), &pointer_key), READ_ONCE(sock->rx_drops));
	end_line(s, start, af);
}

static int show_sockets(struct seq *s)
{
	u16 af = (u16)(unsigned long)s->arg;

	seq_puts(s, af == AF_INET ? "   sl  local_address rem_address   st" :
				    "  sl  local_address                         "
				    "remote_address                        st");
	seq_puts(s, " tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer"
		    " drops");
	end_line(s, 0, af);
	rcu_read_lock();
	udp_for_each(show_end, s);
	rcu_read_unlock();
	return 0;
}

static int show_counters(struct seq *s)
{
#define UDP_NAME(id, text) [id] = (text),
	static const char *const names[] = { UDP_COUNTERS(UDP_NAME) };
#undef UDP_NAME

	for (u32 i = 0; i < UDP_NR_COUNTERS; i++) {
		u64 sum = 0;

		for (u32 cpu = 0; cpu < percpu_cpus(); cpu++)
			sum += READ_ONCE(((u64 *)percpu_ptr(udp_counters, cpu))[i]);
		seq_printf(s, "%s %lu\n", names[i], sum);
	}
	return 0;
}

/* ---- /proc/sys/net/ipv4/ip_local_port_range: two numbers ---- */

static int show_range(struct seq *s)
{
	seq_printf(s, "%d\t%d\n", udp_port_low, udp_port_high);
	return 0;
}

static int write_range(void *arg, const char *text, size_t len)
{
	char first[8];
	size_t n = 0;
	int low, high;

	while (n < len && n < sizeof(first) - 1 && text[n] != ' ' && text[n] != '\t') {
		first[n] = text[n];
		n++;
	}
	first[n] = 0;
	while (n < len && (text[n] == ' ' || text[n] == '\t'))
		n++;
	if (kstrtoint(first, 10, &low) || kstrtoint(text + n, 10, &high))
		return -EINVAL;
	if (low < 1 || high > 65535 || low > high)
		return -EINVAL;
	WRITE_ONCE(udp_port_low, low);
	WRITE_ONCE(udp_port_high, high);
	return 0;
}

static struct procfile files[] = {
	{ .path = "net/udp", .mode = 0444, .show = show_sockets, .arg = (void *)AF_INET },
	{ .path = "net/udp6", .mode = 0444, .show = show_sockets, .arg = (void *)AF_INET6 },
	{ .path = "net/weft/udp", .mode = 0444, .show = show_counters },
	{ .path = "sys/net/ipv4/ip_local_port_range",
	  .mode = 0644,
	  .show = show_range,
	  .write = write_range },
};

int udp_proc_init(void)
{
	int err;

	random_bytes(&pointer_key, sizeof(pointer_key));
	for (u32 i = 0; i < ARRAY_SIZE(files); i++) {
		err = procfile_add(&files[i]);
		if (err) {
			udp_proc_exit();
			return err;
		}
	}
	return 0;
}

/* Also of those that init did not come to: that does nothing. */
void udp_proc_exit(void)
{
	for (u32 i = 0; i < ARRAY_SIZE(files); i++)
		procfile_remove(&files[i]);
}
