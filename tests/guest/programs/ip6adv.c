/* SPDX-License-Identifier: MIT */
/* ip6adv.c - the rarer half of the sockets API for IPv6: extension headers by control message, what
 * the error queue tells beside the error, hop limit 0, flow labels that are leased (RFC 6437), the
 * interface for unicasts, transparent sockets. What they must answer is what Linux answers. */
#include "ip6.h"

#include <linux/errqueue.h>
#include <linux/in6.h>

#ifndef IPV6_UNICAST_IF
#define IPV6_UNICAST_IF 76
#endif

static const unsigned char hop[8] = { 0, 0, 1, 4 };
/* RFC 4727: an experimental option that who does not know it skips */
static const unsigned char dst[16] = { 0, 1, 0x1e, 12 };

/* ---- extension headers ---- */

static void ancillary_headers(void)
{
	static const unsigned char type0[8] = { 0, 0, 0, 0 }, type2[24] = { 0, 2, 2, 1 };
	int s = udp_at("::1"), c = open6(SOCK_DGRAM, 0);
	union name to = name6("::1", port_of(s), 0);
	unsigned char *h;
	struct got *g;
	size_t n;

	check(set(s, SOL_IPV6, IPV6_RECVHOPOPTS, 1) == 0);
	check(set(s, SOL_IPV6, IPV6_RECVDSTOPTS, 1) == 0);
	check(send_control(c, to, SOL_IPV6, IPV6_HOPOPTS, hop, 8) == 7);
	g = receive(s, 0);
	h = control(g, SOL_IPV6, IPV6_HOPOPTS, &n);
	check(h && n == 8 && h[0] == IPPROTO_UDP && h[2] == 1);
	check(send_control(c, to, SOL_IPV6, IPV6_DSTOPTS, dst, 16) == 7);
	g = receive(s, 0);
	h = control(g, SOL_IPV6, IPV6_DSTOPTS, &n);
	check(h && n == 16 && h[2] == 0x1e);
	check(send_control(c, to, SOL_IPV6, IPV6_2292HOPOPTS, hop, 8) == 7);
	check(control(receive(s, 0), SOL_IPV6, IPV6_HOPOPTS, &n));
	check(send_control(c, to, SOL_IPV6, IPV6_2292DSTOPTS, dst, 16) == 7);
	check(control(receive(s, 0), SOL_IPV6, IPV6_DSTOPTS, &n));
	/* what belongs in front of a routing header stays at home without one */
	check(send_control(c, to, SOL_IPV6, IPV6_RTHDRDSTOPTS, dst, 16) == 7);
	check(!control(receive(s, 0), SOL_IPV6, IPV6_DSTOPTS, &n));
	check(setsockopt(c, SOL_IPV6, IPV6_RTHDRDSTOPTS, dst, 16) == 0);
	check(send_name(c, "x", 1, to) == 1);
	check(!control(receive(s, 0), SOL_IPV6, IPV6_DSTOPTS, &n));
	/* the message's take the place of the socket's */
	check(setsockopt(c, SOL_IPV6, IPV6_DSTOPTS, dst, 16) == 0);
	check(send_control(c, to, SOL_IPV6, IPV6_HOPOPTS, hop, 8) == 7);
	g = receive(s, 0);
	check(control(g, SOL_IPV6, IPV6_HOPOPTS, &n) && !control(g, SOL_IPV6, IPV6_DSTOPTS, &n));
	fails(send_control(c, to, SOL_IPV6, IPV6_HOPOPTS, hop, 7), EINVAL);
	fails(send_control(c, to, SOL_IPV6, IPV6_HOPOPTS, hop, 1), EINVAL);
	fails(send_control(c, to, SOL_IPV6, IPV6_HOPOPTS, hop, 0), EINVAL);
	fails(send_control(c, to, SOL_IPV6, IPV6_HOPOPTS, dst, 8), EINVAL);
	/* RFC 5095 */
	fails(send_control(c, to, SOL_IPV6, IPV6_RTHDR, type0, 8), EINVAL);
	fails(send_control(c, to, SOL_IPV6, IPV6_RTHDR, type2, 24), EINVAL);
	fails(setsockopt(c, SOL_IPV6, IPV6_RTHDR, type0, 8), EINVAL);
	fails(setsockopt(c, SOL_IPV6, IPV6_RTHDR, type2, 24), EINVAL);
	check(setsockopt(c, SOL_IPV6, IPV6_RTHDR, NULL, 0) == 0);
}

