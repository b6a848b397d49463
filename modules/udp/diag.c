/* SPDX-License-Identifier: MIT */
/* diag.c - UDP's sockets as ss(8) asks for them: all that have a port. */
#include <weft/net/diag.h>

#include "udp.h"

static bool tell(const struct udp_end *e, void *arg)
{
	const struct udp_sock *us = e->us;
	struct diag_walk *w = arg;
	struct diag_sock d;

	if (w->family && us->is.s->family != w->family)
		return true;
	diag_from_inet(&d, &us->is);
	/* addresses and ports that belong together */
	d.laddr = e->laddr;
	d.raddr = e->raddr;
	d.lport = e->lport;
	d.rport = e->rport;
	d.state = ip_addr_is_any(&e->raddr) ? DIAG_STATE_CLOSE : DIAG_STATE_ESTABLISHED;
	d.port_bound = us->port_bound;
	return w->fn(w, &d);
}

static void walk(struct diag_walk *w)
{
	rcu_read_lock();
	udp_walk(&w->bucket, tell, w);
	rcu_read_unlock();
}

static int destroy(const struct diag_sock *which)
{
	return diag_destroy_datagram(THIS_MODULE, which);
}

struct diag_table udp_diag = {
	.name = "udp",
	.family = AF_INET,
	.protocol = IPPROTO_UDP,
	.walk = walk,
	.destroy = destroy,
};
