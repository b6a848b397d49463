/* SPDX-License-Identifier: MIT */
/* input.c - datagrams and ICMP errors come in. A datagram is checked once (length, checksum), finds
 * its socket and is queued there. Nobody at the port is answered with port unreachable (RFC
 * 1122 4.1.3.1). */
#include "udp.h"

static bool checksum_good(const struct pkt *p, const struct ip_rx *rx, u32 len)
{
	/* RFC 768: the sender made none. RFC 8200 8.1: over IPv6 it must */
	if (get_be16(p->data + 6) == 0)
		return ip_addr_is_v4(&rx->dst);
	if (p->csum == PKT_CSUM_OK)
		return true;
	return csum_fold(csum_partial(p->data, len,
				      ip_pseudo_sum(&rx->src, &rx->dst, IPPROTO_UDP, len))) == 0;
}

static void queue(struct udp_sock *us, struct pkt *p)
{
	struct ip_mib *mib = udp_mib_for(&ip_rx(p)->dst);

	if (!inet_filter(&us->is, p, p->trans_off)) {
		ip_mib_inc_poll(mib, UDP_IN_ERRORS);
		ip_drop(p, DROP_SOCKET_FILTER);
		return;
	}
	if (unlikely(socket_queue(us->is.s, p))) {
		ip_drop_count(DROP_SOCKET_FULL);
		ip_mib_inc_poll(mib, UDP_RCVBUF_ERRORS);
	} else {
		ip_mib_inc_poll(mib, UDP_IN);
	}
}

/* ---- broadcasts and multicasts: a copy for each but the last ---- */

struct group_walk {
	struct pkt *p;
	struct udp_sock *last;
};

static void deliver_copy(struct udp_sock *us, void *arg)
{
	struct group_walk *w = arg;
	struct pkt *copy;

	if (w->last) {
		copy = pkt_copy(w->p, PKT_POOL_RX, 0);
		if (copy) {
			queue(w->last, copy);
		} else {
			ip_drop_count(DROP_NO_MEMORY);
			ip_mib_inc_poll(udp_mib_for(&ip_rx(w->p)->dst), UDP_MEM_ERRORS);
		}
	}
	w->last = us;
}

static int deliver_group(struct pkt *p, const struct ip_rx *rx, u16 lport)
{
	struct group_walk w = { .p = p };

	udp_find_all(rx, lport, rx->sport, deliver_copy, &w);
	if (!w.last) {
		ip_mib_inc_poll(udp_mib_for(&rx->dst), UDP_IGNORED_MULTI);
		return ip_drop(p, DROP_NO_SOCKET);
	}
	queue(w.last, p);
	return IP_TAKEN;
}

static int bad(struct pkt *p, u32 counter, enum drop_reason why)
{
	ip_mib_inc_poll(udp_mib_for(&ip_rx(p)->dst), counter);
	return ip_drop(p, why);
}

int udp_input(struct pkt *p, struct ip_rx *rx)
{
	const u8 *h = p->data;
	struct udp_sock *us;
	u16 lport;
	u32 len;

	if (unlikely(p->len < UDP_HEADER))
		return bad(p, UDP_IN_ERRORS, DROP_TRUNCATED);
	len = get_be16(h + 4);
	if (unlikely(len < UDP_HEADER || len > p->len))
		return bad(p, UDP_IN_ERRORS, DROP_BAD_LENGTH);
	if (unlikely(!checksum_good(p, rx, len)))
		return bad(p, UDP_IN_CSUM_ERRORS, DROP_BADSUM);
	rx->sport = get_be16(h);
	lport = get_be16(h + 2);
	if (unlikely(rx->flags & (IP_RX_BROADCAST | IP_RX_MULTICAST))) {
		pkt_trim(p, len);
		pkt_pull(p, UDP_HEADER);
		return deliver_group(p, rx, lport);
	}
	us = udp_find(rx, lport, rx->sport);
	if (unlikely(!us)) {
		ip_mib_inc_poll(udp_mib_for(&rx->dst), UDP_NO_PORTS);
		return ip_reject(p, DROP_NO_SOCKET, IP_ERR_PORT_UNREACH, 0);
	}
	pkt_trim(p, len);
	pkt_pull(p, UDP_HEADER);
	queue(us, p);
	return IP_TAKEN;
}

/* RFC 1122 4.1.3.3: errors go up to whoever sent the datagram. */
void udp_error(const struct ip_error *e, const u8 *quote, u32 quote_len)
{
	/* as the answer to the quoted packet would come in */
	struct ip_rx rx = { .src = e->remote, .dst = e->local, .ifindex = e->ifindex };
	struct ip_error copy = *e;
	struct udp_sock *us;
	u16 rport;

	if (quote_len < UDP_HEADER)
		return;
	rport = get_be16(quote + 2);
	us = udp_find(&rx, get_be16(quote), rport);
	if (!us)
		return;
	if (e->kind == IP_ERR_REDIRECT) {
		ip_redirect(e);
		return;
	}
	if (e->kind == IP_ERR_TOO_BIG) {
		u8 discovery = inet_settings(&us->is, &e->remote)->pmtudisc;

		if (discovery < IP_PMTUDISC_INTERFACE)
			ip_pmtu_update(&e->remote, e->info);
		/* as on Linux: who wants path MTU discovery hears that this datagram is lost */
		if (discovery == IP_PMTUDISC_DONT)
			return;
		copy.fatal = true;
	}
	inet_error(&us->is, &copy, rport, quote + UDP_HEADER, quote_len - UDP_HEADER);
}
