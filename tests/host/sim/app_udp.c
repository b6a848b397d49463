/* SPDX-License-Identifier: MIT */
/* app_udp.c - datagrams there and back: an echo server, and a client that sends sizes from its key,
 * fragments among them, and knows what each answer must hold. */
#include <core/sched.h>
#include <weft/alloc.h>
#include <weft/bytes.h>
#include <weft/string.h>
#include <weft/time.h>

#include "app.h"
#include "calls.h"
#include "sim.h"

#define DATAGRAM_MAX 9000
#define HEADER 8

/* Number, then octets that tell of it. */
static u32 compose(u8 *p, u64 key, u32 number)
{
	u64 z = (key + number) * 0x9e3779b97f4a7c15ull;
	u32 len = HEADER + (z >> 40) % (number % 8 ? 1400 : DATAGRAM_MAX - HEADER), i;

	put_be32(p, number);
	put_be32(p + 4, len);
	for (i = HEADER; i < len; i++)
		p[i] = z >> (i % 8 * 8);
	return len;
}

static int udp_socket(const struct app_datagrams *d, u16 port)
{
	int fd = c_socket(d->af, SOCK_DGRAM, 0), err;

	if (fd < 0)
		return fd;
	err = c_bind_to(fd, d->af, &d->local, port);
	if (!err)
		return fd;
	c_close(fd);
	return err;
}

static long echo(void *datagrams)
{
	struct app_datagrams *d = datagrams;
	int fd = udp_socket(d, d->port);
	u8 *buf = kmalloc(DATAGRAM_MAX);
	struct ip_addr addr;
	u16 port;
	long n;

	while (fd >= 0 && buf && !d->stop) {
		if (!c_poll(fd, POLLIN, 100))
			continue;
		n = c_recvfrom_of(fd, buf, DATAGRAM_MAX, MSG_DONTWAIT, &addr, &port);
		if (n < 0)
			continue;
		d->received++;
		if (c_sendto_to(fd, d->af, buf, n, 0, &addr, port) == n)
			d->sent++;
	}
	kfree(buf);
	return fd < 0 ? fd : c_close(fd);
}

static void hear(struct app_datagrams *d, int fd, u8 *buf, u8 *want)
{
	long n;

	while ((n = c_recv(fd, buf, DATAGRAM_MAX, MSG_DONTWAIT)) >= 0) {
		u32 number = n >= HEADER ? get_be32(buf) : ~0u;

		d->received++;
		if (number >= d->count || compose(want, d->key, number) != n ||
		    memcmp(buf, want, n))
			d->wrong++;
	}
}

static long send_and_hear(void *datagrams)
{
	struct app_datagrams *d = datagrams;
	int fd = udp_socket(d, 0);
	u8 *buf = kmalloc(DATAGRAM_MAX), *want = kmalloc(DATAGRAM_MAX);
	u32 i;

	for (i = 0; fd >= 0 && buf && want && i < d->count; i++) {
		u32 len = compose(buf, d->key, i);

		if (c_sendto_to(fd, d->af, buf, len, 0, &d->remote, d->port) == (long)len)
			d->sent++;
		hear(d, fd, buf, want);
		sleep_ns(d->gap_us * NSEC_PER_USEC);
	}
	sim_run(d->linger_ms * NSEC_PER_MSEC);
	if (fd >= 0 && buf && want)
		hear(d, fd, buf, want);
	kfree(buf);
	kfree(want);
	return fd < 0 ? fd : c_close(fd);
}

const struct app_udp_ops app_udp_ops = { .echo = echo, .send = send_and_hear };
