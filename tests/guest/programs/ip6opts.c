/* SPDX-License-Identifier: MIT */
/* ip6opts.c - the SOL_IPV6 options and what control messages say (RFC 3493, 3542, 5014), flow
 * labels, errors with RECVERR, path MTU. What they must answer is what Linux answers. */
#include "ip6.h"

#include <linux/errqueue.h>
#include <linux/in6.h>

#define IPV6_2292PKTINFO_ 2
#define IPV6_2292HOPLIMIT_ 8

struct option {
	int opt, initially, value, then; /* then: what it is after value was set, or -errno */
};

/* Of a datagram socket. */
static const struct option options[] = {
	{ IPV6_UNICAST_HOPS, 64, 7, 7 },
	{ IPV6_UNICAST_HOPS, 64, 256, -EINVAL },
	{ IPV6_UNICAST_HOPS, 64, -2, -EINVAL },
	{ IPV6_UNICAST_HOPS, 64, -1, 64 },
	{ IPV6_MULTICAST_HOPS, 1, 255, 255 },
	{ IPV6_MULTICAST_HOPS, 1, 256, -EINVAL },
	{ IPV6_MULTICAST_HOPS, 1, -1, 1 },
	{ IPV6_MULTICAST_HOPS, 1, 0, 0 },
	{ IPV6_MULTICAST_LOOP, 1, 0, 0 },
	{ IPV6_MULTICAST_LOOP, 1, 2, -EINVAL },
	{ IPV6_MULTICAST_ALL, 1, 0, 0 },
	{ IPV6_MULTICAST_IF, 0, 1, 1 },
	{ IPV6_MULTICAST_IF, 0, 4711, -ENODEV },
	{ IPV6_MTU_DISCOVER, IPV6_PMTUDISC_WANT, IPV6_PMTUDISC_OMIT, IPV6_PMTUDISC_OMIT },
	{ IPV6_MTU_DISCOVER, IPV6_PMTUDISC_WANT, 6, -EINVAL },
	{ IPV6_TCLASS, 0, 0x28, 0x28 },
	{ IPV6_TCLASS, 0, 255, 255 },
	{ IPV6_TCLASS, 0, 256, -EINVAL },
	{ IPV6_TCLASS, 0, -1, 0 },
	{ IPV6_TCLASS, 0, -2, -EINVAL },
	{ IPV6_RECVERR, 0, 5, 1 },
	{ IPV6_RECVPKTINFO, 0, 5, 1 },
	{ IPV6_RECVHOPLIMIT, 0, 5, 1 },
	{ IPV6_RECVTCLASS, 0, 5, 1 },
	{ IPV6_FLOWINFO, 0, 5, 1 },
	{ IPV6_FLOWINFO_SEND, 0, 5, 1 },
	{ IPV6_RECVHOPOPTS, 0, 5, 1 },
	{ IPV6_RECVDSTOPTS, 0, 5, 1 },
	{ IPV6_RECVRTHDR, 0, 5, 1 },
	{ IPV6_RECVPATHMTU, 0, 5, 1 },
	{ IPV6_RECVORIGDSTADDR, 0, 5, 1 },
	{ IPV6_2292PKTINFO_, 0, 5, 1 },
	{ IPV6_2292HOPLIMIT_, 0, 5, 1 },
	{ IPV6_DONTFRAG, 0, 5, 1 },
	{ IPV6_AUTOFLOWLABEL, 1, 0, 0 },
	{ IPV6_FREEBIND, 0, 5, 1 },
	{ IPV6_V6ONLY, 0, 5, 1 },
	{ IPV6_ADDR_PREFERENCES, 0x500, IPV6_PREFER_SRC_TMP, 0x401 },
	{ IPV6_ADDR_PREFERENCES, 0x500, IPV6_PREFER_SRC_PUBLIC, 0x402 },
	{ IPV6_ADDR_PREFERENCES, 0x500, IPV6_PREFER_SRC_COA, 0x104 },
	{ IPV6_ADDR_PREFERENCES, 0x500, IPV6_PREFER_SRC_TMP | IPV6_PREFER_SRC_PUBLIC, -EINVAL },
	{ IPV6_ADDR_PREFERENCES, 0x500, IPV6_PREFER_SRC_COA | IPV6_PREFER_SRC_HOME, -EINVAL },
	{ IPV6_ADDR_PREFERENCES, 0x500, 0, 0x500 },
};

static void datagram_options(void)
{
	for (size_t i = 0; i < LENGTH(options); i++) {
		const struct option *o = &options[i];
		int fd = open6(SOCK_DGRAM, 0), err, now;

		now = get(fd, SOL_IPV6, o->opt);
		if (now != o->initially)
			printf("option %d is %d at first\n", o->opt, now);
		check(now == o->initially);
		err = set(fd, SOL_IPV6, o->opt, o->value) ? -errno : 0;
		now = get(fd, SOL_IPV6, o->opt);
		if (err != (o->then < 0 ? o->then : 0) || (!err && now != o->then))
			printf("option %d set to %d: %d, then %d\n", o->opt, o->value, err, now);
		check(err == (o->then < 0 ? o->then : 0) &&
		      now == (o->then < 0 ? o->initially : o->then));
		close(fd);
	}
}