static void for_root_alone(void)
{
	int s = udp_at("::1"), c = open6(SOCK_DGRAM, 0);
	union name to = name6("::1", port_of(s), 0);

	check(seteuid(1000) == 0);
	fails(setsockopt(c, SOL_IPV6, IPV6_HOPOPTS, hop, 8), EPERM);
	fails(setsockopt(c, SOL_IPV6, IPV6_HOPOPTS, hop, 0), EPERM);
	fails(setsockopt(c, SOL_IPV6, IPV6_HOPOPTS, hop, 4), EPERM);
	fails(setsockopt(c, SOL_IPV6, IPV6_DSTOPTS, dst, 16), EPERM);
	fails(send_control(c, to, SOL_IPV6, IPV6_HOPOPTS, hop, 8), EPERM);
	fails(send_control(c, to, SOL_IPV6, IPV6_HOPOPTS, hop, 4), EINVAL);
	fails(set(c, SOL_IPV6, IPV6_TRANSPARENT, 1), EPERM);
	fails(set(c, SOL_IP, IP_TRANSPARENT, 1), EPERM);
	check(set(c, SOL_IPV6, IPV6_FREEBIND, 1) == 0);
}

/* ---- the error queue ---- */

static int closed_port(void)
{
	int fd = udp_at("::"), port = port_of(fd);

	close(fd);
	return port;
}

/* Of the message that told of the error: tracepath counts the way back by it. */
static void errors_tell_their_packet(void)
{
	int c = open6(SOCK_DGRAM, 0), four = socket(AF_INET, SOCK_DGRAM, 0), port = closed_port();
	struct pollfd f = { c, 0, 0 };
	static char big[65500];
	struct in6_pktinfo info;
	struct got *g;

	check(set(c, SOL_IPV6, IPV6_RECVERR, 1) == 0 && set(c, SOL_IP, IP_RECVERR, 1) == 0);
	check(set(c, SOL_IPV6, IPV6_RECVHOPLIMIT, 1) == 0 && set(c, SOL_IP, IP_RECVTTL, 1) == 0);
	check(set(c, SOL_IPV6, IPV6_RECVPKTINFO, 1) == 0 && set(c, SOL_IP, IP_RECVTOS, 1) == 0);
	check(set(c, SOL_IPV6, IPV6_RECVTCLASS, 1) == 0);
	check(send_name(c, "quoted", 6, name6("::1", port, 0)) == 6 && poll(&f, 1, 2000) == 1);
	g = receive(c, MSG_ERRQUEUE);
	check(g->n == 6 && control(g, SOL_IPV6, IPV6_RECVERR, NULL));
	check(control_int(g, SOL_IPV6, IPV6_HOPLIMIT) == 64);
	check(control_int(g, SOL_IPV6, IPV6_TCLASS) == 0);
	check(control(g, SOL_IPV6, IPV6_PKTINFO, NULL));
	memcpy(&info, control(g, SOL_IPV6, IPV6_PKTINFO, NULL), 20);
	check(IN6_IS_ADDR_LOOPBACK(&info.ipi6_addr));
	check(send_name(c, "quoted", 6, name6("::ffff:127.0.0.1", port, 0)) == 6);
	check(poll(&f, 1, 2000) == 1);
	g = receive(c, MSG_ERRQUEUE);
	check(control_int(g, SOL_IP, IP_TTL) == 64);
	check(*(unsigned char *)control(g, SOL_IP, IP_TOS, NULL) == 0xc0);
	memcpy(&info, control(g, SOL_IPV6, IPV6_PKTINFO, NULL), 20);
	check(IN6_IS_ADDR_V4MAPPED(&info.ipi6_addr));
	/* this host's own */
	check(set(c, SOL_IPV6, IPV6_DONTFRAG, 1) == 0);
	fails(send_name(c, big, sizeof(big), name6("::1", port, 0)), EMSGSIZE);
	g = receive(c, MSG_ERRQUEUE);
	check(control(g, SOL_IPV6, IPV6_RECVERR, NULL) &&
	      !control(g, SOL_IPV6, IPV6_HOPLIMIT, NULL) &&
	      !control(g, SOL_IPV6, IPV6_PKTINFO, NULL));
	f.fd = four;
	check(set(four, SOL_IP, IP_RECVERR, 1) == 0 && set(four, SOL_IP, IP_RECVTTL, 1) == 0);
	check(send_name(four, "quoted", 6, name4("127.0.0.1", port)) == 6);
	check(poll(&f, 1, 2000) == 1);
	check(control_int(receive(four, MSG_ERRQUEUE), SOL_IP, IP_TTL) == 64);
}

