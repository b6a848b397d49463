/* SPDX-License-Identifier: MIT */
/* tcp_peer.c - scripted TCP segments. */
#define SIM_NO_CMOCKA
#include "tcp_peer.h"

#include <stdio.h>
#include <stdlib.h>

#include "machine.h"
#include "tcp_text.h"

#define FIRST_ISS 0x10000000
#define SEGMENT_MAX 1600
#define NOW_MS 1

struct tcp_peer tp;
bool tp_over_ipv6;
static u32 sent_octets, read_octets; /* of the host's program */
static bool unchecked;		     /* payload is not the script's */
static bool six;		     /* over IPv6 */
const char *tp_text = "";
static int current_line;

void tp_mismatch(const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	sim_fatal("line %d, \"%s\": %s", current_line, tp_text, text);
}

/* ---- in ---- */

/* The octet at a relative sequence number; each direction has its own. */
static u8 octet(bool host, u32 rel)
{
	return rel * 7 + (rel >> 8) * 13 + (host ? 100 : 0);
}

static u32 put_options(u8 *o, const struct segment *g)
{
	u8 *start = o;
	u32 i;

	if (g->mss != ANY) {
		*o++ = 2;
		*o++ = 4;
		put_be16(o, g->mss);
		o += 2;
	}
	if (g->sack_ok) {
		*o++ = 4;
		*o++ = 2;
	}
	if (g->ts) {
		*o++ = 8;
		*o++ = 10;
		put_be32(o, g->ts_val);
		put_be32(o + 4, g->ts_ecr);
		o += 8;
	}
	if (g->wscale != ANY) {
		*o++ = 3;
		*o++ = 3;
		*o++ = g->wscale;
	}
	if (g->nr_sacks) {
		*o++ = 5;
		*o++ = 2 + 8 * g->nr_sacks;
		for (i = 0; i < g->nr_sacks; i++, o += 8) {
			put_be32(o, tp.host_iss + g->sack[i][0]);
			put_be32(o + 4, tp.host_iss + g->sack[i][1]);
		}
	}
	memcpy(o, g->raw, g->raw_len);
	o += g->raw_len;
	while ((o - start) & 3)
		*o++ = 1;
	return o - start;
}

static u16 tcp_sum(const u8 *t, u32 len, u32 src, u32 dst)
{
	struct ip_addr peer6 = PEER6, host6 = HOST6;
	u8 pseudo[12 + SEGMENT_MAX];

	if (six)
		return wire_sum6(&peer6, &host6, IPPROTO_TCP, t, len); /* either way round */
	put_be32(pseudo, src);
	put_be32(pseudo + 4, dst);
	put_be16(pseudo + 8, IPPROTO_TCP);
	put_be16(pseudo + 10, len);
	memcpy(pseudo + 12, t, len);
	return wire_sum(pseudo, 12 + len);
}

/* To the host, as the payload of a datagram. */
static void send_datagram(const u8 *t, u32 len)
{
	struct ipv4_fields h = {
		PEER, HOST, IPPROTO_TCP, tp.ttl, tp.tos, .bad_sum = tp.bad_ip_sum
	};
	struct ipv6_fields h6 = {
		.src = PEER6,
		.dst = HOST6,
		.next = IPPROTO_TCP,
		.tclass = tp.tos,
		.hop_limit = tp.ttl,
		.keep_sum = true,
	};

	if (six)
		peer6_send(&peer, host_mac, &h6, t, len);
	else
		peer_ipv4(&peer, host_mac, &h, t, len);
}

static void send_segment(const struct segment *g)
{
	u8 t[SEGMENT_MAX] = { 0 };
	u32 header = 20 + put_options(t + 20, g), i;

	put_be16(t, tp.port);
	put_be16(t + 2, tp.host_port);
	put_be32(t + 4, tp.iss + g->seq);
	if (g->flags & ACK || g->has_ack)
		put_be32(t + 8, tp.host_iss + g->ack);
	put_be16(t + 12, header / 4 << 12 | (g->flags & 0x1ff));
	put_be16(t + 14, g->win);
	put_be16(t + 18, g->urg);
	for (i = 0; i < g->len; i++)
		t[header + i] = octet(false, g->seq + i + (g->flags & SYN ? 1 : 0));
	put_be16(t + 16, tcp_sum(t, header + g->len, PEER, HOST) ^ tp.bad_sum);
	send_datagram(t, header + g->len);
}