static void lengths(void)
{
	int fd = open6(SOCK_DGRAM, 0), v = 9;
	socklen_t len = 1;
	unsigned char byte = 3, info[40] = { 0 };

	fails(setsockopt(fd, SOL_IPV6, IPV6_UNICAST_HOPS, &byte, 1), EINVAL);
	fails(setsockopt(fd, SOL_IPV6, IPV6_V6ONLY, &byte, 1), EINVAL);
	check(getsockopt(fd, SOL_IPV6, IPV6_UNICAST_HOPS, &v, &len) == 0 && len == 1 &&
	      (v & 0xff) == 64 && v >> 8 == 0);
	len = 100;
	check(getsockopt(fd, SOL_IPV6, IPV6_TCLASS, &v, &len) == 0 && len == 4);
	check(setsockopt(fd, SOL_IPV6, IPV6_PKTINFO, info, 20) == 0);
	fails(setsockopt(fd, SOL_IPV6, IPV6_PKTINFO, info, 0), EINVAL);
	fails(setsockopt(fd, SOL_IPV6, IPV6_PKTINFO, info, 19), EINVAL);
	fails(setsockopt(fd, SOL_IPV6, IPV6_ADD_MEMBERSHIP, info, 16), EINVAL);
}

static void absent(void)
{
	static const int opts[] = { 9, 12, 40, 63, 71, 79, 80, 89 };
	int fd = open6(SOCK_DGRAM, 0), four = socket(AF_INET, SOCK_DGRAM, 0), v = 1;
	socklen_t len = sizeof(v);

	for (size_t i = 0; i < LENGTH(opts); i++) {
		fails(set(fd, SOL_IPV6, opts[i], 1), ENOPROTOOPT);
		fails(getsockopt(fd, SOL_IPV6, opts[i], &v, &len), ENOPROTOOPT);
	}
	fails(set(four, SOL_IPV6, IPV6_V6ONLY, 1), ENOPROTOOPT);
	fails(set(four, SOL_IPV6, IPV6_TCLASS, 1), ENOPROTOOPT);
	fails(getsockopt(four, SOL_IPV6, IPV6_V6ONLY, &v, &len), EOPNOTSUPP);
	fails(getsockopt(fd, 4711, IPV6_V6ONLY, &v, &len), ENOPROTOOPT);
	fails(setsockopt(fd, 4711, IPV6_V6ONLY, &v, len), ENOPROTOOPT);
	/* cannot be asked for */
	fails(getsockopt(fd, SOL_IPV6, IPV6_PKTINFO, &v, &len), ENOPROTOOPT);
	fails(getsockopt(fd, SOL_IPV6, IPV6_ADD_MEMBERSHIP, &v, &len), ENOPROTOOPT);
	fails(set(fd, SOL_IPV6, IPV6_HDRINCL, 1), ENOPROTOOPT);
}

/* Each level is about its version. */
static void levels(void)
{
	int fd = open6(SOCK_DGRAM, 0), t = open6(SOCK_STREAM, 0);

	check(set(fd, SOL_IP, IP_TTL, 9) == 0 && get(fd, SOL_IPV6, IPV6_UNICAST_HOPS) == 64);
	check(set(fd, SOL_IPV6, IPV6_UNICAST_HOPS, 5) == 0 && get(fd, SOL_IP, IP_TTL) == 9);
	check(set(fd, SOL_IP, IP_TOS, 0x10) == 0 && get(fd, SOL_IPV6, IPV6_TCLASS) == 0);
	check(set(fd, SOL_IPV6, IPV6_RECVERR, 1) == 0 && get(fd, SOL_IP, IP_RECVERR) == 0);
	check(set(fd, SOL_IPV6, IPV6_MULTICAST_LOOP, 0) == 0 &&
	      get(fd, SOL_IP, IP_MULTICAST_LOOP) == 1);
	fails(set(t, SOL_IPV6, IPV6_MULTICAST_HOPS, 3), ENOPROTOOPT);
	fails(set(t, SOL_IPV6, IPV6_MULTICAST_IF, 1), ENOPROTOOPT);
	check(set(t, SOL_IPV6, IPV6_UNICAST_HOPS, 5) == 0);
	check(set(t, SOL_IP, IP_TTL, 5) == 0);
	check(set(t, SOL_IPV6, IPV6_TCLASS, 0x1b) == 0 && get(t, SOL_IPV6, IPV6_TCLASS) == 0x18);
}

/* ---- control messages ---- */

