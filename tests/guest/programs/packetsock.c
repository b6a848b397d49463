/* SPDX-License-Identifier: MIT */
/* packetsock.c - packet sockets on lo: what is captured, names, filters, ancillary data, errors. As
 * `packetsock capture IFACE COUNT [arp]` it prints COUNT frames in hex, as a small tcpdump. */
#include "sockets.h"

#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sys/time.h>

#define SHOWN 128 /* bytes of a frame that `capture` prints */

static int lo_index;

static int open_on(int type, int protocol, int ifindex)
{
	struct sockaddr_ll sa = { .sll_family = AF_PACKET,
				  .sll_protocol = htons(protocol),
				  .sll_ifindex = ifindex };
	int fd = socket(AF_PACKET, type, 0);

	check(fd >= 0);
	check(bind(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0);
	return fd;
}

/* A datagram to the discard port of lo. */
static void send_udp(const void *data, size_t len)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons(9),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	check(fd >= 0);
	check(sendto(fd, data, len, 0, (struct sockaddr *)&to, sizeof(to)) == (ssize_t)len);
	close(fd);
}

static void wait_readable(int fd)
{
	check(wait_events(fd, POLLIN) == POLLIN);
}

static void attach(int fd, struct sock_filter *code, int n)
{
	struct sock_fprog prog = { .len = n, .filter = code };

	check(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)) == 0);
}

/* udp and destination port 9, on DLT_EN10MB */
static struct sock_filter udp_discard[] = {
	BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 12),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IP, 0, 8),
	BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 23),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 0, 6),
	BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 20),
	BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x1fff, 4, 0),
	BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 14),
	BPF_STMT(BPF_LD | BPF_H | BPF_IND, 16),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 9, 0, 1),
	BPF_STMT(BPF_RET | BPF_K, 0x40000),
	BPF_STMT(BPF_RET | BPF_K, 0),
};

static void frames_out_and_in(void)
{
	int fd = open_on(SOCK_RAW, ETH_P_ALL, lo_index);
	struct sockaddr_ll from;
	socklen_t len = sizeof(from);
	unsigned char b[2048];
	ssize_t n;

	attach(fd, udp_discard, LENGTH(udp_discard));
	send_udp("weft", 4);
	wait_readable(fd);
	n = recvfrom(fd, b, sizeof(b), 0, (struct sockaddr *)&from, &len);
	check(n == 14 + 20 + 8 + 4 && !memcmp(b + 42, "weft", 4));
	check(len == sizeof(from) && from.sll_family == AF_PACKET);
	check(from.sll_pkttype == PACKET_OUTGOING && from.sll_hatype == 772);
	check(from.sll_ifindex == lo_index && from.sll_protocol == htons(ETH_P_IP));
	wait_readable(fd);
	n = recvfrom(fd, b, sizeof(b), 0, (struct sockaddr *)&from, &len);
	check(n == 46 && from.sll_pkttype == PACKET_HOST);
	fails(recv(fd, b, sizeof(b), MSG_DONTWAIT), EAGAIN);
}

static void datagrams_without_link_header(void)
{
	int fd = open_on(SOCK_DGRAM, ETH_P_IP, lo_index);
	unsigned char b[2048];

	send_udp("weft", 4);
	wait_readable(fd);
	check(recv(fd, b, 8, MSG_PEEK | MSG_TRUNC) == 32);
	check(recv(fd, b, sizeof(b), 0) == 32 && b[0] == 0x45);
}

