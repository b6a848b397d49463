/* SPDX-License-Identifier: MIT */
/* socket.h - a netlink socket, for those who answer on it. */
#pragma once

#include "netlink.h"

struct nl_sock {
	/* fixed once created */
	struct socket *s;
	/* guarded by all_lock (netlink.c), pid and groups written with s->lock held too */
	struct list_head all_node;
	u32 pid;    /* 0: none yet */
	u64 groups; /* bit n - 1: group n */
	/* guarded by s->lock */
	u32 peer_pid; /* connect(2): 0 is the kernel */
	bool pktinfo, broadcast_error, cap_ack;
	bool no_enobufs; /* read without it */
	struct nl_dump dump;
	u32 dump_seq;
};

static inline struct nl_sock *nl_of(const struct socket *s)
{
	return s->priv;
}

/* Queues an answer; where there is no room the reader hears ENOBUFS. Consumes p. Lock held. */
int nl_queue(struct nl_sock *ns, struct pkt *p);
/* Makes the next part of the running dump. -ENOBUFS ends it. Lock held. */
int nl_dump_continue(struct nl_sock *ns);
