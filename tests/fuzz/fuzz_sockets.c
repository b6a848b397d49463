/* SPDX-License-Identifier: MIT */
/* fuzz_sockets.c - sequences of socket calls on sockets of every kind, talking to each other over
 * the loop and over local sockets, with arguments from the input. No call blocks. */
#include "fuzz6.h"

#include <core/syscall.h>

#include "calls.h"

#define FDS 8
#define RECORD 6
#define OPTIONS 108 /* the highest are UDP's */

#define CALL(name) long sim_sys_##name(u64 a, u64 b, u64 c, u64 d, u64 e, u64 f);
CALL(bind)
CALL(connect)
CALL(accept4)
CALL(socketpair)
CALL(sendmsg)
CALL(recvmsg)
CALL(getsockname)
CALL(getpeername)
CALL(getsockopt)

static int fds[FDS];
static u8 buf[70000];

static int *slot(u8 n)
{
	return &fds[n % FDS];
}

static void put(int *where, int fd)
{
	if (fd < 0)
		return;
	if (*where >= 0)
		c_close(*where);
	*where = fd;
	c_nonblock(fd, true);
}

static u32 make_name6(u8 *name, const u8 *r)
{
	struct ip_addr a = r[2] & 8  ? ip6("::1") :
			   r[2] & 16 ? HOST6 :
			   r[2] & 32 ? ip_addr_v4(IP4(127, 0, 0, 1)) :
			   r[5] & 1  ? host_ll() :
				       ip6("::");
	struct sockaddr_in6 in = { .sin6_family = AF_INET6,
				   .sin6_port = htons(7000 + r[3] % 4),
				   .sin6_scope_id = r[5] & 3 };

	memcpy(in.sin6_addr, &a, 16);
	memcpy(name, &in, sizeof(in));
	return r[2] & 128 ? r[4] % SOCKADDR_MAX : sizeof(in);
}

/* A name of any family, mostly one that means something. */
static u32 make_name(u8 *name, const u8 *r)
{
	memset(name, 0, SOCKADDR_MAX);
	name[0] = r[2] & 3 ? (r[2] & 4 ? AF_UNIX : AF_INET) : r[3];
	if (name[0] == AF_INET && r[3] & 16)
		return make_name6(name, r);
	if (name[0] == AF_UNIX) {
		name[3] = 'a' + r[3] % 4; /* abstract */
		return 4 + (r[2] >> 6);
	}
	put_be16(name + 2, 7000 + r[3] % 4);
	put_be32(name + 4, r[2] & 8 ? IP4(127, 0, 0, 1) : r[2] & 16 ? HOST : r[2] & 32 ? PEER : 0);
	return r[2] & 128 ? r[4] % SOCKADDR_MAX : sizeof(struct sockaddr_in);
}

static void open_one(const u8 *r)
{
	static const u8 families[] = { AF_INET, AF_INET, AF_INET,  AF_UNIX,
				       AF_UNIX, 3,	 AF_INET6, AF_INET6 };
	static const u8 types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_RAW, SOCK_SEQPACKET };
	static const u8 protocols[] = {
		0, 0, 0, IPPROTO_ICMP, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMPV6, 255
	};

	put(slot(r[1]), c_socket(families[r[2] % sizeof(families)], types[r[3] % 4],
				 protocols[r[4] % sizeof(protocols)]));
}

static void message(const u8 *r, bool send)
{
	u8 name[SOCKADDR_MAX], control[128];
	struct iovec iov[2] = { { buf, r[4] * 97 }, { buf + 30000, r[5] } };
	struct user_msghdr m = { .iov = (u64)iov,
				 .iov_len = 1 + (r[3] & 1),
				 .control = (u64)control,
				 .control_len = r[3] & 2 ? r[5] % sizeof(control) : 0 };

	/* descriptors that travel are none: sockets in each other's queues would never go */
	memset(control, 0xff, sizeof(control));
	memset(control, 0, 16);
	m.name = (u64)name;
	m.name_len = r[3] & 4 || !send ? make_name(name, r) : 0;
	control[0] = r[5] % 72;
	control[8] = r[3] & 8  ? SOL_SOCKET :
		     r[3] & 32 ? SOL_IPV6 :
		     r[3] & 64 ? IPPROTO_UDP :
				 SOL_IP;
	control[12] = r[4];
	if (send)
		sim_sys_sendmsg(*slot(r[1]), (u64)&m,
				MSG_DONTWAIT | MSG_NOSIGNAL | (r[3] & 16 ? r[5] : 0), 0, 0, 0);
	else
		sim_sys_recvmsg(*slot(r[1]), (u64)&m, MSG_DONTWAIT | (r[3] & 16 ? r[5] : 0), 0, 0,
				0);
}

