/* SPDX-License-Identifier: MIT */
/* bench_lwip.c - lwIP in the same shape as bench.c: both ends in one process, one copy in and one
 * out, one between (its loop interface), checksums in software.
 *	build/bench-host/lwip [tcp MEGABYTES | udp DATAGRAMS] */
#include <lwip/init.h>
#include <lwip/netif.h>
#include <lwip/tcp.h>
#include <lwip/timeouts.h>
#include <lwip/udp.h>
#include <string.h>
#include <time.h>

#define MSS 1460
#define BUFFER (64 * 1024)
#define PORT 9
#define BURST 64

static unsigned long amount, sent, received;
static unsigned char buffer[BUFFER];

u32_t sys_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Of this process: the machine may have others. */
static double cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

static void push(struct tcp_pcb *pcb)
{
	unsigned long n;

	while (sent < amount && (n = tcp_sndbuf(pcb)) > 0) {
		if (n > amount - sent)
			n = amount - sent;
		if (n > 32768)
			n = 32768;
		if (tcp_write(pcb, buffer, n, TCP_WRITE_FLAG_COPY) != ERR_OK)
			break;
		sent += n;
	}
	tcp_output(pcb);
}

static err_t on_sent(void *arg, struct tcp_pcb *pcb, u16_t len)
{
	push(pcb);
	return ERR_OK;
}

static err_t on_connected(void *arg, struct tcp_pcb *pcb, err_t err)
{
	push(pcb);
	return ERR_OK;
}

static err_t on_received(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t err)
{
	if (!p)
		return ERR_OK;
	pbuf_copy_partial(p, buffer, p->tot_len, 0);
	received += p->tot_len;
	tcp_recved(pcb, p->tot_len);
	pbuf_free(p);
	return ERR_OK;
}

static err_t on_accepted(void *arg, struct tcp_pcb *pcb, err_t err)
{
	tcp_recv(pcb, on_received);
	return ERR_OK;
}

static void run_tcp(void)
{
	struct tcp_pcb *l = tcp_new(), *c = tcp_new();
	ip_addr_t to;

	IP_ADDR4(&to, 127, 0, 0, 1);
	tcp_bind(l, IP_ADDR_ANY, PORT);
	l = tcp_listen(l);
	tcp_accept(l, on_accepted);
	tcp_sent(c, on_sent);
	tcp_nagle_disable(c);
	tcp_connect(c, &to, PORT, on_connected);
	while (received < amount) {
		netif_poll_all();
		sys_check_timeouts();
	}
}

static void on_datagram(void *arg, struct udp_pcb *pcb, struct pbuf *p, const ip_addr_t *from,
			u16_t port)
{
	pbuf_copy_partial(p, buffer, p->tot_len, 0);
	received++;
	pbuf_free(p);
}

static void run_udp(void)
{
	struct udp_pcb *s = udp_new(), *c = udp_new();
	ip_addr_t to;

	IP_ADDR4(&to, 127, 0, 0, 1);
	udp_bind(s, IP_ADDR_ANY, PORT);
	udp_recv(s, on_datagram, NULL);
	udp_connect(c, &to, PORT);
	while (sent < amount) {
		struct pbuf *p = pbuf_alloc(PBUF_TRANSPORT, 64, PBUF_RAM);

		pbuf_take(p, buffer, 64);
		udp_send(c, p);
		pbuf_free(p);
		if (++sent % BURST == 0)
			netif_poll_all();
	}
	netif_poll_all();
}

int main(int argc, char **argv)
{
	int udp = argc > 2 && !strcmp(argv[1], "udp");
	double start, units;

	amount = argc > 2 ? strtoul(argv[2], NULL, 0) : 200;
	if (!udp)
		amount <<= 20;
	lwip_init();
	start = cpu_ns();
	if (udp)
		run_udp();
	else
		run_tcp();
	units = udp ? (double)amount : (double)amount / MSS;
	printf("lwip %s: %.0f ns a %s, %.0f of them\n", udp ? "udp" : "tcp",
	       (cpu_ns() - start) / units, udp ? "datagram" : "segment", units);
	return received < amount * 9 / 10;
}