static void short_reads_and_lengths(void)
{
	int fd = open_on(SOCK_DGRAM, ETH_P_IP, lo_index), on = 1;
	unsigned char b[8], control[256];
	struct iovec iov = { b, sizeof(b) };
	struct msghdr m = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };
	struct tpacket_auxdata aux = { 0 };
	struct timeval stamp = { 0 }, now;
	struct cmsghdr *c;

	check(setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &on, sizeof(on)) == 0);
	check(setsockopt(fd, SOL_SOCKET, SO_TIMESTAMP, &on, sizeof(on)) == 0);
	send_udp("12345678", 8);
	wait_readable(fd);
	check(recvmsg(fd, &m, 0) == 8 && (m.msg_flags & MSG_TRUNC));
	for (c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
		if (c->cmsg_level == SOL_PACKET && c->cmsg_type == PACKET_AUXDATA)
			memcpy(&aux, CMSG_DATA(c), sizeof(aux));
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_TIMESTAMP)
			memcpy(&stamp, CMSG_DATA(c), sizeof(stamp));
	}
	check(aux.tp_len == 36 && aux.tp_snaplen == 36 && (aux.tp_status & TP_STATUS_USER));
	gettimeofday(&now, NULL);
	check(now.tv_sec - stamp.tv_sec <= 5 && now.tv_sec >= stamp.tv_sec);
}

static void filters_are_checked(void)
{
	int fd = open_on(SOCK_RAW, ETH_P_ALL, lo_index), none = 0;
	int open = open_on(SOCK_RAW, ETH_P_ALL, lo_index);
	struct sock_filter endless[] = { BPF_STMT(BPF_JMP | BPF_JA, -1),
					 BPF_STMT(BPF_RET | BPF_K, 0) };
	struct sock_filter nothing[] = { BPF_STMT(BPF_RET | BPF_K, 0) };
	struct sock_fprog prog = { .len = 2, .filter = endless };
	unsigned char b[64];

	fails(setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &none, sizeof(none)), ENOENT);
	fails(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)), EINVAL);
	prog.filter = (struct sock_filter *)16;
	fails(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)), EFAULT);
	fails(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, 4), EINVAL);
	attach(fd, nothing, 1);
	send_udp("x", 1);
	wait_readable(open);
	fails(recv(fd, b, sizeof(b), MSG_DONTWAIT), EAGAIN);
	check(setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &none, sizeof(none)) == 0);
	send_udp("x", 1);
	wait_readable(fd);
}

/* Since the last such question. */
static unsigned heard(int fd)
{
	struct tpacket_stats st;
	socklen_t len = sizeof(st);

	check(getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &st, &len) == 0 && len == sizeof(st));
	check(st.tp_drops == 0);
	return st.tp_packets;
}

static void statistics(void)
{
	int fd = open_on(SOCK_RAW, ETH_P_IP, lo_index);
	unsigned n = 0;

	for (int i = 0; i < 5; i++)
		send_udp("x", 1);
	soon((n += heard(fd)) >= 5);
	soon(heard(fd) == 0); /* each is told once */
}

static void names(void)
{
	int fd = open_on(SOCK_RAW, ETH_P_ARP, lo_index);
	struct sockaddr_ll sa;
	socklen_t len = sizeof(sa);

	check(getsockname(fd, (struct sockaddr *)&sa, &len) == 0 && len == 18);
	check(sa.sll_ifindex == lo_index && sa.sll_hatype == 772 && sa.sll_halen == 6);
	check(sa.sll_protocol == htons(ETH_P_ARP));
	fails(getpeername(fd, (struct sockaddr *)&sa, &len), EOPNOTSUPP);
	fails(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), EOPNOTSUPP);
	fails(listen(fd, 1), EOPNOTSUPP);
	sa.sll_ifindex = 4711;
	fails(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), ENODEV);
	fails(bind(fd, (struct sockaddr *)&sa, 10), EINVAL);
	sa.sll_family = AF_INET;
	fails(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), EINVAL);
}