static void options(const u8 *r, bool set)
{
	static const u16 levels[] = { SOL_SOCKET, SOL_IP, IPPROTO_TCP, IPPROTO_UDP, SOL_RAW, 41 };
	u32 value[16] = { get_be16(r + 4), r[5], 0 }, len = r[2] & 128 ? r[5] % 64 : 4;
	int level = levels[r[2] % 6];

	if (set)
		c_setopt(*slot(r[1]), level, r[3] % OPTIONS, value, len);
	else
		c_getopt(*slot(r[1]), level, r[3] % OPTIONS, value, &len);
}

static void pair(const u8 *r)
{
	static const u8 types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET };
	int two[2];

	if (sim_sys_socketpair(AF_UNIX, types[r[2] % 3], 0, (u64)two, 0, 0))
		return;
	put(slot(r[1]), two[0]);
	put(slot(r[1] + 1), two[1]);
}

static void names(const u8 *r)
{
	u8 name[SOCKADDR_MAX];
	int len = (s8)r[2];

	sim_sys_getsockname(*slot(r[1]), (u64)name, (u64)&len, 0, 0, 0);
	len = r[3] % SOCKADDR_MAX;
	sim_sys_getpeername(*slot(r[1]), (u64)name, (u64)&len, 0, 0, 0);
}

static void call(const u8 *r)
{
	u8 name[SOCKADDR_MAX];
	int fd = *slot(r[1]), v = 0;
	u32 len;

	switch (r[0] % 16) {
	case 0:
		open_one(r);
		break;
	case 1:
		len = make_name(name, r);
		sim_sys_bind(fd, (u64)name, len, 0, 0, 0);
		break;
	case 2:
		len = make_name(name, r);
		sim_sys_connect(fd, (u64)name, len, 0, 0, 0);
		break;
	case 3:
		c_listen(fd, (s8)r[2]);
		break;
	case 4:
		put(slot(r[2]), sim_sys_accept4(fd, 0, 0, SOCK_NONBLOCK, 0, 0));
		break;
	case 5:
		message(r, true);
		break;
	case 6:
		message(r, false);
		break;
	case 7:
		c_shutdown(fd, r[2] % 4);
		break;
	case 8:
		options(r, true);
		break;
	case 9:
		options(r, false);
		break;
	case 10:
		pair(r);
		break;
	case 11:
		names(r);
		break;
	case 12:
		c_poll(fd, get_be16(r + 2), 0);
		break;
	case 13:
		/* interfaces stay as they are */
		c_ioctl(fd, r[2] & 1 ? 0x541b : r[2] & 2 ? 0x5411 : 0x8905, &v);
		break;
	case 14:
		sim_run(r[2] * (r[3] & 1 ? NSEC_PER_MSEC : 50 * NSEC_PER_USEC));
		break;
	default:
		if (fd >= 0)
			c_close(fd);
		*slot(r[1]) = -1;
	}
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	u32 i;

	fuzz_begin6();
	fuzz_modules("udp tcp tcp_cubic tcp_reno");
	for (i = 0; i < FDS; i++)
		fds[i] = -1;
	for (; size >= RECORD; data += RECORD, size -= RECORD) {
		call(data);
		sim_run(20 * NSEC_PER_USEC);
	}
	for (i = 0; i < FDS; i++) {
		if (fds[i] >= 0)
			c_close(fds[i]);
	}
	fuzz_end6();
	return 0;
}
