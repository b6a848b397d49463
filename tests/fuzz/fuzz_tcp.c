/* SPDX-License-Identifier: MIT */
/* fuzz_tcp.c - segments against live connections. The input is a sequence of records, each a
 * segment whose numbers are near those that the connection is at, or something that the program or
 * time does; checksums are right. The first byte chooses the connection's beginning. */
#include "fuzz.h"

#include "tcp_peer.h"

#define RECORD 8

static int listener, fds[4];
static u32 nr_fds;
static u32 peer_next; /* what the peer would send next, relative */

static void take(void)
{
	static u8 sink[4096];
	int fd;

	while (nr_fds < ARRAY_SIZE(fds) && (fd = c_accept(listener, SOCK_NONBLOCK)) >= 0)
		fds[nr_fds++] = fd;
	for (u32 i = 0; i < nr_fds; i++)
		c_recv(fds[i], sink, sizeof(sink), MSG_DONTWAIT);
}

static void program(u8 what, u16 n)
{
	static u8 data[65536];
	int fd = nr_fds ? fds[what >> 4 & (nr_fds - 1)] : listener;

	switch (what & 15) {
	case 0:
	case 1:
	case 2:
		c_send(fd, data, n, MSG_DONTWAIT | MSG_NOSIGNAL);
		break;
	case 3:
		take();
		break;
	case 4:
		c_shutdown(fd, n % 3);
		break;
	case 5:
		c_send(fd, data, 1, MSG_OOB | MSG_DONTWAIT | MSG_NOSIGNAL);
		break;
	case 6:
		c_setint(fd, SOL_SOCKET, SO_RCVBUF, n);
		break;
	case 7:
		c_setint(fd, SOL_SOCKET, SO_OOBINLINE, n & 1);
		break;
	case 8:
		c_setint(fd, IPPROTO_TCP, n % 30, n >> 5);
		break;
	case 9:
		sim_run(n * 100 * NSEC_PER_USEC);
		break;
	case 10:
		sim_run_ms(n);
		break;
	case 11:
		c_recv(fd, data, n, MSG_DONTWAIT | MSG_PEEK);
		break;
	case 12:
		c_recv(fd, data, n, MSG_DONTWAIT | MSG_OOB);
		break;
	case 13:
		tp_icmp(3 + (n & 8), n & 7, n, n >> 4);
		break;
	case 14:
		if (nr_fds)
			c_close(fds[--nr_fds]);
		break;
	default:
		c_recv(fd, data, n, MSG_DONTWAIT | (n & 0x100 ? MSG_TRUNC : 0));
	}
}

/* flags, how the sequence number is meant, its offset, how the ACK is, its offset, length, window,
 * options. */
static void segment(const u8 *r, const u8 *options, u32 nr_options)
{
	struct tcp_segment g = {
		.flags = r[0] & 0x3f,
		.seq = peer_next + (s8)r[2] * (r[1] & 1 ? 700 : 1),
		.ack = tp.seq + tp.len + (s8)r[4] * (r[1] & 2 ? 700 : 1),
		.win = r[6] << (r[1] & 8 ? 8 : 0),
		.urg = r[1] & 16 ? r[4] : 0,
		.len = r[5] * (r[1] & 4 ? 5 : 1),
		.options = options,
		.nr_options = nr_options,
		.ts = tp.ts && !(r[1] & 32),
		.ts_value = tp.ts_value + (s8)r[7] / 8,
		.ts_echo = tp.ts_echo,
	};

	if (r[1] & 64 && g.flags & 0x10)
		g.ack = tp.ack_high;
	tp_in_raw(&g);
	tp.ts_value = max(tp.ts_value, g.ts_value);
	if (!(r[1] & 128))
		peer_next = g.seq + g.len + (g.flags >> 1 & 1) + (g.flags & 1);
	tp_watch();
}

static void connect_out(void)
{
	int fd = c_socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	c_setint(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	c_bind(fd, 0, TP_HOST_PORT);
	c_connect(fd, PEER, tp.port);
	sim_run_ms(1);
	tp_watch();
	fds[nr_fds++] = fd;
}

static void begin_connection(u8 how)
{
	static const char *const syns[] = { "S 0(0) <mss 1460,sackOK,ts 100 0,wscale 7>",
					    "S 0(0) <mss 1460,sackOK>", "S 0(0) <mss 100>",
					    "SEW 0(0) <mss 1460,wscale 0,ts 1 0>" };
	static u16 port;

	tp_new(5000 + port++ % 20000, TP_HOST_PORT);
	nr_fds = peer_next = 0;
	if (how & 1) {
		connect_out();
		tp.ts = how & 2;
		if (how & 4)
			tp_in("S. 0(0) ack 1 <mss 1460,sackOK,ts 100 *,wscale 7>");
	} else {
		tp_in(syns[how >> 1 & 3]);
		tp.ts = (how >> 1 & 3) % 3 == 0;
		tp_watch();
		if (how & 8)
			tp_in(". 1(0) ack 1");
	}
	peer_next = 1;
	take();
}

static void end_connection(void)
{
	const struct {
		int on, seconds;
	} linger = { 1, 0 };

	take();
	while (nr_fds) {
		c_setopt(fds[--nr_fds], SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
		c_close(fds[nr_fds]);
	}
	/* what is not accepted yet, and requests */
	c_close(listener);
	tp_forget();
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	fuzz_begin();
	fuzz_modules("tcp tcp_cubic tcp_reno");
	if (size < 1)
		return 0;
	tp_new(5000, TP_HOST_PORT);
	listener = tp_listen();
	begin_connection(data[0]);
	data++;
	size--;
	while (size >= RECORD) {
		u32 more = min((size_t)(data[0] >> 6 == 2 ? data[7] % 37 : 0), size - RECORD);

		if (data[0] >> 6 == 3)
			program(data[1], get_be16(data + 2));
		else
			segment(data, data + RECORD, more);
		data += RECORD + more;
		size -= RECORD + more;
	}
	end_connection();
	fuzz_end();
	return 0;
}