static void receive_control(void)
{
	int s = udp_at("::"), c = open6(SOCK_DGRAM, 0), port = port_of(s),
	    lo = if_nametoindex("lo");
	struct in6_pktinfo info;
	struct in_pktinfo info4;
	struct got *g;
	size_t len;
	void *p;

	check(set(s, SOL_IPV6, IPV6_RECVPKTINFO, 1) == 0);
	check(set(s, SOL_IPV6, IPV6_RECVHOPLIMIT, 1) == 0);
	check(set(s, SOL_IPV6, IPV6_RECVTCLASS, 1) == 0);
	check(set(c, SOL_IPV6, IPV6_TCLASS, 0x28) == 0);
	check(set(c, SOL_IPV6, IPV6_UNICAST_HOPS, 33) == 0);
	check(set(c, SOL_IP, IP_TTL, 44) == 0);
	check(send_name(c, "six", 3, name6("::1", port, 0)) == 3);
	g = receive(s, 0);
	check(g->n == 3 && control_int(g, SOL_IPV6, IPV6_HOPLIMIT) == 33);
	check(control_int(g, SOL_IPV6, IPV6_TCLASS) == 0x28);
	p = control(g, SOL_IPV6, IPV6_PKTINFO, &len);
	check(p && len == 20);
	memcpy(&info, p, sizeof(info));
	check(info.ipi6_ifindex == (unsigned)lo && !memcmp(&info.ipi6_addr, &in6addr_loopback, 16));
	/* IPv4 on the same socket: the address is mapped, of the rest there is nothing */
	check(send_name(c, "four", 4, name6("::ffff:127.0.0.1", port, 0)) == 4);
	g = receive(s, 0);
	p = control(g, SOL_IPV6, IPV6_PKTINFO, &len);
	check(g->n == 4 && p && len == 20);
	memcpy(&info, p, sizeof(info));
	check(info.ipi6_ifindex == (unsigned)lo && IN6_IS_ADDR_V4MAPPED(&info.ipi6_addr) &&
	      info.ipi6_addr.s6_addr[12] == 127);
	check(!control(g, SOL_IPV6, IPV6_HOPLIMIT, NULL) &&
	      !control(g, SOL_IPV6, IPV6_TCLASS, NULL));
	check(!control(g, SOL_IP, IP_TTL, NULL));
	/* SOL_IP's are told when they are asked for */
	check(set(s, SOL_IP, IP_RECVTTL, 1) == 0 && set(s, SOL_IP, IP_PKTINFO, 1) == 0);
	check(send_name(c, "four", 4, name6("::ffff:127.0.0.1", port, 0)) == 4);
	g = receive(s, 0);
	check(control_int(g, SOL_IP, IP_TTL) == 44);
	p = control(g, SOL_IP, IP_PKTINFO, &len);
	check(p && len == sizeof(info4) && control(g, SOL_IPV6, IPV6_PKTINFO, NULL));
}

static void old_control(void)
{
	int s = udp_at("::1"), c = open6(SOCK_DGRAM, 0);
	struct got *g;
	size_t len;

	check(set(s, SOL_IPV6, IPV6_2292PKTINFO_, 1) == 0);
	check(set(s, SOL_IPV6, IPV6_2292HOPLIMIT_, 1) == 0);
	check(set(s, SOL_IPV6, IPV6_RECVORIGDSTADDR, 1) == 0);
	check(send_name(c, "x", 1, name6("::1", port_of(s), 0)) == 1);
	g = receive(s, 0);
	check(control_int(g, SOL_IPV6, IPV6_2292HOPLIMIT_) == 64);
	check(control(g, SOL_IPV6, IPV6_2292PKTINFO_, &len) && len == 20);
	check(!control(g, SOL_IPV6, IPV6_PKTINFO, NULL) &&
	      !control(g, SOL_IPV6, IPV6_HOPLIMIT, NULL));
	check(control(g, SOL_IPV6, IPV6_ORIGDSTADDR, &len) && len == 28);
}

static void short_control(void)
{
	int s = udp_at("::1"), c = open6(SOCK_DGRAM, 0);
	char room[CMSG_SPACE(4)];
	struct iovec v = { room, 1 };
	struct msghdr m = {
		.msg_iov = &v, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room)
	};

	check(set(s, SOL_IPV6, IPV6_RECVPKTINFO, 1) == 0);
	check(send_name(c, "x", 1, name6("::1", port_of(s), 0)) == 1);
	check(recvmsg(s, &m, 0) == 1 && (m.msg_flags & MSG_CTRUNC));
}

