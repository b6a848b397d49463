/* SPDX-License-Identifier: MIT */
/* fuzz_sock_diag.c - what a program may ask about sockets, filters and orders to end them included.
 * Each record: type, flags, length, then the body, whose family is put right as often as not, so
 * that the input reaches the filter. There are sockets of each kind, made anew for each input. */
#include "fuzz.h"

#include <kernel/net/socket_internal.h>
#include <uapi/netlink.h>
#include <uapi/sock_diag.h>

static const struct {
	u16 family, type;
	int protocol;
	u16 port; /* bound to, if it is one of IP */
} kinds[] = {
	{ AF_INET, SOCK_STREAM, 0, 80 },    { AF_INET6, SOCK_STREAM, 0, 81 },
	{ AF_INET, SOCK_DGRAM, 0, 53 },	    { AF_INET6, SOCK_DGRAM, 0, 54 },
	{ AF_INET, SOCK_RAW, 200, 0 },	    { AF_UNIX, SOCK_STREAM, 0, 0 },
	{ AF_PACKET, SOCK_RAW, 0x0300, 0 }, { AF_NETLINK, SOCK_RAW, NETLINK_SOCK_DIAG, 0 },
};

static struct socket *socks[ARRAY_SIZE(kinds)];

static void open_one(u32 i)
{
	u8 name[SOCKADDR_MAX] = { kinds[i].family };
	struct socket *s = socket_create(kinds[i].family, kinds[i].type, kinds[i].protocol);

	fuzz_must(!IS_ERR(s) && !socket_enter(s));
	put_be16(name + 2, kinds[i].port);
	if (kinds[i].port) {
		fuzz_must(!s->ops->bind(s, name, kinds[i].family == AF_INET ? 16 : 28));
		if (kinds[i].type == SOCK_STREAM)
			fuzz_must(!s->ops->listen(s, 4));
	}
	socket_leave(s);
	socks[i] = s;
}

static void send_one(struct socket *s, const u8 *data, u32 len)
{
	static const u8 families[] = { AF_INET, AF_INET6, AF_UNIX, AF_PACKET, AF_NETLINK };
	static const u8 protocols[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_RAW };
	u8 m[1024] __attribute__((aligned(4)));
	struct nlmsghdr h = {
		.nlmsg_len = sizeof(h) + len,
		.nlmsg_type = data[0] & 0x80 ? data[0] & 31 : SOCK_DIAG_BY_FAMILY + (data[0] & 1),
		.nlmsg_flags = NLM_F_REQUEST | (data[1] & 0x40 ? NLM_F_DUMP : 0) |
			       (data[1] & 0x80 ? NLM_F_ACK : 0),
	};
	struct iovec iov = { m, sizeof(h) + len };
	struct msg msg = { .flags = MSG_DONTWAIT };

	memcpy(m, &h, sizeof(h));
	memcpy(m + sizeof(h), data + 4, len);
	if (len > 1 && (data[1] & 0x20)) {
		m[sizeof(h)] = families[m[sizeof(h)] % ARRAY_SIZE(families)];
		m[sizeof(h) + 1] = protocols[m[sizeof(h) + 1] % ARRAY_SIZE(protocols)];
	}
	iter_init(&msg.iter, &iov, 1, false);
	socket_sendmsg(s, &msg);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct socket *s;

	fuzz_begin();
	fuzz_modules("ipv6 udp tcp packet netlink sock_diag");
	for (u32 i = 0; i < ARRAY_SIZE(kinds); i++)
		open_one(i);
	s = socks[ARRAY_SIZE(kinds) - 1];
	while (size > 4) {
		u32 len = min((size_t)(get_be16(data + 2) & 511), size - 4);

		send_one(s, data, len);
		fuzz_drain_netlink(s);
		data += 4 + len;
		size -= 4 + len;
	}
	for (u32 i = 0; i < ARRAY_SIZE(kinds); i++)
		sock_close(socks[i]);
	fuzz_end();
	return 0;
}