/* ---- hop limit 0 ---- */

static void hop_limit_0(void)
{
	int s = udp_at("::"), c = open6(SOCK_DGRAM, 0), none = 0, minus = -1;
	union name to = name6("::1", port_of(s), 0);
	struct ipv6_mreq m = { 0 };

	find_link();
	check(set(s, SOL_IPV6, IPV6_RECVHOPLIMIT, 1) == 0);
	check(send_control(c, to, SOL_IPV6, IPV6_HOPLIMIT, &none, 4) == 7);
	check(control_int(receive(s, 0), SOL_IPV6, IPV6_HOPLIMIT) == 0);
	check(set(c, SOL_IPV6, IPV6_UNICAST_HOPS, 0) == 0);
	check(get(c, SOL_IPV6, IPV6_UNICAST_HOPS) == 0);
	check(send_name(c, "x", 1, to) == 1);
	check(control_int(receive(s, 0), SOL_IPV6, IPV6_HOPLIMIT) == 0);
	check(send_control(c, to, SOL_IPV6, IPV6_HOPLIMIT, &minus, 4) == 7);
	check(control_int(receive(s, 0), SOL_IPV6, IPV6_HOPLIMIT) == 0);
	/* to a group it means: this host */
	inet_pton(AF_INET6, "ff12::77", &m.ipv6mr_multiaddr);
	m.ipv6mr_interface = link_index;
	check(setsockopt(s, SOL_IPV6, IPV6_ADD_MEMBERSHIP, &m, sizeof(m)) == 0);
	check(set(c, SOL_IPV6, IPV6_MULTICAST_HOPS, 0) == 0);
	check(send_name(c, "x", 1, name6("ff12::77", port_of(s), link_index)) == 1);
	check(readable(s, 1000) && control_int(receive(s, 0), SOL_IPV6, IPV6_HOPLIMIT) == 0);
	/* IPv4 knows no such control message */
	fails(send_control(c, name6("::ffff:127.0.0.1", port_of(s), 0), SOL_IP, IP_TTL, &none, 4),
	      EINVAL);
}

/* ---- interfaces, other people's addresses ---- */

static void unicast_interface(void)
{
	int c = open6(SOCK_DGRAM, 0), four = socket(AF_INET, SOCK_DGRAM, 0), v = 0;

	find_link();
	check(get(c, SOL_IPV6, IPV6_UNICAST_IF) == 0 && get(four, SOL_IP, IP_UNICAST_IF) == 0);
	fails(set(c, SOL_IPV6, IPV6_UNICAST_IF, htonl(4711)), EADDRNOTAVAIL);
	fails(set(four, SOL_IP, IP_UNICAST_IF, htonl(4711)), EADDRNOTAVAIL);
	fails(setsockopt(c, SOL_IPV6, IPV6_UNICAST_IF, &v, 3), EINVAL);
	fails(setsockopt(four, SOL_IP, IP_UNICAST_IF, &v, 3), EINVAL);
	fails(setsockopt(four, SOL_IP, IP_UNICAST_IF, &v, 1), EINVAL);
	check(set(c, SOL_IPV6, IPV6_UNICAST_IF, htonl(link_index)) == 0);
	check(set(four, SOL_IP, IP_UNICAST_IF, htonl(link_index)) == 0);
	check(get(c, SOL_IPV6, IPV6_UNICAST_IF) == (int)htonl(link_index));
	check(get(four, SOL_IP, IP_UNICAST_IF) == (int)htonl(link_index));
	/* enough for a link-local destination, but not for a connection */
	check(send_name(c, "x", 1, name6("fe80::99", 9, 0)) == 1);
	fails(connect_name(c, name6("fe80::99", 9, 0)), EINVAL);
	check(set(c, SOL_IPV6, IPV6_UNICAST_IF, 0) == 0);
	check(setsockopt(c, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3) == 0);
	fails(set(c, SOL_IPV6, IPV6_UNICAST_IF, htonl(link_index)), EINVAL);
	fails(set(c, SOL_IPV6, IPV6_UNICAST_IF, htonl(if_nametoindex("lo"))), EINVAL);
}