static void send_pktinfo(void)
{
	int s = udp_at("::"), c = open6(SOCK_DGRAM, 0), port = port_of(s);
	union name to = name6("::1", port, 0), four = name6("::ffff:127.0.0.1", port, 0);
	struct in6_pktinfo info = { 0 };
	struct got *g;

	find_link();
	info.ipi6_addr = in6addr_loopback;
	check(send_control(c, to, SOL_IPV6, IPV6_PKTINFO, &info, 20) == 7);
	check(receive(s, 0)->n == 7);
	inet_pton(AF_INET6, "2001:db8::77", &info.ipi6_addr);
	fails(send_control(c, to, SOL_IPV6, IPV6_PKTINFO, &info, 20), EINVAL);
	fails(send_control(c, to, SOL_IPV6, IPV6_PKTINFO, &info, 19), EINVAL);
	info.ipi6_addr = in6addr_any;
	info.ipi6_ifindex = 4711;
	fails(send_control(c, to, SOL_IPV6, IPV6_PKTINFO, &info, 20), ENODEV);
	/* link-local ones want an interface */
	inet_pton(AF_INET6, link_local, &info.ipi6_addr);
	info.ipi6_ifindex = 0;
	fails(send_control(c, to, SOL_IPV6, IPV6_PKTINFO, &info, 20), EINVAL);
	info.ipi6_ifindex = link_index;
	check(send_control(c, name6(link_local, port, 0), SOL_IPV6, IPV6_PKTINFO, &info, 20) == 7);
	g = receive(s, 0);
	check(g->n == 7 && is_addr(&g->from, link_local));
	/* another interface than the name's */
	info.ipi6_ifindex = 1;
	fails(send_control(c, name6(link_local, port, link_index), SOL_IPV6, IPV6_PKTINFO, &info,
			   20),
	      EINVAL);
	/* to IPv4: a mapped source */
	memset(&info, 0, sizeof(info));
	inet_pton(AF_INET6, "::ffff:127.0.0.2", &info.ipi6_addr);
	check(send_control(c, four, SOL_IPV6, IPV6_PKTINFO, &info, 20) == 7);
	g = receive(s, 0);
	check(is_addr(&g->from, "::ffff:127.0.0.2"));
	info.ipi6_addr = in6addr_loopback;
	fails(send_control(c, four, SOL_IPV6, IPV6_PKTINFO, &info, 20), EINVAL);
}

static void send_numbers(void)
{
	int s = udp_at("::"), c = open6(SOCK_DGRAM, 0), port = port_of(s), v = 9;
	union name to = name6("::1", port, 0);
	struct got *g;

	check(set(s, SOL_IPV6, IPV6_RECVHOPLIMIT, 1) == 0);
	check(set(s, SOL_IPV6, IPV6_RECVTCLASS, 1) == 0);
	check(send_control(c, to, SOL_IPV6, IPV6_HOPLIMIT, &v, 4) == 7);
	check(control_int(receive(s, 0), SOL_IPV6, IPV6_HOPLIMIT) == 9);
	check(send_control(c, to, SOL_IPV6, IPV6_2292HOPLIMIT_, &v, 4) == 7);
	check(control_int(receive(s, 0), SOL_IPV6, IPV6_HOPLIMIT) == 9);
	v = 0x44;
	check(send_control(c, to, SOL_IPV6, IPV6_TCLASS, &v, 4) == 7);
	g = receive(s, 0);
	check(control_int(g, SOL_IPV6, IPV6_TCLASS) == 0x44 &&
	      control_int(g, SOL_IPV6, IPV6_HOPLIMIT) == 64);
	v = -1;
	check(send_control(c, to, SOL_IPV6, IPV6_HOPLIMIT, &v, 4) == 7);
	check(control_int(receive(s, 0), SOL_IPV6, IPV6_HOPLIMIT) == 64);
	v = 256;
	fails(send_control(c, to, SOL_IPV6, IPV6_HOPLIMIT, &v, 4), EINVAL);
	fails(send_control(c, to, SOL_IPV6, IPV6_TCLASS, &v, 4), EINVAL);
	v = 2;
	fails(send_control(c, to, SOL_IPV6, IPV6_DONTFRAG, &v, 4), EINVAL);
	fails(send_control(c, to, SOL_IPV6, IPV6_HOPLIMIT, &v, 2), EINVAL);
	fails(send_control(c, to, SOL_IPV6, 99, &v, 4), EINVAL);
	/* the other level's are not looked at */
	check(send_control(c, to, SOL_IP, IP_TTL, &v, 4) == 7);
	check(control_int(receive(s, 0), SOL_IPV6, IPV6_HOPLIMIT) == 64);
}

