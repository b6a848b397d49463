/* SPDX-License-Identifier: MIT */
/* fuzz_rtnetlink.c - what a program may write to a netlink socket: messages whose headers are put
 * right, so that the input reaches the attributes. Each record: type, flags, length, then the body.
 * Everything that is answered, and the events, are read. */
#include "fuzz.h"

#include <kernel/net/socket_internal.h>
#include <uapi/netlink.h>

static struct socket *open_netlink(void)
{
	struct sockaddr_nl sa = { AF_NETLINK, 0, 0, 0x7ff };
	struct socket *s = socket_create(AF_NETLINK, SOCK_RAW, 0);
	u8 name[SOCKADDR_MAX] = { 0 };

	memcpy(name, &sa, sizeof(sa));
	if (IS_ERR(s) || socket_enter(s))
		__builtin_trap();
	s->ops->bind(s, name, sizeof(sa));
	socket_leave(s);
	return s;
}

static void drain(struct socket *s)
{
	static u8 in[8192];
	long n;

	do {
		n = sock_recv(s, in, sizeof(in), MSG_DONTWAIT, NULL);
		if (n > 4096 + 64)
			__builtin_trap();
	} while (n > 0 || n == -ENOBUFS);
}

/* What the input may have done to the interface is undone, or later inputs find no network. */
static void restore(void)
{
	struct netif *nif;

	netif_lock();
	nif = netif_next(netif_loopback());
	if (nif && strcmp(nif->name, "eth0")) {
		netif_down(nif);
		netif_rename(nif, "eth0");
	}
	if (nif && memcmp(nif->mac, host_mac, 6)) {
		netif_down(nif);
		netif_set_mac(nif, host_mac);
	}
	if (nif) {
		netif_set_mtu(nif, 1500);
		netif_set_flags(nif, netif_user_flags(nif) & ~(u32)(IFF_NOARP | IFF_PROMISC));
	}
	netif_unlock();
	ifconfig("eth0", HOST, 24);
	route_default(PEER);
	stack_know_peer();
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static struct socket *s;
	struct nlmsghdr h = { 0 };
	u8 m[1024] __attribute__((aligned(4)));

	fuzz_begin();
	if (!s) {
		if (sim_insmod("rtnetlink", NULL))
			__builtin_trap();
		s = open_netlink();
	}
	while (size > 4) {
		u32 len = min((size_t)(get_be16(data + 2) & 511), size - 4);
		struct iovec iov = { m, sizeof(h) + len };
		struct msg msg = { 0 };

		h.nlmsg_len = data[2] & 0x80 ? get_be16(data + 2) : sizeof(h) + len;
		h.nlmsg_type = 16 + data[0] % 24;
		h.nlmsg_flags = NLM_F_REQUEST | data[1] << 4;
		memcpy(m, &h, sizeof(h));
		memcpy(m + sizeof(h), data + 4, len);
		iter_init(&msg.iter, &iov, 1, false);
		msg.flags = MSG_DONTWAIT;
		socket_sendmsg(s, &msg);
		drain(s);
		data += 4 + len;
		size -= 4 + len;
	}
	restore();
	drain(s);
	fuzz_end();
	return 0;
}
