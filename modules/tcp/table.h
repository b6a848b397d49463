/* SPDX-License-Identifier: MIT */
/* table.h - what the table asks of the three kinds of ends, and tells those that keep them. */
#pragma once

#include "tcp.h"

/* Would a listener at e be found for dst? Also: does who holds its port as e does hold it there? */
static inline bool tcp_end_covers(const struct tcp_end *e, const struct ip_addr *dst)
{
	if (!ip_addr_is_any(&e->laddr))
		return ip_addr_eq(&e->laddr, dst);
	if (ip_addr_is_v4(&e->laddr))
		return ip_addr_is_v4(dst);
	return !(e->bind & TCP_BIND_V6ONLY) || !ip_addr_is_v4(dst);
}
/* Addresses, ports, interface and family; to is in no table yet. */
static inline void tcp_end_copy_names(struct tcp_end *to, const struct tcp_end *from)
{
	to->laddr = from->laddr;
	to->raddr = from->raddr;
	to->lport = from->lport;
	to->rport = from->rport;
	to->bound_if = from->bound_if;
	to->family = from->family;
}
/* As tcp_insert_end, but also over a TIME-WAIT that allows it: *tw, with the table's reference, is
 * out then. -EADDRNOTAVAIL. The ports' lock may be held. */
int tcp_insert_active(struct tcp_end *e, struct tcp_end **tw);

/* The last reference is gone and so is every reader. Process context. */
void tcp_conn_free(struct tcp_end *e);	   /* conn.c */
void tcp_request_free(struct tcp_end *e);  /* listen.c */
void tcp_timewait_free(struct tcp_end *e); /* timewait.c */

u32 tcp_ends_alive(void); /* not freed yet, in tables or not */
u32 tcp_nr_alive(void);	  /* those of them that are not in TIME-WAIT */

/* timewait.c: may connect(2) have its 4-tuple now (tcp_tw_reuse, RFC 6191)? Bucket lock held. */
bool tcp_timewait_reusable(const struct tcp_end *tw);
/* What the next connection must know of it: where sequence numbers and time stamps go on. */
void tcp_timewait_inherit(const struct tcp_end *tw, struct tcp_conn *tc);
/* It is over, whoever finds it first. Idempotent. */
void tcp_timewait_drop(struct tcp_end *tw);