static void flow_labels(void)
{
	int s = udp_at("::"), c = open6(SOCK_DGRAM, 0), port = port_of(s);
	union name to = name6("::1", port, 0), n;
	struct got *g;
	unsigned *p;
	size_t len;

	check(set(s, SOL_IPV6, IPV6_FLOWINFO, 1) == 0);
	/* not looked at unless asked for */
	to.v6.sin6_flowinfo = htonl(0x12345);
	check(set(c, SOL_IPV6, IPV6_AUTOFLOWLABEL, 0) == 0);
	check(send_name(c, "x", 1, to) == 1);
	g = receive(s, 0);
	check(!control(g, SOL_IPV6, IPV6_FLOWINFO, NULL));
	check(set(c, SOL_IPV6, IPV6_FLOWINFO_SEND, 1) == 0);
	check(send_name(c, "x", 1, to) == 1);
	g = receive(s, 0);
	p = control(g, SOL_IPV6, IPV6_FLOWINFO, &len);
	check(p && len == 4 && (ntohl(*p) & 0xfffff) == 0x12345 && g->from.v6.sin6_flowinfo == 0);
	check(connect_name(c, to) == 0 && send(c, "x", 1, 0) == 1);
	g = receive(s, 0);
	p = control(g, SOL_IPV6, IPV6_FLOWINFO, &len);
	check(p && (ntohl(*p) & 0xfffff) == 0x12345);
	n = peer_name(c);
	check(ntohl(n.v6.sin6_flowinfo) == 0x12345);
	/* whoever says nothing gets one made */
	c = open6(SOCK_DGRAM, 0);
	check(send_name(c, "x", 1, name6("::1", port, 0)) == 1);
	g = receive(s, 0);
	p = control(g, SOL_IPV6, IPV6_FLOWINFO, &len);
	check(p && (ntohl(*p) & 0xfffff) != 0);
}

/* ---- errors ---- */

static int free_port(void)
{
	int fd = udp_at("::"), port = port_of(fd);

	close(fd);
	return port;
}

static void connected_refused(void)
{
	int c = open6(SOCK_DGRAM, 0), later = open6(SOCK_DGRAM, 0);
	char buf[8];

	check(connect_name(c, name6("::1", free_port(), 0)) == 0 && send(c, "x", 1, 0) == 1);
	fails(recv(c, buf, 8, 0), ECONNREFUSED);
	/* mapped: IPv4's errors come as well */
	check(connect_name(c, name6("::1", free_port(), 0)) == 0);
	c = open6(SOCK_DGRAM, 0);
	check(connect_name(c, name6("::ffff:127.0.0.1", free_port(), 0)) == 0);
	check(send(c, "x", 1, 0) == 1);
	fails(recv(c, buf, 8, 0), ECONNREFUSED);
	/* who is not connected and did not ask hears nothing */
	c = open6(SOCK_DGRAM, 0);
	check(send_name(c, "x", 1, name6("::1", free_port(), 0)) == 1);
	check(connect_name(later, name6("::1", free_port(), 0)) == 0 &&
	      send(later, "x", 1, 0) == 1);
	fails(recv(later, buf, 8, 0), ECONNREFUSED);
	fails(recv(c, buf, 8, MSG_DONTWAIT), EAGAIN);
}

static void error_queue(void)
{
	int c = open6(SOCK_DGRAM, 0), port = free_port();
	struct pollfd f = { c, POLLIN, 0 };
	struct sock_extended_err *ee;
	struct sockaddr_in6 *from;
	struct got *g;
	size_t len;
	char buf[8];

	check(set(c, SOL_IPV6, IPV6_RECVERR, 1) == 0);
	check(send_name(c, "quoted", 6, name6("::1", port, 0)) == 6);
	check(poll(&f, 1, 2000) == 1 && (f.revents & POLLERR));
	fails(recv(c, buf, 8, MSG_DONTWAIT), ECONNREFUSED);
	g = receive(c, MSG_ERRQUEUE);
	check(g->n == 6 && !memcmp(g->data, "quoted", 6) && (g->flags & MSG_ERRQUEUE));
	check(is_addr(&g->from, "::1") && ntohs(g->from.v6.sin6_port) == port);
	ee = control(g, SOL_IPV6, IPV6_RECVERR, &len);
	check(ee && len == sizeof(*ee) + sizeof(struct sockaddr_in6));
	check(ee->ee_errno == ECONNREFUSED && ee->ee_origin == SO_EE_ORIGIN_ICMP6 &&
	      ee->ee_type == 1 && ee->ee_code == 4 && ee->ee_info == 0);
	from = (void *)(ee + 1);
	check(from->sin6_family == AF_INET6 && !memcmp(&from->sin6_addr, &in6addr_loopback, 16));
	fails(receive(c, MSG_ERRQUEUE | MSG_DONTWAIT)->n, EAGAIN);
	/* of an IPv4 packet: its own option, the same control message */
	check(set(c, SOL_IP, IP_RECVERR, 1) == 0);
	check(send_name(c, "quoted", 6, name6("::ffff:127.0.0.1", port, 0)) == 6);
	check(poll(&f, 1, 2000) == 1 && (f.revents & POLLERR));
	g = receive(c, MSG_ERRQUEUE);
	check(g->n == 6 && is_addr(&g->from, "::ffff:127.0.0.1"));
	ee = control(g, SOL_IPV6, IPV6_RECVERR, &len);
	check(ee && ee->ee_origin == SO_EE_ORIGIN_ICMP && ee->ee_type == 3 && ee->ee_code == 3);
	from = (void *)(ee + 1);
	check(from->sin6_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&from->sin6_addr));
}