static void transparent(void)
{
	int c = open6(SOCK_DGRAM, 0), four = socket(AF_INET, SOCK_DGRAM, 0);

	check(get(c, SOL_IPV6, IPV6_TRANSPARENT) == 0);
	fails(bind_name(c, name6("2001:db8:99::1", 0, 0)), EADDRNOTAVAIL);
	check(set(c, SOL_IPV6, IPV6_TRANSPARENT, 1) == 0);
	check(get(c, SOL_IPV6, IPV6_TRANSPARENT) == 1 && get(c, SOL_IP, IP_TRANSPARENT) == 1);
	check(get(c, SOL_IPV6, IPV6_FREEBIND) == 0);
	check(bind_name(c, name6("2001:db8:99::1", 0, 0)) == 0);
	check(set(four, SOL_IP, IP_TRANSPARENT, 1) == 0 &&
	      bind_name(four, name4("192.0.2.77", 0)) == 0);
}

/* ---- flow labels ---- */

static int label(int fd, int action, unsigned value, int share, int flags, int linger)
{
	struct in6_flowlabel_req r = { .flr_dst = IN6ADDR_LOOPBACK_INIT,
				       .flr_label = htonl(value),
				       .flr_action = action,
				       .flr_share = share,
				       .flr_flags = flags,
				       .flr_linger = linger };

	if (setsockopt(fd, SOL_IPV6, IPV6_FLOWLABEL_MGR, &r, sizeof(r)) < 0)
		return -1;
	return ntohl(r.flr_label);
}

static int lease(int fd, unsigned value, int share, int flags)
{
	return label(fd, IPV6_FL_A_GET, value, share, flags, 0);
}

/* Nothing here is for one owner alone, so that other programs are left in peace. */
static void shared_labels(void)
{
	int a = open6(SOCK_DGRAM, 0), b = open6(SOCK_DGRAM, 0), got;
	struct in6_flowlabel_req r = { 0 };
	socklen_t len = sizeof(r);

	fails(lease(a, 0x31000, IPV6_FL_S_ANY, 0), ENOENT);
	check(lease(a, 0x31000, IPV6_FL_S_ANY, IPV6_FL_F_CREATE) == 0x31000);
	check(lease(a, 0x31000, IPV6_FL_S_ANY, 0) == 0x31000);
	check(lease(b, 0x31000, IPV6_FL_S_ANY, 0) == 0x31000);
	fails(lease(b, 0x31000, IPV6_FL_S_ANY, IPV6_FL_F_CREATE | IPV6_FL_F_EXCL), EEXIST);
	fails(lease(b, 0x31000, IPV6_FL_S_EXCL, IPV6_FL_F_CREATE), EPERM);
	fails(lease(b, 0x31001, IPV6_FL_S_NONE, IPV6_FL_F_CREATE), EINVAL);
	fails(lease(b, 0x31001, 4, IPV6_FL_F_CREATE), EINVAL);
	fails(lease(b, 0x131001, IPV6_FL_S_ANY, IPV6_FL_F_CREATE), EINVAL);
	fails(label(b, 9, 0x31000, IPV6_FL_S_ANY, 0, 0), EINVAL);
	fails(label(b, IPV6_FL_A_PUT, 0x31002, 0, 0, 0), ESRCH);
	fails(label(b, IPV6_FL_A_RENEW, 0x31002, 0, 0, 0), ESRCH);
	check(label(b, IPV6_FL_A_RENEW, 0x31000, 0, 0, 10) == 0x31000);
	check(label(b, IPV6_FL_A_PUT, 0x31000, 0, 0, 0) == 0x31000);
	fails(label(b, IPV6_FL_A_PUT, 0x31000, 0, 0, 0), ESRCH);
	fails(label(b, IPV6_FL_A_PUT, 0x31000, 0, IPV6_FL_F_REFLECT, 0), ENOPROTOOPT);
	fails(setsockopt(b, SOL_IPV6, IPV6_FLOWLABEL_MGR, &r, 31), EINVAL);
	/* one of the kernel's choice */
	got = lease(b, 0, IPV6_FL_S_ANY, IPV6_FL_F_CREATE);
	check(got > 0 && got <= 0xfffff);
	/* the connection's */
	fails(getsockopt(b, SOL_IPV6, IPV6_FLOWLABEL_MGR, &r, &len), ENOENT);
	len = 31;
	fails(getsockopt(b, SOL_IPV6, IPV6_FLOWLABEL_MGR, &r, &len), EINVAL);
	check(seteuid(1000) == 0);
	fails(label(a, IPV6_FL_A_RENEW, 0x31000, 0, 0, 200), EPERM);
}

