/* SPDX-License-Identifier: MIT */
/* message.c - one socket of AF_INET or AF_INET6 as INET_DIAG tells it: the fixed part, and those
 * attributes that were asked for or are always there. */
#include "sock_diag.h"

#include <weft/net/sock.h>

#define WANTS(ext, attr) ((ext)&1u << ((attr)-1))

static void put_address(u32 to[4], const struct ip_addr *a, u16 family)
{
	if (family == AF_INET)
		to[0] = a->w[3];
	else
		memcpy(to, a->b, sizeof(a->b));
}

static void fill_head(struct inet_diag_msg *m, const struct diag_sock *d)
{
	*m = (struct inet_diag_msg){
		.idiag_family = d->family,
		.idiag_state = d->state,
		.idiag_timer = d->timer,
		.idiag_retrans = d->retrans,
		.id.idiag_sport = htons(d->lport),
		.id.idiag_dport = htons(d->rport),
		.id.idiag_if = d->ifindex,
		.idiag_expires = d->timer_left_ns / NSEC_PER_MSEC,
		.idiag_rqueue = d->rqueue,
		.idiag_wqueue = d->wqueue,
		.idiag_uid = d->uid,
		.idiag_inode = d->ino,
	};
	put_address(m->id.idiag_src, &d->laddr, d->family);
	put_address(m->id.idiag_dst, &d->raddr, d->family);
	put_cookie(m->id.idiag_cookie, d->cookie);
}

/* struct inet_diag_sockopt: bits, the first one lowest. */
static void put_options(struct nl_out *o, const struct diag_sock *d)
{
	const struct inet_sock *is = d->is;
	const struct inet_settings *set = d->family == AF_INET ? &is->v4 : &is->v6;
	u8 bits[2] = { 0 };

	bits[0] |= set->flags & INET_RECVERR ? BIT(0) : 0;
	bits[0] |= d->type == SOCK_STREAM ? BIT(1) : 0;
	bits[0] |= is->flags & INET_FREEBIND ? BIT(2) : 0;
	bits[0] |= is->flags & INET_HDRINCL ? BIT(3) : 0;
	bits[0] |= set->flags & INET_MCAST_LOOP ? BIT(4) : 0;
	bits[0] |= is->flags & INET_TRANSPARENT ? BIT(5) : 0;
	bits[0] |= set->flags & INET_MCAST_ALL ? BIT(6) : 0;
	nl_put(o, INET_DIAG_SOCKOPT, bits, sizeof(bits));
}

static void put_settings(struct nl_out *o, const struct diag_sock *d, u8 ext, bool root)
{
	const struct inet_sock *is = d->is;

	nl_put_u8(o, INET_DIAG_SHUTDOWN, d->shutdown);
	if (WANTS(ext, INET_DIAG_TOS))
		nl_put_u8(o, INET_DIAG_TOS, is->v4.tos);
	if (d->family == AF_INET6) {
		if (WANTS(ext, INET_DIAG_TCLASS))
			nl_put_u8(o, INET_DIAG_TCLASS, is->v6.tos);
		if (d->state == DIAG_STATE_LISTEN || d->state == DIAG_STATE_CLOSE)
			nl_put_u8(o, INET_DIAG_SKV6ONLY, is->flags & INET_V6ONLY ? 1 : 0);
	}
	if (root)
		nl_put_u32(o, INET_DIAG_MARK, d->mark);
	/* no control groups: the class is the priority, as with Linux where there is none */
	if (d->s && WANTS(ext, INET_DIAG_TCLASS))
		nl_put_u32(o, INET_DIAG_CLASS_ID, d->s->priority);
	put_options(o, d);
	if (d->type == SOCK_RAW)
		nl_put_u8(o, INET_DIAG_PROTOCOL, d->lport);
}

static void put_meminfo(struct nl_out *o, const struct diag_sock *d)
{
	struct inet_diag_meminfo mem = {
		.idiag_rmem = d->mem[SK_MEMINFO_RMEM_ALLOC],
		.idiag_wmem = d->mem[SK_MEMINFO_WMEM_QUEUED],
		.idiag_fmem = d->mem[SK_MEMINFO_FWD_ALLOC],
		.idiag_tmem = d->mem[SK_MEMINFO_WMEM_ALLOC],
	};

	nl_put(o, INET_DIAG_MEMINFO, &mem, sizeof(mem));
}

bool inet_message(struct nl_out *o, const struct diag_sock *d, u8 ext, bool root)
{
	struct inet_diag_msg m;

	fill_head(&m, d);
	nl_begin(o, SOCK_DIAG_BY_FAMILY, &m, sizeof(m));
	/* what is left of a connection has neither options nor memory */
	if (d->is) {
		put_settings(o, d, ext, root);
		if (WANTS(ext, INET_DIAG_MEMINFO))
			put_meminfo(o, d);
		if (WANTS(ext, INET_DIAG_SKMEMINFO))
			nl_put(o, INET_DIAG_SKMEMINFO, d->mem, sizeof(d->mem));
		if (d->info && WANTS(ext, INET_DIAG_INFO))
			nl_put(o, INET_DIAG_INFO, d->info, d->info_len);
		if (d->cong && WANTS(ext, INET_DIAG_CONG))
			nl_put_str(o, INET_DIAG_CONG, d->cong);
	}
	return nl_end(o);
}

void put_memory(struct nl_out *o, u16 type, const struct socket *s)
{
	struct diag_sock d;

	diag_from_socket(&d, s);
	nl_put(o, type, d.mem, sizeof(d.mem));
}