static void too_long(void)
{
	static char big[65536];
	int c = open6(SOCK_DGRAM, 0), s = udp_at("::1"), mtu;
	struct sock_extended_err *ee;
	struct ip6_mtuinfo info = { 0 };
	struct got *g;
	socklen_t len = sizeof(info);
	size_t n;

	fails(getsockopt(c, SOL_IPV6, IPV6_MTU, &mtu, &len), ENOTCONN);
	fails(getsockopt(c, SOL_IPV6, IPV6_PATHMTU, &info, &len), ENOTCONN);
	check(connect_name(c, name6("::1", port_of(s), 0)) == 0);
	mtu = get(c, SOL_IPV6, IPV6_MTU);
	check(mtu == 65536);
	len = sizeof(info);
	check(getsockopt(c, SOL_IPV6, IPV6_PATHMTU, &info, &len) == 0 && len == 32);
	check(info.ip6m_mtu == 65536);
	len = 31;
	fails(getsockopt(c, SOL_IPV6, IPV6_PATHMTU, &info, &len), EINVAL);
	fails(set(c, SOL_IPV6, IPV6_MTU, 1279), EINVAL);
	fails(send(c, big, 65528, 0), EMSGSIZE);
	/* cut to what it was told */
	check(set(c, SOL_IPV6, IPV6_MTU, 1280) == 0);
	check(send(c, big, 5000, 0) == 5000 && receive(s, MSG_TRUNC)->n == 5000);
	c = open6(SOCK_DGRAM, 0);
	check(connect_name(c, name6("::1", port_of(s), 0)) == 0);
	check(set(c, SOL_IPV6, IPV6_RECVERR, 1) == 0 && set(c, SOL_IPV6, IPV6_RECVPATHMTU, 1) == 0);
	check(set(c, SOL_IPV6, IPV6_DONTFRAG, 1) == 0);
	fails(send(c, big, 65500, 0), EMSGSIZE);
	g = receive(c, MSG_ERRQUEUE);
	ee = control(g, SOL_IPV6, IPV6_RECVERR, &n);
	check(g->n == 0 && ee && ee->ee_errno == EMSGSIZE && ee->ee_origin == SO_EE_ORIGIN_LOCAL &&
	      ee->ee_info == 65536);
	fails(send(c, big, sizeof(big), 0), EMSGSIZE);
	ee = control(receive(c, MSG_ERRQUEUE), SOL_IPV6, IPV6_RECVERR, &n);
	check(ee && ee->ee_errno == EMSGSIZE && ee->ee_info == 65536);
	g = receive(c, 0);
	check(g->n == 0 && control(g, SOL_IPV6, IPV6_PATHMTU, &n) && n == 32);
	memcpy(&info, control(g, SOL_IPV6, IPV6_PATHMTU, &n), sizeof(info));
	check(info.ip6m_mtu == 65536 && !memcmp(&info.ip6m_addr.sin6_addr, &in6addr_loopback, 16));
}

static void longest_datagram(void)
{
	static char big[65527], back[65536];
	int s = udp_at("::1"), c = open6(SOCK_DGRAM, 0);

	check(set(s, SOL_SOCKET, SO_RCVBUF, 1 << 20) == 0 &&
	      set(c, SOL_SOCKET, SO_SNDBUF, 1 << 20) == 0);
	memset(big, 'a', sizeof(big));
	big[65526] = 'z';
	check(send_name(c, big, sizeof(big), name6("::1", port_of(s), 0)) == (long)sizeof(big));
	check(recv(s, back, sizeof(back), 0) == (long)sizeof(big) &&
	      !memcmp(big, back, sizeof(big)));
}

/* ---- extension headers ---- */