void tp_put(const char *text)
{
	struct segment g;

	segment_parse(&g, text);
	if (!g.has_options && tp.ts && !(g.flags & (RST | SYN))) {
		g.ts = true;
		g.ts_val = tp.ts_value;
		g.ts_ecr = tp.ts_echo;
	}
	if (g.ts && g.ts_ecr == ANY)
		g.ts_ecr = tp.ts_echo;
	send_segment(&g);
}

void tp_in(const char *text)
{
	tp_put(text);
	tp.last_at = sim_now();
	sim_run(300 * NSEC_PER_USEC);
}

void tp_in_raw(const struct tcp_segment *r)
{
	struct segment g = { .flags = r->flags,
			     .seq = r->seq,
			     .ack = r->ack,
			     .len = min(r->len, 1400u),
			     .win = r->win,
			     .urg = r->urg,
			     .mss = ANY,
			     .wscale = ANY,
			     .ts = r->ts,
			     .ts_val = r->ts_value,
			     .ts_ecr = r->ts_echo };

	g.raw_len = min(r->nr_options, r->ts ? 28u : 40u);
	if (g.raw_len)
		memcpy(g.raw, r->options, g.raw_len);
	send_segment(&g);
	sim_run(100 * NSEC_PER_USEC);
}

/* ---- out ---- */

static void read_options(struct segment *g, const u8 *o, u32 n)
{
	while (n && *o) {
		u32 len = *o == 1 ? 1 : n > 1 ? o[1] : 0, i;

		if (!len || len > n || (*o != 1 && len < 2))
			tp_mismatch("malformed options");
		if (*o == 2)
			g->mss = get_be16(o + 2);
		else if (*o == 3)
			g->wscale = o[2];
		else if (*o == 4)
			g->sack_ok = true;
		else if (*o == 8)
			g->ts = true, g->ts_val = get_be32(o + 2), g->ts_ecr = get_be32(o + 6);
		else if (*o == 34 && len <= 18) {
			tp.fastopen = true;
			tp.cookie_len = len - 2;
			memcpy(tp.cookie, o + 2, len - 2);
		}
		for (i = 2; *o == 5 && i + 8 <= len; i += 8, g->nr_sacks++) {
			g->sack[g->nr_sacks][0] = get_be32(o + i) - tp.iss;
			g->sack[g->nr_sacks][1] = get_be32(o + i + 4) - tp.iss;
		}
		n -= len;
		o += len;
	}
}

static void learn(struct segment *g, u32 seq)
{
	if (g->flags & SYN) {
		tp.host_iss = seq;
		tp.heard_host = true;
		tp.host_wscale = g->wscale == ANY ? 0 : g->wscale;
	} else if (!tp.heard_host) {
		tp.host_iss = 0;
	}
	if (g->ts)
		tp.ts_echo = g->ts_val;
}

static bool is_ours(const u8 *t)
{
	return get_be16(t) == tp.host_port && get_be16(t + 2) == tp.port;
}

static void check_payload(const struct segment *g, const u8 *p)
{
	u32 i;

	for (i = 0; i < g->len; i++) {
		if (p[i] != octet(true, g->seq + i + (g->flags & SYN ? 1 : 0)))
			tp_mismatch("octet %u of the payload at %u is wrong", i, g->seq);
	}
}

static const u8 *segment_in(const struct frame *f)
{
	return six ? frame6_payload(f, NULL, NULL) : frame_icmp(f);
}

