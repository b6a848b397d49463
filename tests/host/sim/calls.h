/* SPDX-License-Identifier: MIT */
/* calls.h - the socket calls as simulated programs make them: the kernel's own code from the system
 * call on, with descriptors. IPv4 addresses and ports are in host order. Each returns what the call
 * returns, a negative errno when it fails. From a thread of the machine only. */
#pragma once

#include <weft/file.h>
#include <weft/net/addr.h>
#include <weft/socket.h>

int c_socket(int family, int type, int protocol);
int c_bind(int fd, u32 addr, u16 port);
int c_connect(int fd, u32 addr, u16 port);
int c_listen(int fd, int backlog);
int c_accept(int fd, int flags);		 /* SOCK_NONBLOCK */
int c_accept_from(int fd, int flags, u16 *port); /* and the peer's port */
long c_send(int fd, const void *p, size_t len, int flags);
long c_recv(int fd, void *p, size_t len, int flags);
long c_sendto(int fd, const void *p, size_t len, int flags, u32 addr, u16 port);
/* The same for any address, on a socket of that family: an IPv4 one goes mapped to an AF_INET6
 * socket, a link-local one means eth0's. */
int c_bind_to(int fd, u16 af, const struct ip_addr *a, u16 port);
int c_connect_to(int fd, u16 af, const struct ip_addr *a, u16 port);
long c_sendto_to(int fd, u16 af, const void *p, size_t len, int flags, const struct ip_addr *a,
		 u16 port);
long c_recvfrom_of(int fd, void *p, size_t len, int flags, struct ip_addr *a, u16 *port);
int c_shutdown(int fd, int how);
int c_close(int fd);
int c_setopt(int fd, int level, int opt, const void *val, u32 len);
int c_setint(int fd, int level, int opt, int val);
int c_getopt(int fd, int level, int opt, void *val, u32 *len);
int c_getint(int fd, int level, int opt); /* negative: the errno */
int c_error(int fd);			  /* SO_ERROR, positive */
int c_port(int fd);			  /* the local one, by getsockname */
int c_peer_port(int fd);		  /* by getpeername */
int c_nonblock(int fd, bool on);
long c_ioctl(int fd, u32 cmd, void *arg);
/* Events among those asked for, with POLLERR and POLLHUP; 0 when ms (-1: for ever, 0: only look)
 * have passed. */
long c_poll(int fd, u32 events, int ms);
/* Sends all, waiting; how many bytes went when it failed is in *done if not NULL. 0 or errno. */
long c_send_all(int fd, const void *p, size_t len, size_t *done);

/* deadline_ns: 0 none, 1: only look */
long sim_poll(int fd, u32 events, u64 deadline_ns);
u32 sim_open_files(void);
