/* SPDX-License-Identifier: MIT */
/* coalesce.h - segments in order of one connection, put together before it hears of them. */
#pragma once

#include "tcp.h"

/* seg is as predicted and brings data, or nothing but an ACK that was taken: what follows it in
 * this batch may be put together. Lock held. */
void tcp_coalesce_from(struct tcp_conn *tc, const struct tcp_seg *seg, const struct ip_rx *rx);
void tcp_coalesce_acks(struct tcp_conn *tc, const struct tcp_seg *seg, const struct ip_rx *rx);

/* input.c: the way of each segment that is not put together with others. */
int tcp_input_one(struct pkt *p, struct ip_rx *rx);