static void read_segment(struct segment *g, const struct frame *f)
{
	const u8 *ip = frame_ip(f), *t = segment_in(f);
	u32 len = six ? get_be16(ip + 4) : get_be16(ip + 2) - (ip[0] & 15u) * 4,
	    header = (t[12] >> 4) * 4;

	if (!(six ? frame6_sound(f) : frame_sound(f)) || header < 20 || header > len)
		tp_mismatch("a malformed frame came");
	if (tcp_sum(t, len, HOST, PEER))
		tp_mismatch("a wrong checksum came");
	memset(g, 0, sizeof(*g));
	g->mss = g->wscale = ANY;
	g->flags = get_be16(t + 12) & 0x1ff;
	tp.fastopen = false;
	read_options(g, t + 20, header - 20);
	learn(g, get_be32(t + 4));
	g->seq = get_be32(t + 4) - tp.host_iss;
	g->ack = get_be32(t + 8) - tp.iss;
	g->win = get_be16(t + 14);
	g->urg = get_be16(t + 18);
	g->len = len - header;
	if (!unchecked)
		check_payload(g, t + header);
	if ((s32)(g->seq + g->len - tp.ack_high) > 0)
		tp.ack_high = g->seq + g->len;
	tp.at = f->at;
	tp.seq = g->seq;
	tp.ack = g->ack;
	tp.win = g->win;
	tp.len = g->len;
	tp.ts_val = g->ts_val;
	tp.ts_ecr = g->ts_ecr;
	tp.ip_tos = six ? get_be16(ip) >> 4 : ip[1];
	tp.ip_df = six || ip[6] & 0x40;
}

/* The oldest segment of this connection; others' are skipped over. */
static bool take(struct segment *g)
{
	const struct frame *f;

	while ((f = six ? peer6_take_proto(&peer, IPPROTO_TCP) :
			  peer_take_proto(&peer, IPPROTO_TCP))) {
		if (!is_ours(segment_in(f)))
			continue;
		read_segment(g, f);
		return true;
	}
	return false;
}

static bool same(u32 want, u32 got)
{
	return want == ANY || want == got;
}

static bool options_fit(const struct segment *w, const struct segment *g)
{
	u32 i;

	if (w->sack_ok != g->sack_ok || w->ts != g->ts || w->nr_sacks != g->nr_sacks ||
	    (w->mss != ANY && w->mss != g->mss) || (w->wscale != ANY && w->wscale != g->wscale))
		return false;
	if (w->ts && (!same(w->ts_val, g->ts_val) || !same(w->ts_ecr, g->ts_ecr)))
		return false;
	for (i = 0; i < w->nr_sacks; i++) {
		if (w->sack[i][0] != g->sack[i][0] || w->sack[i][1] != g->sack[i][1])
			return false;
	}
	return true;
}

static void compare(const struct segment *w, const struct segment *g)
{
	u16 mask = w->push ? 0x1ff : 0x1ff & ~PSH;
	char text[256];

	if ((w->flags & mask) == (g->flags & mask) &&
	    (!w->has_seq || (same(w->seq, g->seq) && same(w->len, g->len))) &&
	    (!w->has_ack || same(w->ack, g->ack)) && (!w->has_win || same(w->win, g->win)) &&
	    (!w->has_urg || same(w->urg, g->urg)) && (!w->has_options || options_fit(w, g)))
		return;
	segment_describe(g, text, sizeof(text));
	tp_mismatch("%s came", text);
}

void tp_out_within(int line, u32 from_ms, u32 to_ms, const char *text)
{
	u64 deadline = tp.last_at + to_ms * NSEC_PER_MSEC;
	struct segment want, got;

	current_line = line;
	segment_parse(&want, text);
	while (!take(&got)) {
		if (sim_now() >= deadline)
			tp_mismatch("nothing came");
		sim_run(NSEC_PER_MSEC / 4);
	}
	compare(&want, &got);
	if (tp.at + NSEC_PER_MSEC < tp.last_at + from_ms * NSEC_PER_MSEC ||
	    tp.at > deadline + NSEC_PER_MSEC)
		tp_mismatch("it came after %.3f ms", (double)(tp.at - tp.last_at) / NSEC_PER_MSEC);
	tp.last_at = tp.at;
}

void tp_out(int line, const char *text)
{
	u64 before = tp.last_at;

	tp.last_at = sim_now(); /* from now on, or already there */
	current_line = line;
	if (before > tp.last_at)
		tp.last_at = before;
	tp_out_within(line, 0, NOW_MS, text);
}

void tp_silence(int line, u32 ms)
{
	struct segment got;
	char text[256];

	current_line = line;
	tp_text = "silence";
	sim_run(ms * NSEC_PER_MSEC);
	if (!take(&got))
		return;
	segment_describe(&got, text, sizeof(text));
	tp_mismatch("%s came after %.3f ms", text, (double)(tp.at - tp.last_at) / NSEC_PER_MSEC);
}

bool tp_next(void)
{
	struct segment got;

	return take(&got);
}

void tp_watch(void)
{
	struct segment got;

	unchecked = true;
	while (take(&got))
		;
}