static void sticky_headers(void)
{
	/* RFC 4727: an experimental option that who does not know it skips */
	unsigned char dst[16] = { 0, 1, 0x1e, 12 }, hop[8] = { 0, 0, 1, 4 }, back[64], *h;
	int s = udp_at("::1"), c = open6(SOCK_DGRAM, 0), t = open6(SOCK_STREAM, 0), l;
	socklen_t len = sizeof(back);
	struct got *g;
	size_t n;

	check(set(s, SOL_IPV6, IPV6_RECVDSTOPTS, 1) == 0 &&
	      set(s, SOL_IPV6, IPV6_RECVHOPOPTS, 1) == 0);
	check(getsockopt(c, SOL_IPV6, IPV6_DSTOPTS, back, &len) == 0 && len == 0);
	fails(setsockopt(c, SOL_IPV6, IPV6_DSTOPTS, dst, 15), EINVAL);
	check(setsockopt(c, SOL_IPV6, IPV6_DSTOPTS, dst, 16) == 0);
	check(setsockopt(c, SOL_IPV6, IPV6_HOPOPTS, hop, 8) == 0);
	len = sizeof(back);
	check(getsockopt(c, SOL_IPV6, IPV6_DSTOPTS, back, &len) == 0 && len == 16 &&
	      !memcmp(back + 1, dst + 1, 15));
	check(send_name(c, "x", 1, name6("::1", port_of(s), 0)) == 1 && readable(s, 1000));
	g = receive(s, 0);
	h = control(g, SOL_IPV6, IPV6_DSTOPTS, &n);
	check(h && n == 16 && h[0] == IPPROTO_UDP && h[2] == 0x1e);
	h = control(g, SOL_IPV6, IPV6_HOPOPTS, &n);
	check(h && n == 8 && h[0] == IPPROTO_DSTOPTS);
	check(setsockopt(c, SOL_IPV6, IPV6_DSTOPTS, NULL, 0) == 0);
	check(setsockopt(c, SOL_IPV6, IPV6_HOPOPTS, NULL, 0) == 0);
	check(send_name(c, "x", 1, name6("::1", port_of(s), 0)) == 1);
	g = receive(s, 0);
	check(!control(g, SOL_IPV6, IPV6_DSTOPTS, NULL) &&
	      !control(g, SOL_IPV6, IPV6_HOPOPTS, NULL));
	/* TCP carries them as well, and its segments stay within the MTU */
	l = open6(SOCK_STREAM, 0);
	check(bind_name(l, name6("::1", 0, 0)) == 0 && listen(l, 1) == 0);
	check(setsockopt(t, SOL_IPV6, IPV6_DSTOPTS, dst, 16) == 0);
	check(connect_name(t, name6("::1", port_of(l), 0)) == 0 && send(t, "abc", 3, 0) == 3);
	check(recv(accept(l, NULL, NULL), back, 8, 0) == 3);
}

/* ---- groups ---- */

static void membership(void)
{
	int fd = open6(SOCK_DGRAM, 0), t = open6(SOCK_STREAM, 0);
	struct ipv6_mreq m = { 0 };
	struct group_req g = { 0 };

	find_link();
	inet_pton(AF_INET6, "ff12::4242", &m.ipv6mr_multiaddr);
	m.ipv6mr_interface = link_index;
	check(setsockopt(fd, SOL_IPV6, IPV6_ADD_MEMBERSHIP, &m, sizeof(m)) == 0);
	fails(setsockopt(fd, SOL_IPV6, IPV6_ADD_MEMBERSHIP, &m, sizeof(m)), EADDRINUSE);
	fails(setsockopt(t, SOL_IPV6, IPV6_ADD_MEMBERSHIP, &m, sizeof(m)), EPROTO);
	check(setsockopt(fd, SOL_IPV6, IPV6_DROP_MEMBERSHIP, &m, sizeof(m)) == 0);
	fails(setsockopt(fd, SOL_IPV6, IPV6_DROP_MEMBERSHIP, &m, sizeof(m)), EADDRNOTAVAIL);
	m.ipv6mr_interface = 4711;
	fails(setsockopt(fd, SOL_IPV6, IPV6_ADD_MEMBERSHIP, &m, sizeof(m)), ENODEV);
	m.ipv6mr_interface = link_index;
	m.ipv6mr_multiaddr = in6addr_loopback;
	fails(setsockopt(fd, SOL_IPV6, IPV6_ADD_MEMBERSHIP, &m, sizeof(m)), EINVAL);
	g.gr_interface = link_index;
	memcpy(&g.gr_group, &(union name){ .v6 = name6("ff12::4243", 0, 0).v6 },
	       sizeof(union name));
	check(setsockopt(fd, SOL_IPV6, MCAST_JOIN_GROUP, &g, sizeof(g)) == 0);
	fails(setsockopt(fd, SOL_IPV6, MCAST_JOIN_GROUP, &g, sizeof(g)), EADDRINUSE);
	check(setsockopt(fd, SOL_IPV6, MCAST_LEAVE_GROUP, &g, sizeof(g)) == 0);
	memcpy(&g.gr_group, &(union name){ .v4 = name4("224.1.2.3", 0).v4 }, sizeof(union name));
	fails(setsockopt(fd, SOL_IPV6, MCAST_JOIN_GROUP, &g, sizeof(g)), EADDRNOTAVAIL);
}

static int member_of(const char *group, const char *source)
{
	int fd = open6(SOCK_DGRAM, 0);
	struct group_source_req r = { .gsr_interface = link_index };
	struct group_req g = { .gr_interface = link_index };
	union name n = name6(group, 0, 0);

	memcpy(&r.gsr_group, &n, sizeof(n));
	memcpy(&g.gr_group, &n, sizeof(n));
	check(set(fd, SOL_IPV6, IPV6_MULTICAST_ALL, 0) == 0);
	check(set(fd, SOL_IPV6, IPV6_RECVPKTINFO, 1) == 0 &&
	      set(fd, SOL_IPV6, IPV6_RECVHOPLIMIT, 1) == 0);
	check(bind_name(fd, name6("::", 0, 0)) == 0);
	if (source) {
		n = name6(source, 0, 0);
		memcpy(&r.gsr_source, &n, sizeof(n));
		check(setsockopt(fd, SOL_IPV6, MCAST_JOIN_SOURCE_GROUP, &r, sizeof(r)) == 0);
	} else {
		check(setsockopt(fd, SOL_IPV6, MCAST_JOIN_GROUP, &g, sizeof(g)) == 0);
	}
	return fd;
}