static void labels_of_one_owner(void)
{
	int a = open6(SOCK_DGRAM, 0), b = open6(SOCK_DGRAM, 0), s = udp_at("::1");
	union name to = name6("::1", port_of(s), 0);
	struct in6_flowlabel_req r = { 0 };
	socklen_t len = sizeof(r);
	unsigned *p;

	check(lease(a, 0x32000, IPV6_FL_S_EXCL, IPV6_FL_F_CREATE) == 0x32000);
	fails(lease(b, 0x32000, IPV6_FL_S_EXCL, IPV6_FL_F_CREATE), EPERM);
	check(lease(a, 0x32001, IPV6_FL_S_PROCESS, IPV6_FL_F_CREATE) == 0x32001);
	check(lease(b, 0x32001, IPV6_FL_S_PROCESS, 0) == 0x32001);
	check(lease(a, 0x32002, IPV6_FL_S_USER, IPV6_FL_F_CREATE) == 0x32002);
	/* what a send may bear */
	check(set(s, SOL_IPV6, IPV6_FLOWINFO, 1) == 0);
	check(set(a, SOL_IPV6, IPV6_FLOWINFO_SEND, 1) == 0 &&
	      set(b, SOL_IPV6, IPV6_FLOWINFO_SEND, 1) == 0);
	to.v6.sin6_flowinfo = htonl(0x32000);
	check(send_name(a, "x", 1, to) == 1);
	p = control(receive(s, 0), SOL_IPV6, IPV6_FLOWINFO, NULL);
	check(p && (ntohl(*p) & 0xfffff) == 0x32000);
	fails(send_name(b, "x", 1, to), EINVAL);
	fails(connect_name(b, to), EINVAL);
	to.v6.sin6_flowinfo = htonl(0x32001);
	check(send_name(b, "x", 1, to) == 1);
	to.v6.sin6_flowinfo = htonl(0x32099);
	fails(send_name(a, "x", 1, to), EINVAL);
	to.v6.sin6_flowinfo = htonl(0x32000);
	check(connect_name(a, to) == 0);
	check(getsockopt(a, SOL_IPV6, IPV6_FLOWLABEL_MGR, &r, &len) == 0);
	check(ntohl(r.flr_label) == 0x32000 && r.flr_share == IPV6_FL_S_EXCL && r.flr_linger == 6);
}

static const struct test tests[] = {
	TEST(ancillary_headers), TEST(for_root_alone),	    TEST(errors_tell_their_packet),
	TEST(hop_limit_0),	 TEST(unicast_interface),   TEST(transparent),
	TEST(shared_labels),	 TEST(labels_of_one_owner),
};

int main(int argc, char **argv)
{
	return run_tests(argc, argv, tests, LENGTH(tests), 20);
}