u32 tp_waiting(void)
{
	struct frame *f;
	u32 n = 0;

	list_for_each_entry(f, &peer.heard, node)
		n += f->len >= 54 && f->data[six ? 20 : 23] == IPPROTO_TCP &&
		     get_be16(f->data + 12) == (six ? 0x86dd : 0x800) && is_ours(segment_in(f));
	return n;
}

void tp_forget(void)
{
	struct segment got;

	while (take(&got))
		;
}

/* ---- ICMP ---- */

static void put_quoted(u8 *t, u32 seq)
{
	put_be16(t, tp.host_port);
	put_be16(t + 2, tp.port);
	put_be32(t + 4, tp.host_iss + seq);
}

static void icmp6_error(u8 type, u8 code, u32 rest, u32 seq)
{
	struct ipv6_fields q = { .src = HOST6,
				 .dst = PEER6,
				 .next = IPPROTO_TCP,
				 .lie_len = true,
				 .payload_len = 1460 };
	u8 quote[14 + 40 + 20] = { 0 };

	frame_ipv6(quote, peer_mac, host_mac, &q, NULL, 20);
	put_quoted(quote + 54, seq);
	peer6_error(&peer, &q.src, type, code, rest, quote + 14, sizeof(quote) - 14);
}

static void icmp_error(u8 type, u8 code, u32 rest, u32 seq)
{
	struct ipv4_fields h = { .src = PEER, .dst = HOST, .proto = IPPROTO_ICMP };
	u8 quote[14 + 20 + 8 + 64] = { 0 }, m[128];
	struct ipv4_fields q = { .src = HOST,
				 .dst = PEER,
				 .proto = IPPROTO_TCP,
				 .flags_off = 0x4000,
				 .total_len = 1500 };

	frame_ipv4(quote, peer_mac, host_mac, &q, NULL, 8);
	put_quoted(quote + 34, seq);
	peer_ipv4(&peer, host_mac, &h, m, icmp_message(m, type, code, rest, quote + 14, 28));
}

void tp_icmp(u8 type, u8 code, u32 rest, u32 seq)
{
	if (six)
		icmp6_error(type, code, rest, seq);
	else
		icmp_error(type, code, rest, seq);
	tp.last_at = sim_now();
	sim_run(300 * NSEC_PER_USEC);
}

/* ---- up and down ---- */

static void load_if_there(const char *name)
{
	int err = sim_module_there(name) ? sim_insmod(name, NULL) : 0;

	if (err)
		sim_fatal("insmod %s: error %d", name, err);
}

void tp_new(u16 peer_port, u16 host_port)
{
	static u32 n;

	n++;
	tp = (struct tcp_peer){ .port = peer_port,
				.host_port = host_port,
				.iss = FIRST_ISS * n + 12345 * n,
				.ts_value = 1000 };
	sent_octets = read_octets = 0;
	unchecked = false;
}

static void up(void)
{
	load_if_there("tcp");
	load_if_there("tcp_cubic");
	load_if_there("tcp_reno");
	if (ifconfig("lo", IP4(127, 0, 0, 1), 8))
		sim_fatal("lo");
	stack_know_peer();
	peer_forget(&peer);
	tp_new(TP_PEER_PORT, TP_HOST_PORT);
}

void tp_up6(void)
{
	six = true;
	if (stack_up6())
		sim_fatal("the stack does not come up with IPv6");
	up();
}

void tp_up(void)
{
	if (tp_over_ipv6) {
		tp_up6();
		return;
	}
	six = false;
	if (stack_up())
		sim_fatal("the stack does not come up");
	up();
}

u32 tp_mss(void)
{
	return six ? 1440 : 1460;
}

static void unload(const char *name)
{
	int err = sim_module_there(name) && sim_module_loaded(name) ? sim_rmmod(name, false) : 0;

	if (err)
		sim_fatal("rmmod %s: error %d", name, err);
}

void tp_down(void)
{
	if (sim_open_files())
		sim_fatal("%u files are open", sim_open_files());
	unload("tcp_reno");
	unload("tcp_cubic");
	unload("tcp");
	stack_down();
}

/* ---- the host's program ---- */

static int must(int result, const char *what)
{
	if (result < 0)
		sim_fatal("line %d: %s: error %d", current_line, what, result);
	return result;
}