static void hears_itself(void)
{
	int m, s = open6(SOCK_DGRAM, 0), port;
	struct in6_pktinfo info;
	struct got *g;

	find_link();
	m = member_of("ff12::4244", NULL);
	port = port_of(m);
	check(send_name(s, "x", 1, name6("ff12::4244", port, link_index)) == 1 &&
	      readable(m, 1000));
	g = receive(m, 0);
	check(g->n == 1 && is_addr(&g->from, link_local) &&
	      g->from.v6.sin6_scope_id == (unsigned)link_index);
	check(control_int(g, SOL_IPV6, IPV6_HOPLIMIT) == 1);
	memcpy(&info, control(g, SOL_IPV6, IPV6_PKTINFO, NULL), sizeof(info));
	check(info.ipi6_ifindex == (unsigned)link_index && info.ipi6_addr.s6_addr[0] == 0xff);
	/* the interface by option, the hop limit too */
	check(set(s, SOL_IPV6, IPV6_MULTICAST_IF, link_index) == 0);
	check(set(s, SOL_IPV6, IPV6_MULTICAST_HOPS, 9) == 0);
	check(send_name(s, "x", 1, name6("ff12::4244", port, 0)) == 1 && readable(m, 1000));
	check(control_int(receive(m, 0), SOL_IPV6, IPV6_HOPLIMIT) == 9);
	/* another group, and without the loop nothing */
	check(send_name(s, "x", 1, name6("ff12::4245", port, link_index)) == 1 && !readable(m, 50));
	check(set(s, SOL_IPV6, IPV6_MULTICAST_LOOP, 0) == 0);
	check(send_name(s, "x", 1, name6("ff12::4244", port, link_index)) == 1 && !readable(m, 50));
	/* connected: the interface is the socket's from then on */
	s = open6(SOCK_DGRAM, 0);
	check(connect_name(s, name6("ff12::4244", port, link_index)) == 0 &&
	      send(s, "x", 1, 0) == 1);
	check(readable(m, 1000) && receive(m, 0)->n == 1);
	s = open6(SOCK_DGRAM, 0);
	fails(connect_name(s, name6("ff12::4244", port, 0)), EINVAL);
	check(set(s, SOL_IPV6, IPV6_MULTICAST_IF, link_index) == 0);
	check(connect_name(s, name6("ff12::4244", port, 0)) == 0);
}

static void hears_one_source(void)
{
	int a, b, s = open6(SOCK_DGRAM, 0);

	find_link();
	a = member_of("ff12::4246", link_local);
	b = member_of("ff12::4246", "fe80::1234");
	check(send_name(s, "x", 1, name6("ff12::4246", port_of(a), link_index)) == 1);
	check(send_name(s, "x", 1, name6("ff12::4246", port_of(b), link_index)) == 1);
	check(readable(a, 1000) && !readable(b, 50));
}

/* ---- TCP ---- */

static void mss(void)
{
	int l = open6(SOCK_STREAM, 0), a = open6(SOCK_STREAM, 0), b;

	check(bind_name(l, name6("::1", 0, 0)) == 0 && listen(l, 1) == 0);
	check(set(l, SOL_IPV6, IPV6_TCLASS, 0x20) == 0 &&
	      set(l, SOL_IPV6, IPV6_UNICAST_HOPS, 9) == 0);
	check(connect_name(a, name6("::1", port_of(l), 0)) == 0);
	b = accept(l, NULL, NULL);
	check(b >= 0 && get(b, SOL_IPV6, IPV6_TCLASS) == 0x20);
	check(get(b, SOL_IPV6, IPV6_UNICAST_HOPS) == 9);
	check(get(a, SOL_IPV6, IPV6_MTU) == 65536);
	check(get(a, SOL_TCP, TCP_MAXSEG) > 1220 && get(b, SOL_TCP, TCP_MAXSEG) > 1220);
	fails(set(a, SOL_IPV6, IPV6_V6ONLY, 1), EINVAL);
}

static const struct test tests[] = {
	TEST(datagram_options),
	TEST(lengths),
	TEST(absent),
	TEST(levels),
	TEST(receive_control),
	TEST(old_control),
	TEST(short_control),
	TEST(send_pktinfo),
	TEST(send_numbers),
	TEST(flow_labels),
	TEST(connected_refused),
	TEST(error_queue),
	TEST(too_long),
	TEST(longest_datagram),
	TEST(sticky_headers),
	TEST(membership),
	TEST(hears_itself),
	TEST(hears_one_source),
	TEST(mss),
};

int main(int argc, char **argv)
{
	return run_tests(argc, argv, tests, LENGTH(tests), 20);
}
