/* SPDX-License-Identifier: MIT */
/* sock.c - the life of a packet socket: made by root, bound to an interface and an EtherType,
 * listening as long as it has one. Binding anew takes the tap off first, so that the tap sees one
 * binding or the other and no mixture. */
#include "packet.h"

#include <weft/alloc.h>
#include <weft/sched.h>
#include <weft/string.h>

#define SIOCGSTAMP 0x8906
#define SIOCGSTAMPNS 0x8907

void packet_device_name(u32 ifindex, u8 name[14])
{
	struct netif *nif;

	memset(name, 0, 14);
	rcu_read_lock();
	nif = netif_by_index(ifindex);
	if (nif)
		memcpy(name, nif->name, strnlen(nif->name, 13));
	rcu_read_unlock();
}

/* ---- listening ---- */

static void silence(struct packet_sock *ps)
{
	if (ps->listening)
		netif_untap(&ps->tap);
	ps->listening = false;
}

static void listen(struct packet_sock *ps, u16 protocol, u32 ifindex)
{
	if (ps->listening && ps->protocol == protocol && ps->ifindex == ifindex)
		return;
	silence(ps);
	ps->protocol = protocol;
	WRITE_ONCE(ps->ifindex, ifindex);
	ps->tap.ifindex = ifindex;
	if (!protocol)
		return;
	netif_tap(&ps->tap);
	ps->listening = true;
}

/* ifindex 0: all. -ENODEV. */
static int bind_to(struct packet_sock *ps, u16 protocol, u32 ifindex)
{
	struct netif *nif = NULL;
	bool up = true;

	rcu_read_lock();
	if (ifindex)
		nif = netif_by_index(ifindex);
	if (nif)
		up = netif_is_up(nif);
	rcu_read_unlock();
	if (ifindex && !nif)
		return -ENODEV;
	/* packet(7): protocol 0 leaves what socket(2) named */
	listen(ps, protocol ? protocol : ps->protocol, ifindex);
	if (!up && ps->listening)
		socket_set_error(ps->s, ENETDOWN);
	return 0;
}

static int bind_by_name(struct packet_sock *ps, const u8 *name, u32 len)
{
	char text[IFNAMSIZ] = "";
	struct netif *nif;
	u32 index;

	if (len < sizeof(struct sockaddr))
		return -EINVAL;
	memcpy(text, name + offsetof(struct sockaddr, sa_data), 14);
	rcu_read_lock();
	nif = netif_by_name(text);
	index = nif ? nif->index : 0;
	rcu_read_unlock();
	return index ? bind_to(ps, 0, index) : -ENODEV;
}

static int packet_bind(struct socket *s, const u8 *name, u32 len)
{
	struct packet_sock *ps = packet_of(s);
	struct sockaddr_ll sa;

	if (s->type == SOCK_PACKET)
		return bind_by_name(ps, name, len);
	if (len < sizeof(sa))
		return -EINVAL;
	memcpy(&sa, name, sizeof(sa));
	if (sa.sll_family != AF_PACKET || sa.sll_ifindex < 0)
		return -EINVAL;
	return bind_to(ps, ntohs(sa.sll_protocol), sa.sll_ifindex);
}

/* Down to the last byte of the address, as Linux counts it. */
static int packet_name(struct socket *s, u8 *name, u32 *len, enum socket_name which)
{
	const struct packet_sock *ps = packet_of(s);
	struct sockaddr_ll sa = { .sll_family = AF_PACKET };
	struct netif *nif;

	if (which != SOCKET_NAME_OWN)
		return -EOPNOTSUPP;
	if (s->type == SOCK_PACKET) {
		struct sockaddr_pkt old = { .spkt_family = AF_PACKET };

		packet_device_name(ps->ifindex, old.spkt_device);
		memcpy(name, &old, sizeof(struct sockaddr));
		*len = sizeof(struct sockaddr);
		return 0;
	}
	sa.sll_protocol = htons(ps->protocol);
	sa.sll_ifindex = ps->ifindex;
	rcu_read_lock();
	nif = ps->ifindex ? netif_by_index(ps->ifindex) : NULL;
	if (nif) {
		sa.sll_hatype = nif->type;
		sa.sll_halen = nif->link->addr_len;
		memcpy(sa.sll_addr, nif->mac, sa.sll_halen);
	}
	rcu_read_unlock();
	*len = offsetof(struct sockaddr_ll, sll_addr) + sa.sll_halen;
	memcpy(name, &sa, *len);
	return 0;
}

/* When the packet that was read last came, for programs older than SO_TIMESTAMP. */
static long packet_ioctl(struct socket *s, u32 cmd, unsigned long arg)
{
	u64 stamp = READ_ONCE(packet_of(s)->stamp_ns), now, real;
	s64 out[2];

	if (cmd != SIOCGSTAMP && cmd != SIOCGSTAMPNS)
		return -ENOIOCTLCMD;
	if (!stamp)
		return -ENOENT;
	now = ktime_get();
	real = ktime_get_real() - (now - stamp);
	out[0] = real / NSEC_PER_SEC;
	out[1] = real % NSEC_PER_SEC;
	if (cmd == SIOCGSTAMP)
		out[1] /= NSEC_PER_USEC;
	return copy_to_user((void __user *)arg, out, sizeof(out));
}

static u32 packet_poll(struct socket *s)
{
	u32 events = socket_poll_default(s);
	struct packet_ring *r;

	rcu_read_lock();
	r = rcu_dereference(packet_of(s)->ring);
	if (r && packet_ring_readable(r))
		events |= POLLIN | POLLRDNORM;
	rcu_read_unlock();
	return events;
}

static void packet_close(struct socket *s)
{
	struct packet_sock *ps = packet_of(s);

	packet_list_remove(ps);
	silence(ps);
	packet_leave_all(ps);
	packet_ring_free(ps->ring);
	kfree(ps);
}

static const struct socket_ops packet_ops = {
	.bind = packet_bind,
	.name = packet_name,
	.send = packet_send,
	.recv = packet_recv,
	.setsockopt = packet_setsockopt,
	.getsockopt = packet_getsockopt,
	.poll = packet_poll,
	.ioctl = packet_ioctl,
	.mmap = packet_mmap,
	.close = packet_close,
};

int packet_create(struct socket *s)
{
	struct packet_sock *ps;
	int err = require_root();

	if (err)
		return err;
	if (s->type != SOCK_RAW && s->type != SOCK_DGRAM && s->type != SOCK_PACKET)
		return -ESOCKTNOSUPPORT;
	ps = kzalloc(sizeof(*ps));
	if (!ps)
		return -ENOMEM;
	ps->s = s;
	ps->tap.frame = packet_frame;
	list_init(&ps->members);
	s->priv = ps;
	s->ops = &packet_ops;
	s->filters = true;
	packet_list_add(ps);
	listen(ps, ntohs(s->protocol), 0);
	return 0;
}