static int open_bound(void)
{
	u16 af = six ? AF_INET6 : AF_INET;
	struct ip_addr any = ip_addr_any(af);
	int fd = must(c_socket(af, SOCK_STREAM, 0), "socket");

	must(c_setint(fd, SOL_SOCKET, SO_REUSEADDR, 1), "SO_REUSEADDR");
	must(c_bind_to(fd, af, &any, tp.host_port), "bind");
	return fd;
}

int tp_listen(void)
{
	int fd = open_bound();

	must(c_listen(fd, 8), "listen");
	must(c_nonblock(fd, true), "O_NONBLOCK");
	return fd;
}

static void agree(const char *syn_options)
{
	tp.ts = strstr(syn_options, "ts ") != NULL;
}

int tp_accepted(const char *syn_options)
{
	int listener = tp_listen(), fd;
	char text[128];

	snprintf(text, sizeof(text), "S 0(0) <%s>", syn_options);
	in(text);
	out("S. 0(0) ack 1");
	agree(syn_options);
	in(". 1(0) ack 1");
	fd = must(c_accept(listener, SOCK_NONBLOCK), "accept");
	c_close(listener);
	return fd;
}

int tp_connecting(void)
{
	struct ip_addr to = six ? PEER6 : ip_addr_v4(PEER);
	int fd = open_bound(), err;

	must(c_nonblock(fd, true), "O_NONBLOCK");
	err = c_connect_to(fd, six ? AF_INET6 : AF_INET, &to, tp.port);
	if (err != -EINPROGRESS)
		sim_fatal("connect: %d", err);
	return fd;
}

int tp_connected(const char *syn_options)
{
	int fd = tp_connecting();
	char text[128];

	out("S 0(0)");
	agree(syn_options);
	snprintf(text, sizeof(text), "S. 0(0) ack 1 <%s>", syn_options);
	in(text);
	out(". 1(0) ack 1");
	return fd;
}

long tp_send(int fd, u32 n, int flags)
{
	u8 *buf = malloc(n + 1);
	long sent;
	u32 i;

	for (i = 0; i < n; i++)
		buf[i] = octet(true, 1 + sent_octets + i);
	if (flags & MSG_FASTOPEN)
		sent = c_sendto(fd, buf, n, flags, PEER, tp.port);
	else
		sent = c_send(fd, buf, n, flags);
	if (sent > 0)
		sent_octets += sent;
	free(buf);
	tp.last_at = sim_now();
	return sent;
}

long tp_write(int fd, u32 n)
{
	return tp_send(fd, n, MSG_DONTWAIT | MSG_NOSIGNAL);
}

long tp_read(int fd, u32 n)
{
	u8 *buf = malloc(n + 1);
	long got = c_recv(fd, buf, n, MSG_DONTWAIT), i;

	for (i = 0; i < got; i++) {
		if (buf[i] != octet(false, 1 + read_octets + i))
			sim_fatal("line %d: octet %ld read is wrong", current_line, i);
	}
	if (got > 0)
		read_octets += got;
	free(buf);
	return got;
}

int tp_state(int fd)
{
	u8 info[256];
	u32 len = sizeof(info);
	int err = c_getopt(fd, IPPROTO_TCP, TCP_INFO, info, &len);

	return err ? err : info[0];
}

/* With a reset, so that no TIME-WAIT remains; a socket that knows the end of its connection is only
 * closed. */
void tp_finish(int fd)
{
	const struct {
		int on, seconds;
	} linger = { 1, 0 };

	c_setopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	c_close(fd);
	sim_run_ms(1);
	tp_forget();
}

void tp_time_wait(int fd)
{
	c_close(fd);
	out("F. 1(0) ack 1");
	in("F. 1(0) ack 2");
	out(". 2(0) ack 2");
}

/* ---- scripts with numbers ---- */

void tp_segments(int line, u32 seq, u32 n)
{
	for (u32 i = 0; i < n; i++)
		tp_out(line, tp_format(". %u(1000) ack 1", seq + i * 1000));
}

void tp_sysctl(const char *name, const char *value)
{
	if (sim_write(tp_format("/proc/sys/net/ipv4/%s", name), value))
		sim_fatal("%s cannot be %s", name, value);
}

void tp_up_quiet(void)
{
	tp_up();
	tp_sysctl("tcp_early_retrans", "0");
}
