/* SPDX-License-Identifier: MIT */
/* calls.c - the socket calls for simulated programs. */
#include "calls.h"

#include <core/syscall.h>
#include <core/vfs.h>
#include <weft/bytes.h>
#include <weft/net/netif.h>
#include <weft/rcu.h>
#include <weft/string.h>
#include <weft/time.h>

#define CALL(name) long sim_sys_##name(u64 a, u64 b, u64 c, u64 d, u64 e, u64 f);
CALL(socket)
CALL(bind)
CALL(connect)
CALL(listen)
CALL(accept4)
CALL(sendto)
CALL(recvfrom)
CALL(shutdown)
CALL(setsockopt)
CALL(getsockopt)
CALL(getsockname)
CALL(getpeername)

static struct sockaddr_in in4(u32 addr, u16 port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
				     .sin_port = htons(port),
				     .sin_addr = htonl(addr) };
}

int c_socket(int family, int type, int protocol)
{
	return sim_sys_socket(family, type, protocol, 0, 0, 0);
}

int c_bind(int fd, u32 addr, u16 port)
{
	struct sockaddr_in in = in4(addr, port);

	return sim_sys_bind(fd, (u64)&in, sizeof(in), 0, 0, 0);
}

int c_connect(int fd, u32 addr, u16 port)
{
	struct sockaddr_in in = in4(addr, port);

	return sim_sys_connect(fd, (u64)&in, sizeof(in), 0, 0, 0);
}

int c_listen(int fd, int backlog)
{
	return sim_sys_listen(fd, backlog, 0, 0, 0, 0);
}

int c_accept(int fd, int flags)
{
	return sim_sys_accept4(fd, 0, 0, flags, 0, 0);
}

int c_accept_from(int fd, int flags, u16 *port)
{
	u8 name[SOCKADDR_MAX];
	u32 len = sizeof(name);
	int con = sim_sys_accept4(fd, (u64)name, (u64)&len, flags, 0, 0);

	/* of either family */
	if (con >= 0)
		*port = get_be16(name + 2);
	return con;
}

long c_send(int fd, const void *p, size_t len, int flags)
{
	return sim_sys_sendto(fd, (u64)p, len, flags, 0, 0);
}

long c_recv(int fd, void *p, size_t len, int flags)
{
	return sim_sys_recvfrom(fd, (u64)p, len, flags, 0, 0);
}

long c_sendto(int fd, const void *p, size_t len, int flags, u32 addr, u16 port)
{
	struct sockaddr_in in = in4(addr, port);

	return sim_sys_sendto(fd, (u64)p, len, flags, (u64)&in, sizeof(in));
}

union name {
	u16 family;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

static u32 eth0_index(void)
{
	struct netif *nif;
	u32 index;

	rcu_read_lock();
	nif = netif_by_name("eth0");
	index = nif ? nif->index : 0;
	rcu_read_unlock();
	return index;
}

static union name name_of(u16 af, const struct ip_addr *a, u16 port, u32 *len)
{
	union name n = { .in6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) } };

	if (af == AF_INET) {
		*len = sizeof(n.in);
		n.in = in4(ip_addr_to_v4(a), port);
		return n;
	}
	*len = sizeof(n.in6);
	memcpy(n.in6.sin6_addr, a, 16);
	if (!ip_addr_is_v4(a) && ip_addr_is_link_local(a))
		n.in6.sin6_scope_id = eth0_index();
	return n;
}

int c_bind_to(int fd, u16 af, const struct ip_addr *a, u16 port)
{
	u32 len;
	union name n = name_of(af, a, port, &len);

	return sim_sys_bind(fd, (u64)&n, len, 0, 0, 0);
}

int c_connect_to(int fd, u16 af, const struct ip_addr *a, u16 port)
{
	u32 len;
	union name n = name_of(af, a, port, &len);

	return sim_sys_connect(fd, (u64)&n, len, 0, 0, 0);
}

long c_sendto_to(int fd, u16 af, const void *p, size_t len, int flags, const struct ip_addr *a,
		 u16 port)
{
	u32 name_len;
	union name n = name_of(af, a, port, &name_len);

	return sim_sys_sendto(fd, (u64)p, len, flags, (u64)&n, name_len);
}

long c_recvfrom_of(int fd, void *p, size_t len, int flags, struct ip_addr *a, u16 *port)
{
	union name n = { .in6 = { 0 } };
	u32 name_len = sizeof(n);
	long got = sim_sys_recvfrom(fd, (u64)p, len, flags, (u64)&n, (u64)&name_len);

	*port = ntohs(n.in.sin_port); /* in both at the same place */
	if (n.family == AF_INET6)
		memcpy(a, n.in6.sin6_addr, 16);
	else
		*a = ip_addr_v4_be(n.in.sin_addr);
	return got;
}

int c_shutdown(int fd, int how)
{
	return sim_sys_shutdown(fd, how, 0, 0, 0, 0);
}

int c_close(int fd)
{
	return fd_close(fd);
}

int c_setopt(int fd, int level, int opt, const void *val, u32 len)
{
	return sim_sys_setsockopt(fd, level, opt, (u64)val, len, 0);
}

int c_setint(int fd, int level, int opt, int val)
{
	return c_setopt(fd, level, opt, &val, sizeof(val));
}

int c_getopt(int fd, int level, int opt, void *val, u32 *len)
{
	return sim_sys_getsockopt(fd, level, opt, (u64)val, (u64)len, 0);
}

int c_getint(int fd, int level, int opt)
{
	u32 len = sizeof(int);
	int v = 0, err = c_getopt(fd, level, opt, &v, &len);

	return err ? err : v;
}

int c_error(int fd)
{
	return c_getint(fd, SOL_SOCKET, SO_ERROR);
}

int c_port(int fd)
{
	union name n;
	u32 len = sizeof(n);
	long err = sim_sys_getsockname(fd, (u64)&n, (u64)&len, 0, 0, 0);

	return err ? err : ntohs(n.in.sin_port);
}

int c_peer_port(int fd)
{
	union name n;
	u32 len = sizeof(n);
	long err = sim_sys_getpeername(fd, (u64)&n, (u64)&len, 0, 0, 0);

	return err ? err : ntohs(n.in.sin_port);
}

int c_nonblock(int fd, bool on)
{
	struct file *f = fd_get(fd);

	if (!f)
		return -EBADF;
	f->flags = on ? f->flags | O_NONBLOCK : f->flags & ~O_NONBLOCK;
	file_put(f);
	return 0;
}

long c_ioctl(int fd, u32 cmd, void *arg)
{
	struct file *f = fd_get(fd);
	long ret;

	if (!f)
		return -EBADF;
	ret = f->ops->ioctl(f, cmd, (unsigned long)arg);
	file_put(f);
	return ret;
}

long c_poll(int fd, u32 events, int ms)
{
	u64 deadline = ms < 0 ? 0 : ms ? ktime_get() + ms * NSEC_PER_MSEC : 1;

	return sim_poll(fd, events, deadline);
}

long c_send_all(int fd, const void *p, size_t len, size_t *done)
{
	size_t sent = 0;
	long n = 0;

	while (sent < len) {
		n = c_send(fd, (const u8 *)p + sent, len - sent, MSG_NOSIGNAL);
		if (n < 0)
			break;
		sent += n;
	}
	if (done)
		*done = sent;
	return n < 0 ? n : 0;
}