static void sends_to_itself(void)
{
	int raw = open_on(SOCK_RAW, 0x88b5, lo_index), dgram = socket(AF_PACKET, SOCK_DGRAM, 0);
	struct sockaddr_ll to = { .sll_family = AF_PACKET,
				  .sll_protocol = htons(0x88b5),
				  .sll_ifindex = lo_index,
				  .sll_halen = 6 };
	unsigned char b[100];

	check(sendto(dgram, "hello, weft", 11, 0, (struct sockaddr *)&to, sizeof(to)) == 11);
	wait_readable(raw);
	check(recv(raw, b, sizeof(b), 0) == 25 && !memcmp(b + 14, "hello, weft", 11));
	check(b[12] == 0x88 && b[13] == 0xb5);
	/* Linux does not look at the family either, and programs leave it out */
	to.sll_family = 0;
	check(sendto(dgram, "again", 5, 0, (struct sockaddr *)&to, sizeof(to)) == 5);
	to.sll_ifindex = 4711;
	fails(sendto(dgram, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)), ENXIO);
	fails(sendto(dgram, "x", 1, 0, (struct sockaddr *)&to, 10), EINVAL);
	fails(send(dgram, "x", 1, 0), ENXIO);
}

static void memberships(void)
{
	int fd = open_on(SOCK_RAW, 0, lo_index);
	struct packet_mreq mr = { .mr_ifindex = lo_index, .mr_type = PACKET_MR_PROMISC };

	check(setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &mr, sizeof(mr)) == 0);
	check(setsockopt(fd, SOL_PACKET, PACKET_DROP_MEMBERSHIP, &mr, sizeof(mr)) == 0);
	mr.mr_ifindex = 4711;
	fails(setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &mr, sizeof(mr)), ENODEV);
	fails(setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &mr, 4), EINVAL);
	fails(setsockopt(fd, SOL_PACKET, 999, &mr, sizeof(mr)), ENOPROTOOPT);
}

static void only_for_root(void)
{
	check(setuid(65534) == 0);
	fails(socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL)), EPERM);
	fails(socket(AF_PACKET, SOCK_DGRAM, 0), EPERM);
}

/* ---- a capture for the tests of the wire ---- */

static int capture(const char *ifname, int count, int only_arp)
{
	struct sock_filter arp[] = { BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 12),
				     BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_ARP, 0, 1),
				     BPF_STMT(BPF_RET | BPF_K, 0x40000),
				     BPF_STMT(BPF_RET | BPF_K, 0) };
	int index = if_nametoindex(ifname), fd;
	struct packet_mreq mr = { .mr_ifindex = index, .mr_type = PACKET_MR_PROMISC };

	check(index > 0);
	fd = socket(AF_PACKET, SOCK_RAW, 0);
	check(fd >= 0);
	if (only_arp)
		attach(fd, arp, LENGTH(arp));
	check(setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &mr, sizeof(mr)) == 0);
	check(bind(fd,
		   (struct sockaddr *)&(struct sockaddr_ll){ .sll_family = AF_PACKET,
							     .sll_protocol = htons(ETH_P_ALL),
							     .sll_ifindex = index },
		   sizeof(struct sockaddr_ll)) == 0);
	printf("listening\n");
	fflush(stdout);
	for (int i = 0; i < count; i++) {
		struct sockaddr_ll from;
		socklen_t len = sizeof(from);
		static unsigned char b[65536];
		char hex[2 * SHOWN + 1];
		ssize_t n = recvfrom(fd, b, sizeof(b), 0, (struct sockaddr *)&from, &len);

		check(n >= 0);
		for (ssize_t k = 0; k < n && k < SHOWN; k++) {
			hex[2 * k] = "0123456789abcdef"[b[k] >> 4];
			hex[2 * k + 1] = "0123456789abcdef"[b[k] & 15];
		}
		hex[2 * (n < SHOWN ? n : SHOWN)] = 0;
		printf("frame %d %zd %s\n", from.sll_pkttype, n, hex);
		fflush(stdout);
	}
	return 0;
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(frames_out_and_in),
		TEST(datagrams_without_link_header),
		TEST(short_reads_and_lengths),
		TEST(filters_are_checked),
		TEST(statistics),
		TEST(names),
		TEST(sends_to_itself),
		TEST(memberships),
		TEST(only_for_root),
	};

	if (argc > 3 && !strcmp(argv[1], "capture"))
		return capture(argv[2], atoi(argv[3]), argc > 4);
	lo_index = if_nametoindex("lo");
	return run_tests(argc, argv, tests, LENGTH(tests), 20);
}
